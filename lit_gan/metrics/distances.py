"""Squared distances between samples, a block at a time, and the radii of balls that reach to a k-th neighbour."""

from collections.abc import Iterator

import torch
from torch import Tensor

__all__ = ["centred", "radii", "squared_distances"]

_BLOCK = 2**23  # distances computed at a time: 64 MiB in float64


def centred(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Return real and fake features in float64, less the mean of the real ones.

    Squared distances between features far from 0 would lose digits.

    Args:
        real: real features ``(N, D)``.
        fake: fake features ``(M, D)``.
    """
    if real.device.type == "mps":  # which lacks float64
        real, fake = real.cpu(), fake.cpu()
    real, fake = real.double(), fake.double()
    mean = real.mean(0)
    return real - mean, fake - mean


def radii(x: Tensor, k: int) -> Tensor:
    """Return the squared distance of each row to the k-th nearest other row, ``(N,)``, rounded up.

    A copy of a row is another row, at the distance 0.

    Args:
        x: rows ``(N, D)``, float64, at least k + 1 of them.
        k: number of the neighbour, ≥ 1.
    """
    found = []
    for rows, distances in squared_distances(x, x, at_most=True):
        distances.diagonal(rows.start).fill_(torch.inf)  # a sample is not its own neighbour
        found.append(distances.topk(k, largest=False).values.amax(1))
    return torch.cat(found)


def squared_distances(x: Tensor, y: Tensor, at_most: bool) -> Iterator[tuple[slice, Tensor]]:
    """Yield ‖xᵢ − yⱼ‖² = ‖xᵢ‖² + ‖yⱼ‖² − 2·xᵢ·yⱼ for a slice of rows i and all j, after that slice.

    The rounding error is at most D·ε·(‖xᵢ‖² + ‖yⱼ‖²), ε = 2.2e-16. It is added or subtracted, so that equal distances,
    such as those to a point and to its copy, pass ``distance ≤ radius`` whatever their last digits are. In return,
    distances that differ by less than √(4·D·ε) of the norms, a millionth if D is 2048, count as equal.

    Args:
        x: ``(N, D)`` float64.
        y: ``(M, D)`` float64.
        at_most: True for upper bounds of the distances, as for radii; False for lower bounds, to compare with radii.
    """
    error = (x.shape[1] + 8) * torch.finfo(torch.float64).eps
    factor = 1 + error if at_most else 1 - error
    x_norms, y_norms = (factor * torch.linalg.vector_norm(features, dim=1) ** 2 for features in (x, y))
    size = max(1, _BLOCK // len(y))
    for start in range(0, len(x), size):
        rows = slice(start, min(start + size, len(x)))
        yield rows, torch.addmm(y_norms, x[rows], y.T, alpha=-2).add_(x_norms[rows, None])
