"""Base classes of data modules that hold each split in one tensor; images stay uint8 until they are on the device."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

import torch
from pytorch_lightning import LightningDataModule
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from lit_gan._utils.arguments import at_least, at_least_one, shown
from lit_gan._utils.errors import LitGANError
from lit_gan._utils.representation import in_one_line
from lit_gan.data.balance import ClassBalanced
from lit_gan.data.classes import compare_classes
from lit_gan.data.images import resize

__all__ = ["ImageDataModule", "Split", "TensorDataModule", "TensorSamples", "batch_as_it_is"]

Split = Literal["train", "val", "test"]
Batch = tuple[Tensor, Tensor]


class TensorSamples(Dataset[Batch]):
    """Data set of samples and labels in one tensor each, so that a batch is one indexing operation.

    Args:
        samples: ``(N, ...)``; a memory-mapped tensor is accepted.
        labels: int64 ``(N,)``.
    """

    def __init__(self, samples: Tensor, labels: Tensor) -> None:
        if len(samples) != len(labels):
            raise LitGANError(f"{len(samples)} samples and {len(labels)} labels: give one label to each sample")
        self.samples, self.labels = samples, labels

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Batch:
        return self.samples[index], self.labels[index]

    def __getitems__(self, indices: list[int]) -> Batch:
        """Return a whole batch, for which a DataLoader calls this once."""
        index = torch.as_tensor(indices)
        return self.samples[index], self.labels[index]


def batch_as_it_is(batch: Any) -> Any:
    """Return ``batch`` unchanged: the ``collate_fn`` for data sets that return whole batches."""
    return batch


class TensorDataModule(LightningDataModule, ABC):
    """Data module with batches ``(samples, labels)`` from splits that fit in one tensor each.

    Args:
        batch_size: samples per batch and device. Training drops the last, smaller batch.
        num_workers: processes that load batches. 0 is fastest here: a batch is one indexing operation.

    Raises:
        ValueError: ``batch_size`` below 1, ``num_workers`` below 0; at setup, fewer training samples than
            ``batch_size``, or no held-out or test samples.
    """

    __repr__ = in_one_line

    def __init__(self, batch_size: int = 64, num_workers: int = 0) -> None:
        super().__init__()
        at_least_one(batch_size=batch_size)
        at_least(0, num_workers=num_workers)
        self.batch_size, self.num_workers = batch_size, num_workers
        self._splits: dict[Split, TensorSamples] = {}

    @abstractmethod
    def load(self, split: Split) -> Batch:
        """Return all samples ``(N, ...)`` and labels, int64 ``(N,)``, of a split.

        Args:
            split: ``"train"``; ``"val"``, held out from training; ``"test"``, which may be the same as ``"val"``.
        """

    def setup(self, stage: str | None = None) -> None:
        """Load the splits that ``stage`` needs and that are not loaded yet; compare classes with those of the networks.

        Raises:
            ValueError: training labels that a network has no class for.
        """
        needed: dict[str | None, tuple[Split, ...]] = {
            "fit": ("train", "val"),
            "validate": ("val",),
            "test": ("test",),
            "predict": ("test",),
        }
        for split in needed.get(stage, ("train", "val", "test")):
            if split not in self._splits:
                self._splits[split] = self._load(split)
        if stage == "fit" and self.trainer is not None:
            compare_classes(self._splits["train"].labels, self.trainer.lightning_module, self._classes_are_asked_for())

    def _classes_are_asked_for(self) -> bool:
        """Return whether an argument asks for classes to train on; those that come with a data set may be ignored."""
        return False

    def _load(self, split: Split) -> TensorSamples:
        samples, labels = self.load(split)
        if split == "train" and len(samples) < self.batch_size:
            raise LitGANError(
                f"{type(self).__name__} has {len(samples)} training samples, fewer than "
                f"batch_size={self.batch_size}: take a smaller batch_size"
            )
        if not len(samples):
            raise LitGANError(f"{type(self).__name__} has no {split} samples: are its files whole?")
        return TensorSamples(samples, labels)

    def _sampler(self, labels: Tensor) -> Sampler[int] | None:
        """Return the sampler of training samples; None shuffles them, each once an epoch."""
        return None

    def _loader(self, split: Split) -> DataLoader[Batch]:
        training = split == "train"
        sampler = self._sampler(self._splits[split].labels) if training else None
        return DataLoader(
            self._splits[split],
            batch_size=self.batch_size,
            shuffle=training and sampler is None,
            sampler=sampler,
            drop_last=training,
            collate_fn=batch_as_it_is,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
        )

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of shuffled training batches."""
        return self._loader("train")

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of held-out batches in order, on which V(G, D) is measured."""
        return self._loader("val")

    def test_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of test batches in order."""
        return self._loader("test")

    def predict_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of test batches: ``predict`` generates one sample for each test sample."""
        return self._loader("test")


class ImageDataModule(TensorDataModule):
    """Data module with batches ``(images, labels)``, uint8 ``(N, C, H, W)`` and int64 ``(N,)``.

    For your own data set, write a subclass that implements :meth:`load`; each split must fit in one tensor, which
    may be memory-mapped. LitGAN scales the images to [-1, 1] on the device.

    Args:
        image_size: height and width that images are resized to, in pixels; None keeps their size.
        batch_size: images per batch and device. Training drops the last, smaller batch.
        horizontal_flip: mirror each training image with probability ½, on the device. Not for letters or digits.
        num_workers: processes that load batches. 0 is fastest here: a batch is one indexing operation.
        class_balanced: train on each class equally often, whatever its share of the data: an epoch keeps its number
            of images; those of large classes are left out at random, those of small classes are repeated.

    Raises:
        ValueError: ``image_size`` or ``batch_size`` below 1, ``num_workers`` below 0; at setup, fewer training images
            than ``batch_size``, no held-out or test images, or ``class_balanced`` and only one class.
    """

    class_names: Sequence[str] = ()
    """Name of each class, which checkpoints keep; empty if the classes have numbers alone."""

    def __init__(
        self,
        image_size: int | None = None,
        batch_size: int = 64,
        horizontal_flip: bool = False,
        num_workers: int = 0,
        class_balanced: bool = False,
    ) -> None:
        super().__init__(batch_size, num_workers)
        at_least_one(image_size=image_size)
        self.image_size, self.horizontal_flip, self.class_balanced = image_size, horizontal_flip, class_balanced

    @abstractmethod
    def load(self, split: Split) -> Batch:
        """Return all images, uint8 ``(N, C, H, W)``, and labels, int64 ``(N,)``, of a split.

        Args:
            split: ``"train"``; ``"val"``, held out from training; ``"test"``, which may be the same as ``"val"``.
        """

    def state_dict(self) -> dict[str, Any]:
        """Return the names of the classes, for a checkpoint, if they are known."""
        return {"class_names": list(self.class_names)} if self.class_names else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Warn if the classes of the run that is resumed have other names: each label then means another class."""
        before, now = list(state_dict.get("class_names", ())), list(self.class_names)
        if before and now and before != now:
            rank_zero_warn(f"{type(self).__name__} has the classes {shown(now)}, and the checkpoint {shown(before)}")

    def _load(self, split: Split) -> TensorSamples:
        whole = super()._load(split)
        if self.class_balanced and split == "train":
            ClassBalanced(whole.labels)  # raises if there is only one class, before training starts
        return whole if self.image_size is None else TensorSamples(resize(whole.samples, self.image_size), whole.labels)

    def _sampler(self, labels: Tensor) -> Sampler[int] | None:
        return ClassBalanced(labels) if self.class_balanced else None

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Mirror training images on the device, each with probability ½."""
        if not (self.horizontal_flip and self.trainer is not None and self.trainer.training):
            return batch
        images, labels = batch
        mirrored = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
        return torch.where(mirrored, images.flip(-1), images), labels
