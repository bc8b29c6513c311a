"""DataLoaders that resume within an epoch: seed, epoch and batch number determine each batch.

Lightning counts epochs and batches and saves both, so the loaders here have no state of their own.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, cast

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    get_worker_info,
)
from torch.utils.data.distributed import DistributedSampler

from lit_gan._utils.errors import LitGANError, LitGANRuntimeError
from lit_gan._utils.randomness import Stream, derive_seed, seed_all, seeded
from lit_gan.training.lightning_compat import shares_samples, whole_sampler
from lit_gan.training.lightning_counts import batches_done, position_in_epoch
from lit_gan.training.stateful_loader import StatefulLoader

__all__ = ["Position", "ResumableLoader", "is_replayable", "prepare_loader"]

Position = Callable[[], tuple[int, int]]
"""A callable that returns (epoch, number of the next batch in it), both from 0."""


def is_replayable(loader: Any) -> bool:
    """Tell whether ``loader`` is a plain DataLoader of a map-style data set, which :class:`ResumableLoader` takes."""
    return (
        type(loader) is DataLoader
        and not isinstance(loader.dataset, IterableDataset)
        and type(loader.batch_sampler) is BatchSampler
        and hasattr(loader.sampler, "__len__")
    )


def prepare_loader(loader: Any, trainer: Trainer, seed: int) -> Any:
    """Return a :class:`ResumableLoader` of ``loader``, or ``loader`` itself if it is not a plain DataLoader.

    Training data of a loader with ``state_dict`` become a :class:`StatefulLoader`.

    Args:
        loader: the user's, for the stage that begins.
        trainer: whose processes the samples are dealt to.
        seed: of the run.

    Raises:
        ValueError: training data that give no batch.
    """
    training = bool(trainer.training)
    if training and trainer.limit_train_batches and _is_empty(loader):
        raise LitGANError(
            "the training data give no batch, so nothing would train: is the data set empty, or smaller than "
            "batch_size with drop_last=True?"
        )
    dealt = shares_samples(trainer)  # if not, each process reads its own data
    if trainer.state.fn == TrainerFn.PREDICTING or not is_replayable(loader):
        if training and dealt:
            _warn_of_equal_data(loader, trainer.world_size)
        stateful = hasattr(loader, "state_dict") and hasattr(loader, "load_state_dict")
        return StatefulLoader(loader, partial(batches_done, trainer)) if training and stateful else loader
    return ResumableLoader(
        loader,
        seed=seed,
        position=partial(position_in_epoch, trainer) if training else None,
        rank=trainer.global_rank if dealt else 0,
        world_size=trainer.world_size if dealt else 1,
        drop_uneven=training,
    )


def _is_empty(loader: Any) -> bool:
    with suppress(TypeError):  # raised by an iterable data set, which has no length
        return len(loader) == 0
    return False


def _warn_of_equal_data(loader: Any, world_size: int) -> None:
    """Warn if each process would read the same samples."""
    if world_size > 1 and not isinstance(getattr(loader, "sampler", None), DistributedSampler):
        rank_zero_warn(
            f"a {type(loader).__name__} cannot be dealt to {world_size} processes, each reads it as it "
            "is: let it read its own share, and set Trainer(use_distributed_sampler=False) to say that it does"
        )


class ResumableLoader:
    """A DataLoader whose order depends on (seed, epoch) alone, and whose samples are dealt to the processes.

    A batch over all processes is ``world_size · batch_size`` consecutive samples of the epoch's order; process r takes
    the r-th and each ``world_size``-th after it: the same samples at any number of processes. Nothing is drawn from
    torch's global random state. In worker processes each batch has its own seed, so that random transforms are
    the same at any number of workers, and after a resume.

    Args:
        loader: one for which :func:`is_replayable` is true.
        seed: of the order, and of random transforms in workers.
        position: called when an iteration starts, for the batch to start from; None to start from the first batch of
            the first epoch each time. The shorter of two loaders begins again within an epoch, in another order.
        rank: of this process.
        world_size: number of processes.
        drop_uneven: whether to drop samples at the end of an epoch that cannot be dealt evenly: training needs as many
            on each process.
    """

    def __init__(
        self,
        loader: DataLoader[Any],
        seed: int,
        position: Position | None,
        rank: int,
        world_size: int,
        drop_uneven: bool,
    ) -> None:
        self.dataset, self.batch_size, self.collate_fn = loader.dataset, loader.batch_size, loader.collate_fn
        self.num_workers = loader.num_workers
        self._position = position
        self._batches = ReplayableBatchSampler(loader, seed, rank, world_size, drop_uneven)
        self.sampler = self._batches.sampler
        self._loader = DataLoader(
            _SeededInWorkers(loader.dataset),
            batch_sampler=self._batches,
            num_workers=loader.num_workers,
            collate_fn=loader.collate_fn,
            pin_memory=loader.pin_memory,
            timeout=loader.timeout,
            worker_init_fn=partial(_start_worker, then=loader.worker_init_fn),
            multiprocessing_context=loader.multiprocessing_context,
            generator=torch.Generator(),  # gives the workers' base seed, in place of the global state
            prefetch_factor=loader.prefetch_factor,
            persistent_workers=loader.persistent_workers,
        )

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Any]:
        if self._position is not None:
            self._batches.start(*self._position())
        try:
            yield from self._loader
        except RuntimeError as error:
            if not str(error).startswith("DataLoader worker"):
                raise
            raise LitGANRuntimeError(
                f"a process that reads data ended ({str(error).splitlines()[0]}): if the memory was full, take fewer "
                f"than num_workers={self.num_workers}; resume from the last checkpoint"
            ) from error

    def state_dict(self) -> dict[str, Any]:
        """Return an empty dict: Lightning's counters are the state. The method tells Lightning that it can resume."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Do nothing: :meth:`state_dict` is empty."""


