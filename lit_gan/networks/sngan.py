"""SNGAN's residual networks (Miyato et al. 2018, arXiv:1802.05957), with SAGAN's attention (arXiv:1805.08318).

Networks take labels as in "cGANs with projection discriminator" (Miyato & Koyama 2018, arXiv:1802.05637): conditional
batch norm in the generator, a projection in the discriminator. Layers are those of tables 4 (32 px), 5 (48 px) and 6
(128 px) of arXiv:1802.05957; details that they leave open (hidden widths, initial weights) are as in the authors' code,
github.com/pfnet-research/sngan_projection (MIT; read, not copied).
"""

# Deviation: at 64 px, which the tables do not have, the last block keeps 4×4 px, as at 128 px; in the authors' code it
# halves them.
# Deviation: the logit has a bias at all sizes; in the authors' code not at 32 px.
# Deviation: only attention is taken from SAGAN, whose generator is spectrally normalised too.

from itertools import pairwise

import torch
from torch import Tensor, nn

from lit_gan._utils.arguments import at_least_one
from lit_gan._utils.representation import as_arguments
from lit_gan.networks.layers import Conditioning, LatentInput, LogitHead, glorot, stages
from lit_gan.networks.residual import DownBlock, ResidualDiscriminator, SelfAttention, UpBlock, attention_place

__all__ = ["SNGANDiscriminator", "SNGANGenerator"]

SMALL = 32
"""Largest image size, in px, at which all layers have one width (table 4); above, widths double from the image on."""


def _widths(image_size: int, width: int, layers: int) -> list[int]:
    """Return the channels of ``layers`` layers, from the image on."""
    return [width if image_size <= SMALL else width * 2 ** min(i, 4) for i in range(layers)]


class SNGANGenerator(nn.Module):
    """Residual blocks with batch norm, each to twice the size, from a latent to an image, with a final tanh.

    Args:
        image_size: height and width, in pixels: 4, 5, 6 or 7 doubled at least once (16, 28, 32, 48, 64, 128, ...).
        channels: channels of the image.
        latent_dim: length of z.
        num_classes: number of classes, by conditional batch norm; None for an unconditional generator.
        width: channels of all blocks up to 32 px; above, of the last block, doubled with each block towards the latent,
            up to 16 times as many. None for the paper's: 256 up to 32 px, 64 above.
        attention: height of the features, in pixels, that self-attention is applied to: 32 at 128 px in SAGAN. None for
            no attention.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: ``image_size`` is not 4, 5, 6 or 7 doubled at least once, or ``attention`` is not the size of a
            block's features.

    Reference: arXiv:1802.05957, tables 4 to 6 (a).
    """

    extra_repr = as_arguments

    def __init__(
        self,
        image_size: int = 32,
        channels: int = 3,
        latent_dim: int = 128,
        num_classes: int | None = None,
        width: int | None = None,
        attention: int | None = None,
    ) -> None:
        super().__init__()
        self.image_size, self.channels, self.latent_dim = image_size, channels, latent_dim
        self.num_classes, self.width, self.attention = num_classes, width, attention
        at_least_one(channels=channels, latent_dim=latent_dim, num_classes=num_classes, width=width)
        self.start, doublings = stages(image_size)
        place = attention_place(attention, [self.start * 2**i for i in range(1, doublings + 1)], self)
        first, *rest = _widths(image_size, width or (256 if image_size <= SMALL else 64), doublings + 1)[::-1]
        self.input = LatentInput(latent_dim, None)
        self.linear = glorot(nn.Linear(latent_dim, first * self.start**2))
        self.blocks = nn.ModuleList(UpBlock(a, b, num_classes) for a, b in pairwise([first, *rest]))
        self.attend = None if place is None else SelfAttention(rest[place])
        to_image = glorot(nn.Conv2d(rest[-1], channels, 3, padding=1))
        self.output = nn.Sequential(nn.BatchNorm2d(rest[-1]), nn.ReLU(inplace=True), to_image, nn.Tanh())
        self.to(memory_format=torch.channels_last)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map latents ``(N, latent_dim)`` to images ``(N, channels, image_size, image_size)`` in [-1, 1]."""
        x = self.linear(self.input(z, labels)).unflatten(1, (-1, self.start, self.start))
        for block in self.blocks:
            x = block(x, labels)
            if self.attend is not None and x.shape[-1] == self.attention:
                x = self.attend(x)
        images: Tensor = self.output(x)
        return images


class SNGANDiscriminator(ResidualDiscriminator):
    """Residual blocks from an image to a logit, each weight divided by its largest singular value.

    φ(x) is the sum of the last features over all positions, after ReLU; the logit is wᵀφ(x) + b, plus the projection
    v_yᵀφ(x) if there are classes. Without batch norm, an image's logit does not depend on the rest of the batch.

    Args:
        image_size: height and width, in pixels: 4, 5, 6 or 7 doubled at least once (16, 28, 32, 48, 64, 128, ...).
        channels: channels of the image.
        num_classes: number of classes; None for an unconditional discriminator.
        width: channels of all blocks up to 32 px; above, of the first block, doubled with each further block, up to 16
            times as many. None for the paper's: 128 up to 32 px, 64 above.
        attention: height of the features, in pixels, that self-attention is applied to: 32 at 128 px in SAGAN. None for
            no attention.
        conditioning: ``"projection"``: the logit depends on the class (arXiv:1802.05637). ``"classifier"``: it does
            not, and :meth:`classify` predicts the class, for :class:`lit_gan.penalties.AuxiliaryClassifier`.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: ``image_size`` is not 4, 5, 6 or 7 doubled at least once, ``attention`` is not the size of a block's
            features, or a classifier without ``num_classes``; in ``forward``, images of another shape.

    Reference: arXiv:1802.05957, tables 4 to 6 (b).
    """

    extra_repr = as_arguments

    def __init__(
        self,
        image_size: int = 32,
        channels: int = 3,
        num_classes: int | None = None,
        width: int | None = None,
        attention: int | None = None,
        conditioning: Conditioning = "projection",
    ) -> None:
        super().__init__()
        self.image_size, self.channels, self.num_classes = image_size, channels, num_classes
        self.width, self.attention = width, attention
        self.conditioning: Conditioning = conditioning
        at_least_one(channels=channels, num_classes=num_classes, width=width)
        start, doublings = stages(image_size)
        halvings = min(doublings, 2) if image_size <= SMALL else doublings + (start == 6)  # table 5 ends at 3×3
        count = 4 if image_size <= SMALL else halvings + 1
        widths = _widths(image_size, width or (128 if image_size <= SMALL else 64), count)
        blocks: list[nn.Module] = [DownBlock(channels, widths[0], down=True, first=True)]
        blocks += [DownBlock(a, b, down=i < halvings) for i, (a, b) in enumerate(pairwise(widths), start=1)]
        place = attention_place(attention, [image_size // 2 ** min(i, halvings) for i in range(1, count + 1)], self)
        if place is not None:
            blocks.insert(place + 1, SelfAttention(widths[place]))
        self.blocks = nn.Sequential(*blocks)
        self.head = LogitHead(widths[-1], num_classes, conditioning)
        glorot(self.head.linear)
        if self.head.embedding is not None:
            glorot(self.head.embedding)
        if self.head.classifier is not None:
            glorot(self.head.classifier)
        self.to(memory_format=torch.channels_last)
        self.normalise()
