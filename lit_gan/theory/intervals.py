"""Statistical uncertainty of estimates: a bootstrap interval of the JSD bound, a p-value of an accuracy."""

import math
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from lit_gan._utils.arguments import at_least_one, within
from lit_gan._utils.errors import LitGANError
from lit_gan.theory.distributions import check_logits
from lit_gan.theory.game import jsd_lower_bound

__all__ = ["accuracy_p_value", "jsd_interval"]


def jsd_interval(
    real_logits: Tensor, fake_logits: Tensor, level: float = 0.95, resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Return a bootstrap interval of the JSD lower bound (V + log 4)/2 computed from log density ratios.

    Real and fake samples are resampled separately, with replacement; the interval holds the middle ``level`` of the
    resamples' bounds. It tells how far other samples would move the bound, not how far the bound is from the JSD.

    Args:
        real_logits: log p_data/p_g of held-out samples of p_data, ``(N,)``.
        fake_logits: log p_data/p_g of held-out samples of p_g, ``(M,)``.
        level: share of the resamples' bounds inside the interval, in (0, 1).
        resamples: number of resamples.
        seed: seed of the resampling; torch's global random state does not change.

    Returns:
        ``(low, high)`` in nats.

    Raises:
        ValueError: no real or no fake logits, or an argument out of range.

    Reference: Efron & Tibshirani 1993, "An introduction to the bootstrap", section 13.3 (the percentile interval).

    Examples:
        >>> import torch
        >>> from lit_gan.theory import jsd_interval
        >>> logits = torch.full((8,), 3.0).log()  # equal logits: every resample has the bound log 1.5
        >>> [round(bound, 4) for bound in jsd_interval(logits, -logits)]
        [0.4055, 0.4055]
    """
    check_logits(real_logits, fake_logits)
    within("(0, 1)", level=level)
    at_least_one(resamples=resamples)
    rng = torch.Generator().manual_seed(seed)

    real, fake = (x.cpu().double() for x in (real_logits, fake_logits))  # Apple's GPU has no float64
    means = partial(_resampled_means, rng=rng, resamples=resamples)
    bounds = jsd_lower_bound(means(logsigmoid(real)) + means(logsigmoid(-fake)))
    low, high = bounds.quantile(bounds.new_tensor([(1 - level) / 2, (1 + level) / 2])).tolist()
    return low, high


def _resampled_means(values: Tensor, rng: torch.Generator, resamples: int) -> Tensor:
    """Return the means of ``resamples`` samples of ``values``, each as large and drawn with replacement."""
    values = values.flatten()
    drawn = [values[torch.randint(len(values), (len(values),), generator=rng)].mean() for _ in range(resamples)]
    return torch.stack(drawn)


def accuracy_p_value(correct: float, n: int) -> float:
    """Return P(X ≥ correct) for X ~ Binomial(n, ½): the chance that guessing is right at least as often.

    Args:
        correct: number of right answers, in [0, n]; a fraction, from ties that count half, is rounded down.
        n: number of answers, half on real and half on fake samples. A classifier that gives one answer more often than
            the other has a smaller variance than guessing, so that the p-value errs on the high side.

    Returns:
        A probability in [0, 1], exact.

    Raises:
        ValueError: ``correct`` outside [0, n].

    Reference: Lopez-Paz & Oquab 2017, arXiv:1610.06545, section 3, where a normal approximates the binomial.

    Examples:
        >>> from lit_gan.theory import accuracy_p_value
        >>> round(accuracy_p_value(4, 4), 4)  # 1/2⁴
        0.0625
    """
    if not 0 <= correct <= n:
        raise LitGANError(f"correct={correct} must lie in [0, n={n}]")
    k = torch.arange(math.floor(correct), n + 1, dtype=torch.float64)
    log_choose = math.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma(n - k + 1)
    return min(1.0, float((log_choose - n * math.log(2)).exp().sum()))
