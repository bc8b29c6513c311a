"""FastGAN's networks, for training on a few hundred images (Liu et al. 2021, arXiv:2101.04775).

Blocks, widths and initial weights are as in the authors' code at 256 px (github.com/odegeasslbc/FastGAN-pytorch,
GPL-3.0: only facts are taken, from copies of it, since the repository's snapshot is empty; none of its code is). At
other sizes, each size of features, from 4 px on, has the same block as at 256 px.
"""

# Deviation: one logit, the mean of the two maps of logits; the authors' hinge is applied to each position of both maps.
# Deviation: D's second branch takes the image at half the size; the authors' G makes a small image too, at 128 px.
# Deviation: noise is not added between G's layers, unlike in the authors' code: an image depends only on z and class.
# Deviation: a final tanh at every size; in the authors' code only at 1024 px.
# Deviation: leaky ReLU in the gates, as in the paper (section 3.1); the authors' code has Swish there.
# Deviation: the first layer is linear, from z to features of 4 px, and spectrally normalised as such; theirs is a
# transposed convolution.
# Deviation: above 256 px D begins at full size, theirs at half the size; G has gates at each size from 64 px on.
# Deviation: classes, by an embedding concatenated with z in G and a projection in D; the paper's GAN is unconditional.

from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, glu, interpolate

from lit_gan._utils.arguments import at_least_one
from lit_gan._utils.representation import as_arguments
from lit_gan.networks.layers import LatentInput, check_images, dcgan_init, required_labels, stages
from lit_gan.networks.spectral import SpectrallyNormalised

__all__ = ["FastGANDiscriminator", "FastGANGenerator"]

GENERATOR = (16, 8, 4, 2, 2, 1, 1 / 2, 1 / 4, 1 / 8)
"""Channels of the generator at 4, 8, 16, … px, in units of its width."""
DISCRIMINATOR = (16, 8, 4, 2, 1, 1 / 2, 1 / 4, 1 / 8, 1 / 16)
"""Channels of the discriminator at 4, 8, 16, … px, in units of its width; its last features are of 8 px."""
DECODER = (2, 1, 1, 1 / 2)
"""Channels of a decoder at 16, 32, 64 and 128 px, in units of the width; one of fewer layers has the last entries."""


def _widths(multiples: tuple[float, ...], width: int, count: int) -> list[int]:
    """Return the channels of ``count`` layers; those beyond the table have its last entry."""
    return [max(1, int(width * multiples[min(i, len(multiples) - 1)])) for i in range(count)]


