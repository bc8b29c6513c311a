"""Nearest real samples of generated ones, and a test for copies of the training data (arXiv:2004.05675)."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from lit_gan._utils.arguments import at_least_one
from lit_gan._utils.errors import LitGANError

__all__ = [
    "CopyingTest",
    "CopyingTestWithVariety",
    "Nearest",
    "copying_test",
    "copying_test_with_variety",
    "nearest_neighbours",
]

_COMPARED = 1000  # samples whose distances from one another are looked at


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
        nearer = f"samples are nearer to the training data in {self.closer:.0%} of pairs, z = {self.z:.1f}"
        return f"{nearer}: {self._what()}"

    def _what(self) -> str:
        if self.p_value > 0.99:
            return "further away than new data would be, which can hide copies among them"
        if self.p_value > 0.01:
            return "no sign of copies"
        return "nearer than new data would be, as copies are, and as blurred or unvaried samples are"


class CopyingTestWithVariety(CopyingTest):
    """Result of the test that tells copies from samples that are near to everything, as averages of images are.

    Args:
        closer: as in :class:`CopyingTest`, and likewise ``z`` and ``p_value``.
        towards: probability that samples which are not copies prefer the training data to held-out data as much.
        variety: mean distance between two samples, divided by that between two held-out ones; NaN for one sample.
    """

    towards: float
    variety: float

    def __new__(
        cls, closer: float, z: float, p_value: float, towards: float = 1.0, variety: float = 1.0
    ) -> "CopyingTestWithVariety":
        """Return the tuple ``(closer, z, p_value)`` with the attributes ``towards`` and ``variety``."""
        self = super().__new__(cls, closer, z, p_value)
        self.towards, self.variety = towards, variety
        return self

    def _what(self) -> str:
        what = super()._what()
        if self.p_value <= 0.01:
            what = "nearer than new data would be, as copies are"
            if self.towards > 0.05:
                what = "as near to held-out data, so no sign of copies"
        if self.variety < 0.5:
            what += f"; they are far less varied than the data ({self.variety:.0%} of its mean distance)"
        return what


def copying_test(generated: Tensor, held_out: Tensor) -> CopyingTest:
    """Return Mann and Whitney's test of whether samples are nearer to the training data than held-out data are.

    With distances to the nearest training sample, L(q) of m generated and L(p) of n held-out samples:
    U = Σᵢⱼ 1{L(qᵢ) > L(pⱼ)} + ½·1{L(qᵢ) = L(pⱼ)}, and z = (U − mn/2)/σ with σ² = mn(m + n + 1)/12, less a correction
    for ties. If both have one distribution, z is close to normal from about twenty samples of each on. A generator that
    copies some images and is far from all others can pass: look at the nearest training images as well. Blurred samples
    and averages of images are nearer to all data, without being copies: :func:`copying_test_with_variety` tells these.

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


def copying_test_with_variety(
    generated: Tensor, held_out: Tensor, samples: Tensor, others: Tensor
) -> CopyingTestWithVariety:
    """Return :func:`copying_test`, with a test of whether samples prefer the training data to the held-out data.

    An average of images is near to all data, a copy to the training data alone. So the share of the nearest training
    sample's distance in the sum of this and the nearest held-out sample's is compared between generated and held-out
    samples, by Mann and Whitney's U. Its σ is that of as many samples as are distinct: nearer to some held-out sample
    than to each distinct sample before. One image, drawn often, is so one observation.

    Args:
        generated: distances of generated samples to their nearest training sample, ``(m,)``.
        held_out: distances of held-out samples to theirs, ``(n,)``.
        samples: the generated samples, ``(m, …)``, as features or pixels.
        others: the held-out samples, ``(n, …)``, n ≥ 2.

    Raises:
        ValueError: as :func:`copying_test`, fewer than 2 held-out samples, or samples of another size.

    Examples:
        >>> import torch
        >>> from lit_gan.metrics.copying import copying_test_with_variety, nearest_neighbours
        >>> train, others = torch.randn(2, 500, 50, generator=torch.Generator().manual_seed(0))
        >>> averages = train.mean(0) + torch.zeros(100, 50)
        >>> distances = (nearest_neighbours(some, [train]).distances[:, 0] for some in (averages, others))
        >>> print(copying_test_with_variety(*distances, averages, others).towards > 0.05)  # near to both
        True
    """
    samples, others = _vectors(samples, samples.device), _vectors(others, samples.device)
    near_held_out = nearest_neighbours(samples, others.split(_COMPARED)).distances[:, 0]
    near_another = nearest_neighbours(others, others.split(_COMPARED), 2).distances[:, 1]
    share, theirs = (_share(*pair) for pair in ((generated, near_held_out), (held_out, near_another)))
    few = samples[:_COMPARED].cpu()
    apart = torch.cdist(few, few)
    k, n = _distinct(apart, near_held_out.cpu()), len(others)
    z = (0.5 - copying_test(share, theirs).closer) / math.sqrt((k + n + 1) / (12 * k * n))
    variety = float(_mean_distance(apart) / _mean_distance(torch.cdist(others[:_COMPARED], others[:_COMPARED])))
    return CopyingTestWithVariety(*copying_test(generated, held_out), math.erfc(-z / math.sqrt(2)) / 2, variety)


def _share(to_training: Tensor, to_held_out: Tensor) -> Tensor:
    """Return the first distance's share in the sum of both, ½ if both are 0."""
    to_training, to_held_out = to_training.flatten().double().cpu(), to_held_out.cpu()
    return (to_training / (to_training + to_held_out)).nan_to_num(0.5)


def _distinct(apart: Tensor, reach: Tensor) -> int:
    """Return how many samples are further than their ``reach`` from all distinct samples before them."""
    kept: list[int] = []
    for i, distances in enumerate(apart):
        if not (distances[kept] <= reach[i]).any():
            kept.append(i)
    return len(kept)


def _mean_distance(apart: Tensor) -> Tensor:
    """Return the mean of a square of distances without its diagonal; NaN for one sample."""
    return apart.sum() / (len(apart) * (len(apart) - 1))
