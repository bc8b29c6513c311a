"""Half and twice the size through the binomial filter [1, 3, 3, 1], which is bilinear: R3GAN's and StyleGAN2's."""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

__all__ = ["Down", "Up", "blurred"]


class Down(nn.Module):
    """To half the size, bilinear: AxAᵀ, where row i of A has 1, 3, 3, 1 eighths around 2i + ½; zeros lie around x.

    A product of matrices, since torch takes the second gradient of a convolution group by group.

    Args:
        size: height and width of x.
    """

    matrix: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        distance = (torch.arange(size) - 2 * torch.arange(size // 2)[:, None] - 0.5).abs()
        self.register_buffer("matrix", (1 - distance / 2).clamp(min=0) / 2, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C, size, size)`` to half the size."""
        matrix = self.matrix.to(x.dtype)
        return matrix @ x @ matrix.T


class Up(Down):
    """To ``size``, twice that of x, bilinear: 4AᵀxA, the transpose of four times :class:`Down`."""

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C, size/2, size/2)`` to ``size``."""
        matrix = 2 * self.matrix.to(x.dtype)
        return matrix.T @ x @ matrix


def blurred(x: Tensor, padding: int) -> Tensor:
    """Return ``x`` ``(N, C, H, W)``, with ``padding`` zeros around it, through the filter: H + 2·padding − 3 high.

    A grouped convolution: half the time of matrices, but for second gradients, which StyleGAN2's lazy R1 takes rarely.
    """
    line = x.new_ones(4)  # made on the device of x, so nothing waits
    line[1:3] = 3
    kernel = torch.outer(line, line) / 64
    return conv2d(x, kernel.expand(x.shape[1], 1, 4, 4), padding=padding, groups=x.shape[1])
