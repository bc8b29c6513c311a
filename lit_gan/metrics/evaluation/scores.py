"""Metrics by name or as objects, which share one pass of the samples through each extractor."""

import inspect
import re
import warnings
from collections.abc import Iterable
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from lit_gan._utils.errors import LitGANError, LitGANTypeError
from lit_gan._utils.suggestions import likely
from lit_gan.extractors import Extractor, InceptionV3, as_extractor
from lit_gan.metrics.evaluation.cache import States
from lit_gan.metrics.evaluation.named_metrics import NAMED_METRICS, Given
from lit_gan.metrics.evaluation.sources import Samples
from lit_gan.metrics.named import NamedMetric, Setting

__all__ = ["ScoreName", "Scorer", "scorer_for"]

ScoreName = str
"""Name of a metric, one of :data:`lit_gan.metrics.evaluation.named_metrics.NAMED_METRICS`."""


class _Entry:
    """A metric, its input, and the name of its scores."""

    def __init__(
        self,
        name: str,
        metric: Metric,
        extractor: Extractor | None,
        by_name: bool = False,
        logits: bool = False,
        names_scores: bool = False,
    ) -> None:
        self.name, self.metric, self.extractor, self.logits = name, metric, extractor, logits
        self.by_name, self.names_scores = by_name, names_scores
        self.metric.distributed_available_fn = _alone  # no gathering: rank 0 is given all samples
        self.metric.eval()
        self.takes_kind = "real" in inspect.signature(metric.update).parameters

    def states_after_real(self) -> dict[str, Tensor]:
        """Return the states after the real samples, by name, on the CPU.

        Of a metric by name they are kept on disk, and only those are needed that have "real" in their names.
        """
        names = [name for name in self.metric._defaults if not self.by_name or "real" in name]
        states: dict[str, Any] = {name: getattr(self.metric, name) for name in names if self.takes_kind}
        return {name: dim_zero_cat(state).cpu() for name, state in states.items() if isinstance(state, Tensor) or state}

    @property
    def suffix(self) -> str:
        """Ending of its scores' names, empty for the literature's extractor."""
        return "" if self.extractor is None else self.extractor.suffix


def _alone() -> bool:
    return False


class Scorer:
    """The metrics of an evaluation, updated with real and generated samples and computed on rank 0.

    Args:
        metrics: names, or metrics, torchmetrics' or the user's, with ``update(samples, real)`` or ``update(samples)``.
        extractor: extractor of the features for metrics given by name; None for samples that are vectors.
        subset: samples in each subset of KID, at most the number in the smallest set.
        data: the data module, for ``"mode_coverage"``.

    Raises:
        TypeError: neither a name nor a metric.
        ValueError: no metrics, an unknown name, a name twice, a metric of real samples without a state, or
            ``"mode_coverage"`` of data that is not a ``GaussianMixture``.
    """

    def __init__(
        self,
        metrics: Iterable[str | Metric],
        extractor: Extractor | None,
        subset: int = 1000,
        data: Any = None,
    ) -> None:
        metrics = list(metrics)
        setting = Setting(subset, extractor is not None and not extractor.suffix, data)
        shared = {id(extractor): extractor}
        self.entries = [
            _of_object(metric, shared) if isinstance(metric, Metric) else _by_name(metric, setting, extractor)
            for metric in metrics
        ]
        names = [entry.name for entry in self.entries]
        twice = {name for name in names if names.count(name) > 1}
        if twice or not names:
            raise LitGANError(f"metrics={names}: give some, each once")
        self.can_be_cached = not any(isinstance(metric, Metric) for metric in metrics)  # an object may hold any data
        blind = [e.name for e in self.entries if e.takes_kind and not e.metric._defaults]
        if blind:
            raise LitGANError(
                f"metrics: {blind[0]} has no state, so it would forget real samples: call add_state in it"
            )
        self.extractors = list({id(e.extractor): e.extractor for e in self.entries if e.extractor is not None}.values())

    def to(self, device: torch.device) -> "Scorer":
        """Move extractors to a device, and metrics too unless it is MPS, which lacks the float64 they need."""
        for extractor in self.extractors:
            extractor.to(device)
        for entry in self.entries:
            entry.metric.to("cpu" if device.type == "mps" else device)
        return self

    @torch.no_grad()
    def look(self, samples: Tensor) -> dict[str, Tensor]:
        """Return the metrics' input for ``samples``, on the CPU; any process may compute it for rank 0."""
        wanted = {self._takes(entry) for entry in self.entries}
        seen: dict[str, Tensor | None] = {"samples": samples}
        for number, extractor in enumerate(self.extractors):
            features, logits = extractor.features_and_logits(samples.to(_device(extractor)))
            if logits is None and f"logits {number}" in wanted:
                raise LitGANError(f"metrics: 'is' needs class logits, and {extractor.name} has none: leave it out")
            seen |= {f"features {number}": features, f"logits {number}": logits}
        return {name: tensor.cpu() for name, tensor in seen.items() if tensor is not None and name in wanted}

    def see(self, looked: dict[str, Tensor], real: bool) -> None:
        """Update the metrics with their input, as :meth:`look` returned it."""
        for entry in self.entries:
            if real and not entry.takes_kind:
                continue
            samples = looked[self._takes(entry)].to(entry.metric.device)
            samples = samples.double() if entry.extractor is not None else samples
            entry.metric.update(samples, real=real) if entry.takes_kind else entry.metric.update(samples)

    def _takes(self, entry: _Entry) -> str:
        """Return the key of a metric's input in what :meth:`look` returns, the same on every process."""
        if entry.extractor is None:
            return "samples"
        number = next(i for i, extractor in enumerate(self.extractors) if extractor is entry.extractor)
        return f"{'logits' if entry.logits else 'features'} {number}"

    def compute(self) -> dict[str, float]:
        """Return all scores by name."""
        scores = {}
        for entry in self.entries:
            for name, value in _named(entry, entry.metric.compute()).items():
                scores[name + entry.suffix] = float(value)
        return scores

    def start_from(self, real: States) -> None:
        """Reset the metrics, and set the states that real samples gave them."""
        for entry in self.entries:
            entry.metric.reset()
            for name, state in real.get(entry.name, {}).items():
                state = state.to(entry.metric.device)
                setattr(
                    entry.metric, name, [state] if isinstance(entry.metric._defaults[name], list) else state.clone()
                )

    def real_states(self) -> States:
        """Return the states that the metrics have after the real samples and before any other, on the CPU."""
        return {entry.name: entry.states_after_real() for entry in self.entries}

    def protocol(self) -> dict[str, Any]:
        """Return what scores depend on in addition to the samples: each metric's arguments and extractor."""
        return {
            entry.name: {"metric": _shown(entry.metric), **(entry.extractor.protocol if entry.extractor else {})}
            for entry in self.entries
        }


