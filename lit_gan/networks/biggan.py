"""BigGAN's residual networks (Brock et al. 2018, arXiv:1809.11096).

The generator's widths are those of the tables of appendix B (128, 256 and 512 px). The widths of the discriminator
(which at 128 px give the paper's number of parameters, although its printed table differs), those at 32 and 64 px, the
chunk of z of each layer, hidden widths and attention are as in the first author's code,
github.com/ajbrock/BigGAN-PyTorch (MIT; read, not copied); the discriminator at 512 px is by analogy. Both networks are
spectrally normalised.

LitGAN's ``truncation`` multiplies z; the paper (section 3.1) redraws the numbers of z that are beyond a threshold. The
paper's standing statistics, batch-norm statistics recomputed over samples, are not implemented: those of training are
used.
"""

# Deviation: if the length of z is not a multiple of the number of chunks, their lengths differ by 1; the authors' code
# shortens z.
# Deviation: batch norm's statistics are of the batch of one device, unless the Trainer has sync_batchnorm.

from itertools import pairwise

import torch
from torch import Tensor, nn

from lit_gan._utils.arguments import at_least_one
from lit_gan._utils.errors import LitGANError
from lit_gan._utils.representation import as_arguments
from lit_gan.networks.layers import Conditioning, LatentInput, LogitHead, required_labels, stages
from lit_gan.networks.residual import DownBlock, ResidualDiscriminator, SelfAttention, UpBlock, attention_place
from lit_gan.networks.spectral import SpectrallyNormalised

__all__ = ["BigGANDiscriminator", "BigGANGenerator"]

CLASS_FEATURES = 128
"""Length of the class embedding that all blocks of the generator share."""
LARGEST = 7
"""Number of doublings in the largest table, from 4 to 512 px."""


def _from_image(image_size: int, doublings: int, generator: bool) -> list[int]:
    """Return the channels of a network's layers in units of its width, from the image on."""
    if doublings > LARGEST:
        most = image_size // 2 ** (doublings - LARGEST)
        raise LitGANError(
            f"image_size={image_size} is {doublings} doublings, BigGAN's tables end at {LARGEST}: take {most} or less"
        )
    if doublings <= 3:
        return [4] * (doublings + 1 if generator else 4)
    tables = {4: [1, 2, 4, 8, 16], 5: [1, 2, 4, 8, 16, 16], 6: [1, 2, 4, 8, 8, 16, 16], 7: [1, 1, 2, 4, 8, 8, 16, 16]}
    return [2, 4, 8, 16, 16] if generator and doublings == 4 else tables[doublings]


