"""Pictures of more than 8 bits a value: the levels of black and white that a set of them shares, and their 8 bits."""

import math
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image

from lit_gan._utils.errors import LitGANError

__all__ = ["DeepLevels", "Levels", "check_levels", "depth_of", "to_eight_bits"]

Levels = tuple[float, float]
"""Values that become 0, black, and 255, white."""

Depth = Literal["whole", "float", "declared", "upper"]
"""Values of a deep picture: whole numbers; floating-point numbers; whole numbers that the file's own maximum scales to
16 bits; or the upper 8 of the 16 bits of a colour, all that Pillow reads of them."""

_WHITES = 255, 1023, 4095, 16383, 65535  # 8, 10, 12, 14 and 16 bits


class DeepLevels:
    """Levels of a set of deep pictures: those given, or those found in all of its pictures when first asked for.

    Found levels are 0 and the smallest of 255, 1023, 4095, 16383 and 65535 that no value exceeds.

    Args:
        files: all pictures of the set, read only if levels are to be found; None finds none.
        given: the levels; None finds them.
        most: pixels of a picture above which it is not read.
    """

    def __init__(
        self, files: Iterable[Path | BinaryIO] | None = None, given: Levels | None = None, most: int = 0
    ) -> None:
        self.found = ""
        """A sentence on the levels that were found; empty if none were."""
        self._files, self._given, self._most, self._lock = files, given, most, Lock()
        self._extremes: tuple[int, int] | None = None

    def of(self, depth: Depth) -> Levels:
        """Return the levels of pictures of a kind of values.

        Raises:
            ValueError: they are neither declared nor given, and cannot be found: values are floating-point numbers,
                negative or of more than 16 bits, or of a picture that is not one of a set.
        """
        if depth == "declared":
            return 0, _WHITES[-1]
        if self._given is not None:
            return self._given
        if depth == "float":
            raise LitGANError("a picture of floating-point numbers has no known range: set levels=(black, white)")
        if self._files is None:
            raise LitGANError("a picture of more than 8 bits has no known range: make it one of 8 bits")
        with self._lock:  # several threads decode
            if self._extremes is None:
                self._extremes = _extremes(self._files, self._most)
        low, high = self._extremes
        if low < 0 or high > _WHITES[-1]:
            raise LitGANError(f"whole numbers in [{low}, {high}] have no known range: set levels=(black, white)")
        white = next(white for white in _WHITES if high <= white)
        self.found = f"values of more than 8 bits lie in [{low}, {high}], and levels=(0, {white}) are taken of them"
        return 0, white


def check_levels(levels: Levels | None) -> None:
    """Refuse levels that are not two finite numbers, the first smaller than the second; None passes."""
    try:
        black, white = (0, 1) if levels is None else levels
        rise = -math.inf < black < white < math.inf
    except (TypeError, ValueError):
        rise = False
    if not rise:
        raise LitGANError(f"levels={levels!r} must be (black, white), two numbers of which the second is larger")


def depth_of(image: Image.Image) -> Depth | None:
    """Return the kind of values of a picture just opened, None for 8 bits or fewer."""
    if image.mode == "F":
        return "float"
    if image.mode.startswith("I"):
        return "declared" if image.format == "PPM" else "whole"
    tiles = getattr(image, "tile", None) or [("", (), 0, "")]
    raw_mode = tiles[0][3][0] if isinstance(tiles[0][3], tuple) else tiles[0][3]
    return "upper" if ";16" in str(raw_mode) else None


def to_eight_bits(image: Image.Image, depth: Depth, levels: DeepLevels) -> Image.Image:
    """Return a deep picture with 8 bits a value, black as 0 and white as 255.

    Raises:
        ValueError: values outside the levels, unknown levels, or colour of which Pillow does not read all bits.
    """
    black, white = levels.of(depth)
    if depth == "upper":
        if (black, white) != (0, _WHITES[-1]):
            raise LitGANError(
                f"of 16-bit colour only the upper 8 bits can be read, and levels=({black}, {white}) need the others: "
                "make it a picture of 8 bits"
            )
        return image
    values = np.asarray(image)
    low, high = values.min(), values.max()
    if not black <= low <= high <= white:  # NaN is refused, too
        raise LitGANError(f"values in [{low}, {high}] lie outside levels=({black}, {white})")
    scaled = (values.astype(np.float64) - black) * (255 / (white - black))
    return Image.fromarray(np.rint(scaled).astype(np.uint8))


def _extremes(files: Iterable[Path | BinaryIO], most: int) -> tuple[int, int]:
    """Return the lowest and the highest value of the deep pictures of whole numbers that can be read."""
    lows, highs = [0], [0]
    for file in files:
        with suppress(Exception), Image.open(file) as image:  # decoding raises the same error again, of that picture
            depth = depth_of(image)
            if depth in ("whole", "upper") and image.width * image.height <= most:
                values = np.asarray(image if depth == "whole" else image.convert("RGB"))  # without transparency
                lows.append(int(values.min()))
                highs.append(int(values.max()) * (257 if depth == "upper" else 1))
    return min(lows), max(highs)
