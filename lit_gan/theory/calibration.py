"""What a discriminator's logits say: how often it is right, and log density ratios fitted to them."""

import torch
from torch import Tensor
from torch.nn.functional import softplus

from lit_gan._utils.arguments import at_least_one
from lit_gan._utils.errors import LitGANError
from lit_gan.theory.distributions import check_logits

__all__ = ["accuracy", "calibrate", "calibration_error"]


def accuracy(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return the share of samples that D = sigmoid(logit) puts on the right side of ½, both kinds weighing the same.

    ½·P(logit(x) > 0) + ½·P(logit(G(z)) < 0); a logit of exactly 0 counts half.

    Args:
        real_logits: logits of samples of p_data, any shape.
        fake_logits: logits of samples of p_g, any shape.

    Returns:
        A scalar in [0, 1]; ½ is guessing.

    Raises:
        ValueError: no logits of a kind.
    """
    check_logits(real_logits, fake_logits)

    def share_positive(logits: Tensor) -> Tensor:
        return ((logits.sign() + 1) / 2).mean()

    return (share_positive(real_logits) + share_positive(-fake_logits)) / 2


def calibration_error(real_logits: Tensor, fake_logits: Tensor, bins: int = 15) -> Tensor:
    """Return how far D = sigmoid(logit) is from the share of real samples among those it is given to, on average.

    Σ_b P(b)·|P(real | b) − E[D | b]| over equally wide bins b of D, both kinds weighing the same: 0 where a D of 0.7
    is right seven times in ten, whatever its accuracy.

    Args:
        real_logits: logits of samples of p_data, any shape.
        fake_logits: logits of samples of p_g, any shape.
        bins: how many.

    Returns:
        A scalar in [0, 1], in float64 on the CPU; NaN where a logit is.

    Raises:
        ValueError: no logits of a kind, or no bins.

    Reference: Guo et al. 2017, arXiv:1706.04599, equation 3 (the expected calibration error).
    """
    check_logits(real_logits, fake_logits)
    at_least_one(bins=bins)
    d_real, d_fake = (torch.sigmoid(x.flatten().cpu().double()) for x in (real_logits, fake_logits))
    d = torch.cat([d_real, d_fake])
    if d.isnan().any():
        return d.sum()
    real = torch.cat([torch.ones_like(d_real), torch.zeros_like(d_fake)])
    weight = torch.cat([torch.full_like(x, 0.5 / len(x)) for x in (d_real, d_fake)])
    which = (d * bins).long().clamp_max(bins - 1)
    return d.new_zeros(bins).index_add_(0, which, weight * (real - d)).abs().sum()


def calibrate(real_logits: Tensor, fake_logits: Tensor, iterations: int = 50) -> tuple[float, float]:
    """Fit slope a and offset b so that a·logit + b is a log density ratio log p_data/p_g.

    Logistic regression of real against fake on the one feature ``logit``, by Newton's method in float64, both kinds
    weighing the same. The targets are (N + 1)/(N + 2) and 1/(M + 2) instead of 1 and 0, so that the slope stays
    finite where the two kinds do not overlap.

    Args:
        real_logits: logits of samples of p_data, ``(N,)``.
        fake_logits: logits of samples of p_g, ``(M,)``.
        iterations: Newton steps; each halves its length until the loss falls.

    Returns:
        ``(a, b)``.

    Raises:
        ValueError: fewer than two logits of a kind.

    Reference: Platt 1999, "Probabilistic outputs for support vector machines", section 2.2.
    """
    n, m = real_logits.numel(), fake_logits.numel()
    if min(n, m) < 2:
        raise LitGANError(f"a calibration needs two logits of each kind, got {n} real and {m} fake: add held-out data")
    x = torch.cat([real_logits.flatten(), fake_logits.flatten()]).cpu().double()
    mean = x.mean().clamp(x.min(), x.max())  # rounding may carry it past equal logits, which then seem to have a slope
    scale = x.std().clamp_min(1e-12)
    features = torch.stack([(x - mean) / scale, torch.ones_like(x)], 1)
    target = torch.cat([x.new_full((n,), (n + 1) / (n + 2)), x.new_full((m,), 1 / (m + 2))])
    weight = torch.cat([x.new_full((n,), 0.5 / n), x.new_full((m,), 0.5 / m)])
    ab = _logistic_regression(features, target, weight, iterations)
    slope = float(ab[0] / scale)
    return slope, float(ab[1]) - slope * float(mean)


def _logistic_regression(features: Tensor, target: Tensor, weight: Tensor, iterations: int) -> Tensor:
    """Return the coefficients that minimise the weighted cross-entropy of ``features @ ab``, by Newton's method."""

    def loss(ab: Tensor) -> Tensor:
        logit = features @ ab
        return (weight * (softplus(logit) - target * logit)).sum()

    ab = features.new_zeros(2)
    for _ in range(iterations):
        p = torch.sigmoid(features @ ab)
        gradient = features.T @ (weight * (p - target))
        hessian = features.T @ (features * (weight * p * (1 - p))[:, None]) + 1e-12 * torch.eye(2, dtype=features.dtype)
        step = torch.linalg.solve(hessian, gradient)
        while loss(ab - step) > loss(ab) and step.abs().max() > 1e-12:
            step = step / 2
        ab = ab - step
        if step.abs().max() <= 1e-12:
            break
    return ab
