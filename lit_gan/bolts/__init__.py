"""Compatibility with lightning-bolts 0.7.0: importing ``lit_gan.bolts`` makes ``pl_bolts`` work with Lightning 2.

The networks of bolts, its two GANs and LatentDimInterpolator are here under the same names and with the same arguments,
adapted to LitGAN; its data modules work unchanged. docs/bolts.md shows a script before and after.
"""

from lit_gan.bolts import importing as importing  # first: it makes pl_bolts importable
from lit_gan.bolts.games import DCGAN, GAN
from lit_gan.bolts.interpolator import LatentDimInterpolator
from lit_gan.bolts.networks import DCGANDiscriminator, DCGANGenerator, Discriminator, Generator

__all__ = [
    "DCGAN",
    "GAN",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "Discriminator",
    "Generator",
    "LatentDimInterpolator",
]
