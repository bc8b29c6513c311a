"""Residual blocks to twice or half the size, conditional batch norm and self-attention, for SNGAN and BigGAN."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d, relu

from lit_gan._utils.arguments import at_least_one
from lit_gan._utils.errors import LitGANError
from lit_gan.networks.layers import HeadedDiscriminator, glorot, required_labels
from lit_gan.networks.spectral import SpectrallyNormalised

__all__ = ["ConditionalBatchNorm", "DownBlock", "ResidualDiscriminator", "SelfAttention", "UpBlock", "attention_place"]


class ConditionalBatchNorm(nn.Module):
    """Batch norm with a scale and shift for each class: γ_y·(x − mean)/std + β_y, initially γ = 1 and β = 0.

    Args:
        features: channels of x.
        num_classes: number of classes; None for batch norm with one scale and shift, which ignores labels.

    Reference: Dumoulin et al. 2017, arXiv:1610.07629, section 2.2; in a generator: arXiv:1802.05637, section 5.1.
    """

    def __init__(self, features: int, num_classes: int | None) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(features, affine=num_classes is None)
        self.scale, self.shift = (None if num_classes is None else nn.Embedding(num_classes, features) for _ in "γβ")
        if self.scale is not None and self.shift is not None:
            nn.init.ones_(self.scale.weight)
            nn.init.zeros_(self.shift.weight)

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """Normalise ``x`` ``(N, features, H, W)`` for ``labels`` ``(N,)``."""
        h: Tensor = self.norm(x)
        if self.scale is None or self.shift is None:
            return h
        labels = required_labels(labels, self.scale)
        scale, shift = (e(labels)[:, :, None, None].to(h.dtype) for e in (self.scale, self.shift))  # keeps bfloat16
        return scale * h + shift


def _convolution(inputs: int, outputs: int, size: int) -> nn.Conv2d:
    gain = math.sqrt(2) if size > 1 else 1.0  # as in the authors' code; 1 in shortcuts, 1×1
    return glorot(nn.Conv2d(inputs, outputs, size, padding=size // 2), gain)


class UpBlock(nn.Module):
    """A generator's block to twice the size: x↑ through 1×1, plus x through norm, ReLU, ↑, 3×3, norm, ReLU, 3×3.

    Args:
        inputs: channels of x.
        outputs: channels of the result.
        condition: second argument of ``norm``: for :class:`ConditionalBatchNorm` the number of classes, or None.
        norm: returns a norm, given a number of channels and ``condition``; the norm takes x and the condition of
            :meth:`forward`.

    Reference: arXiv:1802.05957, figure 8, as in Gulrajani et al. 2017, arXiv:1704.00028, appendix F.
    """

    def __init__(
        self, inputs: int, outputs: int, condition: Any, norm: Callable[[int, Any], nn.Module] = ConditionalBatchNorm
    ) -> None:
        super().__init__()
        self.norm1, self.norm2 = norm(inputs, condition), norm(outputs, condition)
        self.conv1, self.conv2 = _convolution(inputs, outputs, 3), _convolution(outputs, outputs, 3)
        self.shortcut = _convolution(inputs, outputs, 1)

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """Map ``(N, inputs, H, W)``, and the condition that the norms take (labels), to ``(N, outputs, 2H, 2W)``."""
        h = self.conv1(interpolate(relu(self.norm1(x, condition)), scale_factor=2.0))
        h = self.conv2(relu(self.norm2(h, condition)))
        shortcut = interpolate(self.shortcut(x), scale_factor=2.0)  # equal to 1×1 after ↑, for a quarter of the work
        out: Tensor = h + shortcut
        return out


class DownBlock(nn.Module):
    """A discriminator's block, to half the size if ``down``: x through 1×1, plus x through ReLU, 3×3, ReLU, 3×3.

    If ``down``, both branches take the mean over 2×2 pixels. The shortcut is x itself if neither size nor channels
    change.

    Args:
        inputs: channels of x.
        outputs: channels of the result.
        down: whether the result has half the size.
        first: whether x is an image, to which the first ReLU is not applied.
        wide: whether there are ``outputs`` channels between the two 3×3, as in BigGAN, or ``inputs``, as in SNGAN; in a
            ``first`` block there are ``outputs`` in any case.

    Reference: arXiv:1802.05957, figure 8, as in Gulrajani et al. 2017, arXiv:1704.00028, appendix F.
    """

    def __init__(self, inputs: int, outputs: int, down: bool, first: bool = False, wide: bool = False) -> None:
        super().__init__()
        self.down, self.first = down, first
        hidden = outputs if first or wide else inputs
        self.conv1, self.conv2 = _convolution(inputs, hidden, 3), _convolution(hidden, outputs, 3)
        self.shortcut = _convolution(inputs, outputs, 1) if down or inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, inputs, H, W)`` to ``(N, outputs, H, W)``, or to half of H and W if ``down``."""
        h = self.conv2(relu(self.conv1(x if self.first else relu(x))))
        if self.down:
            h, x = avg_pool2d(h, 2), avg_pool2d(x, 2)
        out: Tensor = h + self.shortcut(x)
        return out


