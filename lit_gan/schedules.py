"""A value as a function of images seen, so that it depends on neither batch size nor number of devices."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from lit_gan._utils.arguments import at_least_one, prefix, why_outside, within

__all__ = ["Cosine", "Linear", "Schedule", "always_within", "value_at"]


class Schedule(ABC):
    """A value as a function of the number of real images seen by the discriminator, over all devices."""

    @abstractmethod
    def __call__(self, images_seen: int) -> float:
        """Return the value after ``images_seen`` images, ≥ 0."""


@dataclass(frozen=True)
class _Ramp(Schedule):
    """From ``start`` to ``end`` over ``images`` images, then ``end``."""

    start: float = 1.0
    end: float = 0.0
    images: int = 1_000_000

    def __post_init__(self) -> None:
        within("(-∞, ∞)", self, start=self.start, end=self.end)
        at_least_one(self, images=self.images)

    def _progress(self, images_seen: int) -> float:
        return min(images_seen / self.images, 1.0)

    def _between(self, share: float) -> float:
        """From ``start`` at 0 to ``end`` at 1, exactly: start + (end − start) may round to another number than end."""
        return (1 - share) * self.start + share * self.end


@dataclass(frozen=True)
class Linear(_Ramp):
    """A straight line: f(n) = start + (end − start)·t with t = min(n/images, 1).

    Args:
        start: the value at the beginning; above or below ``end``, so that a warm-up is ``Linear(0, 1, images)``.
        end: the value from ``images`` images on.
        images: length of the ramp in images.

    Raises:
        TypeError, ValueError: an end that is no finite number, ``images`` below 1.
    """

    def __call__(self, images_seen: int) -> float:
        """``start + (end − start)·t``."""
        return self._between(self._progress(images_seen))


@dataclass(frozen=True)
class Cosine(_Ramp):
    """Half a cosine: f(n) = end + (start − end)·(1 + cos πt)/2 with t = min(n/images, 1).

    Args:
        start: the value at the beginning.
        end: the value from ``images`` images on.
        images: length of the ramp in images.

    Raises:
        TypeError, ValueError: an end that is no finite number, ``images`` below 1.

    Reference: Loshchilov & Hutter 2016, arXiv:1608.03983, equation 5, without restarts.
    """

    def __call__(self, images_seen: int) -> float:
        """``end + (start − end)·(1 + cos πt)/2``."""
        return self._between((1 - math.cos(math.pi * self._progress(images_seen))) / 2)


def value_at(value: float | Schedule, images_seen: int) -> float:
    """Return a number as it is, and a schedule's value after ``images_seen`` images."""
    return float(value(images_seen) if isinstance(value, Schedule) else value)


def always_within(interval: str, owner: object = None, /, **values: float | Schedule | None) -> None:
    """Refuse the first of ``values``, naming it, that is outside ``interval``, or a schedule that leaves it.

    None passes. A schedule is asked at the start and after each power of ten images, so that what goes wrong late is
    known early.

    Args:
        interval: as for :func:`lit_gan._utils.arguments.within`.
        owner: the part whose arguments they are, named first; None for none.
        values: by name.

    Raises:
        TypeError: no number and no schedule.
        ValueError: outside the interval.
    """
    for name, value in values.items():
        if not isinstance(value, Schedule):
            within(interval, owner, **{name: value})
            continue
        for images in (0, *(10**k for k in range(16))):
            if misfit := why_outside(interval, there := value(images)):
                what = f"{prefix(owner)}{name}={value} is {there!r} after {images} images"
                raise misfit(f"{what} and must be a number in {interval} throughout")
