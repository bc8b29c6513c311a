"""The version of lit_gan, here alone."""

__version__ = "0.1.0"
