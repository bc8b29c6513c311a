"""Checks of arguments, whose errors are one sentence with the argument's name and value."""

import os
import re
from argparse import Namespace
from collections.abc import Sequence
from numbers import Real
from pathlib import Path
from typing import Any

from lit_gan._utils.errors import LitGANError, LitGANTypeError

__all__ = [
    "at_least",
    "at_least_one",
    "each_once",
    "expanded",
    "instance_of",
    "positive",
    "prefix",
    "shown",
    "why_outside",
    "within",
]


def at_least(minimum: int, owner: object = None, /, **values: int | None) -> None:
    """Raise for the first of ``values`` that is not a whole number of at least ``minimum``; None passes.

    Args:
        minimum: the smallest value that passes.
        owner: the part that takes the arguments, which the error names; None for none.
        values: values by the name of their argument.

    Raises:
        TypeError: a value that is not a whole number.
        ValueError: a value below ``minimum``.
    """
    for name, value in values.items():
        sentence = f"{prefix(owner)}{name}={value!r} must be at least {minimum}, a whole number"
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise LitGANTypeError(sentence)
        if value is not None and value < minimum:
            raise LitGANError(sentence)


def at_least_one(owner: object = None, /, **values: int | None) -> None:
    """Raise for the first of ``values`` that is not a whole number of at least 1, as :func:`at_least` does."""
    at_least(1, owner, **values)


def within(interval: str, owner: object = None, /, **values: float | None) -> None:
    """Raise for the first of ``values`` that is not a number in ``interval``; None passes.

    Args:
        interval: ``"[0, 1)"`` for instance; ``"(0, ∞)"`` excludes 0 and infinity.
        owner: the part that takes the arguments, which the error names; None for none.
        values: values by the name of their argument.

    Raises:
        TypeError: a value that is not a number.
        ValueError: a value outside the interval, or NaN.
    """
    for name, value in values.items():
        if value is not None and (misfit := why_outside(interval, value)):
            raise misfit(f"{prefix(owner)}{name}={value!r} must be a number in {interval}")


def why_outside(interval: str, value: Any) -> type[LitGANError] | None:
    """Return the error type for ``value``: TypeError if not a number, ValueError if not in ``interval``, else None."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return LitGANTypeError
    low, high = (float(end.replace("∞", "inf")) for end in interval[1:-1].split(","))
    number, left, right = float(value), interval[0] == "[", interval[-1] == "]"
    inside = (low < number or (left and low == number)) and (number < high or (right and number == high))
    return None if inside else LitGANError


def positive(owner: object = None, /, **values: float | None) -> None:
    """Raise for the first of ``values`` that is not a positive number, as :func:`within` does."""
    within("(0, ∞)", owner, **values)


def instance_of(name: str, value: Any, base: type, example: str) -> None:
    """Raise a TypeError if ``value`` is not an instance of ``base``; the message proposes ``example``."""
    if not isinstance(value, base):
        raise LitGANTypeError(f"{name}={shown(value)} is no {base.__name__}: give an instance of one, like {example}")


def shown(value: object, most: int = 100) -> str:
    """Return the ``repr`` of a value in one line, with its middle cut out if it is longer than ``most`` characters."""
    line = " ".join(repr(value).split())
    return line if len(line) <= most else f"{line[: most // 2]} … {line[-most // 2 :]}"


def each_once(**values: Sequence[str]) -> None:
    """Raise for the first of ``values``, lists of names, that contains a name twice.

    Raises:
        ValueError: a name is in the list twice.
    """
    for name, value in values.items():
        if len(set(value)) < len(value):
            raise LitGANError(f"{name}={value!r} names one twice: leave it out once")


def expanded(value: Any) -> Any:
    """Return ``value`` with the home folder in place of ``~`` or ``~user`` at the beginning of a path.

    Args:
        value: text or a path, or a dict, list or namespace with these in it, at any depth; anything else is returned
            unchanged.

    Raises:
        ValueError: no such user, or one without a home folder: the text would name a folder ``~`` in the current one.
    """
    if isinstance(value, dict):
        return {key: expanded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [expanded(part) for part in value]
    if isinstance(value, Namespace):
        return type(value)(**expanded(vars(value)))
    if isinstance(value, Path):
        return Path(expanded(str(value)))
    home = re.match(r"~$|~[^/\\]*(?=[/\\])", value) if isinstance(value, str) else None
    if home is None:
        return value
    path = os.path.expanduser(value)  # noqa: PTH111  Path would drop a "/" at the end
    if path == value:
        raise LitGANError(f"{value}: there is no home folder {home[0]}, so give the whole path")
    return path


def prefix(owner: object) -> str:
    """Return ``"ClassName: "`` of ``owner``, with which an error begins; an empty string for None."""
    return "" if owner is None else f"{type(owner).__name__}: "
