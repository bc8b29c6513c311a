"""DCGAN's all-convolutional networks (Radford et al. 2015, arXiv:1511.06434)."""

# Deviation: kernels are 4×4, as in the authors' code, not the 5×5 of the paper's figure.
# Deviation: z is normal by default; the paper's is uniform: LitGAN(latent="uniform").

import torch
from torch import Tensor, nn

from lit_gan._utils.arguments import at_least_one
from lit_gan._utils.representation import as_arguments
from lit_gan.networks.layers import Conditioning, HeadedDiscriminator, LatentInput, LogitHead, dcgan_init, stages

__all__ = ["DCGANDiscriminator", "DCGANGenerator"]


class DCGANGenerator(nn.Module):
    """Transposed convolutions with batch norm and ReLU from a latent to an image, with a final tanh.

    Args:
        image_size: height and width, in pixels: 4, 5, 6 or 7 doubled at least once (16, 28, 32, 64, 128, ...).
        channels: channels of the image.
        latent_dim: length of z.
        num_classes: number of classes; None for an unconditional generator.
        width: channels before the last layer, doubled with each layer towards the latent.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: ``image_size`` is not 4, 5, 6 or 7 doubled at least once.

    Reference: arXiv:1511.06434, figure 1.
    """

    extra_repr = as_arguments

    def __init__(
        self,
        image_size: int = 32,
        channels: int = 3,
        latent_dim: int = 100,
        num_classes: int | None = None,
        width: int = 64,
    ) -> None:
        super().__init__()
        self.image_size, self.channels, self.latent_dim = image_size, channels, latent_dim
        self.num_classes, self.width = num_classes, width
        at_least_one(channels=channels, latent_dim=latent_dim, num_classes=num_classes, width=width)
        start, doublings = stages(image_size)
        self.input = LatentInput(latent_dim, num_classes)
        features = width * 2 ** (doublings - 1)
        layers: list[nn.Module] = [
            nn.ConvTranspose2d(self.input.features, features, start, bias=False),
            nn.BatchNorm2d(features),
            nn.ReLU(inplace=True),
        ]
        for _ in range(doublings - 1):
            layers += [
                nn.ConvTranspose2d(features, features // 2, 4, 2, 1, bias=False),
                nn.BatchNorm2d(features // 2),
                nn.ReLU(inplace=True),
            ]
            features //= 2
        layers += [nn.ConvTranspose2d(features, channels, 4, 2, 1), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        self.apply(dcgan_init)
        self.to(memory_format=torch.channels_last)  # faster convolutions; shapes do not change

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map latents ``(N, latent_dim)`` to images ``(N, channels, image_size, image_size)`` in [-1, 1]."""
        images: Tensor = self.layers(self.input(z, labels)[:, :, None, None])
        return images


class DCGANDiscriminator(HeadedDiscriminator):
    """Strided convolutions with leaky ReLU from an image to a logit, the mirror of :class:`DCGANGenerator`.

    Args:
        image_size: height and width, in pixels: 4, 5, 6 or 7 doubled at least once (16, 28, 32, 64, 128, ...).
        channels: channels of the image.
        num_classes: number of classes; None for an unconditional discriminator.
        width: channels after the first layer, doubled with each further layer.
        batch_norm: whether batch norm follows each convolution but the first, as in the paper. It makes a sample's
            logit depend on the rest of the batch: set it to False with gradient penalties, and if V(G, D) is to be of
            a D that is a function of one sample.
        conditioning: ``"projection"``: the logit depends on the class (arXiv:1802.05637). ``"classifier"``: it does
            not, and :meth:`classify` predicts the class, for :class:`lit_gan.penalties.AuxiliaryClassifier`.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: ``image_size`` is not 4, 5, 6 or 7 doubled at least once, or a classifier without ``num_classes``;
            in ``forward``, images of another shape.

    Reference: arXiv:1511.06434, section 3.
    """

    extra_repr = as_arguments

    def __init__(
        self,
        image_size: int = 32,
        channels: int = 3,
        num_classes: int | None = None,
        width: int = 64,
        batch_norm: bool = True,
        conditioning: Conditioning = "projection",
    ) -> None:
        super().__init__()
        self.image_size, self.channels, self.num_classes = image_size, channels, num_classes
        self.width, self.batch_norm = width, batch_norm
        self.conditioning: Conditioning = conditioning
        at_least_one(channels=channels, num_classes=num_classes, width=width)
        start, doublings = stages(image_size)
        features = width
        layers: list[nn.Module] = [nn.Conv2d(channels, features, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        for _ in range(doublings - 1):
            layers.append(nn.Conv2d(features, 2 * features, 4, 2, 1, bias=not batch_norm))
            features *= 2
            if batch_norm:
                layers.append(nn.BatchNorm2d(features))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.head = LogitHead(features * start**2, num_classes, conditioning)
        self.apply(dcgan_init)
        self.to(memory_format=torch.channels_last)

    def features(self, images: Tensor) -> Tensor:
        """Map images to the flattened output of the convolutions, ``(N, features)``."""
        features: Tensor = self.layers(images)
        return features