class SelfAttention(nn.Module):
    """Self-attention: x_j + γ·W_v Σ_i β_ji W_h x_i, with β_ji = softmax over positions i of (W_f x_i)ᵀ(W_g x_j).

    γ is learned and initially 0, which leaves x unchanged. Torch's fused attention is not used, since it lacks the
    second derivative that gradient penalties need.

    Args:
        features: channels of x; W_f, W_g and W_h map to an eighth of them, at least one.
        pooled: whether W_f x and W_h x are max-pooled over 2×2 positions, which takes a quarter of the work, and W_h
            maps to half of the channels, as in the code of both papers' authors.

    Reference: Zhang et al. 2018, arXiv:1805.08318, section 3, equations 1 to 3; pooled as in
    github.com/ajbrock/BigGAN-PyTorch (MIT; read, not copied).
    """

    def __init__(self, features: int, pooled: bool = False) -> None:
        super().__init__()
        self.pooled = pooled
        inner, values = max(1, features // 8), max(1, features // (2 if pooled else 8))
        self.f, self.g, self.h = (glorot(nn.Conv2d(features, n, 1, bias=False)) for n in (inner, inner, values))
        self.v = glorot(nn.Conv2d(values, features, 1, bias=False))
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, features, H, W)`` to the same shape."""
        f, g, h = self.f(x), self.g(x), self.h(x)
        if self.pooled:
            f, h = max_pool2d(f, 2), max_pool2d(h, 2)
        f, g, h = (t.flatten(2) for t in (f, g, h))  # (N, inner, positions)
        beta = (f.transpose(1, 2) @ g).softmax(1)  # (N, i, j)
        return x + self.gamma * self.v((h @ beta).unflatten(2, x.shape[2:]))


class ResidualDiscriminator(HeadedDiscriminator, SpectrallyNormalised):
    """Spectrally normalised residual blocks; φ(x) is the last block's output, after ReLU, summed over positions."""

    blocks: nn.Module

    def features(self, images: Tensor) -> Tensor:
        """Map images to features φ(x), ``(N, features)``."""
        features: Tensor = self.blocks(images).relu().sum((2, 3))
        return features


def attention_place(attention: int | None, sizes: Sequence[int], network: nn.Module) -> int | None:
    """Return the first index of ``attention`` in ``sizes``, the sizes of the features after each block; None for None.

    Raises:
        TypeError: ``attention`` is not an integer.
        ValueError: ``attention`` is not in ``sizes``; the message names ``network``.
    """
    at_least_one(attention=attention)
    if attention is None:
        return None
    if attention not in sizes:
        there = ", ".join(str(size) for size in sorted(set(sizes)))
        raise LitGANError(
            f"attention={attention}: the blocks of this {type(network).__name__} make features of {there} px: "
            "take one of these sizes, or None"
        )
    return sizes.index(attention)
