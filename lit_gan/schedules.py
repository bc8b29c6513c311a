"""A value as a function of images seen, so that it depends on neither batch size nor number of devices."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

__all__ = ["Constant", "Cosine", "Linear", "Schedule"]


class Schedule(ABC):
    """A value as a function of the number of real images seen by the discriminator, over all devices."""

    @abstractmethod
    def __call__(self, images_seen: int) -> float:
        """Return the value after ``images_seen`` images, ≥ 0."""


@dataclass(frozen=True)
class Constant(Schedule):
    """The same value throughout: f(n) = ``value``.

    Args:
        value: the value.
    """

    value: float = 1.0

    def __call__(self, images_seen: int) -> float:
        """``value``."""
        return self.value


@dataclass(frozen=True)
class _Ramp(Schedule):
    """From ``start`` to ``end`` over ``images`` images, then ``end``."""

    start: float = 1.0
    end: float = 0.0
    images: int = 1_000_000

    def __post_init__(self) -> None:
        if self.images < 1:
            raise ValueError(f"{type(self).__name__}: images={self.images} must be at least 1")

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

    Reference: Loshchilov & Hutter 2016, arXiv:1608.03983, equation 5, without restarts.
    """

    def __call__(self, images_seen: int) -> float:
        """``end + (start − end)·(1 + cos πt)/2``."""
        return self._between((1 - math.cos(math.pi * self._progress(images_seen))) / 2)
