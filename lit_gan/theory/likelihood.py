"""Maximum likelihood and why it is hard for generators, and densities pushed through one that can be inverted."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from lit_gan._utils.errors import LitGANError
from lit_gan.theory.distributions import check_cell

__all__ = ["log_likelihood", "log_normaliser", "pushforward_density"]


def log_likelihood(samples: Tensor, distribution: Distribution) -> Tensor:
    """Return the log-likelihood of samples under a known density, log L = Σᵢ log p(xᵢ).

    Divided by N and over many samples of p_data it is −H(p_data) − KL(p_data‖p): the parameters of greatest likelihood
    are those of least KL(p_data‖p). It needs p(x), which a generator does not give.

    Args:
        samples: ``(N, ...)``, independent.
        distribution: whose density is known.

    Returns:
        A scalar in nats; −∞ where a sample is impossible.

    Raises:
        ValueError: a sample that is NaN, or densities of another shape than ``(N, ...)``.

    Reference: Fisher 1922; arXiv:1701.00160, section 2.1.
    """
    if not _possible(samples, distribution).all():
        return torch.full((), -math.inf, dtype=torch.result_type(samples, 0.0), device=samples.device)
    log_p = distribution.log_prob(samples)
    if log_p.shape[:1] != samples.shape[:1]:
        raise LitGANError(
            f"log_prob of {tuple(samples.shape)} samples has the shape {tuple(log_p.shape)}: give (N, ...)"
        )
    return log_p.sum()


def log_normaliser(scores: Tensor, cell: float = 1.0) -> Tensor:
    """Return log Z of a model of scores s(x): p(x) = exp(s(x))/Z with Z = Σ exp(s(x)), or ∫ exp(s(x)) dx on a grid.

    A network gives scores easily and Z not at all: a grid of k points along each of d dimensions has k^d, and each
    change of the parameters changes Z. This is what maximum likelihood founders on, and what GANs do without.

    Args:
        scores: s(x) at all points, any shape: unnormalised log probabilities.
        cell: size of a grid cell for densities; 1 for probabilities.

    Returns:
        A scalar; ``(scores - log_normaliser(scores, cell)).exp()`` is a distribution.

    Raises:
        ValueError: a cell without a size.

    Reference: Goodfellow, Bengio and Courville 2016, "Deep learning", chapter 18.
    """
    check_cell(cell)
    return scores.flatten().logsumexp(0) + math.log(cell)


def pushforward_density(x: Tensor, inverse: Callable[[Tensor], Tensor], latent: Distribution) -> Tensor:
    """Return p_g(x) = p_z(G⁻¹(x))·|det ∂G⁻¹/∂x|, the density of G(z) for a generator that can be inverted.

    With it E_z[h(G(z))] = E_{x~p_g}[h(x)] can be checked; a GAN's generator cannot be inverted, and its p_g is known by
    samples alone.

    Args:
        x: points, ``(N, D)``.
        inverse: G⁻¹, from one point ``(D,)`` to its latent ``(D,)``, written in torch.
        latent: the distribution of z, of one number each (its ``log_prob`` is summed over D) or of vectors ``(D,)``.

    Returns:
        Densities ``(N,)``, 0 or more; 0 where no latent leads.

    Raises:
        ValueError: points of another shape than ``(N, D)``, or one whose latent is NaN.

    Reference: arXiv:1406.2661, equation 3, where the change of variables is made; Rezende & Mohamed 2015,
        arXiv:1505.05770, equation 5.
    """
    if x.ndim != 2:
        raise LitGANError(f"points have the shape {tuple(x.shape)}: give (N, D), x[:, None] for numbers")
    z = torch.func.vmap(inverse)(x)
    jacobian = torch.func.vmap(torch.func.jacrev(inverse))(x)
    possible = _possible(z, latent)
    log_p = latent.log_prob(z[possible])
    log_p = log_p.sum(1) if log_p.ndim == 2 else log_p
    log_p = log_p.new_full((len(x),), -math.inf).masked_scatter(possible, log_p)
    return (log_p + torch.linalg.slogdet(jacobian).logabsdet).exp()


def _possible(points: Tensor, distribution: Distribution) -> Tensor:
    """Tell which points lie in the support, ``(N,)``; NaN is refused, which torch does where it validates alone."""

    def each(flags: Tensor) -> Tensor:
        return flags.flatten(1) if flags.ndim > 1 else flags.reshape(-1, 1)

    if points.isnan().any():
        raise LitGANError(f"{int(points.isnan().sum())} numbers are nan: leave such samples out")
    try:
        support: Any = distribution.support
    except NotImplementedError:  # a distribution of the user's own need not name it
        return torch.ones(len(points), dtype=torch.bool, device=points.device)
    return each(support.check(points)).all(1)
