"""The exceptions of lit_gan: one base, by which a refusal is told from a bug."""

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
    """Base of every error that lit_gan raises itself: one sentence with the values at fault and the way out.

    Those that Python would call otherwise are of both kinds: ``LitGANTypeError`` is a ``TypeError`` as well. The
    command prints such a sentence and exits with 2; ``--debug`` shows the traceback. Any other exception is a bug.

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
    """Something outside, a data set or another process, that does not work."""


class LitGANOSError(LitGANError, OSError):
    """A file or folder that cannot be written."""


class MissingFileError(LitGANError, FileNotFoundError):
    """A file or folder that is not there."""


class MissingExtraError(LitGANError, ImportError):
    """A package that is not installed; the sentence names the extra that brings it."""


class NonFiniteError(LitGANError, FloatingPointError):
    """A loss or gradient that is NaN or infinite."""
