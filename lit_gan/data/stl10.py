"""Data module of STL-10, 96×96 colour photographs, most of them without labels."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor
from torchvision import datasets

from lit_gan._utils.arguments import expanded
from lit_gan._utils.errors import LitGANError
from lit_gan.data.base import Split
from lit_gan.data.mapped import MappedSet
from lit_gan.data.memory_map import Pictures, memory_map, stamps
from lit_gan.data.official import Source
from lit_gan.data.pictures import square

__all__ = ["STL10"]

_SOURCE = Source(
    datasets.STL10,
    "the files of stl10_binary.tar.gz (train_X.bin, …)",
    "stl10_binary",
    "https://cs.stanford.edu/~acoates/stl10/",
)
_HELD_OUT_EVERY = 10  # images of the training files: the first of each ten is held out


class STL10(MappedSet):
    """Photographs of ten classes: 4,500 training, 500 held-out and 8,000 test images.

    With ``unlabeled``, 90,000 training and 10,000 held-out images, which show more kinds of animals and vehicles than
    the test images; published GANs are trained on these, at 48 pixels. Every tenth image of the training files, from
    the first on, is held out. Images are resized once, into a memory map in the cache folder; writing it takes 3 GB
    of memory with ``unlabeled``, reading it takes memory only for the images that are used.

    Args:
        root: folder that holds, or will hold, ``stl10_binary/``.
        image_size: height and width that the 96×96 images are resized to, in pixels.
        batch_size: images per batch.
        unlabeled: train on the 100,000 images without labels, in place of the 5,000 with labels; all labels are then 0,
            so that networks must be unconditional.
        horizontal_flip: mirror each training image with probability ½.
        num_workers: processes that load batches.
        download: fetch the files if they are missing.
        class_balanced: train on each class equally often.
        cache: folder of the memory maps; ``$LIT_GAN_CACHE`` or ``~/.cache/lit_gan`` if None.

    Raises:
        OSError: the disk has no room for the memory map.
        RuntimeError: the files are missing or damaged and cannot be downloaded; the message says where to put them.
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range, or ``class_balanced`` together with ``unlabeled``.

    Reference: Coates, Lee and Ng 2011, "An analysis of single-layer networks in unsupervised feature learning".
    """

    parts = ("train", "test")
    channels = 3
    num_classes = 10
    class_names = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")

    def __init__(
        self,
        root: str = "data",
        image_size: int = 48,
        batch_size: int = 64,
        unlabeled: bool = False,
        horizontal_flip: bool = True,
        num_workers: int = 0,
        download: bool = True,
        class_balanced: bool = False,
        cache: str | None = None,
    ) -> None:
        super().__init__(image_size, batch_size, horizontal_flip, num_workers, class_balanced, cache)
        if class_balanced and unlabeled:
            raise LitGANError("class_balanced=True needs labels and unlabeled=True has none: set one of them to False")
        self.root, self.unlabeled, self.download = root, unlabeled, download

    def load(self, split: Split) -> tuple[Tensor, Tensor]:
        """Return views of the memory map: the test images for ``"test"``, every tenth training image for ``"val"``."""
        if split == "test":
            return self._map("test")
        n = len(self._map("train")[0])
        return self._tail(split, len(range(0, n, _HELD_OUT_EVERY)))

    def _decode(self, part: Split, fetch: bool) -> tuple[Tensor, Tensor]:
        name = "unlabeled" if self.unlabeled and part == "train" else part
        file = Path(expanded(self.root)) / _SOURCE.folder / f"{name}_X.bin"

        def opened() -> Any:
            return _SOURCE.open("STL10", self.root, fetch and self.download, split=name)

        if not file.exists():
            opened()
        return memory_map(
            lambda: self._pictures(opened(), part),
            key=("STL10", part, _HELD_OUT_EVERY, stamps([file])),
            shape=(3, self.image_size, self.image_size),
            what=str(file),
            cache=self.cache,
        )

    def _pictures(self, data: Any, part: Split) -> Pictures:
        if len(data.labels) != len(data):
            raise LitGANError(
                f"STL10 has {len(data)} images and {len(data.labels)} labels in {self.root}: is it whole?"
            )
        order = np.arange(len(data)) if part == "test" else _held_out_last(len(data), _HELD_OUT_EVERY)

        def decode(number: int) -> np.ndarray:
            return square(Image.fromarray(data.data[order[number]].transpose(1, 2, 0)), self.image_size)

        labels = np.maximum(data.labels[order].astype(np.int64), 0)  # torchvision's label is -1 if there is none
        return Pictures([f"image {i}" for i in order], labels, decode)


def _held_out_last(n: int, every: int) -> np.ndarray:
    """Return 0, …, n − 1 with the multiples of ``every`` last, so that held-out images are contiguous in the map."""
    numbers = np.arange(n)
    return np.concatenate([numbers[numbers % every != 0], numbers[numbers % every == 0]])
