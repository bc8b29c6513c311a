"""StyleGAN2's modulated convolutions and per-pixel noise (Karras et al. 2019, arXiv:1912.04958)."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d

from lit_gan._utils.dtypes import at_least_float32
from lit_gan.networks.equalised import EqualisedLinear, Leaky
from lit_gan.networks.resampling import blurred

__all__ = ["ModulatedConv", "StyledConv"]


class ModulatedConv(nn.Module):
    """A convolution with w″_ijk = s_i·w_ijk/√(Σ_ik (s_i·w_ijk)² + 1e-8) for each sample, s = A(style), near 1 at first.

    Computed as one kernel for all samples, by scaling the input channels by the style and the output channels by the
    norm, which is equivalent. Both scales are computed in at least float32, whatever the precision of the features.

    Args:
        inputs: channels of x, i.
        outputs: channels of the result, j.
        size: height and width of the kernel, odd; 3 if ``up``.
        style_dim: length of the style.
        up: whether height and width are doubled, by zeros between the pixels; the binomial filter follows.
        demodulate: whether the weights are normalised; if not, w″_ijk = s_i·w_ijk.

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
        """Map ``(N, inputs, H, W)`` and styles ``(N, style_dim)`` to ``(N, outputs, H, W)``, or 2H and 2W if ``up``."""
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
        whole = conv_transpose2d(x, weight.transpose(0, 1), stride=2)  # a quarter of the work of upsampling x first
        return 4 * blurred(whole, 1)


def _norm(weight: Tensor, s: Tensor) -> Tensor:
    """Return 1/√(Σ_ik (s_i·w_ijk)² + 1e-8) for each sample and output channel j, ``(N, outputs)``."""
    squares = at_least_float32(weight).square().sum((2, 3))
    return (at_least_float32(s).square() @ squares.T + 1e-8).rsqrt()


class StyledConv(nn.Module):
    """A modulated 3×3 convolution, plus noise of a learned strength, initially 0, then leaky ReLU·√2.

    The noise is one number for each pixel: drawn at each pass in training mode, a fixed buffer, saved with the weights,
    in evaluation mode, so that a latent always gives the same image.

    Args:
        inputs: channels of x.
        outputs: channels of the result.
        image_size: height and width of the result.
        style_dim: length of the style.
        up: whether x has half the height and width of the result.

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
