"""StyleGAN2's networks (Karras et al. 2019, arXiv:1912.04958).

Style mixing and truncation are StyleGAN's (arXiv:1812.04948), minibatch standard deviation and equalised learning rates
those of progressive growing (arXiv:1710.10196), classes as in StyleGAN2-ADA (arXiv:2006.06676). Written from the
papers. Sizes and constants that they leave open were looked up in the authors' code,
github.com/NVlabs/stylegan2-ada-pytorch, whose licence is non-commercial: none of its code is here.
"""

# Deviation: the paper's images are unbounded. Here they are so in training mode, since clipping would zero the
# generator's gradients, and clipped to [-1, 1] in evaluation mode, as in an 8-bit file: held-out V(G, D) is computed on
# clipped images.
# Deviation: z and w always have the same length, 512 in the paper.
# Deviation: a class embedding is initially N(0, 1) and does not have a bias; it is then normalised.
# Deviation: in evaluation mode the noise is one fixed image for all samples, saved with the weights; the authors' code
# does so to draw images, and draws noise anew when it computes FID.
# Deviation: a batch that the group size of the minibatch standard deviation does not divide is split into groups whose
# sizes differ by 1; the authors' code refuses it.

import math

import torch
from torch import Tensor, nn

from lit_gan._utils.arguments import at_least, at_least_one, within
from lit_gan._utils.dtypes import at_least_float32
from lit_gan._utils.errors import LitGANTypeError
from lit_gan._utils.representation import as_arguments
from lit_gan.networks.equalised import EqualisedConv, EqualisedLinear, Leaky, normalised
from lit_gan.networks.layers import LatentInput, check_images, required_labels, stages
from lit_gan.networks.modulated import ModulatedConv, StyledConv
from lit_gan.networks.resampling import Up

__all__ = ["StyleGAN2Discriminator", "StyleGAN2Generator"]

WIDEST = 512
"""Largest number of channels of a layer, unless ``width``, those at the image's size, is larger."""
DECAY = 0.995
"""Decay of the running average of styles at each pass of the generator in training mode."""
CLASS_DEPTH = 8
"""Number of layers from the class embedding to m(y), the vector that D's features are multiplied with."""


