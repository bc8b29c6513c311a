"""Data modules for real images and points; their batches are ``(samples, labels)``."""

from lit_gan.data.base import ImageDataModule
from lit_gan.data.celeba import CelebA
from lit_gan.data.cifar import CIFAR10, CIFAR100
from lit_gan.data.fashion_mnist import FashionMNISTSample
from lit_gan.data.folder import ImageFolder
from lit_gan.data.hugging_face import HuggingFaceImages
from lit_gan.data.lsun import LSUN
from lit_gan.data.mixture import GaussianMixture
from lit_gan.data.mnist import EMNIST, KMNIST, MNIST, FashionMNIST, StackedMNIST
from lit_gan.data.stl10 import STL10
from lit_gan.data.svhn import SVHN

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "EMNIST",
    "KMNIST",
    "LSUN",
    "MNIST",
    "STL10",
    "SVHN",
    "CelebA",
    "FashionMNIST",
    "FashionMNISTSample",
    "GaussianMixture",
    "HuggingFaceImages",
    "ImageDataModule",
    "ImageFolder",
    "StackedMNIST",
]
