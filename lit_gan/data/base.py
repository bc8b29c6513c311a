"""ImageDataModule: data that stays uint8 in one tensor until it is on the device."""

from abc import ABC, abstractmethod
from typing import Any, Literal

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lit_gan.arguments import at_least_one
from lit_gan.images import resize

__all__ = ["ImageDataModule", "Split", "TensorImages", "batch_as_it_is"]

Split = Literal["train", "val", "test"]
Batch = tuple[Tensor, Tensor]


class TensorImages(Dataset[Batch]):
    """Images and labels in one tensor each; a batch is one indexing operation, not a loop over its samples.

    Args:
        images: ``(N, C, H, W)`` uint8; a memory map serves as well.
        labels: int64 ``(N,)``.
    """

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        if len(images) != len(labels):
            raise ValueError(f"{len(images)} images and {len(labels)} labels: give one label to each image")
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Batch:
        return self.images[index], self.labels[index]

    def __getitems__(self, indices: list[int]) -> Batch:
        """Return a whole batch; a DataLoader asks for it in one call."""
        index = torch.as_tensor(indices)
        return self.images[index], self.labels[index]


def batch_as_it_is(batch: Any) -> Any:
    """Return ``batch``: the ``collate_fn`` of data sets that give whole batches."""
    return batch


class ImageDataModule(LightningDataModule, ABC):
    """Batches ``(images, labels)``: uint8 ``(N, C, H, W)`` and int64 ``(N,)``, from sets that fit in one tensor.

    A data set of your own is a subclass that implements :meth:`load`. LitGAN scales the images to [-1, 1] on the
    device.

    Args:
        image_size: height and width that images are resized to, in pixels; None leaves them as they are.
        batch_size: images per batch and device. Training leaves out the last, smaller batch.
        horizontal_flip: mirror each training image with probability ½, on the device. Not for letters or digits.
        num_workers: processes that load batches. 0 is fastest here: a batch is one indexing operation.

    Raises:
        ValueError: ``image_size`` or ``batch_size`` below 1; at setup, fewer training images than ``batch_size``.
    """

    def __init__(
        self,
        image_size: int | None = None,
        batch_size: int = 64,
        horizontal_flip: bool = False,
        num_workers: int = 0,
    ) -> None:
        super().__init__()
        at_least_one(image_size=image_size, batch_size=batch_size)
        self.image_size, self.batch_size = image_size, batch_size
        self.horizontal_flip, self.num_workers = horizontal_flip, num_workers
        self._splits: dict[Split, TensorImages] = {}

    @abstractmethod
    def load(self, split: Split) -> Batch:
        """Return all images, uint8 ``(N, C, H, W)``, and labels, int64 ``(N,)``, of a split.

        Args:
            split: ``"train"``; ``"val"``, held out from training; ``"test"``, which may be the same as ``"val"``.
        """

    def setup(self, stage: str | None = None) -> None:
        """Load the splits that ``stage`` needs, once."""
        needed: dict[str | None, tuple[Split, ...]] = {
            "fit": ("train", "val"),
            "validate": ("val",),
            "test": ("test",),
            "predict": ("test",),
        }
        for split in needed.get(stage, ("train", "val", "test")):
            if split not in self._splits:
                self._splits[split] = self._load(split)

    def _load(self, split: Split) -> TensorImages:
        images, labels = self.load(split)
        if self.image_size is not None:
            images = resize(images, self.image_size)
        if split == "train" and len(images) < self.batch_size:
            raise ValueError(
                f"{type(self).__name__} has {len(images)} training images, fewer than batch_size={self.batch_size}: "
                "take a smaller batch_size"
            )
        return TensorImages(images, labels)

    def _loader(self, split: Split) -> DataLoader[Batch]:
        training = split == "train"
        return DataLoader(
            self._splits[split],
            batch_size=self.batch_size,
            shuffle=training,
            drop_last=training,
            collate_fn=batch_as_it_is,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
        )

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled training batches."""
        return self._loader("train")

    def val_dataloader(self) -> DataLoader[Batch]:
        """Held-out batches in order, on which V(G, D) is measured."""
        return self._loader("val")

    def test_dataloader(self) -> DataLoader[Batch]:
        """Test batches in order."""
        return self._loader("test")

    def predict_dataloader(self) -> DataLoader[Batch]:
        """Test batches: ``predict`` generates one image for each of theirs."""
        return self._loader("test")

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Mirror training images on the device, each with probability ½."""
        if not (self.horizontal_flip and self.trainer is not None and self.trainer.training):
            return batch
        images, labels = batch
        mirrored = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
        return torch.where(mirrored, images.flip(-1), images), labels
