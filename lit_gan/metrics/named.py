"""What makes a metric one that an evaluation calls by name: its name, and what it takes, on its class."""

from typing import Any, ClassVar, Literal, NamedTuple

from torchmetrics import Metric

__all__ = ["NamedMetric", "Setting", "Takes"]

Takes = Literal["features", "logits", "samples"]
"""Of an extractor its features or its class logits, or the samples themselves."""


class Setting(NamedTuple):
    """What a metric may be made for."""

    subset: int
    """Samples in a subset: as many as there are, 1,000 at the most."""
    literature: bool
    """Whether the features are Inception's, by which published scores are defined."""
    data: Any
    """The data module; None if it is not known."""


class NamedMetric:
    """A mixin of a :class:`torchmetrics.Metric` that ``GenerativeMetrics`` and ``lit-gan evaluate`` call by name."""

    score_name: ClassVar[str]
    """As users write it, ``"fid"``; scores have it, unless ``compute`` gives them names."""
    takes: ClassVar[Takes] = "features"
    names_scores: ClassVar[bool] = False
    """Whether the names that ``compute`` gives its scores stand alone, without ``score_name`` before them."""

    @classmethod
    def for_scores(cls, setting: Setting) -> Metric:
        """Return the metric as an evaluation needs it.

        Raises:
            ValueError: the setting is not one that it can be made for.
        """
        metric: Any = cls()
        return metric
