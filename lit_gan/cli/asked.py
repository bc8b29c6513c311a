"""Seeds and classes as ``lit-gan sample`` is asked for them: ranges and lists of seeds, names of classes."""

import re
from collections.abc import Sequence
from typing import Any

from lit_gan._utils.arguments import at_least, shown
from lit_gan._utils.errors import LitGANError
from lit_gan._utils.suggestions import choices

__all__ = ["several_seeds", "with_numbers"]

_MOST = 100_000  # seeds of one call


def several_seeds(seed: int | str | Sequence[int] | None) -> int | list[int] | None:
    """Return a seed as it is, and several as a list: a range ``"1-10"``, both ends included, or ``"1,5,20-25"``.

    Raises:
        ValueError: text that is neither, a range that ends before it begins, a seed twice or out of range, or too many.
    """
    if seed is None or isinstance(seed, int):
        _check_seed(seed)
        return seed
    parts = seed.split(",") if isinstance(seed, str) else [str(number) for number in seed]
    ranges = [re.fullmatch(r"\s*(-?\d+)\s*(?:-\s*(\d+)\s*)?", part) for part in parts]
    ends = [(int(found[1]), int(found[2] or found[1])) for found in ranges if found]
    if not ends or len(ends) < len(parts) or any(last < first for first, last in ends):
        raise LitGANError(f"seed={shown(seed)} is no seed: give a number, a range like 1-10, or a list like 1,5,20-25")
    if sum(last - first + 1 for first, last in ends) > _MOST:
        raise LitGANError(f"seed={shown(seed)} names more than {_MOST:,} seeds: draw them in parts")
    seeds = [number for first, last in ends for number in range(first, last + 1)]
    if len(set(seeds)) < len(seeds):
        raise LitGANError(f"seed={shown(seed)} names a seed twice: leave it out once")
    _check_seed(min(seeds))
    _check_seed(max(seeds))
    return seeds


def _check_seed(seed: int | None) -> None:
    at_least(0, seed=seed)
    if seed is not None and seed >= 2**64:
        raise LitGANError(f"seed={seed} must be below 2^64, {2**64}")


def with_numbers(labels: Any, class_names: Sequence[str]) -> Any:
    """Return labels with the number of a class in place of its name; ``"all"`` and None are returned unchanged.

    Args:
        labels: a number, a name, several in a list or with commas between them, ``"all"``, or None.
        class_names: name of each class; empty if they are not known.

    Raises:
        ValueError: a name that no class has; the message names the likely one.
    """
    if isinstance(labels, str) and labels != "all":
        names = [labels] if labels in class_names else labels.split(",")
        numbers = [_number(name.strip(), class_names) for name in names]
        return numbers if len(numbers) > 1 else numbers[0]
    if isinstance(labels, list):
        return [_number(label, class_names) if isinstance(label, str) else label for label in labels]
    return labels


def _number(label: str, class_names: Sequence[str]) -> int:
    if label in class_names:
        return class_names.index(label)
    if re.fullmatch(r"-?\d+", label):
        return int(label)
    if not class_names:
        raise LitGANError(
            f"labels={label!r} is no number, and the checkpoint holds no names of classes: give the class's number, or "
            "--data with the names"
        )
    raise LitGANError(f"there is no class {label!r}: take some of {choices(class_names, label)}")
