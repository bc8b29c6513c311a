"""Pairs of generator and discriminator, one file per family."""

from lit_gan.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from lit_gan.networks.mlp import MLPDiscriminator, MLPGenerator

__all__ = ["DCGANDiscriminator", "DCGANGenerator", "MLPDiscriminator", "MLPGenerator"]
