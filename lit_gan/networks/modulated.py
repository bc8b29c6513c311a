"""StyleGAN2's convolutions, whose weights are scaled by a style and normalised again, and their noise."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d

from lit_gan._utils.dtypes import at_least_float32
from lit_gan.networks.equalised import EqualisedLinear, Leaky
from lit_gan.networks.resampling import blurred

__all__ = ["ModulatedConv", "StyledConv"]


class ModulatedConv(nn.Module):
    """A convolution with w″_ijk = s_i·w_ijk/√(Σ_ik (s_i·w_ijk)² + 1e-8) for each sample; s = A(style), near 1 at first.

    The style scales what comes in, the norm what goes out: the same number, with one kernel for all samples. Both
    are computed in float32 at least, whatever the precision of the features.

    Args:
        inputs: channels of x, i.
        outputs: channels of the result, j.
        size: of the kernel, odd; 3 where ``up``.
        style_dim: length of the style.
        up: whether the result has twice the height and width: zeros between the pixels, then the binomial filter.
        demodulate: whether the weights are normalised; else w″ = s_i·w_ijk.

    Reference: Karras et al. 2019, arXiv:1912.04958, equations 1 to 3.
    """

    def __init__(
        self, inputs: int, outputs: int, size: int, style_dim: int, up: bool = False, demodulate: bool = True
    ) -> None:
        super().__init__()
        self.up, self.demodulate, self.scale = up, demodulate, 1 / math.sqrt(inputs * size**2)
        self.affine = EqualisedLinear(style_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Map ``x`` ``(N, inputs, H, W)`` and styles ``(N, style_dim)`` to ``(N, outputs, H, W)``, or twice H and W."""
        weight = self.weight * self.scale
        with torch.autocast(x.device.type, enabled=False):
            s = self.affine(style)
            norm = _norm(weight, s) if self.demodulate else None
        h = self._convolved(x * s[:, :, None, None].to(x.dtype), weight)
        if norm is not None:
            h = h * norm[:, :, None, None].to(h.dtype)
        return h + self.bias[:, None, None].to(h.dtype)

    def _convolved(self, x: Tensor, weight: Tensor) -> Tensor:
        if not self.up:
            return conv2d(x, weight, padding=weight.shape[-1] // 2)
        whole = conv_transpose2d(x, weight.transpose(0, 1), stride=2)  # a quarter of the work of a larger x
        return 4 * blurred(whole, 1)


def _norm(weight: Tensor, s: Tensor) -> Tensor:
    """Return 1/√(Σ_ik (s_i·w_ijk)² + 1e-8) for each sample and j, ``(N, outputs)``."""
    squares = at_least_float32(weight).square().sum((2, 3))
    return (at_least_float32(s).square() @ squares.T + 1e-8).rsqrt()


class StyledConv(nn.Module):
    """A modulated 3×3 convolution, plus noise of a learned strength, 0 at first, then leaky ReLU·√2.

    The noise is one number for each pixel: fresh in training, in evaluation a picture that is kept with the weights,
    so that a latent has one image.

    Args:
        inputs: channels of x.
        outputs: channels of the result.
        image_size: height and width of the result.
        style_dim: length of the style.
        up: whether x has half that size.

    Reference: arXiv:1912.04958, figure 2c.
    """

    noise: Tensor

    def __init__(self, inputs: int, outputs: int, image_size: int, style_dim: int, up: bool = False) -> None:
        super().__init__()
        self.conv, self.activation = ModulatedConv(inputs, outputs, 3, style_dim, up), Leaky()
        self.strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise", torch.randn(1, 1, image_size, image_size))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Map ``(N, inputs, H, W)`` and styles ``(N, style_dim)`` to ``(N, outputs, image_size, image_size)``."""
        h = self.conv(x, style)
        noise = torch.randn_like(h[:, :1]) if self.training else self.noise.to(h.dtype)
        out: Tensor = self.activation(h + self.strength * noise)
        return out
