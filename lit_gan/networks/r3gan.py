"""R3GAN's residual networks without normalisation (Huang et al. 2024, arXiv:2501.05441, configuration E).

Layers are those of section 3 and table 9. Details that the paper leaves open (initial weights outside the residual
blocks, the resampling filter, the position of the 1×1 in a transition) are as in the authors' code,
github.com/brownvc/R3GAN (without a licence; read, not copied). The loss, penalties and optimizers that go with
them are in examples/configs/r3gan.yaml.
"""

# Deviation: in evaluation mode images are clamped to [-1, 1], the range of LitGAN's samples; in training mode they are
# unbounded. So held-out V(G, D) is computed on clamped images.

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from lit_gan._utils.arguments import at_least_one
from lit_gan._utils.representation import as_arguments
from lit_gan.networks.layers import LatentInput, check_images, required_labels, stages
from lit_gan.networks.resampling import Down, Up

__all__ = ["R3GANDiscriminator", "R3GANGenerator"]

BLOCKS, EXPANSION, SLOPE = 2, 2, 0.2
"""Residual blocks of each resolution; ratio of their inner to their outer channels; negative slope of leaky ReLU."""


def _widths(width: int, wide_stages: int, doublings: int) -> list[int]:
    """Return the channels of each resolution, the smallest first: ``width``, halved at each after the wide ones."""
    return [max(1, width // 2 ** max(0, i + 1 - wide_stages)) for i in range(doublings + 1)]


def _normal(weight: Tensor, gain: float = 1.0) -> None:
    """Draw a weight from N(0, gain²/inputs), so that outputs have variance gain² if inputs have variance 1."""
    nn.init.normal_(weight, 0.0, gain / math.sqrt(weight[0].numel()))


def _pointwise(inputs: int, outputs: int) -> nn.Conv2d:
    """Return a 1×1 convolution without bias."""
    layer = nn.Conv2d(inputs, outputs, 1, bias=False)
    _normal(layer.weight)
    return layer


def _mixing(inputs: int, outputs: int) -> list[nn.Module]:
    """Return the 1×1 of a transition between resolutions: an empty list if the channels do not change."""
    return [] if inputs == outputs else [_pointwise(inputs, outputs)]


class ResidualBlock(nn.Module):
    """x plus x through 1×1, leaky ReLU, grouped 3×3, leaky ReLU, 1×1: initially the identity, since the last 1×1 is 0.

    There are twice as many channels inside as outside; the initial weights of the first two layers are scaled by
    L^(-1/4) (Fixup, arXiv:1901.09321, without its extra biases and multipliers).

    Args:
        features: channels of x.
        group_size: channels in a group of the 3×3.
        depth: L, the number of such blocks in the network.

    Reference: arXiv:2501.05441, section 3.
    """

    def __init__(self, features: int, group_size: int, depth: int) -> None:
        super().__init__()
        inner = EXPANSION * features
        groups = inner // math.gcd(inner, group_size)
        self.expand = nn.Conv2d(features, inner, 1)
        self.grouped = nn.Conv2d(inner, inner, 3, padding=1, groups=groups)
        self.reduce = nn.Conv2d(inner, features, 1, bias=False)
        for layer in (self.expand, self.grouped):
            _normal(layer.weight, math.sqrt(2 / (1 + SLOPE**2)) * depth**-0.25)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        nn.init.zeros_(self.reduce.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, features, H, W)`` to the same shape."""
        h = leaky_relu(self.expand(x), SLOPE)
        h = leaky_relu(self.grouped(h), SLOPE)
        out: Tensor = x + self.reduce(h)
        return out


def _blocks(features: int, group_size: int, depth: int) -> list[nn.Module]:
    """Return the blocks of one resolution."""
    return [ResidualBlock(features, group_size, depth) for _ in range(BLOCKS)]


class R3GANGenerator(nn.Module):
    """Residual blocks and bilinear upsampling from learned 4×4 features, scaled by a linear map of z, to an image.

    The first features are B_c·(w_cᵀ[z, e_y]) in channel c, with B_c learned. Images are unbounded in training mode, and
    clamped to [-1, 1] in evaluation mode.

    Args:
        image_size: height and width, in pixels: 4, 5, 6 or 7 doubled at least once (16, 28, 32, 64, 256, ...).
        channels: channels of the image.
        latent_dim: length of z.
        num_classes: number of classes, by an embedding concatenated with z; None for an unconditional generator.
        width: channels of the smallest resolutions. 768 in the paper, 1536 for ImageNet.
        wide_stages: number of resolutions with that width, which is halved at each further one. 4 in the paper, 5 for
            ImageNet at 64 px.
        group_size: channels in a group of the 3×3 convolutions; 16 in the paper, 32 for ImageNet. If it does not
            divide twice the width, their greatest common divisor.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: ``image_size`` is not 4, 5, 6 or 7 doubled at least once.

    Reference: arXiv:2501.05441, section 3, figure 2 (c) and table 9.
    """

    extra_repr = as_arguments

    def __init__(
        self,
        image_size: int = 32,
        channels: int = 3,
        latent_dim: int = 64,
        num_classes: int | None = None,
        width: int = 768,
        wide_stages: int = 4,
        group_size: int = 16,
    ) -> None:
        super().__init__()
        self.image_size, self.channels, self.latent_dim = image_size, channels, latent_dim
        self.num_classes, self.width = num_classes, width
        self.wide_stages, self.group_size = wide_stages, group_size
        at_least_one(channels=channels, latent_dim=latent_dim, num_classes=num_classes)
        at_least_one(width=width, wide_stages=wide_stages, group_size=group_size)
        start, doublings = stages(image_size)
        widths = _widths(width, wide_stages, doublings)
        self.input = LatentInput(latent_dim, num_classes)
        if self.input.embedding is not None:
            nn.init.normal_(self.input.embedding.weight, 0.0, self.input.embedding.num_embeddings**-0.5)
        self.linear = nn.Linear(self.input.features, width, bias=False)
        _normal(self.linear.weight)
        self.basis = nn.Parameter(torch.randn(width, start, start))
        depth = BLOCKS * len(widths)
        layers = _blocks(width, group_size, depth)
        for i, (a, b) in enumerate(pairwise(widths), start=1):
            layers += [*_mixing(a, b), Up(start * 2**i), *_blocks(b, group_size, depth)]
        self.layers = nn.Sequential(*layers, _pointwise(widths[-1], channels))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map latents ``(N, latent_dim)`` to images ``(N, channels, image_size, image_size)``."""
        images: Tensor = self.layers(self.basis * self.linear(self.input(z, labels))[:, :, None, None])
        return images if self.training else images.clamp(-1, 1)


class R3GANDiscriminator(nn.Module):
    """Residual blocks and bilinear downsampling from an image to 4×4 features, the mirror of :class:`R3GANGenerator`.

    φ_c(x) is the sum of the last features of channel c over all positions, with learned weights; the logit is wᵀφ(x),
    or e_yᵀWφ(x) if there are classes. Without normalisation, an image's logit does not depend on the rest of the
    batch.

    Args:
        image_size: height and width, in pixels: 4, 5, 6 or 7 doubled at least once (16, 28, 32, 64, 256, ...).
        channels: channels of the image.
        num_classes: number of classes, by projection (arXiv:1802.05637) without an unconditional term; None for an
            unconditional discriminator.
        width: channels of the smallest resolutions. 768 in the paper, 1536 for ImageNet.
        wide_stages: number of resolutions with that width, which is halved at each further one. 4 in the paper, 5 for
            ImageNet at 64 px.
        group_size: channels in a group of the 3×3 convolutions; 16 in the paper, 32 for ImageNet. If it does not
            divide twice the width, their greatest common divisor.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: ``image_size`` is not 4, 5, 6 or 7 doubled at least once; in ``forward``, images of another shape.

    Reference: arXiv:2501.05441, section 3, figure 2 (c), table 9 and appendix D (classes).
    """

    extra_repr = as_arguments

    def __init__(
        self,
        image_size: int = 32,
        channels: int = 3,
        num_classes: int | None = None,
        width: int = 768,
        wide_stages: int = 4,
        group_size: int = 16,
    ) -> None:
        super().__init__()
        self.image_size, self.channels, self.num_classes = image_size, channels, num_classes
        self.width, self.wide_stages, self.group_size = width, wide_stages, group_size
        at_least_one(channels=channels, num_classes=num_classes)
        at_least_one(width=width, wide_stages=wide_stages, group_size=group_size)
        start, doublings = stages(image_size)
        widths = _widths(width, wide_stages, doublings)[::-1]
        depth = BLOCKS * len(widths)
        layers: list[nn.Module] = [_pointwise(channels, widths[0]), *_blocks(widths[0], group_size, depth)]
        for i, (a, b) in enumerate(pairwise(widths)):
            layers += [Down(image_size // 2**i), *_mixing(a, b), *_blocks(b, group_size, depth)]
        self.layers = nn.Sequential(*layers)
        self.basis = nn.Parameter(torch.randn(width, start, start) / start)
        self.linear = nn.Linear(width, 1 if num_classes is None else width, bias=False)
        _normal(self.linear.weight)
        self.embedding = None if num_classes is None else nn.Embedding(num_classes, width)
        if self.embedding is not None:
            nn.init.normal_(self.embedding.weight, 0.0, self.embedding.weight.numel() ** -0.5)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map images ``(N, channels, image_size, image_size)`` to logits ``(N,)``."""
        check_images(images, (self.channels, self.image_size, self.image_size), self)
        features: Tensor = self.linear((self.layers(images) * self.basis).sum((2, 3)))
        if self.embedding is None:
            return features[:, 0]
        return (features * self.embedding(required_labels(labels, self.embedding))).sum(1)
