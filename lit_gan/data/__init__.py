"""Data modules, one file per kind; batches are ``(images, labels)``."""

from lit_gan.data.base import ImageDataModule
from lit_gan.data.fashion_mnist import FashionMNIST, FashionMNISTSample
from lit_gan.data.folder import ImageFolder
from lit_gan.data.mixture import GaussianMixture

__all__ = ["FashionMNIST", "FashionMNISTSample", "GaussianMixture", "ImageDataModule", "ImageFolder"]
