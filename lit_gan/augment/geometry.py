"""Affine changes of images: matrices, and sampling that can be differentiated twice."""

import torch
from torch import Tensor
from torch.nn.functional import affine_grid

__all__ = ["moved", "rotation", "sampled", "scaling", "shift"]


def matrices(rows: list[list[Tensor]]) -> Tensor:
    """Return matrices ``(N, rows, columns)`` from their entries, ``(N,)`` each."""
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def scaling(x: Tensor, y: Tensor) -> Tensor:
    """Return matrices ``(N, 3, 3)`` that multiply coordinates by x and y, ``(N,)`` each."""
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return matrices([[x, zero, zero], [zero, y, zero], [zero, zero, one]])


def rotation(angle: Tensor) -> Tensor:
    """Return matrices ``(N, 3, 3)`` that rotate coordinates by angles in radians, ``(N,)``."""
    zero, one = torch.zeros_like(angle), torch.ones_like(angle)
    cos, sin = angle.cos(), angle.sin()
    return matrices([[cos, -sin, zero], [sin, cos, zero], [zero, zero, one]])


def shift(x: Tensor, y: Tensor) -> Tensor:
    """Return matrices ``(N, 3, 3)`` that add x and y, ``(N,)`` each, to coordinates."""
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return matrices([[one, zero, x], [zero, one, y], [zero, zero, one]])


def moved(images: Tensor, geometry: Tensor) -> Tensor:
    """Return images resampled through ``geometry``, ``(N, 3, 3)``, from output to input coordinates."""
    # Deviation: bilinear between pixels and mirrored at the border; the paper first upsamples with a wavelet filter.
    return sampled(images, affine_grid(geometry[:, :2].to(images), list(images.shape), align_corners=False))


def sampled(images: Tensor, grid: Tensor) -> Tensor:
    """Sample images at the coordinates ``grid``, bilinear between pixels, mirrored at the border.

    It can be differentiated twice, which a gradient penalty through an augmentation needs; torch's ``grid_sample`` can
    be only once.

    Args:
        images: ``(N, C, H, W)``.
        grid: x and y, ``(N, H', W', 2)``; −1 and 1 are the outer edges of the image.

    Returns:
        ``(N, C, H', W')``.
    """
    height, width = images.shape[2:]
    (left, right, x), (upper, lower, y) = neighbours(grid[..., 0], width), neighbours(grid[..., 1], height)
    pixels = images.flatten(2)

    def at(row: Tensor, column: Tensor) -> Tensor:
        """Return the pixels at rows and columns ``(N, H', W')``, ``(N, C, H', W')``."""
        place = (row * width + column).flatten(1)[:, None].expand(-1, images.shape[1], -1)
        return pixels.gather(2, place).unflatten(2, grid.shape[1:3])

    x, y = x[:, None], y[:, None]
    above, below = (at(row, left) * (1 - x) + at(row, right) * x for row in (upper, lower))
    return above * (1 - y) + below * y


def neighbours(place: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the pixels on both sides of a coordinate, and its distance from the first one in pixels, in [0, 1)."""
    distance = torch.remainder((place + 1) * size / 2, 2 * size)
    pixel = (torch.minimum(distance, 2 * size - distance) - 0.5).clamp(0, size - 1)
    first = pixel.detach().floor().long()
    return first, (first + 1).clamp_max(size - 1), pixel - first
