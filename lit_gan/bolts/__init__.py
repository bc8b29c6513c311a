"""For those who come from lightning-bolts 0.7.0: ``import lit_gan.bolts`` makes ``pl_bolts`` work beside Lightning 2.

Its networks, two GANs and LatentDimInterpolator are here, with the names and arguments that they have there, as LitGAN
needs them; its data modules serve as they are. docs/bolts.md shows a script before and after.
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
