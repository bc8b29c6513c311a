"""The name that a mistyped one is likely to mean."""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["choices", "likely"]


def likely(given: object, names: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the most similar of ``names``, whatever its case; "" if none is similar.

    >>> likely("Higne", ["Hinge", "Minimax"])
    "; did you mean 'Hinge'?"
    >>> likely("x", ["Hinge", "Minimax"])
    ''
    """
    by_lower = {name.lower(): name for name in names}
    found = get_close_matches(str(given).lower(), by_lower, n=1, cutoff=0.7)
    return f"; did you mean {by_lower[found[0]]!r}?" if found else ""


def choices(names: Iterable[str], given: object) -> str:
    """Return the names in a line, followed by the one that ``given`` is likely to mean, if there is one.

    >>> choices(["ring", "grid"], "rng")
    "ring, grid; did you mean 'ring'?"
    """
    names = list(names)
    return f"{', '.join(names)}{likely(given, names)}"
