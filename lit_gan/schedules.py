"""Schedules: values as functions of images seen, independent of the batch size and the number of devices."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from lit_gan._utils.arguments import at_least_one, prefix, why_outside, within

__all__ = ["Cosine", "Linear", "Schedule", "always_within", "value_at"]


class Schedule(ABC):
    """A value as a function of images seen: real images that the discriminator was shown, over all devices."""

    @abstractmethod
    def __call__(self, images_seen: int) -> float:
        """Return the value after ``images_seen`` ≥ 0 images."""


@dataclass(frozen=True)
class _Ramp(Schedule):
    """A ramp from ``start`` to ``end`` over ``images`` images; ``end`` after that."""

    start: float = 1.0
    end: float = 0.0
    images: int = 1_000_000

    def __post_init__(self) -> None:
        within("(-∞, ∞)", self, start=self.start, end=self.end)
        at_least_one(self, images=self.images)

    def _progress(self, images_seen: int) -> float:
        """Return the share of the ramp after ``images_seen`` images, in [0, 1]."""
        return min(images_seen / self.images, 1.0)

    def _between(self, share: float) -> float:
        """Return the value between ``start`` (``share`` 0) and ``end`` (``share`` 1), both exact.

        The form start + (end − start)·share may round at 1 to another number than ``end``.
        """
        return (1 - share) * self.start + share * self.end


@dataclass(frozen=True)
class Linear(_Ramp):
    """A straight line: f(n) = start + (end − start)·t with t = min(n/images, 1).

    Args:
        start: the value at 0 images; above or below ``end``: a warm-up is ``Linear(0, 1, images)``.
        end: the value from ``images`` images on.
        images: length of the ramp, in images seen.

    Raises:
        TypeError, ValueError: ``start`` or ``end`` that is not a finite number, or ``images`` that is not a whole
            number from 1 on.

    Examples:
        >>> from lit_gan.schedules import Linear
        >>> Linear(0.0, 1.0, images=100)(50)
        0.5
    """

    def __call__(self, images_seen: int) -> float:
        """Return start + (end − start)·t, the value after ``images_seen`` images."""
        return self._between(self._progress(images_seen))


@dataclass(frozen=True)
class Cosine(_Ramp):
    """Half a cosine: f(n) = end + (start − end)·(1 + cos πt)/2 with t = min(n/images, 1).

    Args:
        start: the value at 0 images.
        end: the value from ``images`` images on.
        images: length of the ramp, in images seen.

    Raises:
        TypeError, ValueError: ``start`` or ``end`` that is not a finite number, or ``images`` that is not a whole
            number from 1 on.

    Reference: Loshchilov & Hutter 2016, arXiv:1608.03983, equation 5, without restarts.

    Examples:
        >>> from lit_gan.schedules import Cosine
        >>> round(Cosine(1.0, 0.0, images=300)(100), 4)  # (1 + cos ⅓π)/2
        0.75
    """

    def __call__(self, images_seen: int) -> float:
        """Return end + (start − end)·(1 + cos πt)/2, the value after ``images_seen`` images."""
        return self._between((1 - math.cos(math.pi * self._progress(images_seen))) / 2)


def value_at(value: float | Schedule, images_seen: int, interval: str = "(-∞, ∞)") -> float:
    """Return ``value`` as a float if it is a number, or a schedule's value after ``images_seen`` images.

    Args:
        value: a number or a schedule.
        images_seen: real images that the discriminator was shown, over all devices.
        interval: that the value lies in, as for :func:`lit_gan._utils.arguments.within`.

    Raises:
        TypeError: a value that is not a number.
        ValueError: a value outside the interval, or NaN.

    Examples:
        >>> from lit_gan.schedules import Linear, value_at
        >>> value_at(0.1, 50), value_at(Linear(0.0, 1.0, images=100), 50)
        (0.1, 0.5)
    """
    there = value(images_seen) if isinstance(value, Schedule) else value
    if misfit := why_outside(interval, there):
        raise misfit(f"{value} is {there!r} after {images_seen} images and must be a number in {interval} throughout")
    return float(there)


def always_within(interval: str, owner: object = None, /, **values: float | Schedule | None) -> None:
    """Refuse the first of ``values`` that is outside ``interval``, or a schedule that leaves it; the message names it.

    None passes. A schedule is evaluated at 0 images and at each power of ten up to 10¹⁵ images, so that a value that
    would leave the interval late in a run is refused before the run.

    Args:
        interval: such as ``"[0, 1)"``, as for :func:`lit_gan._utils.arguments.within`.
        owner: the part whose arguments ``values`` are, named first in the message; None for none.
        values: numbers, schedules or None, by name of the argument.

    Raises:
        TypeError: a value that is neither a number nor a schedule.
        ValueError: a value outside the interval, or NaN.

    Examples:
        >>> from lit_gan.schedules import Linear, always_within
        >>> always_within("[0, ∞)", weight=Linear(1.0, 0.0, images=100))  # passes
        >>> always_within("[0, ∞)", weight=Linear(1.0, -1.0, images=100))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        lit_gan._utils.errors.LitGANError: weight=Linear(...) is -1.0 after 100 images and must be a number in ...
    """
    for name, value in values.items():
        if not isinstance(value, Schedule):
            within(interval, owner, **{name: value})
            continue
        for images in (0, *(10**k for k in range(16))):
            if misfit := why_outside(interval, there := value(images)):
                what = f"{prefix(owner)}{name}={value} is {there!r} after {images} images"
                raise misfit(f"{what} and must be a number in {interval} throughout")
