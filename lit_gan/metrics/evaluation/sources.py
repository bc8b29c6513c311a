"""Samples to score, block by block: of a data set in its own order, or of a generator at fixed latents."""

from collections.abc import Iterator
from functools import partial
from hashlib import blake2b
from itertools import chain
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils.data import (
    DataLoader,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    WeightedRandomSampler,
)
from torch.utils.data.distributed import DistributedSampler

from lit_gan._utils.errors import LitGANError
from lit_gan._utils.randomness import Stream, derive_seed, seeded
from lit_gan.data.balance import ClassBalanced
from lit_gan.data.base import TensorSamples, batch_as_it_is
from lit_gan.data.images import to_uint8
from lit_gan.metrics.evaluation.blocks import BLOCK, in_order, on_first
from lit_gan.sampling.conditions import read_labels
from lit_gan.sampling.generator import GeneratorSource
from lit_gan.training.batch import unpack
from lit_gan.training.first_batch import check_range
from lit_gan.training.loader import ResumableLoader

__all__ = [
    "GeneratedSamples",
    "RealSamples",
    "Samples",
    "fingerprint",
    "has_length",
    "has_samples",
    "numbers_of",
    "split_loader",
    "up_to",
]

# Samplers of the whole data set: they leave no sample to another loader.
_WHOLE = (RandomSampler, SequentialSampler, WeightedRandomSampler, DistributedSampler, ClassBalanced)


class Samples(Protocol):
    """A fixed sequence of samples: images ``(C, H, W)``, uint8, or points ``(D,)``, float32."""

    n: int
    """Number of samples."""

    def block(self, number: int) -> Tensor:
        """Return block ``number``: :data:`lit_gan.metrics.evaluation.blocks.BLOCK` samples, fewer in the last."""


