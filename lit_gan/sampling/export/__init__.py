"""A trained generator as a folder of files: weights, what rebuilds it, ONNX, a model card; and back again."""

from lit_gan.sampling.export.exported_folder import load_generator

__all__ = ["load_generator"]
