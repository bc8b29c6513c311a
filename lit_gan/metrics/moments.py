"""Mean and covariance of samples given in batches and on several processes, in float64 and constant memory.

Moments are one tensor ``(D + 2, D)``: a row of the number of samples n, D times; a row of their mean; D rows of their
scatter Σᵢ (xᵢ − mean)(xᵢ − mean)ᵀ. Moments of two sets are merged about the sets' own means: sums of squares about 0
would lose the covariance of features far from 0.

Reference: Chan, Golub & LeVeque 1983, "Algorithms for computing the sample variance", section 2.
"""

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Statistics", "merged", "no_moments", "statistics", "with_samples"]

_CHUNK = 4096  # samples added at a time


class Statistics(NamedTuple):
    """Number, mean and covariance of samples."""

    n: int
    mean: Tensor
    """``(D,)``"""
    covariance: Tensor
    """``(D, D)``, over n − 1; 0 for fewer than two samples."""


def no_moments(dimensions: int, device: torch.device | None = None) -> Tensor:
    """Return the moments of an empty set of samples, float64 ``(D + 2, D)``."""
    return torch.zeros(dimensions + 2, dimensions, dtype=torch.float64, device=device)


def with_samples(moments: Tensor, x: Tensor) -> Tensor:
    """Return the moments of the samples of ``moments`` together with the samples ``x``, as a new tensor.

    Args:
        moments: moments ``(D + 2, D)``.
        x: samples ``(N, D)``, any type.
    """
    moments = moments.clone()
    for part in x.split(_CHUNK):
        if len(part):
            _add(moments, part.double())
    return moments


def _add(moments: Tensor, x: Tensor) -> None:
    before, mean, scatter = moments[0, 0].item(), moments[1], moments[2:]
    after = before + len(x)
    centre = x.mean(0)
    shift = centre - mean
    rows = torch.cat([x - centre, shift[None] * (before * len(x) / after) ** 0.5])
    scatter.addmm_(rows.T, rows)
    mean += shift * (len(x) / after)
    moments[0] = after


def merged(parts: Tensor) -> Tensor:
    """Return the moments of K sets of samples together, from theirs, ``(K, D + 2, D)``: the sum over processes."""
    n, means = parts[:, :1], parts[:, 1:2]
    total = n.sum(0)
    mean = (n * means).sum(0) / total.clamp_min(1)
    shifts = ((means - mean) * n.sqrt()).flatten(0, 1)
    return torch.cat([total, mean, parts[:, 2:].sum(0) + shifts.T @ shifts])


def statistics(moments: Tensor) -> Statistics:
    """Return the number, mean and covariance of the samples of ``moments``."""
    n = int(moments[0, 0]) if moments.numel() else 0
    return Statistics(n, moments[1], moments[2:] / max(n - 1, 1))
