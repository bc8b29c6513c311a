"""Are samples copies? Their nearest training images, and whether they are nearer to these than new data are."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from lit_gan._utils.arguments import at_least_one
from lit_gan._utils.errors import LitGANError

__all__ = ["CopyingTest", "Nearest", "copying_test", "nearest_neighbours"]


class Nearest(NamedTuple):
    """The nearest of the real samples, for each sample."""

    distances: Tensor
    """Euclidean, float64 ``(N, k)``, the smallest first."""
    numbers: Tensor
    """Of these samples, int64 ``(N, k)``, counted from 0 in the order in which they came."""


def nearest_neighbours(samples: Tensor, real: Iterable[Tensor], k: int = 1) -> Nearest:
    """Return the ``k`` real samples that are nearest to each of ``samples``, and how far they are.

    Real samples are looked at a block at a time and not kept: memory is that of ``samples``, of one block and of the
    distances between them, in float64. Distances of uint8 images are exact, and so that of a copy is 0.

    Args:
        samples: features ``(N, D)``, or images, whose pixels count as such.
        real: likewise, in blocks ``(M, …)``, a list of them or what makes one after another.
        k: how many, ≥ 1.

    Raises:
        TypeError: ``k`` is no whole number.
        ValueError: fewer than ``k`` real samples, or of another D.
    """
    at_least_one(k=k)
    samples = _vectors(samples, samples.device)
    distances = samples.new_empty(len(samples), 0)
    numbers, seen = torch.empty(len(samples), 0, dtype=torch.int64, device=samples.device), 0
    for block in real:
        vectors = _vectors(block, samples.device)
        if vectors.shape[1] != samples.shape[1]:
            raise LitGANError(
                f"samples of {samples.shape[1]} numbers and real ones of {vectors.shape[1]}: give one size"
            )
        own = torch.arange(seen, seen + len(vectors), device=samples.device).expand(len(samples), -1)
        seen += len(vectors)
        distances, numbers = torch.cat([distances, torch.cdist(samples, vectors)], 1), torch.cat([numbers, own], 1)
        distances, order = distances.topk(min(k, seen), largest=False)
        numbers = numbers.gather(1, order)
    if seen < k:
        raise LitGANError(f"k={k} neighbours of {seen} real samples: take fewer")
    return Nearest(distances, numbers)


def _vectors(samples: Tensor, device: torch.device) -> Tensor:
    """Return samples as float64 ``(N, D)``, on the CPU where the device has none."""
    return samples.detach().flatten(1).to("cpu" if device.type == "mps" else device).double()


class CopyingTest(NamedTuple):
    """Whether samples are nearer to the training data than held-out data are."""

    closer: float
    """Share of all pairs in which the sample is the nearer one, in [0, 1]: ½ where both are as near."""
    z: float
    """Z_U: far below 0 where samples are copies, far above 0 where they are further away than data are."""
    p_value: float
    """Φ(z): how often z is as low where samples are as near as held-out data."""

    def __str__(self) -> str:
        """Return it as a sentence."""
        what = "no sign of copies" if self.p_value > 0.01 else "nearer than new data would be, as copies are"
        if self.p_value > 0.99:
            what = "further away than new data would be, which can hide copies among them"
        return f"samples are nearer to the training data in {self.closer:.0%} of pairs, z = {self.z:.1f}: {what}"


def copying_test(generated: Tensor, held_out: Tensor) -> CopyingTest:
    """Return Mann and Whitney's test of whether samples are nearer to the training data than held-out data are.

    With distances to the nearest training sample, L(q) of m generated and L(p) of n held-out ones:
    U = Σᵢⱼ 1{L(qᵢ) > L(pⱼ)} + ½·1{L(qᵢ) = L(pⱼ)}, and z = (U − mn/2)/σ with σ² = mn(m + n + 1)/12, less what ties take
    away. Where both are of one distribution z is all but normal from some twenty of each on. A generator that copies
    some images and is far from all others can pass: look at the nearest ones as well.

    Args:
        generated: distances, ``(m,)``.
        held_out: distances, ``(n,)``.

    Raises:
        ValueError: none of a kind, or NaN.

    Reference: Meehan, Chaudhuri & Dasgupta 2020, arXiv:2004.05675, section 3.
    """
    # Deviation: C_T with one cell, the whole space, where the paper averages z over the cells of a partition.
    # Deviation: ties, such as copies at the distance 0, count half, and σ is less by what they vary less.
    m, n = generated.numel(), held_out.numel()
    pooled = torch.cat([generated.flatten(), held_out.flatten()]).double()
    if not m or not n or pooled.isnan().any():
        raise LitGANError(f"{m} distances of samples and {n} of held-out data: give some of both, and no NaN")
    _, place, ties = pooled.unique(return_inverse=True, return_counts=True)
    ranks = (ties.cumsum(0) - (ties - 1) / 2)[place]
    u = float(ranks[:m].sum()) - m * (m + 1) / 2
    total, tied = m + n, float((ties.double() ** 3 - ties).sum())
    variance = m * n / 12 * (total + 1 - tied / (total * (total - 1)))
    z = (u - m * n / 2) / math.sqrt(variance) if variance > 0 else 0.0
    return CopyingTest(1 - u / (m * n), z, math.erfc(-z / math.sqrt(2)) / 2)
