"""Penalties on a player's weights themselves."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lit_gan.penalties.base import Penalty, Turn
from lit_gan.schedules import Schedule

__all__ = ["OrthogonalWeights"]


@dataclass(frozen=True)
class OrthogonalWeights(Penalty):
    """Filters of the generator at right angles: ``weight`` · Σ ‖WWᵀ ⊙ (1 − I)‖², the sum over all its weights W.

    W is a weight as the matrix of its first dimension by all others, a row for each filter; rows keep their lengths.
    Embeddings are left out; where a weight is normalised spectrally, W is what the optimizer holds. For sampling with
    a small ``truncation``.

    Args:
        weight: β, ≥ 0, or a schedule of it; 1e-4 in the paper.
        every: computed at each ``every``-th generator update, times ``every``.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range.

    Reference: Brock et al. 2018, arXiv:1809.11096, equation 3. The authors' PyTorch code takes half of its gradient.
    """

    player = "generator"

    weight: float | Schedule = 1e-4
    every: int = 1

    def __call__(self, turn: Turn) -> Tensor:
        """``weight`` · Σ ‖WWᵀ ⊙ (1 − I)‖²."""
        assert turn.generator is not None
        penalty = turn.fake_logits.new_zeros(())
        for weight in _matrices(turn.generator):
            penalty = penalty + _overlap(weight)
        return self.weight_in(turn) * penalty


def _matrices(network: nn.Module) -> list[Tensor]:
    """Return the weights of a network as matrices, without vectors and embeddings."""
    left_out = {p for module in network.modules() if isinstance(module, nn.Embedding) for p in module.parameters()}
    return [p.flatten(1) for p in network.parameters() if p.ndim > 1 and p not in left_out]


def _overlap(rows: Tensor) -> Tensor:
    """Return the sum of the squared products of each two rows, in float32 at least."""
    rows = rows.float() if rows.dtype in (torch.float16, torch.bfloat16) else rows
    with torch.autocast(rows.device.type, enabled=False):
        products = rows @ rows.T
        return products.square().sum() - products.diagonal().square().sum()
