"""Fully connected networks for small images and for vectors (Goodfellow et al. 2014, arXiv:1406.2661)."""

import math
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from lit_gan._utils.arguments import at_least_one
from lit_gan._utils.errors import LitGANError
from lit_gan._utils.representation import as_arguments
from lit_gan.networks.layers import LatentInput, LogitHead, check_images

__all__ = ["MLPDiscriminator", "MLPGenerator", "Waves"]

SLOPE = 0.2
"""Negative slope of leaky ReLU."""


def _data_shape(image_size: int | None, channels: int | None, features: int | None) -> tuple[int, ...]:
    """Return the shape of one image, or of one vector; raise ValueError if neither or both are given."""
    at_least_one(image_size=image_size, channels=channels, features=features)
    if features is not None:
        if image_size is not None or channels is not None:
            raise LitGANError(
                f"features={features} is for vectors, image_size={image_size} and channels={channels} are for images: "
                "give one kind or the other"
            )
        return (features,)
    if image_size is None or channels is None:
        raise LitGANError(f"give features=, or image_size= and channels= (got {image_size} and {channels})")
    return (channels, image_size, image_size)


class Waves(nn.Module):
    """x, concatenated with sines and cosines of random projections of x (random Fourier features).

    An MLP can hardly see narrow modes from x alone. The entries of the projection matrix are normal; their standard
    deviations rise geometrically over the projections, from 0.6/√D to 6/√D.

    Args:
        dimensions: length D of x.
        projections: number of projections.

    Reference: Tancik et al. 2020, arXiv:2006.10739, section 6 (Gaussian mapping); the range of scales is ours.
    """

    waves: Tensor

    def __init__(self, dimensions: int, projections: int) -> None:
        super().__init__()
        scales = torch.logspace(-1, 0, projections) * 6 / dimensions**0.5
        self.register_buffer("waves", torch.randn(dimensions, projections) * scales)
        self.features = dimensions + 2 * projections

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, D)`` to ``(N, D + 2·projections)``."""
        with torch.autocast(x.device.type, enabled=False):  # bfloat16 would round narrow modes away
            angles = x @ self.waves.to(x.dtype)
        return torch.cat([x, angles.sin(), angles.cos()], 1)


def _hidden_layers(inputs: int, width: int, depth: int) -> nn.Sequential:
    """Return ``depth`` linear layers of ``width`` units, each followed by leaky ReLU."""
    sizes = [inputs] + [width] * depth
    return nn.Sequential(
        *(layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.LeakyReLU(SLOPE, inplace=True)))
    )


def _keep_variance(module: nn.Module, gain: float) -> None:
    """Draw a linear layer's weights from N(0, gain²/inputs) and set its bias to 0."""
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0.0, gain / math.sqrt(module.in_features))
        nn.init.zeros_(module.bias)


class MLPGenerator(nn.Module):
    """Fully connected layers with leaky ReLU from a latent to an image, with a final tanh, or to an unbounded vector.

    Args:
        image_size: height and width of the image, in pixels.
        channels: of the image.
        features: length of the vector, instead of ``image_size`` and ``channels``.
        latent_dim: length of z.
        num_classes: None, or the number of classes it is conditional on.
        width: units of each hidden layer.
        depth: number of hidden layers.
        he_init: whether the initial weights keep the latent's variance, so that vectors start with the unit variance
            of standardised data (He et al. 2015, arXiv:1502.01852, equation 15, for the slope 0.2). If False, torch's
            initial weights shrink it to less than a hundredth: all samples start near one point, and may stay in the
            modes around it.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: arguments of neither an image nor a vector, or of both.

    Reference: arXiv:1406.2661, section 5.
    """

    extra_repr = as_arguments

    def __init__(
        self,
        image_size: int | None = None,
        channels: int | None = None,
        features: int | None = None,
        latent_dim: int = 100,
        num_classes: int | None = None,
        width: int = 256,
        depth: int = 3,
        he_init: bool = False,
    ) -> None:
        super().__init__()
        self.image_size, self.channels, self.features = image_size, channels, features
        self.latent_dim, self.num_classes = latent_dim, num_classes
        self.width, self.depth, self.he_init = width, depth, he_init
        at_least_one(latent_dim=latent_dim, num_classes=num_classes, width=width, depth=depth)
        shape = _data_shape(image_size, channels, features)
        self.input = LatentInput(latent_dim, num_classes)
        self.layers = _hidden_layers(self.input.features, width, depth)
        self.output = nn.Sequential(nn.Linear(width, math.prod(shape)), nn.Unflatten(1, shape))
        if features is None:
            self.output.append(nn.Tanh())
        if he_init:
            self.layers.apply(partial(_keep_variance, gain=math.sqrt(2 / (1 + SLOPE**2))))
            self.output.apply(partial(_keep_variance, gain=1.0))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map latents ``(N, latent_dim)`` to images ``(N, C, H, W)`` in [-1, 1], or to vectors ``(N, features)``."""
        samples: Tensor = self.output(self.layers(self.input(z, labels)))
        return samples


class MLPDiscriminator(nn.Module):
    """Fully connected layers with leaky ReLU from an image or a vector to a logit.

    Args:
        image_size: height and width of the image, in pixels.
        channels: of the image.
        features: length of the vector, instead of ``image_size`` and ``channels``.
        num_classes: None, or the number of classes it is conditional on (by projection, arXiv:1802.05637).
        width: units of each hidden layer.
        depth: number of hidden layers.
        waves: number of random projections whose sines and cosines are concatenated with x (:class:`Waves`), for
            vectors with narrow modes; None for no projections.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: arguments of neither an image nor a vector, or of both; in ``forward``, inputs of another shape.

    Reference: arXiv:1406.2661, section 5.
    """

    extra_repr = as_arguments

    def __init__(
        self,
        image_size: int | None = None,
        channels: int | None = None,
        features: int | None = None,
        num_classes: int | None = None,
        width: int = 256,
        depth: int = 3,
        waves: int | None = None,
    ) -> None:
        super().__init__()
        self.image_size, self.channels, self.features = image_size, channels, features
        self.num_classes, self.width, self.depth, self.waves = num_classes, width, depth, waves
        at_least_one(num_classes=num_classes, width=width, depth=depth, waves=waves)
        self.shape = _data_shape(image_size, channels, features)
        inputs = math.prod(self.shape)
        seen = [] if waves is None else [Waves(inputs, waves)]
        self.layers = nn.Sequential(
            nn.Flatten(), *seen, *_hidden_layers(seen[0].features if seen else inputs, width, depth)
        )
        self.head = LogitHead(width, num_classes)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map images ``(N, C, H, W)`` or vectors ``(N, features)`` to logits ``(N,)``."""
        check_images(images, self.shape, self)
        logits: Tensor = self.head(self.layers(images), labels)
        return logits
