"""Balls around samples that reach to their k-th neighbour, from squared distances computed a block at a time."""

from collections.abc import Iterator

import torch
from torch import Tensor

__all__ = ["centred", "radii", "squared_distances"]

_BLOCK = 2**23  # distances at a time: 64 MiB


def centred(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Return both kinds of features in float64, less the mean of the real ones: far from 0, digits would be lost.

    Args:
        real: ``(N, D)``.
        fake: ``(M, D)``.
    """
    if real.device.type == "mps":  # which has no float64
        real, fake = real.cpu(), fake.cpu()
    real, fake = real.double(), fake.double()
    mean = real.mean(0)
    return real - mean, fake - mean


def radii(x: Tensor, k: int) -> Tensor:
    """Return the squared distance of each row to the k-th nearest of the others, ``(N,)``, at the most.

    A copy of a row is one of the others, at the distance 0.

    Args:
        x: ``(N, D)`` float64, k + 1 rows at least.
        k: which neighbour, ≥ 1.
    """
    found = []
    for rows, distances in squared_distances(x, x, at_most=True):
        distances.diagonal(rows.start).fill_(torch.inf)  # a sample is no neighbour of its own
        found.append(distances.topk(k, largest=False).values.amax(1))
    return torch.cat(found)


def squared_distances(x: Tensor, y: Tensor, at_most: bool) -> Iterator[tuple[slice, Tensor]]:
    """Yield ‖xᵢ − yⱼ‖² = ‖xᵢ‖² + ‖yⱼ‖² − 2·xᵢ·yⱼ for some rows i and all j, with the rows.

    Rounding errs by D·ε·(‖xᵢ‖² + ‖yⱼ‖²) at the most, ε = 2.2e-16. This is added, or taken away: distances that are
    equal, among them those to a point and to its copy, pass ``distance ≤ radius`` whatever their last digits are.
    The price is that distances less than √(4·D·ε) of the norms apart, a millionth where D is 2048, count as equal.

    Args:
        x: ``(N, D)`` float64.
        y: ``(M, D)`` float64.
        at_most: what the distances can be at the most, as radii are; or at the least, as what is compared with them.
    """
    error = (x.shape[1] + 8) * torch.finfo(torch.float64).eps
    factor = 1 + error if at_most else 1 - error
    x_norms, y_norms = (factor * torch.linalg.vector_norm(features, dim=1) ** 2 for features in (x, y))
    size = max(1, _BLOCK // len(y))
    for start in range(0, len(x), size):
        rows = slice(start, min(start + size, len(x)))
        yield rows, torch.addmm(y_norms, x[rows], y.T, alpha=-2).add_(x_norms[rows, None])
