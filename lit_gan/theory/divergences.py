"""Divergences between two distributions: Kullback–Leibler, Jensen–Shannon, and other f-divergences."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from lit_gan._utils.errors import LitGANError
from lit_gan.theory.distributions import check_pair

__all__ = [
    "DIVERGENCES",
    "Divergence",
    "DivergenceName",
    "f_divergence",
    "find_divergence",
    "js_divergence",
    "kl_divergence",
    "variational_bound",
]


DivergenceName = Literal["kl", "reverse_kl", "js", "squared_hellinger", "pearson", "gan", "total_variation"]


def kl_divergence(p: Tensor, q: Tensor, cell: float = 1.0) -> Tensor:
    """Return the Kullback–Leibler divergence KL(p‖q) = Σ p·log(p/q), or ∫ p·log(p/q) dx on a grid.

    Not symmetric. Infinite if q vanishes somewhere that p does not; 0·log 0 = 0.

    Args:
        p: probabilities that sum to 1, or a density on a grid, any shape.
        q: of the same shape as ``p``.
        cell: size of a grid cell for densities; 1 for probabilities.

    Returns:
        A scalar in [0, ∞], in nats; 0 only if p = q.

    Raises:
        ValueError: shapes that differ, negative numbers, a total mass that is not 1.

    Reference: Kullback & Leibler 1951, equation 2.3; arXiv:1406.2661, section 4.1.

    Examples:
        >>> import torch
        >>> from lit_gan.theory import kl_divergence
        >>> p, q = torch.tensor([1.0, 0.0]), torch.tensor([0.5, 0.5])
        >>> round(float(kl_divergence(p, q)), 4)  # log 2
        0.6931
    """
    p, q = check_pair(p, q, cell)
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum() * cell


def js_divergence(p: Tensor, q: Tensor, cell: float = 1.0) -> Tensor:
    """Return the Jensen–Shannon divergence JSD(p‖q) = ½·KL(p‖m) + ½·KL(q‖m) with m = (p + q)/2.

    Symmetric, and finite for any two distributions.

    Args:
        p: probabilities that sum to 1, or a density on a grid, any shape.
        q: of the same shape as ``p``.
        cell: size of a grid cell for densities; 1 for probabilities.

    Returns:
        A scalar in [0, log 2], in nats (log 2 is one bit); 0 only if p = q, log 2 if p and q do not overlap.

    Raises:
        ValueError: as :func:`kl_divergence`.

    Reference: Lin 1991, equation 3.2 (one bit if logarithms are to base 2); arXiv:1406.2661, theorem 1.

    Examples:
        >>> import torch
        >>> from lit_gan.theory import js_divergence
        >>> p, q = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
        >>> round(float(js_divergence(p, q)), 4)  # no overlap: log 2
        0.6931
    """
    p, q = check_pair(p, q, cell)
    both = torch.where(p + q > 0, p + q, 1)
    return (torch.xlogy(p, 2 * p / both) + torch.xlogy(q, 2 * q / both)).sum() * cell / 2


@dataclass(frozen=True)
class Divergence:
    """An f-divergence D_f(p‖q) = Σ q·f(p/q), and the functions of f-GAN's losses that belong to it.

    Any critic T gives a lower bound: D_f(p‖q) ≥ E_p[T] − E_q[f*(T)], with equality at T = f′(p/q).

    Reference: Nowozin et al. 2016, arXiv:1606.00709, equations 2, 4 and 5, tables 1, 2 and 5.

    Examples:
        >>> import torch
        >>> from lit_gan.theory import DIVERGENCES
        >>> chi2, u = DIVERGENCES["pearson"], torch.tensor(3.0)
        >>> t = chi2.derivative(u)  # the optimal critic: f(u) = u·t − f*(t)
        >>> float(chi2.f(u)), float(u * t - chi2.conjugate(t))
        (4.0, 4.0)
    """

    f: Callable[[Tensor], Tensor]
    """The convex function f(u) that defines the divergence, of u = p/q ≥ 0; f(1) = 0, except for ``gan``."""
    adjoint: Callable[[Tensor], Tensor]
    """v·f(1/v), the f of D_f(q‖p), of v = q/p ≥ 0; at 0, lim f(u)/u for u → ∞, the weight of p where q vanishes."""
    derivative: Callable[[Tensor], Tensor]
    """f′(u), the optimal critic at the density ratio u."""
    conjugate: Callable[[Tensor], Tensor]
    """f*(t) = sup over u ≥ 0 of u·t − f(u); infinite outside its domain."""
    critic: Callable[[Tensor], Tensor]
    """The map of a logit, any real number, into the domain of f*, which makes a network's output a critic T."""
    conjugate_of_critic: Callable[[Tensor], Tensor]
    """f*(critic(logit)), in a form that neither overflows early nor loses its gradient."""
    log_ratio: Callable[[Tensor], Tensor] | None
    """log p/q as a function of the optimal critic's logit; None if the optimal critic does not determine it."""


