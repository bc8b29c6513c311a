"""Accuracy and calibration of a discriminator, and log density ratios fitted to its logits."""

import torch
from torch import Tensor
from torch.nn.functional import softplus

from lit_gan._utils.arguments import at_least_one
from lit_gan._utils.errors import LitGANError
from lit_gan.theory.distributions import check_logits

__all__ = ["accuracy", "calibrate", "calibration_error"]


def accuracy(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return the discriminator's accuracy: the share of logits with the right sign, real and fake weighing the same.

    ½·P(logit(x) > 0) + ½·P(logit(G(z)) < 0): D = sigmoid(logit) on the right side of ½. A logit of exactly 0 counts
    half.

    Args:
        real_logits: logits of samples of p_data, any shape.
        fake_logits: logits of samples of p_g, any shape.

    Returns:
        A scalar in [0, 1]; ½ for guessing.

    Raises:
        ValueError: no real or no fake logits.

    Examples:
        >>> import torch
        >>> from lit_gan.theory import accuracy
        >>> round(float(accuracy(torch.tensor([2.0, -1.0]), torch.tensor([-3.0]))), 4)  # ½·½ + ½·1
        0.75
    """
    check_logits(real_logits, fake_logits)

    def share_positive(logits: Tensor) -> Tensor:
        return ((logits.sign() + 1) / 2).mean()

    return (share_positive(real_logits) + share_positive(-fake_logits)) / 2


def calibration_error(real_logits: Tensor, fake_logits: Tensor, bins: int = 15) -> Tensor:
    """Return the expected calibration error of D = sigmoid(logit), read as the probability that a sample is real.

    Σ_b P(b)·|P(real | b) − E[D | b]| over equally wide bins b of D, real and fake weighing the same: 0 if seven in ten
    samples with D = 0.7 are real, and so on for each D, whatever the accuracy.

    Args:
        real_logits: logits of samples of p_data, any shape.
        fake_logits: logits of samples of p_g, any shape.
        bins: number of bins.

    Returns:
        A scalar in [0, 1], in float64 on the CPU; NaN if a logit is NaN.

    Raises:
        ValueError: no real or no fake logits, or ``bins`` below 1.

    Reference: Guo et al. 2017, arXiv:1706.04599, equation 3 (the expected calibration error).

    Examples:
        >>> import torch
        >>> from lit_gan.theory import calibration_error
        >>> logits = torch.tensor([3.0]).log()  # D = ¾ of real and fake alike
        >>> round(float(calibration_error(logits, logits)), 4)  # |½ − ¾|
        0.25
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
    """Fit slope a and offset b so that a·logit + b estimates the log density ratio log p_data/p_g.

    Logistic regression of real against fake on the one feature ``logit``, by Newton's method in float64, real and fake
    weighing the same. The targets are (N + 1)/(N + 2) and 1/(M + 2) instead of 1 and 0, so that the slope stays
    finite if real and fake logits do not overlap.

    Args:
        real_logits: logits of samples of p_data, ``(N,)``.
        fake_logits: logits of samples of p_g, ``(M,)``.
        iterations: largest number of Newton steps; each is halved until the loss falls.

    Returns:
        ``(a, b)``, slope and offset.

    Raises:
        ValueError: fewer than two real or two fake logits.

    Reference: Platt 1999, "Probabilistic outputs for support vector machines", section 2.2.

    Examples:
        >>> import torch
        >>> from lit_gan.theory import calibrate
        >>> real = torch.tensor([1.0, 1.0, -1.0])  # at logit 1 the mean target is (2·⅘ + ⅕)/3 = 0.6
        >>> round(calibrate(real, -real)[0], 4)  # log(0.6/0.4)
        0.4055
    """
    n, m = real_logits.numel(), fake_logits.numel()
    if min(n, m) < 2:
        raise LitGANError(f"a calibration needs two logits of each kind, got {n} real and {m} fake: add held-out data")
    x = torch.cat([real_logits.flatten(), fake_logits.flatten()]).cpu().double()
    mean = x.mean().clamp(x.min(), x.max())  # the mean of equal logits may round off them, and give them a slope
    scale = x.std().clamp_min(1e-12)
    features = torch.stack([(x - mean) / scale, torch.ones_like(x)], 1)
    target = torch.cat([x.new_full((n,), (n + 1) / (n + 2)), x.new_full((m,), 1 / (m + 2))])
    weight = torch.cat([x.new_full((n,), 0.5 / n), x.new_full((m,), 0.5 / m)])
    ab = _logistic_regression(features, target, weight, iterations)
    slope = float(ab[0] / scale)
    return slope, float(ab[1]) - slope * float(mean)


def _logistic_regression(features: Tensor, target: Tensor, weight: Tensor, iterations: int) -> Tensor:
    """Return the coefficients ``ab`` that minimise the weighted cross-entropy of ``features @ ab``; Newton's method."""

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
