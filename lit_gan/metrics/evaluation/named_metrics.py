"""The metrics that users choose by name: lit_gan's, and torchmetrics' by classes that set them up."""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance
from torchmetrics.image.mifid import MemorizationInformedFrechetInceptionDistance

from lit_gan.metrics.frechet import FrechetDistance
from lit_gan.metrics.manifold import DensityCoverage, PrecisionRecall
from lit_gan.metrics.mode_coverage import ModeCoverage
from lit_gan.metrics.named import NamedMetric, Setting, Takes
from lit_gan.metrics.two_sample import ClassifierTwoSample

__all__ = ["NAMED_METRICS", "Given"]


class Given(nn.Identity):
    """The identity, as the extractor of a metric that is given features."""

    num_features = 1


class KernelDistance(KernelInceptionDistance):
    """KID of features standardised by the real ones, since a kernel of degree 3 depends on their scale.

    Reference: Bińkowski et al. 2018, arXiv:1801.01401, section 4.
    """

    def compute(self) -> tuple[Tensor, Tensor]:
        """Return the mean and the standard deviation of KID over the subsets."""
        real, fake = (torch.cat(list(part)) for part in (self.real_features, self.fake_features))
        mean, std = real.mean(0), real.std(0)
        std = torch.where(std > 1e-6 * std.max(), std, 1)  # a constant feature has no scale
        kept = self.real_features, self.fake_features
        self.real_features, self.fake_features = [(real - mean) / std], [(fake - mean) / std]
        try:
            return super().compute()
        finally:
            self.real_features, self.fake_features = kept


class _Kernel(NamedMetric):
    score_name = "kid"

    @classmethod
    def for_scores(cls, setting: Setting) -> Metric:
        """Return the literature's KID for Inception-v3's features, KID of standardised features for others."""
        kind = KernelInceptionDistance if setting.literature else KernelDistance
        return kind(Given(), subset_size=setting.subset)


class _Inception(NamedMetric):
    score_name = "is"
    takes: ClassVar[Takes] = "logits"

    @classmethod
    def for_scores(cls, setting: Setting) -> Metric:
        """Return the Inception Score of logits."""
        return InceptionScore(Given())


class _MemorizationInformed(NamedMetric):
    score_name = "mifid"

    @classmethod
    def for_scores(cls, setting: Setting) -> Metric:
        """Return MiFID of features."""
        return MemorizationInformedFrechetInceptionDistance(Given())


_CLASSES: tuple[type[NamedMetric], ...] = (
    FrechetDistance,
    _Kernel,
    _Inception,
    _MemorizationInformed,
    PrecisionRecall,
    DensityCoverage,
    ClassifierTwoSample,
    ModeCoverage,
)
NAMED_METRICS = {cls.score_name: cls for cls in _CLASSES}
"""Metric classes by the name that users write."""
