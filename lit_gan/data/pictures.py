"""Decoding of a picture file of any format and size into a square uint8 array, upright and opaque."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image, ImageOps

from lit_gan._utils.arguments import within
from lit_gan._utils.errors import LitGANError
from lit_gan.data.deep import DeepLevels, Levels, check_levels, depth_of, to_eight_bits

__all__ = ["MAX_PIXELS", "Crop", "Decoder", "Unreadable", "check_options", "decode", "square"]

Crop = Literal["center", "none"] | int
"""How a picture becomes a square: cut its longer side, squeeze it, or cut a square of that side out of its centre."""

Unreadable = Literal["skip", "refuse"]
"""Treatment of pictures that cannot be decoded: leave them out, or raise an error."""

MAX_PIXELS = 100_000_000
"""Pixels of a file, width × height, above which it counts as unreadable by default."""


class Decoder:
    """Decoding of the pictures of one set, all alike, as :func:`decode` does.

    Args:
        files: all pictures of the set, in which the levels of deep ones are found.
        size: height and width of each image, in pixels.
        channels: 1 or 3.
        crop: as in :func:`decode`.
        max_pixels: limit of width × height of a file.
        levels: (black, white) of pictures of more than 8 bits; None finds them.
    """

    def __init__(
        self,
        files: Iterable[Path | BinaryIO],
        size: int,
        channels: int,
        crop: Crop,
        max_pixels: int,
        levels: Levels | None,
    ) -> None:
        self._options, self._max_pixels = (size, channels, crop), max_pixels
        self._levels = DeepLevels(files, levels, max_pixels)
        self._of_frames: list[bool] = []

    def __call__(self, file: Path | BinaryIO) -> np.ndarray:
        """Return a picture of the set as uint8 ``(channels, size, size)``, the first frame of one that has several."""
        with _opened(file, self._max_pixels) as image:
            if image.format != "MPO" and getattr(image, "is_animated", False):  # a camera's MPO holds previews
                self._of_frames.append(True)
            return _decoded(image, *self._options, self._levels)

    def remarks(self, repeats: int) -> list[str]:
        """Return sentences on the pictures decoded so far, ``repeats`` of which repeat another one."""
        frames = len(self._of_frames)
        said = [self._levels.found] * bool(self._levels.found)
        if frames:
            said.append(f"pictures of several frames, of which the first is taken: {frames}")
        if repeats:
            said.append(f"pictures that repeat another one, perhaps a held-out one: {repeats}")
        return said


def decode(file: Path | BinaryIO, size: int, channels: int, crop: Crop, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Return the picture in a file as uint8 ``(channels, size, size)``.

    Args:
        file: path of the picture, or its content as an open binary file.
        size: height and width of the result, in pixels.
        channels: 1 or 3.
        crop: ``"center"`` cuts the longer side; ``"none"`` squeezes; a number is the side of the square to cut, pixels.
        max_pixels: limit of width × height of the file.

    Raises:
        ValueError: the picture has more than ``max_pixels`` pixels, or more than 8 bits a value.
        OSError: the picture cannot be decoded; Pillow raises other errors, too.
    """
    with _opened(file, max_pixels) as image:
        return _decoded(image, size, channels, crop, DeepLevels())


@contextmanager
def _opened(file: Path | BinaryIO, max_pixels: int) -> Iterator[Image.Image]:
    with Image.open(file) as image:
        width, height = image.size
        if width * height > max_pixels:
            raise LitGANError(f"{width}×{height} pixels are more than max_pixels={max_pixels}")
        yield image


def _decoded(image: Image.Image, size: int, channels: int, crop: Crop, levels: DeepLevels) -> np.ndarray:
    mode, depth = "L" if channels == 1 else "RGB", depth_of(image)
    if not isinstance(crop, int):
        image.draft(mode, (2 * size, 2 * size))  # a JPEG is decoded no larger than needed
    upright = ImageOps.exif_transpose(image)
    shallow = upright if depth is None else to_eight_bits(upright, depth, levels)
    return square(_opaque(shallow).convert(mode), size, crop)


def square(image: Image.Image, size: int, crop: Crop = "center") -> np.ndarray:
    """Return a picture of mode L or RGB as uint8 ``(C, size, size)``, resized by a Lanczos filter with antialiasing."""
    box = (size, size)
    if isinstance(crop, int):
        image = ImageOps.fit(image, (crop, crop)) if min(image.size) < crop else _center(image, crop)
    if crop == "center":
        image = ImageOps.fit(image, box, Image.Resampling.LANCZOS)
    elif image.size != box:
        image = image.resize(box, Image.Resampling.LANCZOS)
    return np.asarray(image).reshape(size, size, -1).transpose(2, 0, 1)


def check_options(
    channels: int = 3,
    held_out: float = 0.5,
    max_pixels: int = MAX_PIXELS,
    crop: Crop = "center",
    unreadable: Unreadable = "skip",
    levels: Levels | None = None,
) -> None:
    """Raise if an option is out of range, or ``max_pixels`` is above the limit at which Pillow itself raises.

    Raises:
        ValueError: an option out of range; the message names it and its range.
    """
    if channels not in (1, 3):
        raise LitGANError(f"channels={channels} must be 1 (grey) or 3 (colour)")
    within("(0, 1)", held_out=held_out)
    most = 2 * (Image.MAX_IMAGE_PIXELS or max_pixels)
    if not 0 < max_pixels <= most:
        raise LitGANError(f"max_pixels={max_pixels} must lie in [1, {most}]: raise PIL.Image.MAX_IMAGE_PIXELS first")
    if crop not in ("center", "none") and not (isinstance(crop, int) and crop >= 1):
        raise LitGANError(f'crop={crop!r} must be "center", "none" or a number of pixels from 1 on')
    if unreadable not in ("skip", "refuse"):
        raise LitGANError(f'unreadable={unreadable!r} must be "skip" or "refuse"')
    check_levels(levels)


def _center(image: Image.Image, side: int) -> Image.Image:
    left, top = ((length - side) // 2 for length in image.size)
    return image.crop((left, top, left + side, top + side))


def _opaque(image: Image.Image) -> Image.Image:
    """Return a picture, laid on white if it is transparent."""
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return image