def _widths(image_size: int, width: int | None) -> list[int]:
    """Return the channels at each size, that of the image first: doubled at each smaller size, up to 512."""
    first = width or min(WIDEST, max(1, 32768 // image_size))
    return [min(first * 2**i, max(first, WIDEST)) for i in range(stages(image_size)[1] + 1)]


def _dense(inputs: int, outputs: int, depth: int) -> nn.Sequential:
    """Return ``depth`` linear layers with 0.01 times the others' learning rate, each followed by leaky ReLU."""
    layers: list[nn.Module] = []
    for i in range(depth):
        layers += [EqualisedLinear(outputs if i else inputs, outputs, lr=0.01), Leaky()]
    return nn.Sequential(*layers)


class Mapping(nn.Module):
    """The mapping network: linear layers from z and a class embedding, each normalised to mean square 1, to a style w.

    Args:
        latent_dim: length of z and of w.
        num_classes: number of classes; None for an unconditional generator.
        depth: number of layers.

    Reference: arXiv:1812.04948, section 2 and appendix C; with classes: arXiv:2006.06676, appendix D.
    """

    def __init__(self, latent_dim: int, num_classes: int | None, depth: int) -> None:
        super().__init__()
        self.input = LatentInput(latent_dim, num_classes)
        self.layers = _dense(self.input.features, latent_dim, depth)

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Map latents ``(N, latent_dim)`` and labels ``(N,)`` to styles ``(N, latent_dim)``, without autocast."""
        with torch.autocast(z.device.type, enabled=False):
            parts = self.input(z, labels).unflatten(1, (-1, z.shape[1]))
            w: Tensor = self.layers(normalised(parts).flatten(1))
            return w


class SynthesisBlock(nn.Module):
    """Layers of one size: a convolution from half the size (not in the first block), another one, and 1×1 to an image.

    Args:
        inputs: channels of the previous, smaller size; None at the first size.
        outputs: channels of the features.
        image_size: height and width of the features, in pixels.
        channels: channels of the image.
        style_dim: length of a style.

    Reference: arXiv:1912.04958, figure 7b: the image is the sum over all sizes.
    """

    def __init__(self, inputs: int | None, outputs: int, image_size: int, channels: int, style_dim: int) -> None:
        super().__init__()
        up = [] if inputs is None else [StyledConv(inputs, outputs, image_size, style_dim, up=True)]
        self.layers = nn.ModuleList([*up, StyledConv(outputs, outputs, image_size, style_dim)])
        self.to_image = ModulatedConv(outputs, channels, 1, style_dim, demodulate=False)
        self.up = None if inputs is None else Up(image_size)

    def forward(self, x: Tensor, image: Tensor | None, styles: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features and the image, summed up to this size; ``styles`` is ``(N, layers + 1, style_dim)``."""
        *others, last = styles.unbind(1)
        for layer, style in zip(self.layers, others, strict=True):
            x = layer(x, style)
        part: Tensor = self.to_image(x, last)
        if image is None or self.up is None:
            return x, part
        with torch.autocast(x.device.type, enabled=False):  # keep the sum over sizes in full precision
            image = image.to(self.to_image.bias.dtype)
            return x, self.up(image) + part.to(image)


class StyleGAN2Generator(nn.Module):
    """A mapping network from z to a style w, and a synthesis network whose convolutions are all modulated by w.

    w̄, the running average of w, is kept for truncation: w̄ + ψ(w − w̄). In evaluation mode the noise is fixed, so that a
    z always gives the same image; in training mode noise is drawn at each pass, and styles are mixed.

    Args:
        image_size: height and width, in pixels: 4, 5, 6 or 7 doubled at least once (16, 28, 32, 64, 128, ...).
        channels: channels of the image.
        latent_dim: length of z and of w.
        num_classes: number of classes, by an embedding concatenated with z; None for an unconditional generator.
        width: channels at the image's size, doubled at each smaller size up to 512. None for the paper's
            32768/image_size, at most 512: 512 up to 64 px, 32 at 1024 px; the authors' smaller networks have half of
            it.
        mapping_depth: number of layers from z to w: 8 in the paper, 2 in ADA's CIFAR-10 setting.
        style_mixing: probability, in [0, 1], that in training mode the layers from a random one on take the style of a
            second, normal latent: 0.9 in the paper, 0 in ADA's CIFAR-10 setting.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range, or ``image_size`` is not 4, 5, 6 or 7 doubled at least once.

    Reference: arXiv:1912.04958, section 2, figure 7 and appendix B; mixing and truncation: arXiv:1812.04948, section
    3.1 and appendix B.
    """

    extra_repr = as_arguments
    mean_style: Tensor

    def __init__(
        self,
        image_size: int = 32,
        channels: int = 3,
        latent_dim: int = 512,
        num_classes: int | None = None,
        width: int | None = None,
        mapping_depth: int = 8,
        style_mixing: float = 0.9,
    ) -> None:
        super().__init__()
        self.image_size, self.channels, self.latent_dim = image_size, channels, latent_dim
        self.num_classes, self.width = num_classes, width
        self.mapping_depth, self.style_mixing = mapping_depth, style_mixing
        at_least_one(channels=channels, latent_dim=latent_dim, num_classes=num_classes, width=width)
        at_least_one(mapping_depth=mapping_depth)
        if style_mixing is None:
            raise LitGANTypeError("style_mixing=None must be a number in [0, 1]: 0 for none")
        within("[0, 1]", style_mixing=style_mixing)
        start, _ = stages(image_size)
        widths = _widths(image_size, width)[::-1]
        self.mapping = Mapping(latent_dim, num_classes, mapping_depth)
        self.constant = nn.Parameter(torch.randn(1, widths[0], start, start))
        self.blocks = nn.ModuleList(
            SynthesisBlock(widths[i - 1] if i else None, features, start * 2**i, channels, latent_dim)
            for i, features in enumerate(widths)
        )
        self.register_buffer("mean_style", torch.zeros(latent_dim))
        self.to(memory_format=torch.channels_last)

    def forward(self, z: Tensor, labels: Tensor | None = None, truncation: float = 1.0) -> Tensor:
        """Map latents ``(N, latent_dim)`` to images ``(N, channels, image_size, image_size)``, [-1, 1] in evaluation.

        Args:
            z: latents; they are normalised to a mean square of 1, so that their length does not matter.
            labels: ``(N,)``, for a conditional generator.
            truncation: ψ; below 1, styles are nearer to their average: more typical images and less variety.
        """
        w = self.styles(z, labels)
        if self.training:
            self._update_mean_style(w)
        if truncation != 1:
            w = self.mean_style.to(w.dtype).lerp(w, truncation)
        images = self.synthesize(w)
        return images if self.training else images.clamp(-1, 1)

    @property
    def num_styles(self) -> int:
        """Number of styles that the layers take: two for each size, of which the next size uses the second one too."""
        return 2 * len(self.blocks)

    def styles(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the styles of all layers, ``(N, num_styles, latent_dim)``, mixed in training mode."""
        w = self.mapping(z, labels)[:, None].expand(-1, self.num_styles, -1)
        if not self.training or self.style_mixing == 0:
            return w
        other = self.mapping(torch.randn_like(z), labels)[:, None]
        first = torch.randint(1, self.num_styles, (len(z), 1), device=z.device)
        mixed = torch.rand(len(z), 1, device=z.device) < self.style_mixing
        theirs = mixed & (torch.arange(self.num_styles, device=z.device) >= first)  # (N, num_styles)
        return torch.where(theirs[:, :, None], other, w)

    def synthesize(self, styles: Tensor) -> Tensor:
        """Map styles ``(N, num_styles, latent_dim)`` to unbounded images."""
        x, image = self.constant.expand(styles.shape[0], -1, -1, -1), None
        for i, block in enumerate(self.blocks):  # two styles for the first, three for others, one in common
            x, image = block(x, image, styles[:, max(2 * i - 1, 0) : 2 * i + 2])
        assert image is not None
        return image

    @torch.no_grad()
    def _update_mean_style(self, styles: Tensor) -> None:
        """Update the running average of styles with the mean of a batch's."""
        now = styles.mean((0, 1)).to(self.mean_style)
        self.mean_style.copy_(now.lerp(self.mean_style, DECAY))


class DiscriminatorBlock(nn.Module):
    """Two 3×3 convolutions, the second to half the size; if ``residual``, plus x through 1×1, the sum divided by √2.

    Args:
        inputs: channels of x.
        outputs: channels of the result.
        residual: whether x is added, through the 1×1.

    Reference: arXiv:1912.04958, figure 7c; not residual: arXiv:1710.10196, table 2.
    """

    def __init__(self, inputs: int, outputs: int, residual: bool) -> None:
        super().__init__()
        convolutions = EqualisedConv(inputs, inputs, 3), EqualisedConv(inputs, outputs, 3, down=True)
        self.layers = nn.Sequential(convolutions[0], Leaky(), convolutions[1], Leaky())
        self.skip = EqualisedConv(inputs, outputs, 1, down=True, bias=False) if residual else None

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, inputs, H, W)`` to ``(N, outputs, H/2, W/2)``."""
        h: Tensor = self.layers(x)
        return h if self.skip is None else (h + self.skip(x)) / math.sqrt(2)


class MinibatchDeviation(nn.Module):
    """An extra channel with the standard deviation within a group of samples, averaged over features and positions.

    A batch is split into round(N/group) groups, at least one, whose sizes differ by at most 1: each has ``group``
    samples if that divides N, and otherwise about as many, so that the channel's value is comparable between batch
    sizes. The standard deviation is √(mean of (x − mean)² + 1e-8), so nearly 0 for a single sample.

    Args:
        group: number of samples in a group.

    Reference: arXiv:1710.10196, section 3; groups of 4: the authors' code.
    """

    def __init__(self, group: int) -> None:
        super().__init__()
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C, H, W)`` to ``(N, C + 1, H, W)``."""
        n = len(x)
        groups = max(1, (n + self.group // 2) // self.group)
        which = torch.arange(n, device=x.device) % groups
        with torch.autocast(x.device.type, enabled=False):
            features = at_least_float32(x.flatten(1))
            members = (which == torch.arange(groups, device=x.device)[:, None]).to(features)
            means = members / members.sum(1, keepdim=True)  # (groups, N): products of matrices have one order of sums
            variance = means @ (features - (means @ features)[which]).square()
            deviation = (variance + 1e-8).sqrt().mean(1)[which]
        return torch.cat([x, deviation.to(x.dtype)[:, None, None, None].expand(-1, 1, *x.shape[2:])], 1)


class Head(nn.Module):
    """A linear logit of features φ, or (Wφ + b)ᵀm(y)/√features, where m(y) is a class embedding through linear layers.

    Args:
        features: length of φ.
        num_classes: number of classes; None for an unconditional discriminator, which ignores labels.

    Reference: arXiv:2006.06676, appendix D, after the projection of arXiv:1802.05637.
    """

    def __init__(self, features: int, num_classes: int | None) -> None:
        super().__init__()
        self.linear = EqualisedLinear(features, 1 if num_classes is None else features)
        self.embedding = None if num_classes is None else nn.Embedding(num_classes, features)
        self.classes = None if num_classes is None else _dense(features, features, CLASS_DEPTH)

    def forward(self, features: Tensor, labels: Tensor | None) -> Tensor:
        """Map ``features`` ``(N, features)`` and ``labels`` ``(N,)`` to logits ``(N,)``."""
        h: Tensor = self.linear(features)
        if self.embedding is None or self.classes is None:
            return h[:, 0]
        directions = self.classes(normalised(self.embedding(required_labels(labels, self.embedding))))
        return (h * directions).sum(1) / math.sqrt(h.shape[1])


class StyleGAN2Discriminator(nn.Module):
    """Residual blocks, each to half the size, from an image to a logit, with minibatch standard deviation.

    The minibatch standard deviation makes a sample's logit depend on the rest of the batch, in evaluation mode too:
    logits are of a sample in a batch that is all real or all fake.

    Args:
        image_size: height and width, in pixels: 4, 5, 6 or 7 doubled at least once (16, 28, 32, 64, 128, ...).
        channels: channels of the image.
        num_classes: number of classes, by projection; None for an unconditional discriminator.
        width: channels at the image's size, doubled at each smaller size up to 512. None for the paper's, as in
            :class:`StyleGAN2Generator`.
        residual: whether blocks have a shortcut: True in the paper, False in ADA's CIFAR-10 setting.
        minibatch_group: number of samples whose standard deviation is taken, ≥ 2: 4 in the authors' code, 32 in ADA's
            CIFAR-10 setting. None for no minibatch standard deviation: then a logit does not depend on the batch.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range, or ``image_size`` is not 4, 5, 6 or 7 doubled at least once; in
            ``forward``, images of another shape.

    Reference: arXiv:1912.04958, figure 7c and appendix B.
    """

    extra_repr = as_arguments

    def __init__(
        self,
        image_size: int = 32,
        channels: int = 3,
        num_classes: int | None = None,
        width: int | None = None,
        residual: bool = True,
        minibatch_group: int | None = 4,
    ) -> None:
        super().__init__()
        self.image_size, self.channels, self.num_classes = image_size, channels, num_classes
        self.width, self.residual, self.minibatch_group = width, residual, minibatch_group
        at_least_one(channels=channels, num_classes=num_classes, width=width)
        at_least(2, minibatch_group=minibatch_group)
        start, doublings = stages(image_size)
        widths = _widths(image_size, width)
        features, group = widths[-1], minibatch_group
        self.from_image = nn.Sequential(EqualisedConv(channels, widths[0], 1), Leaky())
        blocks = [DiscriminatorBlock(widths[i], widths[i + 1], residual) for i in range(doublings)]
        self.blocks = nn.Sequential(*blocks)
        self.deviation = nn.Identity() if group is None else MinibatchDeviation(group)
        self.last = nn.Sequential(
            EqualisedConv(features + (group is not None), features, 3),
            Leaky(),
            nn.Flatten(),
            EqualisedLinear(features * start**2, features),
            Leaky(),
        )
        self.head = Head(features, num_classes)
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map images ``(N, channels, image_size, image_size)`` to logits ``(N,)``."""
        check_images(images, (self.channels, self.image_size, self.image_size), self)
        features = self.blocks(self.from_image(images))
        with torch.autocast(images.device.type, enabled=False):
            features = features.to(self.head.linear.weight.dtype)
            logits: Tensor = self.head(self.last(self.deviation(features)), labels)
        return logits
