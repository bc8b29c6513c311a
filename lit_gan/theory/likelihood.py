"""Log-likelihood, the normaliser of an unnormalised model, and the density of an invertible generator's samples."""

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

    Divided by N, for many samples of p_data, it tends to −H(p_data) − KL(p_data‖p): the parameters of greatest
    likelihood are those of least KL(p_data‖p). It needs p(x), which a GAN's generator does not give.

    Args:
        samples: independent samples, ``(N, ...)``.
        distribution: a distribution of known density.

    Returns:
        A scalar in nats; −∞ if a sample is outside the support.

    Raises:
        ValueError: a sample that is NaN, or densities of another shape than ``(N, ...)``.

    Reference: Fisher 1922; arXiv:1701.00160, section 2.1.

    Examples:
        >>> import torch
        >>> from lit_gan.theory import log_likelihood
        >>> uniform = torch.distributions.Uniform(0.0, 2.0)  # p(x) = ½
        >>> round(float(log_likelihood(torch.tensor([0.5, 1.5]), uniform)), 4)  # 2·log ½
        -1.3863
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
    """Return log Z of a model p(x) = exp(s(x))/Z with Z = Σ exp(s(x)), or ∫ exp(s(x)) dx on a grid.

    A network can compute s(x) but not Z: a grid of k points along each of d dimensions has k^d points, and each change
    of the parameters changes Z. This makes maximum likelihood intractable; GANs do not need Z.

    Args:
        scores: s(x) at all points, any shape: unnormalised log probabilities.
        cell: size of a grid cell for densities; 1 for probabilities.

    Returns:
        A scalar; ``(scores - log_normaliser(scores, cell)).exp()`` is a distribution.

    Raises:
        ValueError: a ``cell`` that is not positive and finite.

    Reference: Goodfellow, Bengio and Courville 2016, "Deep learning", chapter 18.

    Examples:
        >>> import torch
        >>> from lit_gan.theory import log_normaliser
        >>> round(float(log_normaliser(torch.zeros(4))), 4)  # log 4
        1.3863
    """
    check_cell(cell)
    return scores.flatten().logsumexp(0) + math.log(cell)


def pushforward_density(x: Tensor, inverse: Callable[[Tensor], Tensor], latent: Distribution) -> Tensor:
    """Return p_g(x) = p_z(G⁻¹(x))·|det ∂G⁻¹/∂x|, the density of G(z) for an invertible generator.

    With it E_z[h(G(z))] = E_{x~p_g}[h(x)] can be checked. A GAN's generator is not invertible, and its p_g is known
    only through samples.

    Args:
        x: points, ``(N, D)``.
        inverse: G⁻¹, from one point ``(D,)`` to its latent ``(D,)``, written in torch.
        latent: the distribution of z, either of each number (its ``log_prob`` is summed over D) or of vectors ``(D,)``.

    Returns:
        Densities ``(N,)``, 0 or more; 0 at points whose G⁻¹(x) is outside the support of z.

    Raises:
        ValueError: points of another shape than ``(N, D)``, or one whose latent is NaN.

    Reference: arXiv:1406.2661, equation 3, where the change of variables is made; Rezende & Mohamed 2015,
        arXiv:1505.05770, equation 5.

    Examples:
        >>> import torch
        >>> from lit_gan.theory import pushforward_density
        >>> latent = torch.distributions.Uniform(0.0, 1.0)  # G(z) = 2z is uniform on [0, 2]
        >>> pushforward_density(torch.tensor([[1.0]]), lambda x: x / 2, latent).tolist()
        [0.5]
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
    """Return whether each point lies in the support, ``(N,)``; refuse NaN, as torch does only if it validates."""

    def each(flags: Tensor) -> Tensor:
        return flags.flatten(1) if flags.ndim > 1 else flags.reshape(-1, 1)

    if points.isnan().any():
        raise LitGANError(f"{int(points.isnan().sum())} numbers are nan: leave such samples out")
    try:
        support: Any = distribution.support
    except NotImplementedError:  # a custom distribution need not define it
        return torch.ones(len(points), dtype=torch.bool, device=points.device)
    return each(support.check(points)).all(1)
