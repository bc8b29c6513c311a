"""A sample of Fashion-MNIST (arXiv:1708.07747) that is installed with lit_gan."""

import lzma
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchvision import datasets

from lit_gan.data.base import ImageDataModule, Split

__all__ = ["FashionMNISTSample"]


class FashionMNISTSample(ImageDataModule):
    """10,000 Fashion-MNIST images that are installed with lit_gan: per class, 900 training and 100 held-out images.

    Args:
        image_size: height and width that the 28×28 images are resized to, in pixels.
        batch_size: images per batch.
        horizontal_flip: mirror each training image with probability ½.
        num_workers: processes that load batches.
        class_balanced: train on each class equally often; in this sample the classes are equally frequent without it.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range.

    Reference: Xiao et al. 2017, arXiv:1708.07747; MIT licence, see FASHION_MNIST.md next to this file.
    """

    num_classes = 10
    channels = 1
    class_names = datasets.FashionMNIST.classes

    def __init__(
        self,
        image_size: int = 32,
        batch_size: int = 64,
        horizontal_flip: bool = False,
        num_workers: int = 0,
        class_balanced: bool = False,
    ) -> None:
        super().__init__(image_size, batch_size, horizontal_flip, num_workers, class_balanced)

    def load(self, split: Split) -> tuple[Tensor, Tensor]:
        """Return the first 900 images of each class for ``"train"``, the last 100 for ``"val"`` and ``"test"``."""
        with lzma.open(Path(__file__).with_name("fashion_mnist_sample.npy.xz")) as file:
            by_class = torch.from_numpy(np.load(file, allow_pickle=False))
        images = by_class[:, :900] if split == "train" else by_class[:, 900:]
        labels = torch.arange(10).repeat_interleave(images.shape[1])
        return images.reshape(-1, 1, 28, 28), labels
