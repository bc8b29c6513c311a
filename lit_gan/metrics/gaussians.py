"""The Fréchet distance between two Gaussians, and its bias if both are fitted to few samples.

Both are computed from factors of the covariances: if Σ₁ = F₁F₁ᵀ and Σ₂ = F₂F₂ᵀ, tr((Σ₁Σ₂)^½) is the sum of the singular
values of F₁ᵀF₂, which are the square roots of the eigenvalues of the symmetric F₁ᵀΣ₂F₁.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from lit_gan._utils.errors import LitGANError

__all__ = ["distance_of_equals", "frechet_distance"]

_EPSILON = torch.finfo(torch.float64).eps
_LOST = 1e-13  # eigenvalue over the largest one, below which its square root is off by more than 1e-9 of the largest
_ASYMMETRIC = 1e-5  # largest |Σ − Σᵀ| over the largest variance that float32 may round to
_NEGATIVE = -1e-3  # eigenvalue over the largest one, below which it is not a rounding error, even in float32


def frechet_distance(mu1: Tensor, sigma1: Tensor, mu2: Tensor, sigma2: Tensor, rank: int | None = None) -> Tensor:
    """Return ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½), the squared 2-Wasserstein distance of N(μ₁, Σ₁) and N(μ₂, Σ₂).

    Computed in float64 on the CPU, to 1e-9 of tr(Σ₁ + Σ₂). Covariances may be singular.

    Args:
        mu1: mean of the first Gaussian, ``(D,)``, any float type.
        sigma1: its covariance, ``(D, D)``.
        mu2: mean of the second.
        sigma2: its covariance.
        rank: upper bound of the rank of Σ₁Σ₂, ≥ 1: n − 1 if one covariance is that of n ≤ D samples. It saves time, and
            drops eigenvalues that are 0 but for rounding. None for D.

    Returns:
        A scalar, ≥ 0, float64.

    Raises:
        ValueError: other shapes, numbers that are not finite, or matrices that are not covariances: not symmetric, or
            with negative eigenvalues beyond the rounding of float32.

    Reference: Heusel et al. 2017, arXiv:1706.08500, equation 6; Dowson & Landau 1982, "The Fréchet distance between
    multivariate normal distributions".

    Examples:
        >>> import torch
        >>> from lit_gan.metrics import frechet_distance
        >>> variance = torch.eye(1)
        >>> distance = frechet_distance(torch.tensor([0.0]), variance, torch.tensor([3.0]), 4 * variance)
        >>> round(float(distance), 4)  # 3² + (1 − 2)², from the means and the standard deviations
        10.0
    """
    mean1, covariance1 = _checked("1", mu1, sigma1)
    mean2, covariance2 = _checked("2", mu2, sigma2)
    if len(mean1) != len(mean2):
        raise LitGANError(f"mu1 has {len(mean1)} features and mu2 {len(mean2)}: both must come from one extractor")
    trace1, trace2 = covariance1.trace(), covariance2.trace()
    both = (covariance1.diagonal() > 0) & (covariance2.diagonal() > 0)
    if not both.all():  # features without variance in one add 0 to the trace of the root
        covariance1, covariance2 = covariance1[both][:, both], covariance2[both][:, both]
    return _distance(mean1 - mean2, trace1, trace2, _trace_of_root(covariance1, covariance2, rank))


def distance_of_equals(variances: Tensor, n1: int, n2: int) -> float:
    """Estimate the Fréchet distance between two sets of samples of one Gaussian: the bias of few samples.

    The sets' covariances, Wishart-distributed, are drawn once, with a fixed seed, as Cholesky factors; the distance of
    their means is its expectation, tr(Σ)·(1/n₁ + 1/n₂). For n ≫ D and equal variances the sum is near
    tr(Σ)·(D + 5)/4·(1/n₁ + 1/n₂).

    Args:
        variances: variances of the Gaussian along its principal axes, ``(D,)``.
        n1: number of samples in one set, ≥ 2.
        n2: number of samples in the other, ≥ 2.

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
    """Return tr((Σ₁Σ₂)^½), by singular values if eigenvalues, their squares, lose the small ones.

    Args:
        covariance1: the positive definite one if only one is: its factor is faster to compute.
        covariance2: the other.
        rank: upper bound of the rank of Σ₁Σ₂; None for D.
    """
    if not len(covariance1):
        return covariance1.new_zeros(())
    factor = _factor(covariance1)
    squares = torch.linalg.eigvalsh(factor.T @ covariance2 @ factor)[-(rank or len(covariance1)) :]
    if squares[0] > _LOST * squares[-1]:
        return squares.sqrt().sum()
    return torch.linalg.svdvals(factor.T @ _factor(covariance2)).sum()


def _factor(covariance: Tensor) -> Tensor:
    """Return F ``(D, rank)`` with Σ = FFᵀ: Cholesky's, or √Λ along the principal axes if Σ is nearly singular."""
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
    """Return F with FFᵀ distributed as the covariance of n samples of N(0, I).

    The diagonal, χ-distributed, is drawn from N(√(k − ½), ½) for k degrees of freedom, which is close to it.
    """
    rank = min(dimensions, n - 1)
    factor = torch.randn(dimensions, rank, dtype=torch.float64, generator=rng).tril()
    diagonal = factor.diagonal()
    diagonal.mul_(0.5**0.5).add_((n - 1.5 - torch.arange(rank, dtype=torch.float64)).sqrt())
    return factor / (n - 1) ** 0.5


def _of_factors(shift: Tensor, factors: Sequence[Tensor]) -> Tensor:
    trace1, trace2 = (factor.square().sum() for factor in factors)
    return _distance(shift, trace1, trace2, torch.linalg.svdvals(factors[0].T @ factors[1]).sum())


def _distance(shift: Tensor, trace1: Tensor, trace2: Tensor, trace_of_root: Tensor) -> Tensor:
    return (shift.square().sum() + trace1 + trace2 - 2 * trace_of_root).clamp_min(0)  # not below 0 by rounding
