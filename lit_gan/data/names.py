"""Names of files as messages show them: printable whatever their bytes are, and not too many at once."""

from collections.abc import Iterable
from itertools import islice

__all__ = ["readable", "some"]


def readable(name: object) -> str:
    r"""Return the text of a name or path with characters that cannot be printed escaped.

    A byte that is not UTF-8 becomes ``\xe9``, a line break ``\n``.
    """
    return "".join(character if character.isprintable() else _escaped(character) for character in str(name))


def some(names: Iterable[str], number: int, most: int = 10) -> str:
    """Return the first ``most`` of ``number`` names, and how many more there are."""
    return ", ".join(islice(names, most)) + (f", and {number - most} more" if number > most else "")


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # Python's name for a byte that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
