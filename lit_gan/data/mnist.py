"""Data modules of MNIST and the data sets in its format, 28×28 grey images in idx files."""

from typing import Any, Literal

import torch
from torch import Tensor
from torchvision import datasets

from lit_gan._utils.arguments import at_least, at_least_one
from lit_gan._utils.errors import LitGANError
from lit_gan._utils.randomness import Stream, derive_seed
from lit_gan._utils.suggestions import choices
from lit_gan.data.base import Split
from lit_gan.data.images import resize
from lit_gan.data.official import OfficialSet, Part, Source

__all__ = ["EMNIST", "KMNIST", "MNIST", "FashionMNIST", "StackedMNIST"]


_FILES = "its four idx files, decompressed (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-…)"


class _IdxSet(OfficialSet):
    channels = 1
    num_classes = 10

    def _tensors(self, data: Any) -> tuple[Tensor, Tensor]:
        return data.data[:, None], data.targets


class MNIST(_IdxSet):
    """Handwritten digits: 55,000 training, 5,000 held-out and 10,000 test images.

    Every twelfth image of the training files, from the first on, is held out. The label is the digit.

    Args:
        root: folder that holds, or will hold, ``MNIST/raw/`` with the four idx files.
        image_size: height and width that the 28×28 images are resized to, in pixels.
        batch_size: images per batch.
        horizontal_flip: mirror each training image with probability ½. A mirrored digit is not a digit.
        num_workers: processes that load batches.
        download: fetch the files if they are missing.
        class_balanced: train on each class equally often.

    Raises:
        RuntimeError: the files are missing or damaged and cannot be downloaded; the message says where to put them.
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range.

    Reference: LeCun, Bottou, Bengio and Haffner 1998, "Gradient-based learning applied to document recognition".
    """

    source = Source(
        datasets.MNIST,
        _FILES,
        "MNIST/raw",
        "https://ossci-datasets.s3.amazonaws.com/mnist/train-images-idx3-ubyte.gz and so on",
    )


class FashionMNIST(_IdxSet):
    """All of Fashion-MNIST, images of clothing: 55,000 training, 5,000 held-out and 10,000 test images.

    Every twelfth image of the training files, from the first on, is held out.

    Args:
        root: folder that holds, or will hold, ``FashionMNIST/raw/`` with the four idx files.
        image_size: height and width that the 28×28 images are resized to, in pixels.
        batch_size: images per batch.
        horizontal_flip: mirror each training image with probability ½.
        num_workers: processes that load batches.
        download: fetch the files if they are missing.
        class_balanced: train on each class equally often.

    Raises:
        RuntimeError: the files are missing or damaged and cannot be downloaded; the message says where to put them.
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range.

    Reference: Xiao et al. 2017, arXiv:1708.07747.
    """

    source = Source(
        datasets.FashionMNIST, _FILES, "FashionMNIST/raw", "https://github.com/zalandoresearch/fashion-mnist"
    )


class KMNIST(_IdxSet):
    """Kuzushiji-MNIST, cursive Japanese characters: 55,000 training, 5,000 held-out and 10,000 test images.

    Every twelfth image of the training files, from the first on, is held out.

    Args:
        root: folder that holds, or will hold, ``KMNIST/raw/`` with the four idx files.
        image_size: height and width that the 28×28 images are resized to, in pixels.
        batch_size: images per batch.
        horizontal_flip: mirror each training image with probability ½. A mirrored character is not a character.
        num_workers: processes that load batches.
        download: fetch the files if they are missing.
        class_balanced: train on each class equally often.

    Raises:
        RuntimeError: the files are missing or damaged and cannot be downloaded; the message says where to put them.
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range.

    Reference: Clanuwat et al. 2018, arXiv:1812.01718.
    """

    source = Source(datasets.KMNIST, _FILES, "KMNIST/raw", "http://codh.rois.ac.jp/kmnist/dataset/kmnist/")


_EMNIST_CLASSES = {"byclass": 62, "bymerge": 47, "balanced": 47, "letters": 26, "digits": 10, "mnist": 10}