def _hellinger_conjugate(t: Tensor) -> Tensor:
    return torch.where(t < 1, t / (1 - t), torch.inf)


def _pearson_conjugate(t: Tensor) -> Tensor:
    return torch.where(t > -2, t * t / 4 + t, -1.0)


def _total_variation_conjugate(t: Tensor) -> Tensor:
    return torch.where(t <= 0.5, t.clamp_min(-0.5), torch.inf)


def _log1m_exp(t: Tensor) -> Tensor:
    """Return log(1 − e^t) for t < 0, and −∞ for t ≥ 0."""
    return torch.log(-torch.expm1(t).clamp_max(0))


DIVERGENCES: dict[str, Divergence] = {
    "kl": Divergence(
        f=lambda u: torch.xlogy(u, u),
        adjoint=lambda v: -v.log(),
        derivative=lambda u: 1 + u.log(),
        conjugate=lambda t: torch.exp(t - 1),
        critic=lambda v: v,
        conjugate_of_critic=lambda v: torch.exp(v - 1),
        log_ratio=lambda v: v - 1,
    ),
    "reverse_kl": Divergence(
        f=lambda u: -u.log(),
        adjoint=lambda v: torch.xlogy(v, v),
        derivative=lambda u: -1 / u,
        conjugate=lambda t: -1 - (-t).clamp_min(0).log(),
        critic=lambda v: -torch.exp(-v),
        conjugate_of_critic=lambda v: v - 1,
        log_ratio=lambda v: v,
    ),
    # Deviation: half of Nowozin's function, which yields 2·JSD.
    "js": Divergence(
        f=lambda u: (torch.xlogy(u, u) - torch.xlogy(1 + u, (1 + u) / 2)) / 2,
        adjoint=lambda v: (torch.xlogy(v, v) - torch.xlogy(1 + v, (1 + v) / 2)) / 2,
        derivative=lambda u: torch.log(2 * u / (1 + u)) / 2,
        conjugate=lambda t: -(math.log(2) + _log1m_exp(2 * t - math.log(2))) / 2,
        critic=lambda v: (math.log(2) + logsigmoid(v)) / 2,
        conjugate_of_critic=lambda v: (softplus(v) - math.log(2)) / 2,
        log_ratio=lambda v: v,
    ),
    "squared_hellinger": Divergence(
        f=lambda u: (u.sqrt() - 1).square(),
        adjoint=lambda v: (v.sqrt() - 1).square(),
        derivative=lambda u: 1 - u.rsqrt(),
        conjugate=_hellinger_conjugate,
        critic=lambda v: 1 - torch.exp(-v),
        conjugate_of_critic=torch.expm1,
        log_ratio=lambda v: 2 * v,
    ),
    "pearson": Divergence(
        f=lambda u: (u - 1).square(),
        adjoint=lambda v: (v - 1).square() / v,
        derivative=lambda u: 2 * (u - 1),
        conjugate=_pearson_conjugate,
        critic=lambda v: v,
        conjugate_of_critic=_pearson_conjugate,
        log_ratio=lambda v: (1 + v / 2).clamp_min(0).log(),
    ),
    # 2·JSD − log 4, the value of the original game: f(1) = −log 4.
    "gan": Divergence(
        f=lambda u: torch.xlogy(u, u) - torch.xlogy(1 + u, 1 + u),
        adjoint=lambda v: torch.xlogy(v, v) - torch.xlogy(1 + v, 1 + v),
        derivative=lambda u: torch.log(u / (1 + u)),
        conjugate=lambda t: -_log1m_exp(t),
        critic=logsigmoid,
        conjugate_of_critic=softplus,
        log_ratio=lambda v: v,
    ),
    "total_variation": Divergence(
        f=lambda u: (u - 1).abs() / 2,
        adjoint=lambda v: (v - 1).abs() / 2,
        derivative=lambda u: torch.sign(u - 1) / 2,
        conjugate=_total_variation_conjugate,
        critic=lambda v: torch.tanh(v) / 2,
        conjugate_of_critic=lambda v: torch.tanh(v) / 2,
        log_ratio=None,
    ),
}
"""The f-divergences by name."""