def scorer_for(
    metrics: Iterable[str | Metric], extractor: nn.Module | None, real: Samples, fewest: int, data: Any
) -> Scorer:
    """Return a scorer of ``metrics``; Inception-v3 makes the features of images if no extractor is given.

    Args:
        metrics: as for :class:`Scorer`.
        extractor: any module that maps uint8 images to features, or None.
        real: the reference.
        fewest: number of samples in the smallest set that is scored.
        data: the data module, whose modes are counted if it is a GaussianMixture.
    """
    metrics = list(metrics)
    named = [_class_of(metric) for metric in metrics if isinstance(metric, str)]  # before weights are fetched
    network = None
    if any(metric.takes != "samples" for metric in named) and real.block(0).ndim == 4:
        network = InceptionV3() if extractor is None else as_extractor(extractor)
    return Scorer(metrics, network, min(1000, real.n, fewest), data)


def _by_name(metric: str, setting: Setting, own: Extractor | None) -> _Entry:
    if not isinstance(metric, str):
        raise LitGANTypeError(f"metrics: {metric!r} is neither a name nor a metric of torchmetrics")
    cls = _class_of(metric)
    logits = cls.takes == "logits"
    if logits and own is None:
        raise LitGANError(f"metrics: {metric!r} needs an extractor's classes, and samples that are vectors have none")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*will save all extracted features in buffer.*")
        made = cls.for_scores(setting)
    return _Entry(metric, made, own if cls.takes != "samples" else None, True, logits, cls.names_scores)


def _class_of(metric: str) -> type[NamedMetric]:
    if metric not in NAMED_METRICS:
        raise LitGANError(
            f"metrics: there is no {metric!r}; take some of {', '.join(NAMED_METRICS)}, or a Metric"
            f"{likely(metric, NAMED_METRICS)}"
        )
    return NAMED_METRICS[metric]


def _of_object(metric: Metric, shared: dict[int, Extractor | None]) -> _Entry:
    """Return an entry of a copy of a metric that is given features, its extractor being added to ``shared``."""
    places = [name for name in ("inception", "feature") if isinstance(getattr(metric, name, None), nn.Module)]
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(metric).__name__).lower()
    if not places:
        return _Entry(name, metric.clone(), None)
    (place,) = places
    network = getattr(metric, place)
    setattr(metric, place, Given())
    try:
        copy: Any = metric.clone()
    finally:
        setattr(metric, place, network)
    copy.normalize = False  # it is given features, not images
    if id(network) not in shared:
        shared[id(network)] = as_extractor(network)
    return _Entry(name, copy, shared[id(network)])


def _named(entry: _Entry, score: Any) -> dict[str, Any]:
    """Return a metric's result as scores by name."""
    if isinstance(score, dict):
        return score if entry.names_scores else {f"{entry.name}/{k}": v for k, v in score.items()}
    if isinstance(score, (tuple, list)):
        return {entry.name: score[0], f"{entry.name}_std": score[1]}
    return {entry.name: score}


def _device(network: nn.Module) -> torch.device:
    return next(chain(network.parameters(), network.buffers(), [torch.empty(0)])).device


def _shown(metric: Metric) -> str:
    """Return a metric's class and its arguments that are numbers, strings or tuples, as a call."""
    plain = {k: v for k, v in vars(metric).items() if not k.startswith("_") and isinstance(v, (int, float, str, tuple))}
    own = {k: v for k, v in plain.items() if k in inspect.signature(type(metric)).parameters}
    return f"{type(metric).__name__}({', '.join(f'{k}={v!r}' for k, v in own.items())})"
