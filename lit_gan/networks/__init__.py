"""Generators and discriminators, one file per family, PacGAN's wrapper and a generator of one Gaussian."""

from lit_gan.networks.biggan import BigGANDiscriminator, BigGANGenerator
from lit_gan.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from lit_gan.networks.fastgan import FastGANDiscriminator, FastGANGenerator
from lit_gan.networks.gaussian import GaussianGenerator
from lit_gan.networks.mlp import MLPDiscriminator, MLPGenerator
from lit_gan.networks.packed import Packed
from lit_gan.networks.r3gan import R3GANDiscriminator, R3GANGenerator
from lit_gan.networks.sngan import SNGANDiscriminator, SNGANGenerator
from lit_gan.networks.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator

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
    "R3GANDiscriminator",
    "R3GANGenerator",
    "SNGANDiscriminator",
    "SNGANGenerator",
    "StyleGAN2Discriminator",
    "StyleGAN2Generator",
]
