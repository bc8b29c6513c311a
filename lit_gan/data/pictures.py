"""One picture, as people have them: any format, any size, upright and opaque when it is done."""

from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image, ImageOps

__all__ = ["MAX_PIXELS", "Crop", "check_max_pixels", "decode", "square"]

Crop = Literal["center", "none"] | int
"""How a picture becomes a square: its longer side is cut, it is squeezed, or that many pixels of its centre are taken."""

MAX_PIXELS = 100_000_000
"""Larger pictures count as unreadable by default."""


def decode(file: Path | BinaryIO, size: int, channels: int, crop: Crop, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Return one picture as uint8 ``(channels, size, size)``.

    Args:
        file: its path, or its content as an open file.
        size: height and width of the result, in pixels.
        channels: 1 or 3.
        crop: ``"center"``, ``"none"``, or a number of pixels.
        max_pixels: of the file.

    Raises:
        ValueError: the picture has more than ``max_pixels``.
        OSError: it cannot be decoded.
    """
    with Image.open(file) as image:
        width, height = image.size
        if width * height > max_pixels:
            raise ValueError(f"{width}×{height} pixels are more than max_pixels={max_pixels}")
        mode = "L" if channels == 1 else "RGB"
        if not isinstance(crop, int):
            image.draft(mode, (2 * size, 2 * size))  # a JPEG is decoded no larger than needed
        upright = _flat(ImageOps.exif_transpose(image)).convert(mode)
    return square(upright, size, crop)


def square(image: Image.Image, size: int, crop: Crop = "center") -> np.ndarray:
    """Return a picture of mode L or RGB as uint8 ``(C, size, size)``, resized by Lanczos' filter, with antialiasing."""
    box = (size, size)
    if isinstance(crop, int):
        image = ImageOps.fit(image, (crop, crop)) if min(image.size) < crop else _center(image, crop)
    if crop == "center":
        image = ImageOps.fit(image, box, Image.Resampling.LANCZOS)
    elif image.size != box:
        image = image.resize(box, Image.Resampling.LANCZOS)
    return np.asarray(image).reshape(size, size, -1).transpose(2, 0, 1)


def check_max_pixels(max_pixels: int) -> None:
    """Refuse a limit that Pillow's own, at which it raises, would come before."""
    if not 0 < max_pixels <= (most := 2 * (Image.MAX_IMAGE_PIXELS or max_pixels)):
        raise ValueError(f"max_pixels={max_pixels} must lie in [1, {most}]: raise PIL.Image.MAX_IMAGE_PIXELS first")


def _center(image: Image.Image, side: int) -> Image.Image:
    left, top = ((length - side) // 2 for length in image.size)
    return image.crop((left, top, left + side, top + side))


def _flat(image: Image.Image) -> Image.Image:
    """Lay transparency on white, and bring 16-bit grey to 8 bits, which Pillow's own conversion would clip."""
    if image.mode == "F":
        raise ValueError("a picture of floating-point numbers has no known range")
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return image
