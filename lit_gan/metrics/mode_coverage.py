"""ModeCoverage: how many modes of a mixture samples reach, and how evenly (arXiv:1705.07761, arXiv:1712.04086)."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torchmetrics import Metric

from lit_gan._utils.arguments import instance_of
from lit_gan._utils.errors import LitGANError
from lit_gan._utils.representation import as_arguments
from lit_gan.data import GaussianMixture
from lit_gan.metrics.named import NamedMetric, Setting, Takes
from lit_gan.theory import Mixture, kl_divergence

__all__ = ["ModeCoverage"]

Protocol = Literal["veegan", "strict"]


@dataclass(frozen=True)
class _Rules:
    share: float
    """Share of the samples expected near a mode of the mixture; a mode is caught from this share on."""
    no_mode: bool
    """Whether "no mode" is a category of the frequencies."""


_PROTOCOLS: dict[Protocol, _Rules] = {"veegan": _Rules(0, no_mode=False), "strict": _Rules(0.5, no_mode=True)}
_REACH = 3  # standard deviations within which a sample is near its mode
_FEWEST_EXPECTED = 20  # samples near the rarest mode, for strict: a perfect generator misses it in 0.5 % of cases


class ModeCoverage(NamedMetric, Metric):
    """The number of modes of a known mixture that are caught, and how far their frequencies are from the mixture's.

    A sample x belongs to the mode k of the smallest ‖x − μₖ‖/σₖ, and is of high quality, if that is at most 3, which
    has the probability P = P(χ²_D ≤ 9) in D dimensions; otherwise, or if x is not finite, it belongs to no mode. Of n
    samples, nₖ belong to mode k, whose weight is wₖ.

    - ``veegan``: a mode is caught if nₖ ≥ 1. The frequencies are those of high-quality samples alone, nₖ/Σⱼ nⱼ against
      wₖ. The papers draw n = 2,500; another number is not comparable with theirs, and many samples catch any mode.
    - ``strict``, lit_gan's own: a mode is caught if nₖ ≥ ½·n·wₖ·P, half of what the mixture itself would give. "No
      mode" is a category of its own, nₖ/n against wₖ·P and 1 − P, so that samples of low quality count against the
      generator. The probabilities are those of modes that do not overlap.

    Args:
        data: data module whose attribute ``mixture`` is the mixture.
        protocols: names of the protocols to follow.

    Raises:
        ValueError: an unknown protocol, or none; a mode of weight 0; for ``strict``, modes that overlap within 3σ; at
            update, points of another dimension; at compute, no generated samples, or too few for ``strict``.
        TypeError: ``data`` is not a ``GaussianMixture``.

    Reference: Srivastava et al. 2017, arXiv:1705.07761, section 4.1 (``veegan``); Lin et al. 2017, arXiv:1712.04086,
    section 4.1, adds the reverse KL.

    Examples:
        >>> from lit_gan.data import GaussianMixture
        >>> from lit_gan.metrics import ModeCoverage
        >>> data = GaussianMixture("grid", "veegan")  # 25 modes
        >>> metric = ModeCoverage(data, ["veegan"])
        >>> metric.update(data.mixture.means[:5], real=False)
        >>> scores = metric.compute()
        >>> int(scores["modes/veegan"]), round(float(scores["reverse_kl/veegan"]), 4)  # log(25/5)
        (5, 1.6094)
    """

    is_differentiable = False
    higher_is_better = None
    full_state_update = False
    real_counts: Tensor
    fake_counts: Tensor
    extra_repr = as_arguments
    score_name = "mode_coverage"
    takes: ClassVar[Takes] = "samples"

    @classmethod
    def for_scores(cls, setting: Setting) -> Metric:
        """Return the coverage of the modes of the data.

        Raises:
            ValueError: the data is not a ``GaussianMixture``.
        """
        if not isinstance(setting.data, GaussianMixture):
            raise LitGANError("metrics: 'mode_coverage' counts the modes of a GaussianMixture, and the data is none")
        return cls(setting.data)

    def __init__(self, data: GaussianMixture, protocols: Sequence[Protocol] = ("veegan", "strict")) -> None:
        super().__init__()
        instance_of("data", data, GaussianMixture, 'GaussianMixture("grid", "veegan")')
        self.data, self.protocols = copy.copy(data), tuple(protocols)
        self.data.trainer = None  # in the copy only: a Trainer cannot be pickled
        if not self.protocols or not set(self.protocols) <= set(_PROTOCOLS):
            raise LitGANError(f"protocols={list(protocols)}: take some of {', '.join(_PROTOCOLS)}")
        _check_mixture(self.data.mixture, apart=any(_PROTOCOLS[name].no_mode for name in self.protocols))
        for counts in ("real_counts", "fake_counts"):  # of each mode, and last of "no mode"
            self.add_state(counts, torch.zeros(len(data.mixture.means) + 1, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, samples: Tensor, real: bool) -> None:
        """Count the samples of each mode.

        Args:
            samples: points ``(N, D)``, float; those that are not finite count as "no mode".
            real: True for samples drawn from the mixture, as a control; False for generated ones.

        Raises:
            ValueError: points of another dimension than the mixture's.
        """
        dimensions = self.data.mixture.means.shape[1]
        if samples.ndim != 2 or samples.shape[1] != dimensions:
            raise LitGANError(f"samples of shape {tuple(samples.shape)}: the mixture's are (N, {dimensions})")
        counts = _count(samples.detach().cpu().double(), self.data.mixture).to(self.device)
        if real:  # not in place: a state reset in inference mode could not be changed outside it
            self.real_counts = self.real_counts + counts
        else:
            self.fake_counts = self.fake_counts + counts

    def compute(self) -> dict[str, Tensor]:
        """Return the scores of all samples seen.

        Returns:
            ``samples``, the number of generated ones, and ``modes_total``. For each protocol, named after a slash as in
            ``modes/strict``: ``modes``, the number of modes caught; ``high_quality``, the share of high-quality
            samples, in [0, 1]; ``kl`` = KL(true‖generated) and ``reverse_kl`` = KL(generated‖true) of the frequencies,
            in nats. ``kl`` is infinite if a category, for ``strict`` "no mode" too, has no samples; for ``veegan`` both
            are if no sample is of high quality. If there were real samples, their scores too, with ``real_`` before
            each name: those of a perfect generator.

        Raises:
            ValueError: no generated samples; so few that ``strict`` expects fewer than 20 near the rarest mode.
        """
        if not self.fake_counts.any():
            raise LitGANError("there are 0 generated samples: call update(samples, real=False) before compute()")
        scores = {"modes_total": float(len(self.data.mixture.means))}
        for prefix, counts in (("", self.fake_counts), ("real_", self.real_counts)):
            if counts.any():
                scores |= {prefix + name: score for name, score in self._scores(counts.cpu().double()).items()}
        return {name: torch.tensor(score, dtype=torch.float32, device=self.device) for name, score in scores.items()}

    def _scores(self, counts: Tensor) -> dict[str, float]:
        scores = {"samples": float(counts.sum())}
        for name in self.protocols:
            scores |= {f"{score}/{name}": float(x) for score, x in _score(counts, self.data.mixture, name).items()}
        return scores


def _near(dimensions: int) -> Tensor:
    """Return P(χ²_D ≤ 9), the probability that a sample is within 3σ of its own mode."""
    halves = torch.tensor([dimensions, _REACH**2], dtype=torch.float64) / 2
    return torch.special.gammainc(halves[0], halves[1])


def _count(samples: Tensor, mixture: Mixture) -> Tensor:
    """Return the number of samples of each mode, and last that of "no mode", int64 ``(K + 1,)``."""
    distances = torch.cdist(samples, mixture.means, compute_mode="donot_use_mm_for_euclid_dist") / mixture.stds
    nearest, modes = distances.min(1)
    none = len(mixture.means)
    return torch.bincount(torch.where(nearest <= _REACH, modes, none), minlength=none + 1)


def _score(counts: Tensor, mixture: Mixture, protocol: Protocol) -> dict[str, Tensor]:
    rules, n, found = _PROTOCOLS[protocol], counts.sum(), counts[:-1]
    near = _near(mixture.means.shape[1])
    expected = n * mixture.weights * near
    if rules.no_mode:
        _check_enough(n, expected.min())
        true, generated = torch.cat([mixture.weights * near, 1 - near[None]]), counts / n
    else:
        true, generated = mixture.weights, found / found.sum()  # NaN if none is of high quality
    undefined = generated.isnan().any()
    return {
        "modes": ((found >= 1) & (found >= rules.share * expected)).sum(),
        "high_quality": found.sum() / n,
        "kl": n.new_tensor(math.inf) if undefined else kl_divergence(true, generated),
        "reverse_kl": n.new_tensor(math.inf) if undefined else kl_divergence(generated, true),
    }


def _check_enough(n: Tensor, rarest: Tensor) -> None:
    if rarest < _FEWEST_EXPECTED:
        raise LitGANError(
            f"of {n:.0f} samples {rarest:.1f} would be near the rarest mode, and strict needs {_FEWEST_EXPECTED}: "
            f'give {(n * _FEWEST_EXPECTED / rarest).ceil():.0f} samples, or protocols=["veegan"]'
        )


def _check_mixture(mixture: Mixture, apart: bool) -> None:
    if not mixture.weights.all():
        raise LitGANError(f"weights={mixture.weights.tolist()}: a mode of weight 0 cannot be caught, leave it out")
    reach = _REACH * (mixture.stds[:, None] + mixture.stds)
    overlap = (torch.cdist(mixture.means, mixture.means) < reach).triu(1)
    if apart and overlap.any():
        i, j = overlap.nonzero()[0].tolist()
        raise LitGANError(
            f"modes {i} and {j} are {(mixture.means[i] - mixture.means[j]).norm():.4g} apart and overlap within 3σ, "
            f'{reach[i, j]:.4g}: strict\'s probabilities would be wrong, give protocols=["veegan"]'
        )
