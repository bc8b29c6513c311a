"""The networks of bolts' GANs, adapted to LitGAN: latents ``(N, latent_dim)``, logits, dropout in training mode only.

Weights have the same names as in bolts: each network loads the state dict of the network of its name in bolts.
"""

from pl_bolts.models.gans.basic import components as basic
from pl_bolts.models.gans.dcgan import components as dcgan
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from lit_gan._utils.arguments import at_least, at_least_one
from lit_gan._utils.errors import LitGANError
from lit_gan._utils.representation import as_arguments

__all__ = ["DCGANDiscriminator", "DCGANGenerator", "Discriminator", "Generator"]


class Generator(basic.Generator):
    """The generator of bolts' GAN: four linear layers and a final tanh.

    Args:
        latent_dim: length of z.
        img_shape: shape (C, H, W) of the images.
        hidden_dim: width of the first layer; the second and the third are twice and four times as wide.

    Raises:
        TypeError, ValueError: a number below 1.
    """

    extra_repr = as_arguments

    def __init__(self, latent_dim: int, img_shape: tuple[int, int, int], hidden_dim: int = 256) -> None:
        _check(latent_dim=latent_dim, hidden_dim=hidden_dim, img_shape=img_shape)
        super().__init__(latent_dim, tuple(img_shape), hidden_dim)
        self.latent_dim, self.hidden_dim = latent_dim, hidden_dim


class Discriminator(basic.Discriminator):
    """The discriminator of bolts' GAN without its sigmoid, and with dropout in training mode only.

    Args:
        img_shape: shape (C, H, W) of the images.
        hidden_dim: width of the first layer, ≥ 4; the second and the third are a half and a quarter as wide.

    Raises:
        TypeError, ValueError: ``hidden_dim`` below 4, a number of ``img_shape`` below 1.
    """

    extra_repr = as_arguments

    def __init__(self, img_shape: tuple[int, int, int], hidden_dim: int = 1024) -> None:
        _check(img_shape=img_shape)
        at_least(4, self, hidden_dim=hidden_dim)
        super().__init__(img_shape, hidden_dim)
        self.img_shape, self.hidden_dim = tuple(img_shape), hidden_dim

    def forward(self, img: Tensor) -> Tensor:
        """Map images ``(N, C, H, W)`` to logits ``(N,)``."""
        x = img.flatten(1)
        for layer in (self.fc1, self.fc2, self.fc3):
            x = F.dropout(F.leaky_relu(layer(x), 0.2), 0.3, self.training)
        logits: Tensor = self.fc4(x).squeeze(1)
        return logits


class DCGANGenerator(dcgan.DCGANGenerator):
    """The generator of bolts' DCGAN, from latents ``(N, latent_dim)`` to 64×64 images.

    Args:
        latent_dim: length of z.
        feature_maps: channels before the last layer.
        image_channels: channels of the images.

    Raises:
        TypeError, ValueError: a number below 1.
    """

    extra_repr = as_arguments

    def __init__(self, latent_dim: int, feature_maps: int, image_channels: int) -> None:
        _check(latent_dim=latent_dim, feature_maps=feature_maps, image_channels=image_channels)
        super().__init__(latent_dim, feature_maps, image_channels)
        self.latent_dim, self.feature_maps, self.image_channels = latent_dim, feature_maps, image_channels

    def forward(self, noise: Tensor) -> Tensor:
        """Map latents ``(N, latent_dim)`` to images ``(N, image_channels, 64, 64)`` in [-1, 1]."""
        images: Tensor = super().forward(noise[:, :, None, None])
        return images


class DCGANDiscriminator(dcgan.DCGANDiscriminator):
    """The discriminator of bolts' DCGAN, for 64×64 images, without its sigmoid.

    Args:
        feature_maps: channels after the first layer.
        image_channels: channels of the images.

    Raises:
        TypeError, ValueError: a number below 1.
    """

    extra_repr = as_arguments

    def __init__(self, feature_maps: int, image_channels: int) -> None:
        _check(feature_maps=feature_maps, image_channels=image_channels)
        super().__init__(feature_maps, image_channels)
        self.feature_maps, self.image_channels = feature_maps, image_channels
        self.disc[-1] = self.disc[-1][:-1]


def _check(img_shape: tuple[int, int, int] = (1, 1, 1), **numbers: int) -> None:
    """Raise ValueError if ``img_shape`` is not three numbers, or if one of them or of ``numbers`` is below 1."""
    if len(img_shape) != 3:
        raise LitGANError(f"img_shape={img_shape}: give three numbers, (C, H, W)")
    at_least_one(**numbers, **{f"img_shape[{i}]": number for i, number in enumerate(img_shape)})
