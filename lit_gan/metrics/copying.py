"""Nearest real samples of generated ones, and a test for copies of the training data (arXiv:2004.05675)."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from lit_gan._utils.arguments import at_least_one
from lit_gan._utils.errors import LitGANError

__all__ = ["CopyingTest", "Nearest", "copying_test", "nearest_neighbours"]


class Nearest(NamedTuple):
    """The nearest real samples of each generated sample."""

    distances: Tensor
    """Euclidean distances, float64 ``(N, k)``, the smallest first."""
    numbers: Tensor
    """Numbers of these real samples, int64 ``(N, k)``, counted from 0 in the order in which they were given."""


def nearest_neighbours(samples: Tensor, real: Iterable[Tensor], k: int = 1) -> Nearest:
    """Return the ``k`` real samples that are nearest to each of ``samples``, and their distances.

    Real samples are read a block at a time and not kept: the memory is that of ``samples``, of one block and of the
    distances between the two, in float64. Distances between uint8 images are exact, so that of a copy is 0.

    Args:
        samples: features ``(N, D)``, or images, compared by their pixels.
        real: likewise, in blocks ``(M, …)``: a list of blocks, or an iterable that makes them.
        k: number of neighbours, ≥ 1.

    Raises:
        TypeError: ``k`` is not a whole number.
        ValueError: ``k`` below 1, fewer than ``k`` real samples, or real samples of another D.

    Examples:
        >>> import torch
        >>> from lit_gan.metrics.copying import nearest_neighbours
        >>> real = torch.tensor([[6.0, 8.0], [3.0, 4.0]])
        >>> nearest = nearest_neighbours(torch.zeros(1, 2), [real])
        >>> round(float(nearest.distances), 4), int(nearest.numbers)  # √(3² + 4²), of the second
        (5.0, 1)
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
    """Return samples as float64 ``(N, D)`` on ``device``; on the CPU instead of MPS, which lacks float64."""
    return samples.detach().flatten(1).to("cpu" if device.type == "mps" else device).double()


class CopyingTest(NamedTuple):
    """Result of the test whether generated samples are nearer to the training data than held-out data are."""

    closer: float
    """Share of pairs, a generated and a held-out sample, in which the former is nearer, in [0, 1]; ties count ½."""
    z: float
    """Z_U: far below 0 if samples are copies, far above 0 if they are further away than held-out data are."""
    p_value: float
    """Φ(z): the probability of a z this low or lower if generated samples are as near as held-out data."""

    def __str__(self) -> str:
        """Return the result as a sentence."""
        what = "no sign of copies" if self.p_value > 0.01 else "nearer than new data would be, as copies are"
        if self.p_value > 0.99:
            what = "further away than new data would be, which can hide copies among them"
        return f"samples are nearer to the training data in {self.closer:.0%} of pairs, z = {self.z:.1f}: {what}"


def copying_test(generated: Tensor, held_out: Tensor) -> CopyingTest:
    """Return Mann and Whitney's test of whether samples are nearer to the training data than held-out data are.

    With distances to the nearest training sample, L(q) of m generated and L(p) of n held-out samples:
    U = Σᵢⱼ 1{L(qᵢ) > L(pⱼ)} + ½·1{L(qᵢ) = L(pⱼ)}, and z = (U − mn/2)/σ with σ² = mn(m + n + 1)/12, less a correction
    for ties. If both have one distribution, z is close to normal from about twenty samples of each on. A generator that
    copies some images and is far from all others can pass: look at the nearest training images as well.

    Args:
        generated: distances of generated samples to their nearest training sample, ``(m,)``.
        held_out: distances of held-out samples to theirs, ``(n,)``.

    Raises:
        ValueError: no generated or no held-out samples, or NaN.

    Reference: Meehan, Chaudhuri & Dasgupta 2020, arXiv:2004.05675, section 3.

    Examples:
        >>> import torch
        >>> from lit_gan.metrics.copying import copying_test
        >>> test = copying_test(torch.tensor([0.0, 1.0, 2.0]), torch.tensor([3.0, 4.0, 5.0]))
        >>> test.closer, round(test.z, 4)  # U = 0, z = −(9/2)/√(9·7/12)
        (1.0, -1.964)
    """
    # Deviation: C_T with one cell, the whole space; the paper averages z over the cells of a partition.
    # Deviation: ties, such as copies at the distance 0, count half, and σ is corrected for them.
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
