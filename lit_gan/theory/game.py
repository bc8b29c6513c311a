"""The two-player game of the original GAN paper: value, optimal discriminator, equilibrium (arXiv:1406.2661)."""

import math

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from lit_gan._utils.errors import LitGANError
from lit_gan.theory.distributions import check_logits, check_pair

__all__ = [
    "EQUILIBRIUM_VALUE",
    "cross_entropy",
    "expected_value",
    "jsd_lower_bound",
    "optimal_discriminator",
    "training_criterion",
    "value",
]

EQUILIBRIUM_VALUE = -math.log(4)
"""V(G, D) in nats if p_g = p_data and D = ½ everywhere: the minimum of C(G) (arXiv:1406.2661, theorem 1)."""


def value(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return the value of the game, V(G, D) = E[log D(x)] + E[log(1 − D(G(z)))], with D = sigmoid(logit).

    Args:
        real_logits: logits of samples of p_data, any shape.
        fake_logits: logits of samples of p_g, any shape.

    Returns:
        A scalar in nats, at most 0; −log 4 if D = ½ everywhere.

    Raises:
        ValueError: no real or no fake logits.

    Reference: arXiv:1406.2661, equation 1.

    Examples:
        >>> import torch
        >>> from lit_gan.theory import value
        >>> round(float(value(torch.zeros(4), torch.zeros(4))), 4)  # D = ½: −log 4
        -1.3863
    """
    check_logits(real_logits, fake_logits)
    return -softplus(-real_logits).mean() - softplus(fake_logits).mean()


def cross_entropy(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return the binary cross-entropy of D = sigmoid(logit), real labelled 1 and fake 0: −V(G, D)/2.

    H = −½·E[log D(x)] − ½·E[log(1 − D(G(z)))], real and fake weighing the same.

    Args:
        real_logits: logits of samples of p_data, any shape.
        fake_logits: logits of samples of p_g, any shape.

    Returns:
        A scalar in nats, at least 0; log 2 if D = ½ everywhere.

    Raises:
        ValueError: no real or no fake logits.

    Reference: arXiv:1406.2661, section 4.1: D's objective is the log-likelihood of P(Y = y|x).

    Examples:
        >>> import torch
        >>> from lit_gan.theory import cross_entropy
        >>> round(float(cross_entropy(torch.zeros(4), torch.zeros(4))), 4)  # D = ½: log 2
        0.6931
    """
    check_logits(real_logits, fake_logits)
    real = binary_cross_entropy_with_logits(real_logits, torch.ones_like(real_logits))
    return (real + binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))) / 2


def expected_value(p_data: Tensor, p_g: Tensor, discriminator: Tensor, cell: float = 1.0) -> Tensor:
    """Return V(G, D) = Σ p_data·log D + p_g·log(1 − D), or its integral on a grid, for any discriminator.

    Args:
        p_data: probabilities that sum to 1, or a density on a grid, any shape.
        p_g: of the same shape as ``p_data``.
        discriminator: D in [0, 1] at the same points.
        cell: size of a grid cell for densities; 1 for probabilities.

    Returns:
        A scalar in [−∞, 0], in nats; 0·log 0 = 0.

    Raises:
        ValueError: as :func:`lit_gan.theory.kl_divergence`, or a D of another shape or outside [0, 1].

    Reference: arXiv:1406.2661, equation 3.

    Examples:
        >>> import torch
        >>> from lit_gan.theory import expected_value
        >>> half = torch.tensor([0.5, 0.5])
        >>> round(float(expected_value(half, half, discriminator=half)), 4)  # −log 4
        -1.3863
    """
    p_data, p_g = check_pair(p_data, p_g, cell)
    if discriminator.shape != p_data.shape:
        raise LitGANError(f"D has the shape {tuple(discriminator.shape)}, the distributions {tuple(p_data.shape)}")
    if not ((discriminator >= 0) & (discriminator <= 1)).all():
        low, high = float(discriminator.min()), float(discriminator.max())
        raise LitGANError(f"D lies in [{low:.4g}, {high:.4g}], a probability in [0, 1]: apply a sigmoid to logits")
    return (torch.xlogy(p_data, discriminator) + torch.xlogy(p_g, 1 - discriminator)).sum() * cell