def _orthogonal(network: nn.Module) -> None:
    """Set every weight to a random matrix with orthonormal rows (columns, if they are fewer), every bias to 0."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear, nn.Embedding)):
            nn.init.orthogonal_(module.weight)
        if isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
            nn.init.zeros_(module.bias)


class LinearBatchNorm(nn.Module):
    """Batch norm whose scale and shift are linear in a vector c: (1 + W_γ c)·(x − mean)/std + W_β c.

    Args:
        features: channels of x.
        condition: length of c.

    Reference: arXiv:1809.11096, section 3 and appendix B, figure 15 (b).
    """

    def __init__(self, features: int, condition: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(features, affine=False)
        self.scale, self.shift = (nn.Linear(condition, features, bias=False) for _ in "γβ")

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        """Normalise ``x`` ``(N, features, H, W)`` for vectors ``c`` ``(N, condition)``."""
        scale, shift = ((layer(c))[:, :, None, None] for layer in (self.scale, self.shift))
        out: Tensor = (1 + scale) * self.norm(x) + shift
        return out


class BigGANGenerator(SpectrallyNormalised):
    """Residual blocks, each with its own chunk of z, from a latent to an image, with a final tanh.

    z = [z_0, z_1, …]: the first linear layer takes z_0, the batch norms of block l take [e(y), z_l], where e(y) is an
    embedding of the class that all blocks share, or only z_l without classes. All weights but e are spectrally
    normalised.

    Args:
        image_size: height and width, in pixels: 4, 5, 6 or 7 doubled 1 to 7 times (16, 28, 32, 48, 64, 128, 256, ...).
        channels: channels of the image.
        latent_dim: length of z, at least the number of chunks, which is 1 + the number of blocks; in the paper 20 for
            each chunk: 120 at 128 px, 140 at 256 px.
        num_classes: number of classes; None for an unconditional generator.
        width: unit of the channels, ch in the paper: layers have 1 to 16 times as many, up to 56 px 4 times. None for
            the paper's 96, or up to 56 px for the 64 of the authors' code.
        attention: height of the features, in pixels, that self-attention is applied to: in the paper 64 at 128 px, 128
            at 256 px. None for no attention.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: ``image_size`` is not 4, 5, 6 or 7 doubled 1 to 7 times, z is too short, or ``attention`` is not the
            size of a block's features.

    Reference: arXiv:1809.11096, appendix B, tables 4 to 6 (a).
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
        unit = width or (64 if doublings <= 3 else 96)
        first, *rest = [unit * multiple for multiple in _from_image(image_size, doublings, generator=True)[::-1]]
        self.chunks = _shares(latent_dim, doublings + 1)
        self.input = LatentInput(latent_dim, None)
        self.embedding = None if num_classes is None else nn.Embedding(num_classes, CLASS_FEATURES)
        self.linear = nn.Linear(self.chunks[0], first * self.start**2)
        known = 0 if num_classes is None else CLASS_FEATURES
        self.blocks = nn.ModuleList(
            UpBlock(a, b, known + chunk, LinearBatchNorm)
            for (a, b), chunk in zip(pairwise([first, *rest]), self.chunks[1:], strict=True)
        )
        self.attend = None if place is None else SelfAttention(rest[place], pooled=True)
        to_image = nn.Conv2d(rest[-1], channels, 3, padding=1)
        self.output = nn.Sequential(nn.BatchNorm2d(rest[-1]), nn.ReLU(inplace=True), to_image, nn.Tanh())
        _orthogonal(self)
        self.to(memory_format=torch.channels_last)
        self.normalise(nn.Conv2d, nn.Linear)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map latents ``(N, latent_dim)`` to images ``(N, channels, image_size, image_size)`` in [-1, 1]."""
        z_0, *z_blocks = self.input(z, None).split(self.chunks, 1)
        known = [] if self.embedding is None else [self.embedding(required_labels(labels, self.embedding))]
        x = self.linear(z_0).unflatten(1, (-1, self.start, self.start))
        for block, z_l in zip(self.blocks, z_blocks, strict=True):
            x = block(x, torch.cat([*known, z_l], 1))
            if self.attend is not None and x.shape[-1] == self.attention:
                x = self.attend(x)
        images: Tensor = self.output(x)
        return images


def _shares(length: int, parts: int) -> list[int]:
    """Return the lengths of ``parts`` chunks of z, which differ by at most 1, the longer ones first."""
    if length < parts:
        raise LitGANError(
            f"latent_dim={length}: z has {parts} parts, one for each block and one more: take {parts} or more"
        )
    return [length // parts + (i < length % parts) for i in range(parts)]


class BigGANDiscriminator(ResidualDiscriminator):
    """Residual blocks from an image to a logit, each weight divided by its largest singular value.

    φ(x) is the sum of the last features over all positions, after ReLU; the logit is wᵀφ(x) + b, plus the projection
    v_yᵀφ(x) if there are classes. Without batch norm, an image's logit does not depend on the rest of the batch.

    Args:
        image_size: height and width, in pixels: 4, 5, 6 or 7 doubled 1 to 7 times (16, 28, 32, 48, 64, 128, 256, ...).
        channels: channels of the image.
        num_classes: number of classes; None for an unconditional discriminator.
        width: unit of the channels, ch in the paper: layers have 1 to 16 times as many, up to 56 px 4 times. None for
            the paper's 96, or up to 56 px for the 64 of the authors' code.
        attention: height of the features, in pixels, that self-attention is applied to: 64 in the paper. None for no
            attention.
        conditioning: ``"projection"``: the logit depends on the class (arXiv:1802.05637). ``"classifier"``: it does
            not, and :meth:`classify` predicts the class, for :class:`lit_gan.penalties.AuxiliaryClassifier`.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: ``image_size`` is not 4, 5, 6 or 7 doubled 1 to 7 times, ``attention`` is not the size of a block's
            features, or a classifier without ``num_classes``; in ``forward``, images of another shape.

    Reference: arXiv:1809.11096, appendix B; widths: the first author's code.
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
        _, doublings = stages(image_size)
        halvings = doublings if doublings > 3 else min(doublings, 2)
        unit = width or (64 if doublings <= 3 else 96)
        widths = [unit * multiple for multiple in _from_image(image_size, doublings, generator=False)]
        blocks: list[nn.Module] = [DownBlock(channels, widths[0], down=True, first=True)]
        blocks += [DownBlock(a, b, down=i < halvings, wide=True) for i, (a, b) in enumerate(pairwise(widths), start=1)]
        sizes = [image_size // 2 ** min(i, halvings) for i in range(1, len(widths) + 1)]
        place = attention_place(attention, sizes, self)
        if place is not None:
            blocks.insert(place + 1, SelfAttention(widths[place], pooled=True))
        self.blocks = nn.Sequential(*blocks)
        self.head = LogitHead(widths[-1], num_classes, conditioning)
        _orthogonal(self)
        self.to(memory_format=torch.channels_last)
        self.normalise()
