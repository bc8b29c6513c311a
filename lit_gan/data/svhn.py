"""Data module of SVHN, Street View house numbers."""

from typing import Any

import torch
from torch import Tensor
from torchvision import datasets

from lit_gan.data.official import OfficialSet, Part, Source

__all__ = ["SVHN"]


class SVHN(OfficialSet):
    """Digits of house numbers: 67,152 training, 6,105 held-out and 26,032 test images.

    Every twelfth image of the training files, from the first on, is held out. The label is the digit in the
    middle; classes are not equally frequent.

    Args:
        root: folder that holds, or will hold, ``train_32x32.mat`` and ``test_32x32.mat``.
        image_size: height and width that the 32×32 images are resized to, in pixels.
        batch_size: images per batch.
        horizontal_flip: mirror each training image with probability ½. A mirrored digit is not a digit.
        num_workers: processes that load batches.
        download: fetch the files if they are missing.
        class_balanced: train on each class equally often.

    Raises:
        ImportError: scipy, which reads the files, is not installed; the extra ``svhn`` installs it.
        RuntimeError: the files are missing or damaged and cannot be downloaded; the message says where to put them.
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range.

    Reference: Netzer et al. 2011, "Reading digits in natural images with unsupervised feature learning".
    """

    source = Source(datasets.SVHN, "train_32x32.mat and test_32x32.mat", "", "http://ufldl.stanford.edu/housenumbers/")
    needs = ("scipy.io", "svhn")
    channels = 3
    num_classes = 10

    def _options(self, part: Part) -> dict[str, Any]:
        return {"split": part}

    def _tensors(self, data: Any) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(data.data).contiguous(), torch.from_numpy(data.labels)