class RealSamples:
    """The samples of a loader's data set in their own order, without shuffling, flips or class balance.

    Of a loader without a data set to index (a stream) they are the first samples, read into memory.

    Args:
        loader: a DataLoader, or any iterable of batches.
        n: number of samples, a fixed random choice if there are more; None for all.
        or_fewer: whether fewer than ``n`` are accepted.

    Raises:
        ValueError: fewer than ``n`` samples, or none; ``n`` is None for a stream without a length; at a block, float
            images that are not in [-1, 1].
    """

    def __init__(self, loader: Any, n: int | None = None, or_fewer: bool = False) -> None:
        self._dataset, numbers, self._collate = _indexed(loader, n)
        if or_fewer and n is not None and numbers:
            n = min(n, len(numbers))
        self._numbers = _chosen(numbers, n)
        self.n = len(self._numbers)

    def block(self, number: int) -> Tensor:
        """Return the samples of block ``number``."""
        images, _ = self._batch(number)
        check_range(images)
        return _as_scored(images)

    def label_counts(self, num_classes: int) -> Tensor:
        """Return the number of samples of each class, int64 ``(num_classes,)``; for 0 classes no labels are read."""
        counts = torch.zeros(num_classes, dtype=torch.int64)
        for number in range(-(-self.n // BLOCK) if num_classes else 0):
            images, labels = self._batch(number)
            counts += read_labels(labels, len(images)).cpu().bincount(minlength=num_classes)[:num_classes]
        return counts

    def _batch(self, number: int) -> tuple[Tensor, Any]:
        mine = self._numbers[number * BLOCK : (number + 1) * BLOCK]
        with seeded(derive_seed(Stream.REAL, number)):  # a data set may hold random transforms
            (batch,) = DataLoader(Subset(self._dataset, mine), BLOCK, collate_fn=self._collate)
        return unpack(batch)


def up_to(loader: Any, n: int) -> RealSamples:
    """Return the samples of a loader's data set: all, or a fixed random choice of ``n`` if there are more."""
    return RealSamples(loader, n, or_fewer=True)


def has_length(loader: Any) -> bool:
    """Return whether a loader has a length, and so an end."""
    try:
        len(loader)
    except TypeError:
        return False
    return True


def has_samples(loader: Any) -> bool:
    """Return whether a loader has any samples; False for None."""
    return loader is not None and len(_indexed(loader, 1)[1]) > 0


class GeneratedSamples:
    """Samples of a generator at fixed latents, in evaluation mode, with classes as frequent as in its training data.

    Args:
        model: model whose generator makes them.
        n: number of samples.
        seed: seed of latents and classes: the same samples at any batch size and number of processes.
        ema: whether to use the averaged generator, if there is one.
        batch_size: images in one forward pass, which bounds the memory.
        counts: counts of each class, by which classes are drawn; None for those of the training data.

    Raises:
        ValueError: at a block, samples that are not finite, which rounding would hide.
    """

    def __init__(
        self,
        model: GeneratorSource,
        n: int,
        seed: int = 0,
        ema: bool = True,
        batch_size: int = BLOCK,
        counts: Tensor | None = None,
    ) -> None:
        self.n, self.seed, self.batch_size = n, seed, batch_size
        self._trained = model.trained_generator(ema)
        self.ema = ema and self._trained.network is not model.trained_generator(ema=False).network
        if counts is not None:
            self._trained.label_counts = counts

    @property
    def network(self) -> nn.Module:
        """The generator that makes them."""
        return self._trained.network

    def block(self, number: int) -> Tensor:
        """Return the samples of block ``number``."""
        size, trained = min(BLOCK, self.n - number * BLOCK), self._trained
        z, labels = trained.draw(BLOCK, seed=derive_seed(Stream.GENERATED, self.seed, number))
        samples = trained.images(z[:size], None if labels is None else labels[:size], batch_size=self.batch_size)
        if not samples.isfinite().all():
            name = type(trained.network).__name__
            raise LitGANError(f"the generator ({name}) makes samples of NaN or infinity: no score")
        return _as_scored(samples)


def split_loader(data: Any, split: str) -> Any:
    """Return the loader of a split, ``train``, ``val`` or ``test``, of a data module that is prepared."""
    data.setup({"train": "fit", "val": "validate", "test": "test"}[split])
    return getattr(data, f"{split}_dataloader")()


def fingerprint(samples: Samples) -> str:
    """Return a digest of all samples, which changes with each of them; the same on every process."""

    def digest(number: int) -> bytes:
        block = samples.block(number).contiguous().cpu()
        return blake2b(repr((block.shape, block.dtype)).encode() + block.numpy().tobytes(), digest_size=16).digest()

    whole = blake2b(digest_size=16)
    in_order(samples.n, digest, whole.update)
    return on_first(whole.hexdigest)


def _as_scored(samples: Tensor) -> Tensor:
    """Return images as uint8, float ones rounded, and points as float32."""
    return to_uint8(samples) if samples.ndim == 4 else samples.float()


def _indexed(loader: Any, n: int | None) -> tuple[Any, list[int], Any]:
    """Return a loader's data set, the numbers of the samples that it draws, and its collate function."""
    dataset: Any = getattr(loader, "dataset", None)
    indexed = isinstance(loader, (DataLoader, ResumableLoader)) and not isinstance(dataset, IterableDataset)
    if indexed and hasattr(dataset, "__getitem__"):
        with seeded(0):  # a sampler may draw
            return dataset, on_first(partial(numbers_of, loader)), loader.collate_fn
    if n is None and not has_length(loader):
        raise LitGANError(
            "n_real=None takes all samples, and these are a stream without a length, which may have no end: give "
            "n_real, or a data set with a length (__len__)"
        )
    samples = _read(loader, n)
    return samples, list(range(len(samples))), batch_as_it_is


def numbers_of(loader: Any) -> list[int]:
    """Return the numbers of a loader's samples: not all if its sampler leaves some to another loader."""
    batches = getattr(loader, "batch_sampler", None)
    if batches is not None and getattr(batches, "sampler", None) is not loader.sampler:  # one of the user's own
        return sorted(set(chain.from_iterable(batches)))
    whole = isinstance(loader.sampler, _WHOLE)
    return list(range(len(loader.dataset))) if whole else sorted(set(loader.sampler))


def _read(loader: Any, n: int | None) -> TensorSamples:
    """Return the first ``n`` samples of a stream, all for None; missing labels become floats, which are refused."""

    def parts() -> Iterator[tuple[Tensor, Tensor]]:
        missing = n
        for batch in loader:
            images, labels = unpack(batch)
            there = isinstance(labels, Tensor) and labels.shape == (len(images),)
            labels = labels.cpu() if there else torch.zeros(len(images))
            yield _as_scored(images).cpu()[:missing], labels[:missing]
            missing = None if missing is None else missing - len(images)
            if missing is not None and missing <= 0:
                return

    read = list(parts()) or [(torch.empty(0), torch.empty(0))]
    samples, labels = zip(*read, strict=True)
    return TensorSamples(torch.cat(samples), torch.cat(labels))


def _chosen(numbers: list[int], n: int | None) -> list[int]:
    if not numbers or len(numbers) < (n or 0):
        raise LitGANError(f"n_real={n} and the data has {len(numbers)} samples: take fewer, or None for all of them")
    if n is None or n == len(numbers):
        return numbers
    order = torch.randperm(len(numbers), generator=torch.Generator().manual_seed(0))
    return [numbers[i] for i in order[:n].sort().values.tolist()]
