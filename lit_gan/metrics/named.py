"""NamedMetric: the name, input and constructor of a metric that an evaluation makes by name, on its class."""

from typing import Any, ClassVar, Literal, NamedTuple

from torchmetrics import Metric

__all__ = ["NamedMetric", "Setting", "Takes"]

Takes = Literal["features", "logits", "samples"]
"""Input of a metric: an extractor's features, its class logits, or the samples themselves."""


class Setting(NamedTuple):
    """The properties of an evaluation that its metrics may depend on."""

    subset: int
    """Number of samples in a subset of KID: that of the smallest set, at most 1,000."""
    literature: bool
    """Whether the features are Inception-v3's, by which published scores are defined."""
    data: Any
    """The data module; None if it is not known."""


class NamedMetric:
    """A mixin for a :class:`torchmetrics.Metric` that ``GenerativeMetrics`` and ``lit-gan evaluate`` make by name."""

    score_name: ClassVar[str]
    """Name of the metric as users write it, such as ``"fid"``; scores start with it, unless ``names_scores``."""
    takes: ClassVar[Takes] = "features"
    """Input of the metric."""
    names_scores: ClassVar[bool] = False
    """Whether scores are named as by ``compute``, without ``score_name`` before that."""

    @classmethod
    def for_scores(cls, setting: Setting) -> Metric:
        """Return the metric, made for an evaluation.

        Args:
            setting: properties of the evaluation.

        Raises:
            ValueError: the metric cannot be made for this setting.
        """
        metric: Any = cls()
        return metric
