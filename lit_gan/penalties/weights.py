"""Penalties on a player's weights themselves."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from lit_gan._utils.dtypes import at_least_float32
from lit_gan.penalties.base import Penalty, Turn
from lit_gan.schedules import Schedule

__all__ = ["OrthogonalWeights"]


@dataclass(frozen=True)
class OrthogonalWeights(Penalty):
    """Filters of the generator at right angles: ``weight`` · Σ ‖WWᵀ ⊙ (1 − I)‖², the sum over all its weights W.

    W is the ``weight`` of a layer as a matrix, a row for each filter, those of a grouped convolution group by group;
    rows keep their lengths. Embeddings and learned constants are left out; where a weight is normalised spectrally, W
    is what the optimizer holds. For sampling with a small ``truncation``.

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
    """Return the weights of a network's layers as matrices, a row for each filter."""
    matrices = []
    for layer in network.modules():
        weight: Any = layer._parameters.get("weight")
        if is_parametrized(layer, "weight"):
            weight = layer.parametrizations.weight.original  # type: ignore[union-attr]
        if weight is None or weight.ndim < 2 or isinstance(layer, nn.Embedding):
            continue
        if isinstance(layer, nn.ConvTranspose2d):
            weight = weight.transpose(0, 1)
        groups = layer.groups if isinstance(layer, nn.Conv2d) else 1
        matrices += [part.flatten(1) for part in weight.chunk(groups)]
    return matrices


def _overlap(rows: Tensor) -> Tensor:
    """Return the sum of the squared products of each two rows, in float32 at least."""
    rows = at_least_float32(rows)
    with torch.autocast(rows.device.type, enabled=False):
        gram = rows @ rows.T if len(rows) <= rows.shape[1] else rows.T @ rows  # ‖WWᵀ‖ = ‖WᵀW‖: the smaller one
        return gram.square().sum() - rows.square().sum(1).square().sum()
