"""The version of lit_gan, defined only here."""

__version__ = "0.1.0"
