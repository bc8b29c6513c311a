"""Penalties on the weights of a network, independent of the images."""

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
    """Orthogonal regularisation of the generator's filters: ``weight`` · Σ ‖WWᵀ ⊙ (1 − I)‖², summed over its weights W.

    W is the ``weight`` of a layer as a matrix with one row for each filter; a grouped convolution has one W for each
    group. Filters become orthogonal to each other, and their norms are free. Embeddings and learned constants are left
    out; for a spectrally normalised layer W is the weight before normalisation, which the optimizer holds. It makes a
    generator suited to sampling with a small ``truncation``.

    Args:
        weight: β, ≥ 0, or a schedule of it; 1e-4 in the paper.
        every: computed at each ``every``-th generator update, times ``every``.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range.

    Reference: Brock et al. 2018, arXiv:1809.11096, equation 3. The authors' PyTorch code takes half of its gradient.

    Examples:
        >>> import torch
        >>> from lit_gan.penalties import OrthogonalWeights, Turn
        >>> x, G = torch.zeros(4, 2), torch.nn.Linear(2, 2)
        >>> G.weight.data = torch.tensor([[1.0, 1.0], [2.0, 1.0]])  # the rows' product is 3
        >>> turn = Turn(x, x, x, None, None, torch.zeros(4), torch.nn.Identity(), generator=G)
        >>> round(OrthogonalWeights(weight=0.1)(turn).item(), 4)  # 0.1·(3² + 3²)
        1.8
    """

    player = "generator"

    weight: float | Schedule = 1e-4
    every: int = 1

    def __call__(self, turn: Turn) -> Tensor:
        """Return ``weight`` · Σ ‖WWᵀ ⊙ (1 − I)‖²."""
        assert turn.generator is not None
        penalty = turn.fake_logits.new_zeros(())
        for weight in _matrices(turn.generator):
            penalty = penalty + _overlap(weight)
        return self.weight_in(turn) * penalty


def _matrices(network: nn.Module) -> list[Tensor]:
    """Return the weights of a network's layers as matrices, one row for each filter."""
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
    """Return ‖WWᵀ ⊙ (1 − I)‖², the sum of the squared inner products of different rows, in float32 at least."""
    rows = at_least_float32(rows)
    with torch.autocast(rows.device.type, enabled=False):
        gram = rows @ rows.T if len(rows) <= rows.shape[1] else rows.T @ rows  # ‖WWᵀ‖ = ‖WᵀW‖: take the smaller
        return gram.square().sum() - rows.square().sum(1).square().sum()
