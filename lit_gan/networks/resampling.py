"""Bilinear resampling by 2, with the binomial filter [1, 3, 3, 1], for R3GAN and StyleGAN2."""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

__all__ = ["Down", "Up", "blurred"]


class Down(nn.Module):
    """Bilinear downsampling by 2: AxAᵀ, where row i of A has 1, 3, 3, 1 eighths around 2i + ½; x is padded with zeros.

    A matrix product, since torch computes the second gradient of a grouped convolution one group at a time.

    Args:
        size: height and width of x.
    """

    matrix: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        distance = (torch.arange(size) - 2 * torch.arange(size // 2)[:, None] - 0.5).abs()
        self.register_buffer("matrix", (1 - distance / 2).clamp(min=0) / 2, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C, size, size)`` to ``(N, C, size/2, size/2)``."""
        matrix = self.matrix.to(x.dtype)
        return matrix @ x @ matrix.T


class Up(Down):
    """Bilinear upsampling by 2, to ``size``: 4AᵀxA, the transpose of :class:`Down` times 4."""

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C, size/2, size/2)`` to ``(N, C, size, size)``."""
        matrix = 2 * self.matrix.to(x.dtype)
        return matrix.T @ x @ matrix


def blurred(x: Tensor, padding: int) -> Tensor:
    """Return ``x`` ``(N, C, H, W)``, padded with ``padding`` zeros and filtered; its height is H + 2·padding − 3.

    A grouped convolution, which takes half the time of :class:`Down`'s matrices except for second gradients, which
    StyleGAN2's lazy R1 rarely takes.
    """
    line = x.new_ones(4)  # made on the device of x: nothing waits for a copy
    line[1:3] = 3
    kernel = torch.outer(line, line) / 64
    return conv2d(x, kernel.expand(x.shape[1], 1, 4, 4), padding=padding, groups=x.shape[1])
