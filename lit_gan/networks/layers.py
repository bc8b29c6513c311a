"""Layers and functions shared by the network families: class conditioning, shape checks, initial weights."""

from collections.abc import Sequence
from typing import Literal, TypeVar, get_args

import torch
from torch import Tensor, nn

from lit_gan._utils.arguments import at_least_one
from lit_gan._utils.errors import LitGANError

__all__ = [
    "Conditioning",
    "HeadedDiscriminator",
    "LatentInput",
    "LogitHead",
    "check_images",
    "dcgan_init",
    "glorot",
    "required_labels",
    "stages",
]

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear, nn.Embedding)


class LatentInput(nn.Module):
    """The generator's input: the latent z, concatenated with a learned embedding of the class if there are classes.

    Args:
        latent_dim: length of z.
        num_classes: number of classes; None for an unconditional generator, which ignores labels.

    Reference: Mirza & Osindero 2014, arXiv:1411.1784, section 3.2; a learned embedding replaces the one-hot vector.
    """

    def __init__(self, latent_dim: int, num_classes: int | None) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.embedding = None if num_classes is None else nn.Embedding(num_classes, latent_dim)
        self.features = latent_dim if num_classes is None else 2 * latent_dim

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Map ``z`` ``(N, latent_dim)`` and ``labels`` ``(N,)`` to features ``(N, features)``."""
        if z.ndim != 2 or z.shape[1] != self.latent_dim:
            raise LitGANError(f"latents of shape {tuple(z.shape)}: this generator takes (N, {self.latent_dim})")
        if self.embedding is None:
            return z
        return torch.cat([z, self.embedding(required_labels(labels, self.embedding))], 1)


Conditioning = Literal["projection", "classifier"]
"""How a discriminator uses classes: its logit depends on the class, or it predicts the class as well."""


class LogitHead(nn.Module):
    """The discriminator's output layer: a linear logit, plus the inner product of the features and a class embedding.

    logit(x, y) = wᵀφ(x) + b + v_yᵀφ(x), the last term only if there are classes. With ``conditioning="classifier"`` the
    logit is wᵀφ(x) + b for every class, and :meth:`classify` returns Uφ(x) + a, a logit for each class.

    Args:
        features: length of φ(x).
        num_classes: number of classes; None for an unconditional discriminator, which ignores labels.
        conditioning: ``"projection"`` or ``"classifier"``.

    Raises:
        ValueError: an unknown ``conditioning``, or a classifier without ``num_classes``.

    Reference: Miyato & Koyama 2018, arXiv:1802.05637, equation 3; Odena et al. 2016, arXiv:1610.09585, section 3.
    """

    def __init__(self, features: int, num_classes: int | None, conditioning: Conditioning = "projection") -> None:
        super().__init__()
        if conditioning not in get_args(Conditioning):
            raise LitGANError(f'conditioning={conditioning!r} is neither "projection" nor "classifier"')
        if conditioning == "classifier" and num_classes is None:
            raise LitGANError(
                'conditioning="classifier" and num_classes=None: give the number of classes to tell apart'
            )
        self.linear = nn.Linear(features, 1)
        self.embedding: nn.Embedding | None = None
        self.classifier: nn.Linear | None = None
        if num_classes is not None and conditioning == "classifier":
            self.classifier = nn.Linear(features, num_classes)
        elif num_classes is not None:
            self.embedding = nn.Embedding(num_classes, features)
            nn.init.normal_(self.embedding.weight, 0.0, 0.02)  # small, since the product sums over many features

    def forward(self, features: Tensor, labels: Tensor | None) -> Tensor:
        """Map ``features`` ``(N, features)`` and ``labels`` ``(N,)`` to logits ``(N,)``."""
        logits: Tensor = self.linear(features)[:, 0]
        if self.embedding is None:
            return logits
        return logits + (features * self.embedding(required_labels(labels, self.embedding))).sum(1)

    def classify(self, features: Tensor) -> Tensor:
        """Map ``features`` ``(N, features)`` to class logits ``(N, num_classes)``, whose softmax is P(C | x).

        Raises:
            ValueError: the head does not have a classifier.
        """
        if self.classifier is None:
            raise LitGANError('no classifier: give the discriminator num_classes and conditioning="classifier"')
        classes: Tensor = self.classifier(features)
        return classes


class HeadedDiscriminator(nn.Module):
    """A discriminator with a :class:`LogitHead` on features φ(x), which a subclass computes from images x."""

    image_size: int
    channels: int
    head: LogitHead

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map images ``(N, channels, image_size, image_size)`` to logits ``(N,)``."""
        logits: Tensor = self.head(self._checked_features(images), labels)
        return logits

    def classify(self, images: Tensor) -> Tensor:
        """Map images to class logits ``(N, num_classes)``, if ``conditioning="classifier"``."""
        return self.head.classify(self._checked_features(images))

    def features(self, images: Tensor) -> Tensor:
        """Map images to features φ(x), ``(N, features)``."""
        raise NotImplementedError

    def _checked_features(self, images: Tensor) -> Tensor:
        check_images(images, (self.channels, self.image_size, self.image_size), self)
        return self.features(images)


