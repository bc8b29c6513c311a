"""Adversarial losses of both players, each written like its formula.

Every loss takes unbounded logits of shape ``(N,)`` and returns a scalar *to minimise*, one for each player.
With D(x) = sigmoid(logit), ``softplus(-logit)`` is −log D and ``softplus(logit)`` is −log(1 − D): forms that
neither overflow nor lose their gradient.
"""

from lit_gan.losses.adversarial import (
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    RelativisticAverage,
    RelativisticPaired,
    Wasserstein,
)
from lit_gan.losses.base import AdversarialLoss
from lit_gan.losses.f_divergence import FDivergence

__all__ = [
    "AdversarialLoss",
    "FDivergence",
    "Hinge",
    "LeastSquares",
    "Minimax",
    "NonSaturating",
    "RelativisticAverage",
    "RelativisticPaired",
    "Wasserstein",
]
