"""FrechetDistance: how far the Gaussians are that fit the features of real and of generated samples (FID)."""

from collections.abc import Callable, Sequence

import torch
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from torch import Tensor, nn
from torchmetrics import Metric

from lit_gan._utils.arguments import instance_of
from lit_gan._utils.errors import LitGANError
from lit_gan._utils.representation import as_arguments
from lit_gan.extractors.features import check_width, features_of, keeping_types
from lit_gan.metrics.gaussians import distance_of_equals, frechet_distance
from lit_gan.metrics.moments import Statistics, merged, no_moments, statistics, with_samples
from lit_gan.metrics.named import NamedMetric

__all__ = ["FrechetDistance", "frechet_distance"]

_FEWEST = 2


class FrechetDistance(NamedMetric, Metric):
    """The Fréchet distance of real and generated samples' features, which is the FID where Inception-v3 makes them.

    ‖μ_r − μ_g‖² + tr(Σ_r + Σ_g − 2(Σ_rΣ_g)^½), of the means and covariances (over n − 1) of both kinds' features: 0
    where they are equal, whatever else differs. Statistics and score are computed in float64 whatever the type of the
    features; memory is that of two covariances. The score of finite samples is too high, by about
    tr(Σ)·(D + 5)/4·(1/n_r + 1/n_g) where they are many and the variances equal, so that scores compare only at the same
    numbers of samples; the literature takes 50,000 generated ones. Where there are no more than D the metric warns,
    once, with what samples of one and the same Gaussian would score.

    The states ``real`` and ``fake``, ``(D + 2, D)``, are all that is known of the samples; put back as they were, they
    stand for them. They are float64 under ``.to(torch.bfloat16)`` as well. Every process must have seen samples. Call
    ``update`` and ``compute``: the metric called as a function would judge one batch, of one kind.

    Args:
        feature: network that maps samples to features ``(N, D)``, used in evaluation mode and float32, such as those
            in :mod:`lit_gan.extractors`; None where features themselves are given.

    Raises:
        TypeError: ``feature`` is no network.
        ValueError: at update, features that are not ``(N, D)``, of another D than those before, or not finite; at
            compute, fewer than two samples of a kind.

    Reference: Heusel et al. 2017, arXiv:1706.08500, equation 6; that it is biased: Bińkowski et al. 2018,
    arXiv:1801.01401, section 4.
    """

    is_differentiable = False
    higher_is_better = None
    full_state_update = False
    real: Tensor
    fake: Tensor
    extra_repr = as_arguments
    score_name = "fid"
    names_scores = True

    def __init__(self, feature: nn.Module | None = None) -> None:
        super().__init__()
        if feature is not None:
            instance_of("feature", feature, nn.Module, "lit_gan.extractors.InceptionV3()")
        self.feature = feature
        dimensions = getattr(feature, "num_features", None) or 0
        for kind in ("real", "fake"):
            self.add_state(kind, no_moments(dimensions), dist_reduce_fx=merged)
        self._has_warned = False

    def update(self, samples: Tensor, real: bool) -> None:
        """Count samples in.

        Args:
            samples: what ``feature`` takes; features ``(N, D)``, float, where it is None.
            real: whether they are samples of p_data, or of p_g.

        Raises:
            ValueError: as the class says.
        """
        features = features_of(samples, self.feature).to(self.real.device)
        dimensions = features.shape[1]
        check_width(features, before=max(len(self.real), len(self.fake)) - 2)
        for kind in ("real", "fake"):  # processes gather tensors of one shape, from the one that lacks a kind as well
            if len(getattr(self, kind)) == 2:
                setattr(self, kind, no_moments(dimensions, features.device))
        if real:  # not in place: a state reset in inference mode could not be changed outside it
            self.real = with_samples(self.real, features)
        else:
            self.fake = with_samples(self.fake, features)

    def compute(self) -> dict[str, Tensor]:
        """Return the distance of all samples seen.

        Returns:
            ``fid``; with the name of the extractor behind it where it is one of
            :mod:`lit_gan.extractors` and not Inception-v3: ``fid_lite0``.

        Raises:
            ValueError: fewer than two samples of a kind.
        """
        real, fake = statistics(self.real.cpu()), statistics(self.fake.cpu())
        if min(real.n, fake.n) < _FEWEST:
            raise LitGANError(
                f"there are {real.n} real and {fake.n} generated samples: covariances need {_FEWEST} of each at least, "
                "and more than there are features to be of use"
            )
        more, fewer = (real, fake) if real.n >= fake.n else (fake, real)
        distance = frechet_distance(more.mean, more.covariance, fewer.mean, fewer.covariance, rank=fewer.n - 1)
        self._warn_of_few(real, fake)
        name = f"fid{getattr(self.feature, 'suffix', '')}"
        return {name: distance.to(torch.float32).to(self.device)}

    def _warn_of_few(self, real: Statistics, fake: Statistics) -> None:
        """Warn once where a covariance is singular for want of samples."""
        dimensions, most = len(real.mean), max(real.n, fake.n)
        if self._has_warned or min(real.n, fake.n) > dimensions:
            return
        self._has_warned = True
        variances = torch.linalg.eigvalsh((real if real.n >= fake.n else fake).covariance)
        least = "" if most > dimensions else " or more"
        rank_zero_warn(
            f"FrechetDistance: {real.n} real and {fake.n} generated samples of {dimensions} features, so a covariance "
            f"has the rank {min(real.n, fake.n) - 1} and the score is too high: as many samples of one and the same "
            f"Gaussian would score about {distance_of_equals(variances, real.n, fake.n):.3g}{least}; give more than "
            f"{dimensions} of each, or compare with scores of as many"
        )

    def _apply(self, fn: Callable[[Tensor], Tensor], exclude_state: Sequence[str] = "") -> nn.Module:
        return super()._apply(keeping_types(fn), exclude_state)
