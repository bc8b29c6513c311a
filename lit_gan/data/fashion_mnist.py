"""Fashion-MNIST: all of it by torchvision, and a sample of it that lies in the package (arXiv:1708.07747)."""

import lzma
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchvision import datasets

from lit_gan.data.base import ImageDataModule, Split

__all__ = ["FashionMNIST", "FashionMNISTSample"]


class FashionMNISTSample(ImageDataModule):
    """10,000 real Fashion-MNIST images that come with the package: 900 of each class to train on, 100 held out.

    Args:
        image_size: height and width that the 28×28 images are resized to, in pixels.
        batch_size: images per batch.
        horizontal_flip: mirror each training image with probability ½.
        num_workers: processes that load batches.

    Reference: Xiao et al. 2017, arXiv:1708.07747; MIT licence, see FASHION_MNIST.md beside this file.
    """

    num_classes = 10
    channels = 1

    def __init__(
        self, image_size: int = 32, batch_size: int = 64, horizontal_flip: bool = False, num_workers: int = 0
    ) -> None:
        super().__init__(image_size, batch_size, horizontal_flip, num_workers)

    def load(self, split: Split) -> tuple[Tensor, Tensor]:
        """Return the first 900 images of each class for ``"train"``, the last 100 for ``"val"`` and ``"test"``."""
        with lzma.open(Path(__file__).with_name("fashion_mnist_sample.npy.xz")) as file:
            by_class = torch.from_numpy(np.load(file, allow_pickle=False))
        images = by_class[:, :900] if split == "train" else by_class[:, 900:]
        labels = torch.arange(10).repeat_interleave(images.shape[1])
        return images.reshape(-1, 1, 28, 28), labels


class FashionMNIST(ImageDataModule):
    """All of Fashion-MNIST: 55,000 images to train on, 5,000 held out of them, 10,000 to test on.

    Args:
        root: folder that holds, or will hold, ``FashionMNIST/raw/`` with the four idx files.
        image_size: height and width that the 28×28 images are resized to, in pixels.
        batch_size: images per batch.
        horizontal_flip: mirror each training image with probability ½.
        num_workers: processes that load batches.
        download: fetch the files where they are missing.

    Raises:
        RuntimeError: the files are missing and cannot be downloaded; says where to put them.

    Reference: Xiao et al. 2017, arXiv:1708.07747.
    """

    num_classes = 10
    channels = 1

    def __init__(
        self,
        root: str = "data",
        image_size: int = 32,
        batch_size: int = 64,
        horizontal_flip: bool = False,
        num_workers: int = 0,
        download: bool = True,
    ) -> None:
        super().__init__(image_size, batch_size, horizontal_flip, num_workers)
        self.root, self.download = root, download

    def prepare_data(self) -> None:
        """Download what is missing, on one process."""
        try:
            datasets.FashionMNIST(self.root, download=self.download)
        except (RuntimeError, OSError) as error:
            raise RuntimeError(
                f"Fashion-MNIST is not in {self.root} and could not be fetched ({error}): put its four idx files, "
                f"decompressed, into {Path(self.root) / 'FashionMNIST' / 'raw'}"
            ) from error

    def load(self, split: Split) -> tuple[Tensor, Tensor]:
        """Return the test files for ``"test"``; every 12th training image for ``"val"``, the others for ``"train"``."""
        data = datasets.FashionMNIST(self.root, train=split != "test")
        images, labels = data.data[:, None], data.targets
        if split == "test":
            return images, labels
        held_out = torch.arange(len(images)) % 12 == 0
        chosen = held_out if split == "val" else ~held_out
        return images[chosen], labels[chosen]
