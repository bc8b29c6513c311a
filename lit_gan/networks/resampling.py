"""Half and twice the size through the binomial filter [1, 3, 3, 1]: R3GAN's and StyleGAN2's."""

import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d

__all__ = ["blurred", "doubled", "halved"]


def _binomial(x: Tensor) -> Tensor:
    """Return a kernel [1, 3, 3, 1]⊗[1, 3, 3, 1]/64 for each channel of ``x``; made on its device, so nothing waits."""
    line = x.new_ones(4)
    line[1:3] = 3
    return (torch.outer(line, line) / 64).expand(x.shape[1], 1, 4, 4)


def blurred(x: Tensor, padding: int) -> Tensor:
    """Return ``x`` ``(N, C, H, W)``, with ``padding`` zeros around it, through the filter: H + 2·padding − 3 high."""
    return conv2d(x, _binomial(x), padding=padding, groups=x.shape[1])


def halved(x: Tensor) -> Tensor:
    """Return ``x`` ``(N, C, H, W)`` at half the size, with zeros around it."""
    return conv2d(x, _binomial(x), stride=2, padding=1, groups=x.shape[1])


def doubled(x: Tensor) -> Tensor:
    """Return ``x`` ``(N, C, H, W)`` at twice the size: zeros in between and around it, through 4 times the filter.

    The transpose of four times :func:`halved`.
    """
    return conv_transpose2d(x, 4 * _binomial(x), stride=2, padding=1, groups=x.shape[1])