def required_labels(labels: Tensor | None, embedding: nn.Embedding) -> Tensor:
    """Return ``labels``; raise ValueError, naming the number of classes of ``embedding``, if they are None."""
    if labels is None:
        raise LitGANError(f"this network is conditional on {embedding.num_embeddings} classes: pass labels")
    return labels


def check_images(images: Tensor, shape: Sequence[int], network: nn.Module) -> None:
    """Raise ValueError, naming both shapes, if ``images`` ``(N, ...)`` are not of the ``shape`` ``network`` takes."""
    if tuple(images.shape[1:]) != tuple(shape):
        given, taken = ("×".join(map(str, s)) for s in (images.shape[1:], shape))
        raise LitGANError(
            f"{type(network).__name__} takes {taken} inputs, it was given {given}: "
            "set image_size and channels (or features) to the same values on the data and on both networks, or, inside "
            "Packed(…, k), channels (or features) to k times as many"
        )


def stages(image_size: int) -> tuple[int, int]:
    """Return the first size (4 to 7) and the number of doublings from it to ``image_size``.

    Raises:
        TypeError: ``image_size`` is not an integer.
        ValueError: ``image_size`` is not 4, 5, 6 or 7 doubled at least once; the message names the nearest sizes.
    """
    at_least_one(image_size=image_size)
    start, doublings = image_size, 0
    while start > 7 and start % 2 == 0:
        start, doublings = start // 2, doublings + 1
    if doublings == 0 or not 4 <= start <= 7:
        sizes = sorted(s * 2**k for s in (4, 5, 6, 7) for k in range(1, image_size.bit_length() + 1))
        above = next(s for s in sizes if s > image_size)
        nearest = " or ".join(map(str, [*[s for s in sizes if s < image_size][-1:], above]))
        raise LitGANError(f"image_size={image_size} is not 4, 5, 6 or 7 doubled: take {nearest}")
    return start, doublings


def dcgan_init(module: nn.Module) -> None:
    """Draw weights from N(0, 0.02²), batch-norm scales from N(1, 0.02²), set biases to 0; for ``network.apply``.

    Reference: Radford et al. 2015, arXiv:1511.06434, section 4; the scales as in the authors' code.
    """
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def glorot(layer: Layer, gain: float = 1.0) -> Layer:
    """Return ``layer``, its weights redrawn uniformly within ±gain·√(6/(inputs + outputs)) and its bias set to 0.

    Reference: Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks",
    equation 16.
    """
    nn.init.xavier_uniform_(layer.weight, gain)
    if not isinstance(layer, nn.Embedding) and layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