class EMNIST(_IdxSet):
    """Handwritten digits and letters, upright, with classes numbered from 0.

    The files hold the images transposed, and number the classes of ``"letters"`` from 1; both are undone. Every
    twelfth image of the training files, from the first on, is held out; the test files are for ``"test"``.

    Args:
        root: folder that holds, or will hold, ``EMNIST/raw/`` with the idx files.
        split: ``"balanced"``, 112,800 images of 47 classes; ``"letters"``, 124,800 of 26, upper and lower case in one
            class; ``"digits"``, 240,000 of 10; ``"mnist"``, 60,000 of 10; ``"byclass"``, 697,932 of 62;
            ``"bymerge"``, 697,932 of 47, cases that look alike in one class. The numbers are those of the training
            files, of which a twelfth is held out.
        image_size: height and width that the 28×28 images are resized to, in pixels.
        batch_size: images per batch.
        horizontal_flip: mirror each training image with probability ½. A mirrored letter or digit is not one.
        num_workers: processes that load batches.
        download: fetch the files if they are missing.
        class_balanced: train on each class equally often; without it, those of ``"byclass"`` and ``"bymerge"`` are not.

    Raises:
        RuntimeError: the files are missing or damaged and cannot be downloaded; the message says where to put them.
        TypeError: an argument of a wrong type.
        ValueError: an unknown ``split``, or an argument out of range.

    Reference: Cohen et al. 2017, arXiv:1702.05373.
    """

    source = Source(
        datasets.EMNIST,
        "the idx files of gzip.zip, decompressed (emnist-balanced-train-images-idx3-ubyte, …)",
        "EMNIST/raw",
        "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",
    )

    def __init__(
        self,
        root: str = "data",
        split: Literal["balanced", "byclass", "bymerge", "digits", "letters", "mnist"] = "balanced",
        image_size: int = 32,
        batch_size: int = 64,
        horizontal_flip: bool = False,
        num_workers: int = 0,
        download: bool = True,
        class_balanced: bool = False,
    ) -> None:
        super().__init__(root, image_size, batch_size, horizontal_flip, num_workers, download, class_balanced)
        if split not in _EMNIST_CLASSES:
            raise LitGANError(f"split={split!r} is none of {choices(_EMNIST_CLASSES, split)}")
        self.split, self.num_classes = split, _EMNIST_CLASSES[split]

    def _options(self, part: Part) -> dict[str, Any]:
        return {"split": self.split, **super()._options(part)}

    def _tensors(self, data: Any) -> tuple[Tensor, Tensor]:
        images, labels = super()._tensors(data)
        return images.mT.contiguous(), labels - 1 if self.split == "letters" else labels


class StackedMNIST(MNIST):
    """Images of three random MNIST digits as the red, green and blue channel: 1,000 modes, to measure mode collapse.

    The label is the number of three digits, red its hundreds. With a classifier of digits, one can count the modes that
    a generator covers and measure the KL divergence from the uniform distribution. The digits of each split are those
    of the same split of :class:`MNIST`: no digit image is in two splits.

    Args:
        root: folder that holds, or will hold, ``MNIST/raw/`` with the four idx files.
        image_size: height and width that the 28×28 digits are resized to, in pixels.
        batch_size: images per batch.
        horizontal_flip: mirror each training image with probability ½. A mirrored digit is not a digit.
        num_workers: processes that load batches.
        download: fetch the files if they are missing.
        class_balanced: train on each of the modes equally often; without it, they are nearly equally frequent.
        train_size: number of training images, drawn once; 128,000 as in PacGAN (393 MB at 32 pixels).
        held_out_size: number of held-out images, and of test images.
        seed: seed of the random choice of digits.

    Raises:
        RuntimeError: the files are missing or damaged and cannot be downloaded; the message says where to put them.
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range.

    Reference: Metz et al. 2017, arXiv:1611.02163; VEEGAN, arXiv:1705.07761; PacGAN, arXiv:1712.04086.
    """

    channels = 3
    num_classes = 1000

    def __init__(
        self,
        root: str = "data",
        image_size: int = 32,
        batch_size: int = 64,
        horizontal_flip: bool = False,
        num_workers: int = 0,
        download: bool = True,
        class_balanced: bool = False,
        train_size: int = 128_000,
        held_out_size: int = 26_000,
        seed: int = 0,
    ) -> None:
        super().__init__(root, image_size, batch_size, horizontal_flip, num_workers, download, class_balanced)
        at_least_one(train_size=train_size, held_out_size=held_out_size)
        at_least(0, seed=seed)
        self.train_size, self.held_out_size, self.seed = train_size, held_out_size, seed

    def load(self, split: Split) -> tuple[Tensor, Tensor]:
        """Return the stacked digits of a split and their numbers in [0, 999]; the same at each call."""
        digits, labels = super().load(split)
        digits = resize(digits, self.image_size or 28)[:, 0]  # before stacking: fewer images to resize
        n = self.train_size if split == "train" else self.held_out_size
        rng = torch.Generator().manual_seed(
            derive_seed(Stream.STACKED_DIGITS, self.seed, ("train", "val", "test").index(split))
        )
        chosen = torch.randint(len(digits), (n, 3), generator=rng)
        return digits[chosen], (labels[chosen] * torch.tensor([100, 10, 1])).sum(1)
