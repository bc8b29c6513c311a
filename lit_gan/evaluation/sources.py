"""Where samples come from, block by block: a data set in its own order, or a generator at fixed latents."""

from collections.abc import Iterator
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader, RandomSampler, SequentialSampler, Subset
from torch.utils.data.distributed import DistributedSampler

from lit_gan.data.balance import ClassBalanced
from lit_gan.data.base import TensorSamples
from lit_gan.evaluation.blocks import BLOCK, in_order, on_first
from lit_gan.images import to_uint8
from lit_gan.inputs import unpack
from lit_gan.labels import needs_labels, sample_labels
from lit_gan.loading import ResumableLoader
from lit_gan.randomness import mix, seeded
from lit_gan.sampling import draw_latents, sample_images

if TYPE_CHECKING:
    from lit_gan.module import LitGAN

__all__ = ["GeneratedSamples", "RealSamples", "Samples", "fingerprint", "up_to"]

_WHOLE = (
    RandomSampler,
    SequentialSampler,
    DistributedSampler,
    ClassBalanced,
)  # these leave no sample to another loader


class Samples(Protocol):
    """A fixed sequence of samples: images ``(C, H, W)``, uint8, or points ``(D,)``, float32."""

    n: int

    def block(self, number: int) -> Tensor:
        """Return the samples of a block, :data:`lit_gan.evaluation.blocks.BLOCK` of them, or what is left."""


class RealSamples:
    """The samples of a loader's data set in their own order, without shuffling, flips or class balance.

    Of a loader without a data set to index (a stream) the first that come, read into memory.

    Args:
        loader: a DataLoader, or any iterable of batches.
        n: how many: a fixed random choice where there are more; None for all.

    Raises:
        ValueError: there are fewer than ``n``, or none.
    """

    def __init__(self, loader: Any, n: int | None = None) -> None:
        self._dataset, numbers, self._collate = _indexed(loader, n)
        self._numbers = _chosen(numbers, n)
        self.n = len(self._numbers)

    def block(self, number: int) -> Tensor:
        """Return the samples of a block."""
        mine = self._numbers[number * BLOCK : (number + 1) * BLOCK]
        with seeded(mix(8, number)):  # a data set may hold random transforms
            (batch,) = DataLoader(Subset(self._dataset, mine), BLOCK, collate_fn=self._collate)
        return _as_scored(unpack(batch)[0])


def up_to(loader: Any, n: int) -> RealSamples:
    """Return the samples of a loader's data set: all, or a fixed random choice of ``n`` where there are more."""
    every = RealSamples(loader)
    return every if every.n <= n else RealSamples(loader, n)


class GeneratedSamples:
    """What a generator makes of fixed latents, in evaluation mode, classes as frequent as in its training data.

    Args:
        model: whose generator.
        n: how many.
        seed: of latents and classes: the same samples at any batch size and number of processes.
        ema: the averaged generator's, where there is one.
        batch_size: images at a time, which bounds the memory.
        truncation: factor of the latents in (0, 1].
    """

    def __init__(
        self,
        model: "LitGAN",
        n: int,
        seed: int = 0,
        ema: bool = True,
        batch_size: int = BLOCK,
        truncation: float = 1.0,
    ) -> None:
        self.model, self.n, self.seed, self.batch_size, self.truncation = model, n, seed, batch_size, truncation
        self.ema = ema and model.ema_generator is not None

    def block(self, number: int) -> Tensor:
        """Return the samples of a block."""
        model, size = self.model, min(BLOCK, self.n - number * BLOCK)
        network = model.ema_generator if self.ema and model.ema_generator is not None else model.generator
        rng = torch.Generator().manual_seed(mix(7, self.seed, number))
        like = next(network.parameters())
        z = self.truncation * draw_latents(BLOCK, model.latent_dim, model.latent, like, rng)
        labels = None
        if len(model.label_counts) or needs_labels(model.generator):
            labels = sample_labels(BLOCK, None, model.label_counts.cpu(), rng)[:size].to(z.device)
        return _as_scored(sample_images(network, model.passing["generator"], z[:size], labels, self.batch_size))


def fingerprint(samples: Samples) -> str:
    """Return what changes when a sample does: a digest of all of them, the same on every process."""

    def digest(number: int) -> bytes:
        block = samples.block(number).contiguous().cpu()
        return blake2b(repr((block.shape, block.dtype)).encode() + block.numpy().tobytes(), digest_size=16).digest()

    whole = blake2b(digest_size=16)
    in_order(samples.n, digest, whole.update)
    return on_first(whole.hexdigest)


def _as_scored(samples: Tensor) -> Tensor:
    """Return images rounded to uint8, once, and points in float32."""
    return to_uint8(samples) if samples.ndim == 4 else samples.float()


def _indexed(loader: Any, n: int | None) -> tuple[Any, list[int], Any]:
    """Return a data set, the numbers of its samples that are the loader's, and what makes a batch of some."""
    dataset: Any = getattr(loader, "dataset", None)
    if isinstance(loader, (DataLoader, ResumableLoader)) and hasattr(dataset, "__getitem__"):
        whole = isinstance(loader.sampler, _WHOLE)
        return dataset, list(range(len(dataset))) if whole else sorted(set(loader.sampler)), loader.collate_fn
    samples = _read(loader, n)
    return TensorSamples(samples, torch.zeros(len(samples))), list(range(len(samples))), lambda batch: batch


def _read(loader: Any, n: int | None) -> Tensor:
    """Return the first samples of a stream."""

    def parts() -> Iterator[Tensor]:
        missing = n
        for batch in loader:
            part = _as_scored(unpack(batch)[0]).cpu()
            yield part[:missing]
            missing = None if missing is None else missing - len(part)
            if missing is not None and missing <= 0:
                return

    return torch.cat(list(parts()) or [torch.empty(0)])


def _chosen(numbers: list[int], n: int | None) -> list[int]:
    if not numbers or len(numbers) < (n or 0):
        raise ValueError(f"n_real={n} and the data has {len(numbers)} samples: take fewer, or None for all of them")
    if n is None or n == len(numbers):
        return numbers
    order = torch.randperm(len(numbers), generator=torch.Generator().manual_seed(0))
    return [numbers[i] for i in order[:n].sort().values.tolist()]
