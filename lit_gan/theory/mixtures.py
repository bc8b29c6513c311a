"""Mixtures of isotropic Gaussians, which can be sampled and have a known density."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lit_gan._utils.errors import LitGANError

__all__ = ["Mixture"]


class Mixture:
    """A mixture of K isotropic Gaussians in D dimensions, p(x) = Σₖ wₖ·N(x; μₖ, σₖ²·I), in float64.

    Args:
        means: μ, ``(K, D)``.
        stds: σ, positive: one for each mode, or one for all.
        weights: w, not negative, one for each mode, divided by their sum; None for equal weights.

    Raises:
        ValueError: means of another shape than ``(K, D)``, a number of stds or weights other than K, or a value that is
            not finite or out of range.

    Examples:
        >>> import torch
        >>> from lit_gan.theory import Mixture
        >>> standard_normal = Mixture(means=[[0.0]], stds=1.0)
        >>> round(float(standard_normal.density(torch.zeros(1, 1))), 4)  # 1/√(2π)
        0.3989
    """

    def __init__(
        self,
        means: Tensor | Sequence[Sequence[float]],
        stds: Tensor | Sequence[float] | float,
        weights: Tensor | Sequence[float] | None = None,
    ) -> None:
        self.means = torch.as_tensor(means, dtype=torch.float64)
        if self.means.ndim != 2 or not self.means.numel() or not self.means.isfinite().all():
            raise LitGANError(f"means of shape {tuple(self.means.shape)}: give finite ones, (modes, dimensions)")
        self.stds = _one_for_each("stds", stds, self.means)
        if not (self.stds > 0).all():
            raise LitGANError(f"stds={self.stds.tolist()} must be positive")
        weights = _one_for_each("weights", 1.0 if weights is None else weights, self.means)
        if not (weights >= 0).all() or not weights.sum() > 0:
            raise LitGANError(f"weights={weights.tolist()} must not be negative, nor all zero")
        self.weights = weights / weights.sum()

    def sample(self, n: int, rng: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw ``n`` points, float32 ``(n, D)``, and return with them the mode of each, int64 ``(n,)``.

        Args:
            n: number of points.
            rng: a random generator on the CPU; None for torch's global one.
        """
        modes = torch.multinomial(self.weights, n, replacement=True, generator=rng)
        noise = torch.randn(n, self.means.shape[1], dtype=torch.float64, generator=rng)
        return (self.means[modes] + self.stds[modes, None] * noise).float(), modes

    def log_density(self, x: Tensor) -> Tensor:
        """Return log p(x) in nats, ``(N,)`` in float64, at points ``(N, D)``; not −∞ even far from all modes."""
        x, dimensions = x.double(), self.means.shape[1]
        distance = torch.cdist(x, self.means.to(x.device), compute_mode="donot_use_mm_for_euclid_dist")
        stds, weights = self.stds.to(x.device), self.weights.to(x.device)
        gaussians = -((distance / stds) ** 2) / 2 - dimensions * (stds.log() + math.log(2 * math.pi) / 2)
        return torch.logsumexp(weights.log() + gaussians, 1)

    def density(self, x: Tensor) -> Tensor:
        """Return p(x), ``(N,)`` in float64, at points ``(N, D)``."""
        return self.log_density(x).exp()


def _one_for_each(name: str, values: Tensor | Sequence[float] | float, means: Tensor) -> Tensor:
    """Return ``values`` in float64, one for each mode; refuse another number of them, or one that is not finite."""
    numbers = torch.as_tensor(values, dtype=torch.float64)
    if numbers.ndim == 0:
        numbers = numbers.repeat(len(means))
    if numbers.shape != means.shape[:1] or not numbers.isfinite().all():
        raise LitGANError(f"{name}={numbers.tolist()} for {len(means)} modes: give one finite number for each")
    return numbers
