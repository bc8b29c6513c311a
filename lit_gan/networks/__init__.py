"""Pairs of generator and discriminator, one file per family, and the smallest generator."""

from lit_gan.networks.biggan import BigGANDiscriminator, BigGANGenerator
from lit_gan.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from lit_gan.networks.fastgan import FastGANDiscriminator, FastGANGenerator
from lit_gan.networks.gaussian import GaussianGenerator
from lit_gan.networks.mlp import MLPDiscriminator, MLPGenerator
from lit_gan.networks.packed import Packed
from lit_gan.networks.sngan import SNGANDiscriminator, SNGANGenerator

__all__ = [
    "BigGANDiscriminator",
    "BigGANGenerator",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "FastGANDiscriminator",
    "FastGANGenerator",
    "GaussianGenerator",
    "MLPDiscriminator",
    "MLPGenerator",
    "Packed",
    "SNGANDiscriminator",
    "SNGANGenerator",
]
