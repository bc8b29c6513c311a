"""lit_gan: GANs on PyTorch Lightning, with the mathematics of the original paper executable."""

from lit_gan.module import LitGAN

__all__ = ["LitGAN", "__version__"]
__version__ = "0.1.0"
