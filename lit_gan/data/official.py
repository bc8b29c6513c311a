"""Base class of data modules for data sets that torchvision downloads, checks and reads."""

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from lit_gan._utils.errors import LitGANRuntimeError
from lit_gan._utils.extras import optional
from lit_gan.data.base import ImageDataModule, Split

__all__ = ["OfficialSet", "Part", "Source", "one_line"]

Part = Literal["train", "test"]


@dataclass(frozen=True)
class Source:
    """Origin of a data set that torchvision reads.

    Args:
        dataset: torchvision's class, which takes ``root`` and ``download``.
        files: the files that it reads, for messages.
        folder: path of these files below ``root``.
        url: address to download them from by hand, for messages.
    """

    dataset: Any
    files: str
    folder: str
    url: str

    def open(self, who: str, root: str, download: bool, **options: Any) -> Any:
        """Return torchvision's data set; if its files are missing and ``download`` is true, download them first.

        Raises:
            RuntimeError: the files are missing or damaged and cannot be downloaded; the message says where to put them.
        """
        try:
            return self.dataset(root=root, download=download, **options)
        except Exception as error:  # torchvision raises errors of many types on damaged files
            how = " and could not be fetched or read" if download else ""
            raise LitGANRuntimeError(
                f"{who} is missing or damaged in {root}{how} ({one_line(error)}): put {self.files} into "
                f"{Path(root) / self.folder}, from {self.url}"
            ) from error


class OfficialSet(ImageDataModule):
    """Data module for a torchvision data set that fits in memory.

    Images of the training files whose index is a multiple of ``held_out_every`` are held out, for ``"val"``; the test
    files are for ``"test"``.
    """

    source: ClassVar[Source]
    needs: ClassVar[tuple[str, str] | None] = None
    """Module with which torchvision reads the files, and the extra that installs it."""
    held_out_every: ClassVar[int] = 12
    channels: ClassVar[int]
    num_classes: int

    def __init__(
        self,
        root: str = "data",
        image_size: int = 32,
        batch_size: int = 64,
        horizontal_flip: bool = False,
        num_workers: int = 0,
        download: bool = True,
        class_balanced: bool = False,
    ) -> None:
        super().__init__(image_size, batch_size, horizontal_flip, num_workers, class_balanced)
        self.root, self.download = root, download
        if self.needs is not None:
            optional(*self.needs, type(self).__name__)

    def prepare_data(self) -> None:
        """Download missing files, on one process, and check that all can be read.

        Raises:
            RuntimeError: the files are missing or damaged and cannot be downloaded; the message says where to put them.
        """
        for part in ("train", "test"):
            self._open(part, self.download)

    def load(self, split: Split) -> tuple[Tensor, Tensor]:
        """Return all images and labels of a split.

        ``"test"`` is the test files; ``"val"`` every ``held_out_every``-th training image; ``"train"`` the others.
        """
        data = self._open("test" if split == "test" else "train")
        if len(names := getattr(data, "classes", ())) == self.num_classes:
            self.class_names = names
        images, labels = self._tensors(data)
        if split == "test":
            return images, labels
        held_out = torch.arange(len(images)) % self.held_out_every == 0
        chosen = held_out if split == "val" else ~held_out
        return images[chosen], labels[chosen]

    def _open(self, part: Part, download: bool = False) -> Any:
        return self.source.open(type(self).__name__, self.root, download, **self._options(part))

    def _options(self, part: Part) -> dict[str, Any]:
        """Return the arguments with which torchvision's class reads the training or the test files."""
        return {"train": part == "train"}

    @abstractmethod
    def _tensors(self, data: Any) -> tuple[Tensor, Tensor]:
        """Return all images of torchvision's data set, uint8 ``(N, C, H, W)``, and their labels, int64 ``(N,)``."""


def one_line(error: Exception, most: int = 200) -> str:
    """Return an error's message, or its type if it has none, on one line of at most ``most`` characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= most else f"{text[:most]}…"
