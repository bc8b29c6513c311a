"""A fixed choice of a loader's samples, for measurements that callbacks repeat during training."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from lit_gan._utils.errors import LitGANError
from lit_gan._utils.randomness import seeded
from lit_gan.data.base import Split
from lit_gan.data.images import to_float
from lit_gan.gan import LitGAN
from lit_gan.metrics.evaluation.sources import numbers_of, split_loader
from lit_gan.training.batch import read_batch
from lit_gan.training.lightning_compat import as_validation, find_validation_loaders
from lit_gan.training.loader import ResumableLoader
from lit_gan.training.stateful_loader import StatefulLoader

__all__ = ["FixedSamples", "loader_of", "validating"]

Batch = tuple[Tensor, Tensor | None]


class FixedSamples:
    """This process's share of ``n`` samples, kept on the CPU in the dtype of their batches.

    If the loader is a ``ResumableLoader``, they are a random choice of its data, the same in each run; otherwise, as
    for a stream, they are its first samples.

    Args:
        n: number of samples, over all processes.
    """

    def __init__(self, n: int) -> None:
        self._n = n
        self._batches: list[Batch] = []

    def __len__(self) -> int:
        return sum(len(images) for images, _ in self._batches)

    def choose(self, model: LitGAN, loaders: Iterable[Any]) -> None:
        """Collect samples from ``loaders`` until this process has its share."""
        trainer = model.trainer
        with seeded(0):  # samplers and transforms may draw random numbers
            for batch in chain.from_iterable(_chosen(loader, self._n, trainer) for loader in loaders):
                if self.take(model, trainer.strategy.batch_to_device(batch)):
                    break

    def take(self, model: LitGAN, batch: Any) -> bool:
        """Add samples of ``batch`` until this process has its share; return whether it has."""
        trainer = model.trainer
        most = len(range(trainer.global_rank, self._n, trainer.world_size)) - len(self)
        if most > 0:
            images, labels = read_batch(batch, model.players, model.latent_dim, first=not self._batches)
            self._batches.append((images[:most].clone().cpu(), None if labels is None else labels[:most].cpu()))
            most -= len(images)
        return most <= 0

    def parts(self, model: LitGAN) -> Iterator[Batch]:
        """Yield images in [-1, 1] and labels on the model's device, in as many parts as training's micro-batches."""
        for images, labels in self._batches:
            size = -(-len(images) // model.micro_batches)
            for i in range(0, len(images), size):
                part = to_float(images[i : i + size].to(model.device), model.players.float_type)
                yield part, None if labels is None else labels[i : i + size].to(model.device)


def _chosen(loader: Any, n: int, trainer: Trainer) -> Iterable[Any]:
    if not isinstance(loader, ResumableLoader):
        return iter(loader)
    numbers = numbers_of(loader)
    order = torch.randperm(len(numbers), generator=torch.Generator().manual_seed(0)).tolist()
    mine = [numbers[i] for i in order[:n][trainer.global_rank :: trainer.world_size]]
    return DataLoader(Subset(loader.dataset, mine), loader.batch_size, collate_fn=loader.collate_fn)


def loader_of(trainer: Trainer, split: Split) -> Any:
    """Return a loader of a split's data: the Trainer's, or the data module's if the Trainer has none yet.

    Raises:
        ValueError: neither has a loader of this split.
    """
    loader: Any = trainer.train_dataloader if split == "train" else trainer.test_dataloaders
    if isinstance(loader, StatefulLoader):
        loader = loader.loader
    if split == "val":
        loader = find_validation_loaders(trainer) if trainer.state.fn == TrainerFn.FITTING else trainer.val_dataloaders
    loader = list(loader.values()) if isinstance(loader, dict) else loader
    if split != "train" and isinstance(loader, list) and loader:
        if len(loader) > 1:
            rank_zero_warn(f"split={split!r} has {len(loader)} loaders: samples of the first are used")
        loader = loader[0]
    data: Any = getattr(trainer, "datamodule", None)
    if (loader is None or loader == []) and data is not None:
        return split_loader(data, split)
    if loader is None or loader == []:
        raise LitGANError(f"split={split!r} and there are no such data here: give a data module, or another split")
    return loader


@contextmanager
def validating(model: LitGAN) -> Iterator[None]:
    """Set the Trainer's stage to validation within the context, and restore the stage and random states after it."""
    with as_validation(model.trainer):
        model.begin_validation()
        try:
            yield
        finally:
            model.end_validation()
