"""The Fréchet distance of two Gaussians, and what few samples of one and the same add to it.

All of it rests on factors. Where Σ₁ = F₁F₁ᵀ and Σ₂ = F₂F₂ᵀ, tr((Σ₁Σ₂)^½) is the sum of the singular values of F₁ᵀF₂,
which are the roots of the eigenvalues of the symmetric F₁ᵀΣ₂F₁.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from lit_gan._utils.errors import LitGANError

__all__ = ["distance_of_equals", "frechet_distance"]

_EPSILON = torch.finfo(torch.float64).eps
_LOST = 1e-13  # an eigenvalue over the largest one, below which its root would be off by more than 1e-9 of the largest
_ASYMMETRIC = 1e-5  # more than the rounding of float32, of the largest variance
_NEGATIVE = -1e-3  # an eigenvalue over the largest one, below which it is no rounding error, in float32 either


def frechet_distance(mu1: Tensor, sigma1: Tensor, mu2: Tensor, sigma2: Tensor, rank: int | None = None) -> Tensor:
    """Return ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½), the squared 2-Wasserstein distance of N(μ₁, Σ₁) and N(μ₂, Σ₂).

    In float64 on the CPU, to 1e-9 of tr(Σ₁ + Σ₂). Covariances may be singular.

    Args:
        mu1: mean ``(D,)``, any float type.
        sigma1: covariance ``(D, D)``.
        mu2: the other's mean.
        sigma2: the other's covariance.
        rank: that neither covariance exceeds, ≥ 1: n − 1 where n samples, the fewer of both, are no more than D. It
            spares time, and what rounding makes of eigenvalues that are 0. None for D.

    Returns:
        A scalar, ≥ 0, float64.

    Raises:
        ValueError: other shapes, numbers that are not finite, or matrices that are no covariances: not symmetric, or
            with negative eigenvalues beyond the rounding of float32.

    Reference: Heusel et al. 2017, arXiv:1706.08500, equation 6; Dowson & Landau 1982, "The Fréchet distance between
    multivariate normal distributions".
    """
    mean1, covariance1 = _checked("1", mu1, sigma1)
    mean2, covariance2 = _checked("2", mu2, sigma2)
    if len(mean1) != len(mean2):
        raise LitGANError(f"mu1 has {len(mean1)} features and mu2 {len(mean2)}: both must come from one extractor")
    trace1, trace2 = covariance1.trace(), covariance2.trace()
    both = (covariance1.diagonal() > 0) & (covariance2.diagonal() > 0)
    if not both.all():  # where one covariance is 0, so is the product
        covariance1, covariance2 = covariance1[both][:, both], covariance2[both][:, both]
    return _distance(mean1 - mean2, trace1, trace2, _trace_of_root(covariance1, covariance2, rank))


def distance_of_equals(variances: Tensor, n1: int, n2: int) -> float:
    """Return about what n₁ and n₂ samples of one Gaussian score: the bias of few samples.

    Their covariances, Wishart-distributed, are drawn once, from a fixed seed, by their Cholesky factors; the means'
    distance is its expectation, tr(Σ)·(1/n₁ + 1/n₂). For n ≫ D all of it is near tr(Σ)·(D + 5)/4·(1/n₁ + 1/n₂) where
    the variances are equal.

    Args:
        variances: the Gaussian's, ``(D,)``, along its principal axes.
        n1: samples of one set, ≥ 2.
        n2: samples of the other, ≥ 2.

    Reference: Bartlett 1933, "On the theory of statistical regression" (the factors' distribution).
    """
    variances = variances.detach().cpu().double().clamp_min(0)
    rng = torch.Generator().manual_seed(0)
    factors = [variances.sqrt()[:, None] * _wishart_factor(len(variances), n, rng) for n in (n1, n2)]
    shift = (variances * (1 / n1 + 1 / n2)).sqrt()
    return float(_of_factors(shift, factors))


def _checked(which: str, mean: Tensor, covariance: Tensor) -> tuple[Tensor, Tensor]:
    if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)) or not len(mean):
        raise LitGANError(
            f"mu{which} is {tuple(mean.shape)} and sigma{which} {tuple(covariance.shape)}: give (D,) and (D, D)"
        )
    mean, covariance = mean.detach().cpu().double(), covariance.detach().cpu().double()
    difference, variances = (covariance - covariance.T).abs_().max(), covariance.diagonal()
    if not (difference.isfinite() and mean.isfinite().all()):
        raise LitGANError(f"mu{which} or sigma{which} holds NaN or infinity: leave out the samples that have them")
    if difference > _ASYMMETRIC * variances.abs().max():
        raise LitGANError(f"sigma{which} is not symmetric, so no covariance")
    if (variances < 0).any() or covariance[variances == 0].any():
        raise LitGANError(f"sigma{which} has a variance of {float(variances.min()):.3g}, so it is no covariance")
    return mean, (covariance + covariance.T) / 2 if difference > 0 else covariance


def _trace_of_root(covariance1: Tensor, covariance2: Tensor, rank: int | None) -> Tensor:
    """Return tr((Σ₁Σ₂)^½), by singular values where eigenvalues, their squares, lose the small ones.

    Args:
        covariance1: positive definite if one of them is: that has the faster factor.
        covariance2: the other.
        rank: of the product, at the most.
    """
    if not len(covariance1):
        return covariance1.new_zeros(())
    factor = _factor(covariance1)
    squares = torch.linalg.eigvalsh(factor.T @ covariance2 @ factor)[-(rank or len(covariance1)) :]
    if squares[0] > _LOST * squares[-1]:
        return squares.sqrt().sum()
    return torch.linalg.svdvals(factor.T @ _factor(covariance2)).sum()


def _factor(covariance: Tensor) -> Tensor:
    """Return F ``(D, rank)`` with Σ = FFᵀ: Cholesky's, or √Λ along the principal axes where Σ is nearly singular."""
    lower, failed = torch.linalg.cholesky_ex(covariance)
    negligible = len(covariance) * _EPSILON
    if not failed and lower.diagonal().square().min() > negligible * covariance.diagonal().max():
        return lower
    variances, axes = torch.linalg.eigh(covariance)
    if variances[0] < _NEGATIVE * variances[-1].abs():
        raise LitGANError(f"a covariance has the eigenvalue {float(variances[0]):.3g}, and none may be negative")
    kept = variances > negligible * variances[-1]
    return axes[:, kept] * variances[kept].sqrt()


def _wishart_factor(dimensions: int, n: int, rng: torch.Generator) -> Tensor:
    """Return F with FFᵀ distributed as the covariance of n samples of N(0, I); a χ of k is about N(√(k − ½), ½)."""
    rank = min(dimensions, n - 1)
    factor = torch.randn(dimensions, rank, dtype=torch.float64, generator=rng).tril()
    diagonal = factor.diagonal()
    diagonal.mul_(0.5**0.5).add_((n - 1.5 - torch.arange(rank, dtype=torch.float64)).sqrt())
    return factor / (n - 1) ** 0.5


def _of_factors(shift: Tensor, factors: Sequence[Tensor]) -> Tensor:
    trace1, trace2 = (factor.square().sum() for factor in factors)
    return _distance(shift, trace1, trace2, torch.linalg.svdvals(factors[0].T @ factors[1]).sum())


def _distance(shift: Tensor, trace1: Tensor, trace2: Tensor, trace_of_root: Tensor) -> Tensor:
    return (shift.square().sum() + trace1 + trace2 - 2 * trace_of_root).clamp_min(0)  # 0 up to rounding, never below
