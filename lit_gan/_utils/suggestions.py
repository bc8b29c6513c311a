"""The name that a mistyped one is likely to mean."""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["likely"]


def likely(given: str, names: Iterable[str]) -> str:
    """Return ``", did you mean 'x'?"`` for the most similar of ``names``, whatever its case; "" if none is similar.

    >>> likely("Higne", ["Hinge", "Minimax"])
    ", did you mean 'Hinge'?"
    >>> likely("x", ["Hinge", "Minimax"])
    ''
    """
    by_lower = {name.lower(): name for name in names}
    found = get_close_matches(given.lower(), by_lower, n=1, cutoff=0.6)
    return f", did you mean {by_lower[found[0]]!r}?" if found else ""
