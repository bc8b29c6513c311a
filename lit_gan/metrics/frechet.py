"""FrechetDistance: the distance of Gaussians fitted to the features of real and of generated samples (FID)."""

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

_FEWEST = 2  # real, and generated, samples


class FrechetDistance(NamedMetric, Metric):
    """The Fréchet distance between the features of real and of generated samples: the FID if Inception-v3 makes them.

    ‖μ_r − μ_g‖² + tr(Σ_r + Σ_g − 2(Σ_rΣ_g)^½), from the means and covariances (over n − 1) of the features: 0 if these
    are equal, whatever else differs. Statistics and score are computed in float64 for features of any type; the memory
    is that of two covariances. The score of finite samples is too high, by about tr(Σ)·(D + 5)/4·(1/n_r + 1/n_g) if
    they are many and the variances equal, so scores compare only at the same numbers of samples; the literature takes
    50,000 generated ones. If there are at most D real or generated samples, the metric warns once, with the score that
    as many samples of one and the same Gaussian would get.

    The states ``real`` and ``fake``, ``(D + 2, D)``, hold all that the score depends on: a metric whose states are
    restored need not see the samples again. They stay float64 under ``.to(torch.bfloat16)``. Every process must have
    seen samples. Call ``update`` and ``compute``, not the metric as a function, which would score a single batch.

    Args:
        feature: network that maps samples to features ``(N, D)``, used in evaluation mode and float32, such as those
            in :mod:`lit_gan.extractors`; None if the samples given to ``update`` are features.

    Raises:
        TypeError: ``feature`` is not a network.
        ValueError: at update, features that are not ``(N, D)``, have another D than those before, or are not finite; at
            compute, fewer than two real or two generated samples.

    Reference: Heusel et al. 2017, arXiv:1706.08500, equation 6; its bias: Bińkowski et al. 2018, arXiv:1801.01401,
    section 4.

    Examples:
        >>> import torch
        >>> from lit_gan.metrics import FrechetDistance
        >>> metric = FrechetDistance()
        >>> features = torch.tensor([[-1.0], [1.0]])
        >>> metric.update(features, real=True)
        >>> metric.update(3 + features, real=False)
        >>> round(float(metric.compute()["fid"]), 4)  # 3², the variances being equal
        9.0
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
        """Add samples to the statistics.

        Args:
            samples: input of ``feature``; features ``(N, D)``, float, if it is None.
            real: True for samples of p_data, False for samples of p_g.

        Raises:
            ValueError: features that are not ``(N, D)``, have another D than those before, or are not finite.
        """
        features = features_of(samples, self.feature).to(self.real.device)
        dimensions = features.shape[1]
        check_width(features, before=max(len(self.real), len(self.fake)) - 2)
        for kind in ("real", "fake"):  # one shape on all processes: they gather both, even from one that lacks them
            if len(getattr(self, kind)) == 2:
                setattr(self, kind, no_moments(dimensions, features.device))
        if real:  # not in place: a state reset in inference mode could not be changed outside it
            self.real = with_samples(self.real, features)
        else:
            self.fake = with_samples(self.fake, features)

    def compute(self) -> dict[str, Tensor]:
        """Return the distance between all real and all generated samples seen.

        Returns:
            ``fid``; with another extractor of :mod:`lit_gan.extractors` than Inception-v3, its name is appended, as in
            ``fid_lite0``.

        Raises:
            ValueError: fewer than two real or two generated samples.
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
        """Warn once if a covariance is singular because it is of too few samples."""
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
