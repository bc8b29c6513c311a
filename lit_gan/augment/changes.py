"""Random changes of colour, position and patches of images, with gradients through them."""

import torch
from torch import Tensor
from torch.nn.functional import pad

__all__ = ["contrasted", "cut", "integers", "normal", "saturated", "translated", "uniform"]


def uniform(images: Tensor, low: float, high: float) -> Tensor:
    """Draw a number from U(low, high) for each image, ``(N, 1, 1, 1)``."""
    return torch.empty(len(images), 1, 1, 1, device=images.device, dtype=images.dtype).uniform_(low, high)


def normal(images: Tensor, std: float) -> Tensor:
    """Draw a number from N(0, std²) for each image, ``(N, 1, 1, 1)``."""
    return torch.randn(len(images), 1, 1, 1, device=images.device, dtype=images.dtype) * std


def saturated(images: Tensor, factor: Tensor) -> Tensor:
    """Return images with each pixel's distance from its mean over the channels multiplied by ``factor``."""
    grey = images.mean(1, keepdim=True)
    return grey + (images - grey) * factor


def contrasted(images: Tensor, factor: Tensor) -> Tensor:
    """Return images with the distance from their mean multiplied by ``factor``."""
    mean = images.mean((1, 2, 3), keepdim=True)
    return mean + (images - mean) * factor


def integers(images: Tensor, low: int, high: int) -> Tensor:
    """Draw an integer in [low, high] for each image, ``(N, 1)``."""
    return torch.randint(low, high + 1, (len(images), 1), device=images.device)


def translated(images: Tensor) -> Tensor:
    """Return images translated by up to an eighth of their size, each by its own offset, filled with 0."""
    n, _, height, width = images.shape
    down, right = (round(side / 8) for side in (height, width))
    padded = pad(images, (right, right, down, down))
    rows = torch.arange(height, device=images.device) + integers(images, 0, 2 * down)
    columns = torch.arange(width, device=images.device) + integers(images, 0, 2 * right)
    which = torch.arange(n, device=images.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[which, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)


def cut(images: Tensor) -> Tensor:
    """Return images in which a square of half the size is 0, its centre drawn for each image."""
    height, width = images.shape[2:]

    def inside(side: int) -> Tensor:
        """Tell for each row, or column, whether it is in the square, ``(N, side)``."""
        first = integers(images, 0, side) - side // 4
        place = torch.arange(side, device=images.device)
        return (place >= first) & (place < first + round(side / 2))

    hole = inside(height)[:, None, :, None] & inside(width)[:, None, None, :]
    return torch.where(hole, 0, images)
