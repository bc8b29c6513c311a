"""Conversions of images: uint8 for storage and scores, float in [-1, 1] for networks, grids and files to look at."""

import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import InterpolationMode
from torchvision.transforms.functional import resize as torchvision_resize
from torchvision.utils import make_grid

from lit_gan._utils.arguments import at_least_one, expanded
from lit_gan._utils.errors import LitGANError, LitGANTypeError
from lit_gan._utils.files import atomic_write

__all__ = [
    "MOVIES",
    "as_pillow",
    "evenly",
    "grid",
    "have_a_picture",
    "points_to_image",
    "resize",
    "save_movie",
    "save_png",
    "to_float",
    "to_uint8",
]

T = TypeVar("T")
MOVIES = (".gif", ".webp")
"""Suffixes of the file formats of moving pictures."""


def to_float(images: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return uint8 images as float in [-1, 1], x/127.5 − 1; only cast float images to ``dtype``.

    Args:
        images: any shape, uint8 in [0, 255] or float.
        dtype: a float type.

    Raises:
        TypeError: integers other than uint8.
    """
    if images.dtype == torch.uint8:
        return images.to(dtype).sub_(127.5).div_(127.5)  # exact difference, in bfloat16 too: one rounding
    if not images.is_floating_point():
        raise LitGANTypeError(f"images are {images.dtype}: lit_gan takes uint8 in [0, 255] or float in [-1, 1]")
    return images.to(dtype)


def to_uint8(images: Tensor) -> Tensor:
    """Return float images in [-1, 1] as uint8, rounded and clamped: the inverse of :func:`to_float`.

    Args:
        images: any shape, float; values outside [-1, 1] become 0 or 255. uint8 images are returned unchanged.
    """
    if images.dtype == torch.uint8:
        return images
    return images.float().mul(127.5).add_(127.5).round_().clamp_(0, 255).to(torch.uint8)


def resize(images: Tensor, size: int, chunk: int = 4096) -> Tensor:
    """Return images resized to a square by bilinear interpolation with antialiasing.

    Args:
        images: uint8 ``(N, C, H, W)``.
        size: height and width of the result, in pixels, ≥ 1.
        chunk: number of images resized at a time, which bounds the memory in use.
    """
    at_least_one(size=size)
    if images.shape[-2:] == (size, size):
        return images
    parts = [
        torchvision_resize(part, [size, size], InterpolationMode.BILINEAR, antialias=True)
        for part in images.split(chunk)
    ]
    return torch.cat(parts)


def grid(images: Tensor, columns: int | None = None) -> Tensor:
    """Return one uint8 image ``(C, H', W')`` that shows all ``images`` row by row.

    Args:
        images: ``(N, C, H, W)`` float in [-1, 1] or uint8, only the first channel if C is neither 1 nor 3; or points
            ``(N, 1)`` or ``(N, 2)``, drawn as one image.
        columns: images in a row, ≥ 1; √N, rounded up, by default.

    Raises:
        ValueError: no images, or another shape.
    """
    if images.ndim not in (2, 4) or not len(images):
        raise LitGANError(f"images of shape {tuple(images.shape)}: give (N, C, H, W), one at least, or points (N, D)")
    if images.ndim == 2:
        return points_to_image(images)
    at_least_one(columns=columns)
    images = to_uint8(images).cpu()
    shown, columns = _showable(images), columns or math.ceil(math.sqrt(len(images)))
    picture = make_grid(shown, nrow=columns, padding=2, pad_value=255)
    return picture[: shown.shape[1]]  # torchvision repeats one channel three times


def points_to_image(points: Tensor, size: int = 256) -> Tensor:
    """Return a uint8 image ``(1, size, size)`` of the density of ``points``: dark is dense; a bar chart on a line.

    Args:
        points: ``(N, 1)`` or ``(N, 2)``, any range; the frame, centred on 0, extends 5 % beyond the largest.
        size: height and width, in pixels; a multiple of 32 for points on a line.

    Raises:
        ValueError: the points have more than two dimensions.
    """
    if points.shape[1] not in (1, 2):
        raise LitGANError(f"points of {points.shape[1]} dimensions have no picture: give (N, 1) or (N, 2)")
    points = points.detach().float().cpu()
    reach = float(points.abs().max()) * 1.05 or 1.0
    if points.shape[1] == 1:
        counts = torch.histc(points, bins=32, min=-reach, max=reach).repeat_interleave(size // 32)
        return (255 * (torch.arange(size, 0, -1)[:, None] > size * counts / counts.max())).to(torch.uint8)[None]
    counts, _ = torch.histogramdd(points, bins=[size, size], range=[-reach, reach, -reach, reach])
    density = counts.log1p() / counts.log1p().max()
    return (255 * (1 - density)).to(torch.uint8).T.flip(0)[None]


def evenly(items: Sequence[T], most: int) -> list[T]:
    """Return at most ``most`` of ``items``, evenly spaced: always the last one, and the first if ``most`` > 1."""
    if len(items) <= most:
        return list(items)
    return [items[-1]] if most == 1 else [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def have_a_picture(samples: Tensor) -> bool:
    """Tell whether :func:`grid` can draw ``samples``: images, or points on a line or in a plane."""
    return samples.ndim == 4 or (samples.ndim == 2 and samples.shape[1] in (1, 2))


def save_png(image: Tensor, path: Path | str, sync: bool = True) -> Path:
    """Write a uint8 image ``(C, H, W)`` as PNG, create its folder if needed, and return the path.

    Args:
        image: the image.
        path: file to write.
        sync: whether to flush the file to the disk; False is faster for many.
    """
    picture, path = as_pillow(image), Path(expanded(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path, sync) as partial:
        # as small as with Pillow's defaults, in at most half the time
        picture.save(partial, format="PNG", compress_level=1, compress_type=zlib.Z_RLE)
    return path


def as_pillow(image: Tensor) -> Image.Image:
    """Return a uint8 image ``(C, H, W)`` as a Pillow image."""
    if image.dtype != torch.uint8 or image.ndim != 3:
        raise LitGANError(f"a picture of {image.dtype} {tuple(image.shape)}: give uint8 (C, H, W), to_uint8(image)")
    array = _showable(image[None])[0].cpu().permute(1, 2, 0).numpy()
    return Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)


def save_movie(frames: Sequence[Image.Image], path: Path, frame: int, last: int | None = None) -> Path:
    """Write frames as a moving picture that loops forever; return the path.

    Args:
        frames: at least one, all of the same size.
        path: file to write; its suffix, one of :data:`MOVIES`, is the format. A GIF has 64 colours.
        frame: duration of each frame, in milliseconds.
        last: duration of the last frame, in milliseconds; ``frame`` if None.
    """
    palette = {"mode": "P", "palette": Image.Palette.ADAPTIVE, "colors": 64}
    first, *others = [f.convert(**palette if path.suffix.lower() == ".gif" else {"mode": "RGB"}) for f in frames]
    durations = [frame] * len(others) + [frame if last is None else last]
    options = {"save_all": True, "append_images": others, "duration": durations, "loop": 0}
    with atomic_write(path) as partial:
        first.save(partial, format=path.suffix[1:], **options)
    return path


def _showable(images: Tensor) -> Tensor:
    """Return images ``(N, C, H, W)`` with C 1 or 3, as PNG needs: only the first channel if C is another number."""
    return images if images.shape[1] in (1, 3) else images[:, :1]
