"""Data modules of CIFAR-10 and CIFAR-100: 32×32 colour photographs."""

from typing import Any

import torch
from torch import Tensor
from torchvision import datasets

from lit_gan.data.official import OfficialSet, Source

__all__ = ["CIFAR10", "CIFAR100"]

_URL = "https://www.cs.toronto.edu/~kriz/cifar.html"


class CIFAR10(OfficialSet):
    """Small photographs of ten classes: 45,000 training, 5,000 held-out and 10,000 test images.

    Every tenth image of the training files, from the first on, is held out. Published scores are often of
    models trained on all 50,000 images, with real images from the training or from the test files: compare protocols
    before scores.

    Args:
        root: folder that holds, or will hold, ``cifar-10-batches-py/``.
        image_size: height and width that the 32×32 images are resized to, in pixels.
        batch_size: images per batch.
        horizontal_flip: mirror each training image with probability ½.
        num_workers: processes that load batches.
        download: fetch the files if they are missing.
        class_balanced: train on each class equally often.

    Raises:
        RuntimeError: the files are missing or damaged and cannot be downloaded; the message says where to put them.
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range.

    Reference: Krizhevsky 2009, "Learning multiple layers of features from tiny images".
    """

    source = Source(
        datasets.CIFAR10,
        "the files of cifar-10-python.tar.gz (data_batch_1, …, test_batch, batches.meta)",
        "cifar-10-batches-py",
        _URL,
    )
    held_out_every = 10
    channels = 3
    num_classes = 10

    def __init__(
        self,
        root: str = "data",
        image_size: int = 32,
        batch_size: int = 64,
        horizontal_flip: bool = True,
        num_workers: int = 0,
        download: bool = True,
        class_balanced: bool = False,
    ) -> None:
        super().__init__(root, image_size, batch_size, horizontal_flip, num_workers, download, class_balanced)

    def _tensors(self, data: Any) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(data.data).permute(0, 3, 1, 2).contiguous(), torch.tensor(data.targets)


class CIFAR100(CIFAR10):
    """Small photographs of a hundred classes: 45,000 training, 5,000 held-out and 10,000 test images.

    Every tenth image of the training files, from the first on, is held out. The labels are the hundred fine classes.

    Args:
        root: folder that holds, or will hold, ``cifar-100-python/``.
        image_size: height and width that the 32×32 images are resized to, in pixels.
        batch_size: images per batch.
        horizontal_flip: mirror each training image with probability ½.
        num_workers: processes that load batches.
        download: fetch the files if they are missing.
        class_balanced: train on each class equally often.

    Raises:
        RuntimeError: the files are missing or damaged and cannot be downloaded; the message says where to put them.
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range.

    Reference: Krizhevsky 2009, "Learning multiple layers of features from tiny images".
    """

    source = Source(
        datasets.CIFAR100, "the files of cifar-100-python.tar.gz (train, test, meta)", "cifar-100-python", _URL
    )
    num_classes = 100
