"""A trained generator as a folder of files: weights, what rebuilds it, ONNX, a model card; and back, without a Trainer.

``command.py`` is ``lit-gan export``, ``folder.py`` the weights and their description, written and read, ``onnx.py`` the
ONNX file and its check, ``scores.py`` the evaluations that are known of it, ``card.py`` the model card.
"""

from lit_gan.export.command import export
from lit_gan.export.folder import load_generator

__all__ = ["export", "load_generator"]
