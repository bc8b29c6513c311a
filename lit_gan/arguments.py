"""Refusals of arguments that all parts share: one sentence with the name and the value."""

from typing import Any

__all__ = ["at_least_one", "instance_of", "positive"]


def at_least_one(**values: int | None) -> None:
    """Raise ValueError, naming it, for the first of ``values`` that is no whole number from 1 on; None passes."""
    for name, value in values.items():
        if value is not None and (not isinstance(value, int) or value < 1):
            raise ValueError(f"{name}={value} must be at least 1, a whole number")


def positive(**values: float | None) -> None:
    """Raise ValueError, naming it, for the first of ``values`` that is not above 0; None passes."""
    for name, value in values.items():
        if value is not None and not value > 0:
            raise ValueError(f"{name}={value} must be positive, or None to go without")


def instance_of(name: str, value: Any, base: type, example: str) -> None:
    """Raise TypeError where ``value`` is no instance of ``base``; ``example`` shows the way out."""
    if not isinstance(value, base):
        raise TypeError(f"{name}={value!r} is no {base.__name__}: give an instance of one, like {example}")