class ReplayableBatchSampler(Sampler[Any]):
    """A batch sampler that yields (seed of the batch, indices of this process's samples)."""

    def __init__(self, loader: DataLoader[Any], seed: int, rank: int, world_size: int, drop_uneven: bool) -> None:
        self.sampler: Any = loader.sampler if world_size == 1 else _whole(loader.sampler)
        if isinstance(self.sampler, DistributedSampler):  # a subclass of the user's, which deals the samples itself
            rank, world_size = 0, 1
        self.batch_size: int = loader.batch_size or 1
        self.seed, self.rank, self.world_size = seed, rank, world_size
        self.drop_uneven, self.drop_last = drop_uneven, loader.drop_last
        self.epoch = self.round = self.first = 0

    def start(self, epoch: int, batch: int) -> None:
        """Start at a batch of an epoch, which has several rounds if another loader is longer."""
        self.epoch = epoch
        self.round, self.first = divmod(batch, max(1, len(self)))

    def __len__(self) -> int:
        samples, whole = len(self.sampler), self.batch_size * self.world_size
        rest = samples % whole
        last = rest >= self.world_size if self.drop_uneven else rest > self.rank
        return samples // whole + int(last and not self.drop_last)

    def __iter__(self) -> Iterator[tuple[int, list[int]]]:
        order = self._order()
        whole = self.batch_size * self.world_size
        for number in range(self.first, len(self)):
            samples = order[number * whole : (number + 1) * whole]
            if self.drop_uneven:
                samples = samples[: len(samples) // self.world_size * self.world_size]
            yield (
                derive_seed(Stream.WORKER, self.seed, self.epoch, number + self.round * len(self), self.rank),
                samples[self.rank :: self.world_size],
            )

    def _order(self) -> list[int]:
        """Return the sampler's indices of this epoch and round, drawn from a seed of (seed, epoch, round) alone."""
        further = (self.round,) if self.round else ()
        seed = derive_seed(Stream.ORDER, self.seed, self.epoch, *further)
        if hasattr(self.sampler, "set_epoch"):
            self.sampler.set_epoch(self.epoch)
        if isinstance(generator := getattr(self.sampler, "generator", None), torch.Generator):
            generator.manual_seed(seed)
        with seeded(seed):
            return list(self.sampler)


def _whole(sampler: Any) -> Any:
    """Return the sampler of all samples that a DistributedSampler, Lightning's or the user's, deals a part of."""
    sampler = whole_sampler(sampler)
    if type(sampler) is DistributedSampler:
        return (RandomSampler if sampler.shuffle else SequentialSampler)(cast(Any, sampler.dataset))
    return sampler


class _SeededInWorkers(Dataset[Any]):
    """A data set indexed by (seed, indices); in worker processes the seed is set before samples are read."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __getitems__(self, batch: tuple[int, list[int]]) -> Any:
        seed, numbers = batch
        if get_worker_info() is not None:
            seed_all(seed)
        if getattr(self.dataset, "__getitems__", None):
            return self.dataset.__getitems__(numbers)
        return [self.dataset[number] for number in numbers]


def _start_worker(worker: int, then: Callable[[int], None] | None) -> None:
    """Make ``get_worker_info()`` show the user's own data set, and call the user's ``worker_init_fn``.

    Ctrl-C, which a terminal sends to all processes, is left to the main one, which ends its workers.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    info: Any = get_worker_info()
    object.__setattr__(info, "dataset", info.dataset.dataset)  # WorkerInfo forbids assignment
    if then is not None:
        then(worker)
