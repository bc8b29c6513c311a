"""Exceptions of lit_gan, with one base class that separates a user's mistake from a bug."""

__all__ = [
    "LitGANError",
    "LitGANOSError",
    "LitGANRuntimeError",
    "LitGANTypeError",
    "MissingExtraError",
    "MissingFileError",
    "NonFiniteError",
]


class LitGANError(ValueError):
    """Base class of the errors that lit_gan raises: one sentence with the wrong value and how to correct it.

    It is a ``ValueError``; subclasses are also of the built-in type that fits, as ``LitGANTypeError`` is a
    ``TypeError``. The ``lit-gan`` command prints the sentence and exits with code 2; ``--debug`` shows the traceback.
    Any other exception from lit_gan is a bug.

    >>> from lit_gan import LitGANError
    >>> from lit_gan.penalties import R1
    >>> try:
    ...     R1(weight=-1.0)
    ... except LitGANError as error:
    ...     print(error)
    R1: weight=-1.0 must be a number in [0, ∞)
    """


class LitGANTypeError(LitGANError, TypeError):
    """An argument of a wrong type."""


class LitGANRuntimeError(LitGANError, RuntimeError):
    """A failure outside lit_gan, of a data set or another process."""


class LitGANOSError(LitGANError, OSError):
    """A file or folder that cannot be written."""


class MissingFileError(LitGANError, FileNotFoundError):
    """A file or folder that does not exist."""


class MissingExtraError(LitGANError, ImportError):
    """A package that is not installed; the message names the extra that installs it."""


class NonFiniteError(LitGANError, FloatingPointError):
    """A loss or gradient that is NaN or infinite."""
