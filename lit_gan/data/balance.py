"""Sampling of each class equally often in training, whatever its share of the data."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import Sampler

from lit_gan._utils.errors import LitGANError

__all__ = ["ClassBalanced"]


class ClassBalanced(Sampler[int]):
    """Sampler that draws N indices an epoch from N samples, N/K of each of the K classes.

    If K does not divide N, some classes, chosen at random, have one more. No sample is drawn again in an epoch before
    all others of its class. The order is drawn from torch's random state, which LitGAN seeds by the epoch, so that a
    resumed run continues in the same order.

    Args:
        labels: whole numbers ``(N,)``; each number that occurs is a class.

    Raises:
        ValueError: all labels are the same.
    """

    def __init__(self, labels: Tensor) -> None:
        classes, counts = labels.unique(return_counts=True)
        if len(classes) < 2:
            raise LitGANError(
                f"class_balanced=True needs classes and all {len(labels)} labels are {classes.tolist()}: leave it out"
            )
        self._members = labels.argsort(stable=True).split(counts.tolist())
        self._n = len(labels)

    def __len__(self) -> int:
        return self._n

    def __iter__(self) -> Iterator[int]:
        share, rest = divmod(self._n, len(self._members))
        shares = torch.full((len(self._members),), share)
        shares[torch.randperm(len(self._members))[:rest]] += 1
        drawn = torch.cat([_some(of, n) for of, n in zip(self._members, shares.tolist(), strict=True)])
        yield from drawn[torch.randperm(self._n)].tolist()


def _some(members: Tensor, n: int) -> Tensor:
    """Return ``n`` members in random order, none of them again before all others; ``n`` may exceed their number."""
    rounds = -(-n // len(members))
    return torch.cat([members[torch.randperm(len(members))] for _ in range(rounds)] or [members])[:n]