def optimal_discriminator(p_data: Tensor, p_g: Tensor) -> Tensor:
    """Return D*(x) = p_data(x)/(p_data(x) + p_g(x)), the discriminator that maximises V(G, D); ½ where both vanish.

    Args:
        p_data: probabilities or densities at any points, of any shape; they need not sum to 1.
        p_g: of the same shape as ``p_data``.

    Returns:
        Values in [0, 1], of the shape of ``p_data``.

    Raises:
        ValueError: shapes that differ, or a negative or infinite number or NaN.

    Reference: arXiv:1406.2661, proposition 1, equation 2.

    Examples:
        >>> import torch
        >>> from lit_gan.theory import optimal_discriminator
        >>> optimal_discriminator(torch.tensor([0.75, 0.25]), torch.tensor([0.25, 0.75])).tolist()
        [0.75, 0.25]
    """
    if p_data.shape != p_g.shape:
        raise LitGANError(
            f"p_data has the shape {tuple(p_data.shape)} and p_g {tuple(p_g.shape)}: give the same points"
        )
    for name, p in (("p_data", p_data), ("p_g", p_g)):
        if not ((p >= 0) & p.isfinite()).all():
            raise LitGANError(
                f"{name} holds {float(p.min()):.4g} to {float(p.max()):.4g}: give finite, not negative ones"
            )
    return torch.where(p_data + p_g > 0, p_data / (p_data + p_g), 0.5)


def training_criterion(p_data: Tensor, p_g: Tensor, cell: float = 1.0) -> Tensor:
    """Return C(G) = max over D of V(G, D) = V(G, D*), which is −log 4 + 2·JSD(p_data‖p_g).

    Args:
        p_data: probabilities that sum to 1, or a density on a grid, any shape.
        p_g: of the same shape as ``p_data``.
        cell: size of a grid cell for densities; 1 for probabilities.

    Returns:
        A scalar in [−log 4, 0], in nats; −log 4 only if p_g = p_data.

    Raises:
        ValueError: as :func:`lit_gan.theory.kl_divergence`.

    Reference: arXiv:1406.2661, equation 4 and theorem 1.

    Examples:
        >>> import torch
        >>> from lit_gan.theory import training_criterion
        >>> half = torch.tensor([0.5, 0.5])
        >>> round(float(training_criterion(half, half)), 4)  # JSD = 0: −log 4
        -1.3863
    """
    p_data, p_g = check_pair(p_data, p_g, cell)
    both = torch.where(p_data + p_g > 0, p_data + p_g, 1)
    return (torch.xlogy(p_data, p_data / both) + torch.xlogy(p_g, p_g / both)).sum() * cell  # 1 − D* would round to 0


def jsd_lower_bound(value: Tensor) -> Tensor:
    """Return (V + log 4)/2, at most the Jensen–Shannon divergence JSD(p_data‖p_g) for any discriminator.

    V(G, D) ≤ V(G, D*) = −log 4 + 2·JSD holds for expectations; the bound is biased upwards unless V is estimated on
    held-out data.

    Args:
        value: V(G, D) in nats.

    Returns:
        The bound in nats, at most log 2; negative if D does worse than D = ½.

    Reference: arXiv:1406.2661, theorem 1.

    Examples:
        >>> import torch
        >>> from lit_gan.theory import jsd_lower_bound
        >>> round(float(jsd_lower_bound(torch.tensor(0.0))), 4)  # no overlap: log 2
        0.6931
    """
    return (value - EQUILIBRIUM_VALUE) / 2
