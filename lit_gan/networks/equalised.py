"""Layers with an equalised learning rate, and StyleGAN2's leaky ReLU (Karras et al. 2017, arXiv:1710.10196).

Weights are stored as N(0, 1) and divided by √(inputs) at each use (section 4.1). Adam's steps do not depend on the
scale of the gradient, so all layers then change at the same relative speed.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, leaky_relu, linear

from lit_gan.networks.resampling import blurred

__all__ = ["EqualisedConv", "EqualisedLinear", "Leaky", "normalised"]


class EqualisedLinear(nn.Module):
    """x ↦ lr·(x·Wᵀ/√(inputs) + b), with W ~ N(0, 1)/lr: initially of unit variance if x is.

    Args:
        inputs: length of x.
        outputs: length of the result.
        lr: factor of the learning rate; 0.01 in the mapping network.
        bias: initial value of lr·b.

    Reference: arXiv:1710.10196, section 4.1; the factor: Karras et al. 2018, arXiv:1812.04948, appendix C.
    """

    def __init__(self, inputs: int, outputs: int, lr: float = 1.0, bias: float = 0.0) -> None:
        super().__init__()
        self.lr, self.scale = lr, lr / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr)
        self.bias = nn.Parameter(torch.full((outputs,), bias / lr))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, inputs)`` to ``(N, outputs)``."""
        return linear(x, self.weight * self.scale, self.bias * self.lr)


class EqualisedConv(nn.Module):
    """A convolution with W/√(inputs·size²), W ~ N(0, 1); if ``down``, to half the size, after the binomial filter.

    Args:
        inputs: channels of x.
        outputs: channels of the result.
        size: height and width of the kernel, odd.
        down: whether the result has half the height and width.
        bias: whether it has a bias, initially 0.

    Reference: arXiv:1710.10196, section 4.1; filtered before the stride as in arXiv:1812.04948, section 2.
    """

    def __init__(self, inputs: int, outputs: int, size: int, down: bool = False, bias: bool = True) -> None:
        super().__init__()
        self.size, self.down, self.scale = size, down, 1 / math.sqrt(inputs * size**2)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, inputs, H, W)`` to ``(N, outputs, H, W)``, or to half of H and W if ``down``."""
        weight, margin = self.weight * self.scale, self.size // 2
        if not self.down:
            return conv2d(x, weight, self.bias, padding=margin)
        return conv2d(blurred(x, margin + 1), weight, self.bias, stride=2)


class Leaky(nn.Module):
    """√2 · leaky ReLU of negative slope 0.2, which roughly keeps the mean square of normal inputs."""

    def forward(self, x: Tensor) -> Tensor:
        """Map a tensor to one of the same shape."""
        return leaky_relu(x, 0.2) * math.sqrt(2)


def normalised(x: Tensor) -> Tensor:
    """Return x/√(mean of x² over the last axis + 1e-8).

    Reference: arXiv:1710.10196, section 4.2.
    """
    return x * (x.square().mean(-1, keepdim=True) + 1e-8).rsqrt()
