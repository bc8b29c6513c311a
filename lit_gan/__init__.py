"""lit_gan: GANs on PyTorch Lightning, with the mathematics of the original paper executable."""

from lit_gan.export import load_generator
from lit_gan.module import LitGAN

__all__ = ["LitGAN", "__version__", "load_generator"]
__version__ = "0.1.0"
