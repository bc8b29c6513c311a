"""Evaluation of generated samples: a reference that is read once, and scores together with their protocol."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from hashlib import blake2b
from statistics import mean, stdev
from typing import Any

from torch import Tensor
from tqdm import tqdm

from lit_gan._utils.errors import LitGANError
from lit_gan._utils.files import cache_folder
from lit_gan._utils.randomness import seeded
from lit_gan.metrics.evaluation import cache
from lit_gan.metrics.evaluation.blocks import in_order, on_first
from lit_gan.metrics.evaluation.scores import Scorer
from lit_gan.metrics.evaluation.sources import Samples, fingerprint

__all__ = ["Evaluation", "Report", "check_alike"]


@dataclass(frozen=True)
class Report:
    """The scores of an evaluation, and the protocol that they depend on."""

    scores: dict[str, float]
    """Scores by name; the mean over the sets of generated samples if there are several."""
    protocol: dict[str, Any]
    """Metrics with their arguments, extractors, numbers of samples, split, whether the generator is averaged."""
    spread: dict[str, float] = field(default_factory=dict)
    """Standard deviations over several sets of generated samples; empty for one set."""
    floor: dict[str, float] = field(default_factory=dict)
    """Scores of other real samples in place of generated ones; empty if they were not asked for."""
    seconds: float = 0.0
    """Duration of the evaluation."""

    @property
    def says(self) -> str:
        """Numbers and kinds of the samples that the scores are of, in a line."""
        of = self.protocol
        sets = f"{of['sets']} times " if of["sets"] > 1 else ""
        averaged = " of the averaged generator" if of.get("ema") else ""
        return f"{sets}{of['n_fake']} generated samples{averaged}, {of['n_real']} real ones ({of['split']})"

    def as_plain(self) -> dict[str, Any]:
        """Return all fields as plain data, for JSON."""
        return asdict(self)


class Evaluation:
    """Scorer of generated samples against a reference of real ones, which is read once and kept.

    Every process must call :meth:`score`, since all share the work; the scores are the same on each.

    Args:
        scorer: the metrics.
        real: the reference.
        describes: other things that the scores depend on, as plain data, such as the split.
        folder: folder of the cache; None for the default one.
        progress: whether to show a progress bar.
    """

    def __init__(
        self,
        scorer: Scorer,
        real: Samples,
        describes: dict[str, Any] | None = None,
        folder: str | None = None,
        progress: bool = False,
    ) -> None:
        self.scorer, self.real, self.progress = scorer, real, progress
        self.protocol = {"metrics": scorer.protocol(), "n_real": real.n, **(describes or {})}
        self._folder = cache_folder(folder)
        self._states: cache.States | None = None

    def score(self, generated: Sequence[Samples], floor: Samples | None = None) -> Report:
        """Return the scores of one or several sets of generated samples.

        Args:
            generated: sets of samples, the same number in each.
            floor: real samples other than the reference, scored in place of generated ones; None for no floor.

        Raises:
            ValueError: samples of another shape than the reference's, or that a metric refuses.
        """
        start = time.perf_counter()
        on_first(partial(check_alike, self.real, generated[0]))
        scores = [self._scores_of(samples) for samples in generated]
        of_real = {} if floor is None else self._scores_of(floor)
        names = scores[0]
        several = len(scores) > 1
        return Report(
            scores={name: mean(s[name] for s in scores) for name in names},
            protocol={
                **self.protocol,
                "n_fake": generated[0].n,
                "sets": len(scores),
                **({} if floor is None else {"n_floor": floor.n}),
            },
            spread={name: stdev(s[name] for s in scores) for name in names} if several else {},
            floor=of_real,
            seconds=time.perf_counter() - start,
        )

    def _reference(self) -> cache.States:
        """Return the metrics' states of the real samples, kept, cached or computed now; empty except on rank 0."""
        if self._states is None:
            key = {"format": 1, "metrics": self.scorer.protocol(), "data": fingerprint(self.real)}
            self.protocol["data"] = key["data"]
            key["looks"] = on_first(partial(self._look_of_the_first, key))
            held: list[cache.States] = []
            if not on_first(partial(self._load, key, held)):
                self.scorer.start_from({})
                self._see(self.real, real=True)
                on_first(partial(self._keep, key, held))
            self._states = held[0] if held else {}
        return self._states

    def _look_of_the_first(self, key: dict[str, Any]) -> str:
        """Return a digest of the metrics' input for the first samples: extractors may differ not only in weights."""
        looked = self.scorer.look(self.real.block(0)[:16])
        return blake2b(b"".join(looked[name].numpy().tobytes() for name in sorted(looked)), digest_size=16).hexdigest()

    def _load(self, key: dict[str, Any], held: list[cache.States]) -> bool:
        states = cache.read(self._folder, key) if self.scorer.can_be_cached else None
        held += [] if states is None else [states]
        return states is not None

    def _keep(self, key: dict[str, Any], held: list[cache.States]) -> None:
        held.append(self.scorer.real_states())
        if self.scorer.can_be_cached:
            cache.write(self._folder, key, held[0])

    def _scores_of(self, samples: Samples) -> dict[str, float]:
        """Return the scores of one set of samples."""
        self.scorer.start_from(self._reference())
        try:
            self._see(samples, real=False)
            with seeded(0):  # KID and IS draw subsets
                return on_first(self.scorer.compute)
        finally:
            self.scorer.start_from({})

    def _see(self, samples: Samples, real: bool) -> None:
        kind = "real" if real else "generated"
        with tqdm(total=samples.n, desc=f"{kind} samples", unit="", leave=False, disable=not self.progress) as bar:

            def look(number: int) -> dict[str, Tensor]:
                return self.scorer.look(samples.block(number))

            def see(looked: dict[str, Tensor]) -> None:
                self.scorer.see(looked, real)
                bar.update(len(next(iter(looked.values()))))

            in_order(samples.n, look, see)


def check_alike(real: Samples, generated: Samples) -> None:
    """Raise a ValueError if generated samples have another shape than real ones."""
    shapes = [tuple(samples.block(0).shape[1:]) for samples in (real, generated)]
    if shapes[0] != shapes[1]:
        raise LitGANError(f"real samples are {shapes[0]} and generated ones {shapes[1]}: give both the same size")
