"""bolts' two GANs as LitGANs, with bolts' arguments."""

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
    """What both GANs have in common: ``hparams``, as there, and the reading of bolts' own checkpoints."""

    @classmethod
    def load_from_checkpoint(  # type: ignore[override]
        cls, checkpoint_path: str | Path, map_location: torch.device | str = "cpu", **parts: Any
    ) -> Self:
        """Return the model that a checkpoint holds: one of this class, or one that bolts' class of its name wrote.

        Of bolts' the hyper-parameters and the networks are taken; the average starts at its generator.

        Args:
            checkpoint_path: a file that a Trainer wrote, of Lightning 1 too.
            map_location: device of the model.
            parts: arguments of this class that take the place of those in the file.

        Raises:
            TypeError: another argument.
            ValueError: the file is truncated, of another model, or its weights do not fit.
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
    """bolts' GAN as a :class:`LitGAN`: its networks, its losses, Adam with β = (0.9, 0.999).

    Args:
        input_channels: of the images.
        input_height: in pixels.
        input_width: in pixels.
        latent_dim: length of z.
        learning_rate: of both players.

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
    """bolts' DCGAN as a :class:`LitGAN`: its networks and how they start, its losses, Adam with β2 = 0.999.

    Args:
        beta1: β1 of both players' Adam, in [0, 1).
        feature_maps_gen: channels before the generator's last layer.
        feature_maps_disc: channels after the discriminator's first layer.
        image_channels: of the images, which are 64×64.
        latent_dim: length of z.
        learning_rate: of both players.

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
