"""Decoding of a picture file of any format and size into a square uint8 array, upright and opaque."""

from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image, ImageOps

from lit_gan._utils.arguments import within
from lit_gan._utils.errors import LitGANError

__all__ = ["MAX_PIXELS", "Crop", "Unreadable", "check_options", "decode", "square"]

Crop = Literal["center", "none"] | int
"""How a picture becomes a square: cut its longer side, squeeze it, or cut a square of that side out of its centre."""

Unreadable = Literal["skip", "refuse"]
"""Treatment of pictures that cannot be decoded: leave them out, or raise an error."""

MAX_PIXELS = 100_000_000
"""Pixels of a file, width × height, above which it counts as unreadable by default."""


def decode(file: Path | BinaryIO, size: int, channels: int, crop: Crop, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Return the picture in a file as uint8 ``(channels, size, size)``.

    Args:
        file: path of the picture, or its content as an open binary file.
        size: height and width of the result, in pixels.
        channels: 1 or 3.
        crop: ``"center"`` cuts the longer side; ``"none"`` squeezes; a number is the side of the square to cut, pixels.
        max_pixels: limit of width × height of the file.

    Raises:
        ValueError: the picture has more than ``max_pixels`` pixels, or floating-point values.
        OSError: the picture cannot be decoded; Pillow raises other errors, too.
    """
    with Image.open(file) as image:
        width, height = image.size
        if width * height > max_pixels:
            raise LitGANError(f"{width}×{height} pixels are more than max_pixels={max_pixels}")
        mode = "L" if channels == 1 else "RGB"
        if not isinstance(crop, int):
            image.draft(mode, (2 * size, 2 * size))  # a JPEG is decoded no larger than needed
        upright = _flat(ImageOps.exif_transpose(image)).convert(mode)
    return square(upright, size, crop)


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


def _center(image: Image.Image, side: int) -> Image.Image:
    left, top = ((length - side) // 2 for length in image.size)
    return image.crop((left, top, left + side, top + side))


def _flat(image: Image.Image) -> Image.Image:
    """Return a picture laid on white if transparent, and 16-bit grey as 8 bits (Pillow itself would clip)."""
    if image.mode == "F":
        raise LitGANError("a picture of floating-point numbers has no known range")
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return image
