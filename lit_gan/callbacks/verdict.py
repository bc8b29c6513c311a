"""Rules that turn measurements of a game into a diagnosis: equilibrium, memorising, stalling, divergence, collapse."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

from lit_gan.theory import EQUILIBRIUM_VALUE

__all__ = ["FINE", "Measurement", "State", "Verdict", "is_measurement", "judge"]

State = Literal["plays", "equilibrium", "memorises", "stalls", "collapses", "diverges"]
FINE: tuple[State, ...] = ("plays", "equilibrium")
"""States that need no action."""
Measurement = dict[str, float]
"""``step``, and numbers of :class:`lit_gan.callbacks.EquilibriumMonitor` by name without ``equilibrium/``."""

_ALWAYS = {"step", "value", "jsd_lower_bound", "jsd_low", "jsd_high", "d_accuracy"}  # the others may be missing
_PATIENCE = 3  # measurements in succession that make a trend
_SLOWER = "a lower learning rate, gradient_clip, or R1"


@dataclass(frozen=True)
class Verdict:
    """A diagnosis of the game, and the numbers that it follows from.

    Args:
        state: ``"plays"`` if no rule applies; ``"equilibrium"`` if D cannot tell data from samples.
        evidence: a sentence with the numbers.
        advice: remedies to try, or an empty string.
    """

    state: State
    evidence: str
    advice: str = ""

    @property
    def is_bad(self) -> bool:
        """Whether the state needs action: it is not one of :data:`FINE`."""
        return self.state not in FINE

    def __str__(self) -> str:
        """Return the verdict as a sentence: state, evidence, advice."""
        name = {"plays": "goes on", "equilibrium": "is at its equilibrium"}.get(self.state, self.state)
        return f"the game {name}: {self.evidence}" + (f". Try {self.advice}" if self.advice else "")


def judge(history: Sequence[Measurement]) -> Verdict:
    """Return the verdict on the last of ``history``, one or more measurements in the order of their steps.

    The first of these rules that applies decides; ``"plays"`` if none does:

    - *diverges*: a number is not finite; or, for three measurements, samples vary three times as much as the data, D
      does far worse than guessing on its training data, a player's gradient is a hundred times its median, or one
      update changes a player's weights by more than a tenth.
    - *collapses*: for three measurements, samples vary less than a tenth as much as the data, after they once varied
      more than a fifth as much or from the start on for six measurements; or they cover less than half of the data that
      they once covered.
    - *stalls*: D tells 99 % apart for three measurements, and the generator's gradient norm is below a fiftieth
      of its largest, or neither the bound nor the coverage has improved over the last six.
    - *memorises*: D does better on its training data than on held-out data by 0.1 nats and more than chance explains.
    - *equilibrium*: for three measurements, the interval of the JSD bound lies within 0.02 nats of 0, or holds 0 and is
      shorter than 0.1; D is right as often as guessing, within 5 %; and samples cover 80 % of the data. A discriminator
      that is weak or slow meets the first of these alone.
    """
    rules: list[Callable[[Sequence[Measurement]], Verdict | None]]
    rules = [_diverges, _collapses, _stalls, _memorises, _equilibrium]
    verdicts = (rule(history) for rule in rules)
    return next((verdict for verdict in verdicts if verdict is not None), _plays(history))


def is_measurement(held: Any) -> bool:
    """Tell whether plain data, from a file, is a measurement that :func:`judge` takes."""
    if not isinstance(held, dict) or not held.keys() >= _ALWAYS or ("memorising_gap" in held) > ("value_train" in held):
        return False
    return all(isinstance(name, str) and isinstance(number, (int, float)) for name, number in held.items())


def _diverges(history: Sequence[Measurement]) -> Verdict | None:
    now = history[-1]
    bad = [name for name, number in now.items() if not math.isfinite(number)]
    if bad:
        return Verdict("diverges", f"{bad[0]} is {now[bad[0]]} at step {now['step']:.0f}", "a lower learning rate")
    if min(_last(history, "spread"), default=0) > 3:
        return Verdict("diverges", f"samples vary {now['spread']:.3g} times as much as the data", _SLOWER)
    if max(_last(history, "value_train"), default=0) < 2 * EQUILIBRIUM_VALUE and not _memorises(history):
        return Verdict("diverges", f"D is worse than guessing, V = {now['value_train']:.3g} on training data", _SLOWER)
    verdicts = (_blows_up(history, player) for player in ("generator", "discriminator"))
    return next((verdict for verdict in verdicts if verdict is not None), None)


def _blows_up(history: Sequence[Measurement], player: str) -> Verdict | None:
    norms = _series(history, f"gradient_norm/{player[0]}")
    usual = median(norms[:-_PATIENCE]) if len(norms) > 2 * _PATIENCE else 0.0
    usual = usual or math.inf  # a median of 0, or a short history: this rule cannot apply
    if min(norms[-_PATIENCE:], default=0) > 100 * usual:
        said = f"the {player}'s gradient norm is {norms[-1]:.3g}, {norms[-1] / usual:.0f} times its median {usual:.3g}"
        return Verdict("diverges", said, _SLOWER)
    ratios = _last(history, f"update_to_weight/{player[0]}")
    if min(ratios, default=0) > 0.1:
        said = f"one update changes the {player}'s weights by {ratios[-1]:.0%} of their norm; 0.1 % is usual"
        return Verdict("diverges", said, _SLOWER)
    return None


def _collapses(history: Sequence[Measurement]) -> Verdict | None:
    advice = "R1, a packed or minibatch-aware discriminator, or a lower learning rate of the generator"
    spreads, coverages = _series(history, "spread"), _last(history, "coverage")
    low, before = spreads[-_PATIENCE:], spreads[:-_PATIENCE]
    fell = max(before, default=0) > 0.2 or (len(before) >= _PATIENCE and spreads[-1] < 1.1 * spreads[0])
    if len(low) == _PATIENCE and max(low) < 0.1 and fell:
        return Verdict("collapses", f"samples vary {low[-1]:.3g} times as much as the data", advice)
    best = max(history, key=lambda m: m.get("coverage", 0))
    if best.get("coverage", 0) > 0.3 and max(coverages, default=1) < best["coverage"] / 2:
        said = f"samples cover {coverages[-1]:.0%} of the data, {best['coverage']:.0%} at step {best['step']:.0f}"
        return Verdict("collapses", said, advice)
    return None


def _stalls(history: Sequence[Measurement]) -> Verdict | None:
    if min(_last(history, "d_accuracy"), default=0) < 0.99:
        return None
    now = history[-1]
    said = f"D tells {now['d_accuracy']:.1%} of data and samples apart (V = {now['value']:.3f} of 0)"
    norms = _series(history, "gradient_norm/g")
    if norms and max(norms[-_PATIENCE:]) < max(norms) / 50:
        vanished = f"and the generator's gradient norm has fallen from {max(norms):.3g} to {norms[-1]:.3g}"
        return Verdict("stalls", f"{said}, {vanished}", "NonSaturating in place of Minimax, or R1")
    before, recent = history[-2 * _PATIENCE : -_PATIENCE], history[-_PATIENCE:]
    if len(before) < _PATIENCE:
        return None
    bound_fell = min(m["jsd_lower_bound"] for m in recent) < min(m["jsd_lower_bound"] for m in before) - 0.01
    coverage_rose = max(_series(recent, "coverage"), default=0) > max(_series(before, "coverage"), default=0) + 0.01
    if bound_fell or coverage_rose:
        return None
    since = f"and neither the bound nor the coverage has improved since step {before[-1]['step']:.0f}"
    return Verdict("stalls", f"{said}, {since}", "R1, a smaller discriminator, or more noise in it")


def _memorises(history: Sequence[Measurement]) -> Verdict | None:
    now = history[-1]
    gap, width = now.get("memorising_gap", 0.0), now["jsd_high"] - now["jsd_low"]
    if gap <= max(0.1, 2 * width):
        return None
    said = f"V is {now['value_train']:.3f} on training data and {now['value']:.3f} on held-out data"
    return Verdict("memorises", said, "more data, augmentation, or R1")


def _equilibrium(history: Sequence[Measurement]) -> Verdict | None:
    last = history[-_PATIENCE:]
    if len(last) < _PATIENCE or not all(map(_is_even, last)):
        return None
    return Verdict("equilibrium", f"D cannot tell data from samples, {_numbers(history[-1])}")


def _is_even(now: Measurement) -> bool:
    low, high = now["jsd_low"], now["jsd_high"]
    near_zero = max(-low, high) < 0.02 or (low <= 0 <= high and high - low < 0.1)
    return near_zero and abs(now["d_accuracy"] - 0.5) < 0.05 and now.get("coverage", 0) > 0.8


def _plays(history: Sequence[Measurement]) -> Verdict:
    best = min(history, key=lambda m: m["jsd_lower_bound"])
    return Verdict("plays", f"{_numbers(history[-1])}; lowest {best['jsd_lower_bound']:.3f} at step {best['step']:.0f}")


def _numbers(now: Measurement) -> str:
    return (
        f"V = {now['value']:.3f} (equilibrium -1.386), JSD ≥ {now['jsd_lower_bound']:.3f} nats "
        f"[{now['jsd_low']:.3f}, {now['jsd_high']:.3f}], accuracy {now['d_accuracy']:.1%}"
    )


def _series(history: Sequence[Measurement], name: str) -> list[float]:
    return [measurement[name] for measurement in history if name in measurement]


def _last(history: Sequence[Measurement], name: str) -> list[float]:
    """Return the last ``_PATIENCE`` numbers of that name; an empty list if there are fewer."""
    numbers = _series(history, name)[-_PATIENCE:]
    return numbers if len(numbers) == _PATIENCE else []
