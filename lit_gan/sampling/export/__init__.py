"""Export of a trained generator to a folder (weights, description, ONNX, model card), and loading it from there."""

from lit_gan.sampling.export.exported_folder import load_generator

__all__ = ["load_generator"]
