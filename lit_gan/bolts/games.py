"""The GAN and the DCGAN of bolts as LitGANs, with the arguments of bolts."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from typing_extensions import Self

from lit_gan._utils.checkpoint_file import Section, read_checkpoint
from lit_gan._utils.errors import LitGANError
from lit_gan._utils.representation import argument_names
from lit_gan.bolts.networks import DCGANDiscriminator, DCGANGenerator, Discriminator, Generator
from lit_gan.gan import LitGAN
from lit_gan.networks.layers import dcgan_init
from lit_gan.optim.optimizers import GANAdam
from lit_gan.training.checkpoint import take_weights

__all__ = ["DCGAN", "GAN"]


class _BoltsGAN(LitGAN):
    """The base class of both GANs, which keep ``hparams`` as in bolts and load checkpoints of bolts too."""

    @classmethod
    def load_from_checkpoint(  # type: ignore[override]
        cls, checkpoint_path: str | Path, map_location: torch.device | str = "cpu", **parts: Any
    ) -> Self:
        """Return the model in a checkpoint of this class or of the class of the same name in bolts.

        From a checkpoint of bolts, the hyper-parameters and the networks are loaded; the averaged generator starts as a
        copy of the generator.

        Args:
            checkpoint_path: a file that a Trainer of Lightning 1 or 2 wrote.
            map_location: device of the model.
            parts: arguments of this class that replace those in the file.

        Raises:
            TypeError: an argument that this class does not have.
            ValueError: the file is truncated or of another model, or its weights do not fit.
        """
        checkpoint, names = read_checkpoint(checkpoint_path, map_location), argument_names(cls)
        saved = checkpoint.get(Section.MODEL, checkpoint.get("hyper_parameters", {}))
        if missing := [name for name in names if name not in saved]:
            raise LitGANError(
                f"{checkpoint_path} is of neither lit_gan's {cls.__name__} nor bolts': it holds no {missing[0]}"
            )
        if Section.MODEL in checkpoint:
            return super().load_from_checkpoint(checkpoint_path, map_location, **parts)
        model = cls(**{**{name: saved[name] for name in names}, **parts})
        take_weights(model, {**checkpoint, Section.MODEL: {}})
        return model.to(map_location)


class GAN(_BoltsGAN):
    """The GAN of bolts as a :class:`LitGAN`: its networks and losses, Adam with β = (0.9, 0.999).

    Args:
        input_channels: channels of the images.
        input_height: height of the images, in pixels.
        input_width: width of the images, in pixels.
        latent_dim: length of z.
        learning_rate: learning rate of both players.

    Raises:
        TypeError, ValueError: a number below 1; when fit starts, a negative learning rate.
    """

    def __init__(
        self,
        input_channels: int,
        input_height: int,
        input_width: int,
        latent_dim: int = 32,
        learning_rate: float = 0.0002,
    ) -> None:
        shape = (input_channels, input_height, input_width)
        adam = partial(GANAdam, lr=learning_rate, betas=(0.9, 0.999))
        super().__init__(
            Generator(latent_dim, shape), Discriminator(shape), generator_optimizer=adam, discriminator_optimizer=adam
        )
        self.input_channels, self.input_height, self.input_width = shape
        self.learning_rate = learning_rate
        self.save_hyperparameters()  # bolts' callbacks read hparams.latent_dim


class DCGAN(_BoltsGAN):
    """The DCGAN of bolts as a :class:`LitGAN`: its networks, initial weights and losses, Adam with β2 = 0.999.

    Args:
        beta1: β1 of both players' Adam, in [0, 1).
        feature_maps_gen: channels before the generator's last layer.
        feature_maps_disc: channels after the discriminator's first layer.
        image_channels: channels of the images, which are 64×64 px.
        latent_dim: length of z.
        learning_rate: learning rate of both players.

    Raises:
        TypeError, ValueError: a number below 1; when fit starts, ``learning_rate`` or ``beta1`` out of range.
    """

    def __init__(
        self,
        beta1: float = 0.5,
        feature_maps_gen: int = 64,
        feature_maps_disc: int = 64,
        image_channels: int = 1,
        latent_dim: int = 100,
        learning_rate: float = 0.0002,
    ) -> None:
        generator = DCGANGenerator(latent_dim, feature_maps_gen, image_channels).apply(dcgan_init)
        discriminator = DCGANDiscriminator(feature_maps_disc, image_channels).apply(dcgan_init)
        adam = partial(GANAdam, lr=learning_rate, betas=(beta1, 0.999))
        super().__init__(generator, discriminator, generator_optimizer=adam, discriminator_optimizer=adam)
        self.beta1, self.image_channels, self.learning_rate = beta1, image_channels, learning_rate
        self.feature_maps_gen, self.feature_maps_disc = feature_maps_gen, feature_maps_disc
        self.save_hyperparameters()