def f_divergence(p: Tensor, q: Tensor, divergence: DivergenceName, cell: float = 1.0) -> Tensor:
    """Return the f-divergence D_f(p‖q) = Σ q·f(p/q), or its integral on a grid.

    0·f(0/0) = 0; where q alone vanishes, the term is p·lim f(u)/u for u → ∞. The divergences are KL, reverse KL, JS,
    squared Hellinger Σ (√p − √q)², Pearson χ² Σ (p − q)²/q, total variation ½ Σ |p − q|, and ``gan``, 2·JSD − log 4.

    Args:
        p: probabilities that sum to 1, or a density on a grid, any shape.
        q: of the same shape as ``p``.
        divergence: one of the names in ``DIVERGENCES``.
        cell: size of a grid cell for densities; 1 for probabilities.

    Returns:
        A scalar, 0 or more (−log 4 or more for ``gan``); it may be infinite.

    Raises:
        ValueError: as :func:`kl_divergence`, or an unknown name.

    Reference: Nowozin et al. 2016, arXiv:1606.00709, equation 2 and table 1.

    Examples:
        >>> import torch
        >>> from lit_gan.theory import f_divergence
        >>> p, q = torch.tensor([0.5, 0.5]), torch.tensor([0.25, 0.75])
        >>> round(float(f_divergence(p, q, "total_variation")), 4)
        0.25
    """
    chosen = find_divergence(divergence)
    p, q = check_pair(p, q, cell)
    below = p <= q  # divide the smaller by the larger: p/q may overflow in the tails of densities
    smaller, larger = torch.where(below, p, q), torch.where(below, q, p)
    ratio = torch.where(larger > 0, smaller, 1) / torch.where(larger > 0, larger, 1)
    inside, outside = chosen.f(torch.where(below, ratio, 1)), chosen.adjoint(torch.where(below, 1, ratio))
    return (larger * torch.where(below, inside, outside)).sum() * cell


def find_divergence(name: str) -> Divergence:
    """Return the f-divergence of a name.

    Args:
        name: one of the names in ``DIVERGENCES``.

    Raises:
        ValueError: an unknown name; the message lists the known ones.

    Examples:
        >>> import torch
        >>> from lit_gan.theory import find_divergence
        >>> float(find_divergence("pearson").f(torch.tensor(3.0)))  # (3 − 1)²
        4.0
    """
    if name not in DIVERGENCES:
        raise LitGANError(f"there is no divergence {name!r}: take one of {', '.join(DIVERGENCES)}")
    return DIVERGENCES[name]


def variational_bound(real_logits: Tensor, fake_logits: Tensor, divergence: DivergenceName) -> Tensor:
    """Return E_p[T(x)] − E_q[f*(T(x))], at most D_f(p‖q) for any discriminator, with T = critic(logit).

    Args:
        real_logits: logits of samples of p, any shape.
        fake_logits: logits of samples of q, any shape.
        divergence: one of the names in ``DIVERGENCES``.

    Returns:
        A scalar; biased upwards unless it is estimated on held-out data.

    Raises:
        ValueError: an unknown name.

    Reference: Nowozin et al. 2016, arXiv:1606.00709, equations 4 and 6.

    Examples:
        >>> import torch
        >>> from lit_gan.theory import variational_bound
        >>> float(variational_bound(torch.tensor([1.0]), torch.tensor([-1.0]), "pearson"))  # 1 − (¼ − 1)
        1.75
    """
    chosen = find_divergence(divergence)
    return chosen.critic(real_logits).mean() - chosen.conjugate_of_critic(fake_logits).mean()
