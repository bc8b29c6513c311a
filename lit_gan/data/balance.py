"""Each class equally often in training, whatever its share of the data."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import Sampler

from lit_gan._utils.errors import LitGANError

__all__ = ["ClassBalanced"]


class ClassBalanced(Sampler[int]):
    """Numbers of the samples of an epoch, as many as there are samples, of which N/K in each of the K classes.

    Where K does not divide N, some classes at random have one more. In a class each sample comes before one comes
    again. The order is drawn from torch's random state, which LitGAN seeds by the epoch: a resumed run goes on in it.

    Args:
        labels: whole numbers ``(N,)``; a class is a number that is among them.

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
    """Return ``n`` of the members in random order, each once before one comes again."""
    rounds = -(-n // len(members))
    return torch.cat([members[torch.randperm(len(members))] for _ in range(rounds)] or [members])[:n]