def _convolution(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Conv2d:
    """Return a convolution without bias, to half the size if ``stride`` is 2."""
    return nn.Conv2d(inputs, outputs, size, stride, (size - 1) // 2, bias=False)


class GatedConvolution(nn.Module):
    """3×3, batch norm and gated linear unit a·σ(b), a and b the halves of the channels; if ``up``, to twice the size.

    Reference: arXiv:2101.04775, figure 3; the unit: Dauphin et al. 2016, arXiv:1612.08083, equation 1.
    """

    def __init__(self, inputs: int, outputs: int, up: bool) -> None:
        super().__init__()
        self.up = up
        self.layers = nn.Sequential(_convolution(inputs, 2 * outputs, 3), nn.BatchNorm2d(2 * outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, inputs, H, W)`` to ``(N, outputs, H, W)``, or to ``(N, outputs, 2H, 2W)`` if ``up``."""
        return glu(self.layers(interpolate(x, scale_factor=2.0) if self.up else x), 1)


class SkipExcitation(nn.Module):
    """Skip-layer excitation: y = F(x_low)·x_high, with a gate F(x_low) in (0, 1) for each channel of x_high.

    F is a mean to 4×4 positions, a 4×4 convolution to one position, leaky ReLU, 1×1, sigmoid.

    Reference: arXiv:2101.04775, section 3.1, equation 1.
    """

    def __init__(self, low: int, high: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(4),
            nn.Conv2d(low, high, 4, bias=False),
            nn.LeakyReLU(0.1),
            _convolution(high, high, 1),
            nn.Sigmoid(),
        )

    def forward(self, low: Tensor, high: Tensor) -> Tensor:
        """Return ``high`` ``(N, C, H, W)`` gated by ``low`` ``(N, C', H', W')``."""
        out: Tensor = high * self.gate(low)
        return out


class FastGANGenerator(SpectrallyNormalised):
    """Blocks of gated convolutions, each to twice the size, with skip-layer excitation and a final tanh.

    Blocks alternately have two convolutions and one. Features gate those of four doublings later: features of 4 px gate
    those of 64 px, 8 px gate 128 px, and so on.

    Args:
        image_size: height and width, in pixels: 4, 5, 6 or 7 doubled at least once (16, 28, 32, 64, 128, 256, ...).
        channels: channels of the image.
        latent_dim: length of z; 256 in the authors' code.
        num_classes: number of classes; None for an unconditional generator.
        width: channels at 128 px; there are 16 times as many at 4 px, fewer above 128 px. 64 in the authors' code.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: ``image_size`` is not 4, 5, 6 or 7 doubled at least once.

    Reference: arXiv:2101.04775, section 3.1 and figure 3.
    """

    extra_repr = as_arguments

    def __init__(
        self,
        image_size: int = 256,
        channels: int = 3,
        latent_dim: int = 256,
        num_classes: int | None = None,
        width: int = 64,
    ) -> None:
        super().__init__()
        self.image_size, self.channels, self.latent_dim = image_size, channels, latent_dim
        self.num_classes, self.width = num_classes, width
        at_least_one(channels=channels, latent_dim=latent_dim, num_classes=num_classes, width=width)
        self.start, doublings = stages(image_size)
        widths = _widths(GENERATOR, width, doublings + 1)
        self.input = LatentInput(latent_dim, num_classes)
        self.linear = nn.Linear(self.input.features, 2 * widths[0] * self.start**2, bias=False)
        self.norm = nn.BatchNorm2d(2 * widths[0])
        self.blocks = nn.ModuleList(_up_block(a, b, double=i % 2 == 0) for i, (a, b) in enumerate(pairwise(widths)))
        self.gates = nn.ModuleList(SkipExcitation(low, high) for low, high in zip(widths, widths[4:], strict=False))
        self.output = nn.Sequential(_convolution(widths[-1], channels, 3), nn.Tanh())
        self.apply(dcgan_init)
        self.to(memory_format=torch.channels_last)
        self.normalise(nn.Conv2d, nn.Linear)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map latents ``(N, latent_dim)`` to images ``(N, channels, image_size, image_size)`` in [-1, 1]."""
        x = self.linear(self.input(z, labels)).unflatten(1, (-1, self.start, self.start))
        features = [glu(self.norm(x), 1)]
        for i, block in enumerate(self.blocks, start=1):
            x = block(features[-1])
            features.append(self.gates[i - 4](features[i - 4], x) if i >= 4 else x)
        images: Tensor = self.output(features[-1])
        return images


def _up_block(inputs: int, outputs: int, double: bool) -> nn.Sequential:
    """Return one gated convolution to twice the size, followed by another one if ``double``."""
    block = nn.Sequential(GatedConvolution(inputs, outputs, up=True))
    return block.append(GatedConvolution(outputs, outputs, up=False)) if double else block


class HalvingBlock(nn.Module):
    """The mean of two branches to half the size: 4×4 with stride 2, then 3×3; and a mean over 2×2 pixels, then 1×1."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.main = nn.Sequential(_halving(inputs, outputs), *_normed(outputs, outputs, 3))
        self.direct = nn.Sequential(nn.AvgPool2d(2), *_normed(inputs, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, inputs, H, W)`` to ``(N, outputs, H/2, W/2)``."""
        out: Tensor = (self.main(x) + self.direct(x)) / 2
        return out


def _normed(inputs: int, outputs: int, size: int, stride: int = 1) -> list[nn.Module]:
    """Return a convolution, batch norm and leaky ReLU."""
    return [_convolution(inputs, outputs, size, stride), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2)]


def _halving(inputs: int, outputs: int) -> nn.Sequential:
    """Return a 4×4 convolution to half the size, batch norm and leaky ReLU."""
    return nn.Sequential(*_normed(inputs, outputs, 4, stride=2))


class FastGANDiscriminator(SpectrallyNormalised):
    """Two branches, for the image at full and at half the size, with decoders that reconstruct it from the features.

    The first branch halves the image to features of 8 px; features gate those of three blocks later. The second branch,
    for images from 32 px on, has fewer channels. A 4×4 convolution at the end of each gives a map of logits; the logit
    is the mean over both maps and all positions, plus the projection v_yᵀφ(x) if there are classes, where φ(x) is the
    mean of the first branch's features. Only :class:`lit_gan.penalties.Reconstruction` trains the decoders. Batch norm
    makes a logit depend on the rest of the batch: do not use gradient penalties. V(G, D) is computed with D in
    evaluation mode, with its running statistics.

    Args:
        image_size: height and width, in pixels: 4, 5, 6 or 7 doubled at least once (16, 28, 32, 64, 128, 256, ...).
        channels: channels of the image.
        num_classes: number of classes, by projection (arXiv:1802.05637); None for an unconditional discriminator.
        width: channels at 64 px; there are 8 times as many at 8 px, fewer above 64 px. 64 in the authors' code.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: ``image_size`` is not 4, 5, 6 or 7 doubled at least once; in ``forward``, images of another shape.

    Reference: arXiv:2101.04775, section 3.2 and figure 4.
    """

    extra_repr = as_arguments

    def __init__(
        self, image_size: int = 256, channels: int = 3, num_classes: int | None = None, width: int = 64
    ) -> None:
        super().__init__()
        self.image_size, self.channels, self.num_classes, self.width = image_size, channels, num_classes, width
        at_least_one(channels=channels, num_classes=num_classes, width=width)
        _, doublings = stages(image_size)
        widths = _widths(DISCRIMINATOR, width, doublings + 1)[:0:-1]  # from the image's size to 8 px
        narrow = _widths(DISCRIMINATOR, width, doublings)[:1:-1]  # of the second branch, to 8 px
        self.stem = nn.Sequential(_convolution(channels, widths[0], 3), nn.LeakyReLU(0.2))
        self.blocks = nn.ModuleList(HalvingBlock(a, b) for a, b in pairwise(widths))
        self.gates = nn.ModuleList(SkipExcitation(low, high) for low, high in zip(widths, widths[3:], strict=False))
        self.judge = nn.Sequential(*_normed(widths[-1], 2 * widths[-1], 1), nn.Conv2d(2 * widths[-1], 1, 4, bias=False))
        self.embedding = None if num_classes is None else nn.Embedding(num_classes, widths[-1])
        decode = partial(_decoder, channels=channels, width=width, doublings=min(max(0, doublings - 2), len(DECODER)))
        self.whole, self.part = decode(widths[-1]), decode(widths[-2:][0])
        self.look = self.judge_small = self.small = None
        if narrow:
            halvings = (_halving(a, b) for a, b in pairwise(narrow))
            self.look = nn.Sequential(_convolution(channels, narrow[0], 4, 2), nn.LeakyReLU(0.2), *halvings)
            self.judge_small, self.small = nn.Conv2d(narrow[-1], 1, 4, bias=False), decode(narrow[-1])
        self.apply(dcgan_init)
        self.to(memory_format=torch.channels_last)
        self.normalise()

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map images ``(N, channels, image_size, image_size)`` to logits ``(N,)``."""
        check_images(images, (self.channels, self.image_size, self.image_size), self)
        features = self._features(images)[-1]
        logits: Tensor = self.judge(features).mean((1, 2, 3))
        if self.look is not None and self.judge_small is not None:
            logits = (logits + self.judge_small(self.look(avg_pool2d(images, 2))).mean((1, 2, 3))) / 2
        if self.embedding is None:
            return logits
        return logits + (features.mean((2, 3)) * self.embedding(required_labels(labels, self.embedding))).sum(1)

    def reconstructions(self, images: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return pairs of a decoder's reconstruction and its target, both ``(N, channels, H, W)``.

        Targets are the whole image, one of its quarters, the same random one for the whole batch, and the image at half
        the size. All are resized to half the height and width of the image (the full size below 16 px), at most 32
        times the first size, 128 px for 4 px.
        """
        features = self._features(images)
        row, column = (int(torch.randint(2, ())) for _ in range(2))
        pairs = [
            (self.whole(features[-1]), images),
            (self.part(_quarter(features[-2:][0], row, column)), _quarter(images, row, column)),
        ]
        if self.look is not None and self.small is not None:
            smaller = avg_pool2d(images, 2)
            pairs.append((self.small(self.look(smaller)), smaller))
        return [(made, interpolate(image, made.shape[2:], mode="area")) for made, image in pairs]

    def _features(self, images: Tensor) -> list[Tensor]:
        """Return the first branch's features, from the image's size to 8 px."""
        features = [self.stem(images)]
        for i, block in enumerate(self.blocks, start=1):
            x = block(features[-1])
            features.append(self.gates[i - 3](features[i - 3], x) if i >= 3 else x)
        return features


def _decoder(features: int, channels: int, width: int, doublings: int) -> nn.Sequential:
    """Return gated convolutions from features to an image 2^``doublings`` times as large."""
    widths = [features, *(max(1, int(width * m)) for m in DECODER[len(DECODER) - doublings :])]
    layers = [GatedConvolution(a, b, up=True) for a, b in pairwise(widths)]
    return nn.Sequential(*layers, _convolution(widths[-1], channels, 3), nn.Tanh())


def _quarter(x: Tensor, row: int, column: int) -> Tensor:
    """Return the upper or lower, left or right quarter of ``x`` ``(N, C, H, W)``."""
    return x.tensor_split(2, 2)[row].tensor_split(2, 3)[column]
