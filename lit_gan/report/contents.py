"""Charts and tables of a run's report, with their captions."""

import json
import math
from collections.abc import Sequence
from typing import Any

from lit_gan.report.charts import Chart, Curve
from lit_gan.report.run_folder import Points, Run
from lit_gan.theory import EQUILIBRIUM_VALUE

__all__ = ["charts", "extremes", "score_charts"]

_GROUPS: Sequence[tuple[str, str, tuple[str, ...], float | None, str]] = (
    (
        "Value of the game, V(G, D)",
        "0: the discriminator tells all real from all generated images. −log 4: it can only guess: p_g = p_data.",
        ("val/value", "equilibrium/value", "equilibrium/value_train"),
        EQUILIBRIUM_VALUE,
        "equilibrium, −log 4",
    ),
    (
        "Lower bound of the Jensen–Shannon divergence",
        "(V + log 4)/2 in nats, on held-out data; the band is its 95 % bootstrap interval.",
        ("val/jsd_lower_bound", "equilibrium/jsd_lower_bound"),
        math.log(2),
        "most, log 2",
    ),
    ("Losses", "Of a game they say little: each player's depends on the other.", ("loss/d", "loss/g"), None, ""),
    (
        "Logits",
        "Means over a batch; log p_data/p_g where the game fixes it.",
        ("logits/real", "logits/fake"),
        0.0,
        "undecided",
    ),
    (
        "How well the discriminator judges",
        "Share of held-out and generated images that it tells, and how far its probabilities are from what happens.",
        ("val/d_accuracy", "equilibrium/d_accuracy", "equilibrium/calibration_error"),
        0.5,
        "guessing",
    ),
    (
        "Variety",
        "Spread of samples in units of the data's own, and the share of held-out images that a sample lies close to.",
        ("equilibrium/spread", "equilibrium/coverage"),
        1.0,
        "the data's own",
    ),
    (
        "Overfitting",
        "V on training data less V on held-out data: above 0 the discriminator remembers its images.",
        ("equilibrium/memorising_gap", "augment/p"),
        0.0,
        "none",
    ),
    (
        "Gradient norms",
        "Of the last turn, before clipping.",
        ("equilibrium/gradient_norm/g", "equilibrium/gradient_norm/d"),
        None,
        "",
    ),
    (
        "Size of an update, ‖Δθ‖/‖θ‖",
        "Of the last turn of each player.",
        ("equilibrium/update_to_weight/g", "equilibrium/update_to_weight/d"),
        None,
        "",
    ),
)
"""(title, caption, metrics, level to compare with, name of the level) of each chart of several metrics."""
_JUDGED = {"val/value", "val/jsd_lower_bound", "val/d_accuracy"}
"""Metrics of the discriminator's logits, whose captions include ``_CAVEATS``."""
_CAVEATS = {"augmented": "Of augmented samples.", "packed": "Of {:.0f} samples together."}
"""Captions by the flags of :attr:`lit_gan.LitGAN.measurement_flags`, which are logged together with ``_JUDGED``."""
_NOT_DRAWN = ("images_seen", "epoch", "equilibrium/jsd_low", "equilibrium/jsd_high")
"""Metrics without a chart of their own."""


def charts(run: Run) -> list[Chart]:
    """Return charts of the logged metrics: one for each known group, one of penalties, one for each other metric."""
    groups = list(_GROUPS)
    penalties = tuple(name for name in run.metrics if name.startswith("penalty/"))
    groups.append(
        ("Penalties", "As they are added to a player's loss, a lazy one before it is scaled up.", penalties, None, "")
    )
    scored = {f"{entry.get('stage', 'val')}/{name}" for entry in run.scores for name in entry.get("scores", {})}
    known = {name for _, _, names, *_ in groups for name in names} | scored | set(_NOT_DRAWN)
    rest = [name for name in sorted(run.metrics) if name not in known and name.rpartition("/")[2] not in _CAVEATS]
    groups += [(name, "", (name,), None, "") for name in rest]
    drawn = []
    for title, says, names, level, level_name in groups:
        curves = [Curve(name, run.metrics[name], _band(run, name)) for name in names if name in run.metrics]
        if curves:
            drawn.append(Chart(title, " ".join([says, *_caveats(run, names)]), curves, level, level_name))
    return drawn


def _caveats(run: Run, names: Sequence[str]) -> list[str]:
    """Return captions of the flags that were logged, if one of ``names`` is a metric of the discriminator's logits."""
    if not _JUDGED.intersection(names):
        return []
    logged = {name.rpartition("/")[2]: points for name, points in run.metrics.items()}
    return [says.format(logged[name][-1][1]) for name, says in _CAVEATS.items() if name in logged]


def _band(run: Run, name: str) -> list[tuple[float, float, float]]:
    if name != "equilibrium/jsd_lower_bound":
        return []
    low, high = (dict(run.metrics.get(f"equilibrium/jsd_{end}", [])) for end in ("low", "high"))
    return [(x, low[x], high[x]) for x in low if x in high]


def score_charts(run: Run) -> list[Chart]:
    """Return a chart of each score over generator updates, with its spread, floor and number of samples.

    Scores of another stage or protocol are not comparable, and have a chart of their own.
    """
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for entry in run.scores:
        for name in entry.get("scores", {}):
            protocol = json.dumps(entry.get("protocol", {}), sort_keys=True)
            groups.setdefault((name, str(entry.get("stage", "val")), protocol), []).append(entry)
    return [_score_chart(f"{stage}/{name}", name, entries) for (name, stage, _), entries in groups.items()]


def _score_chart(title: str, name: str, entries: list[dict[str, Any]]) -> Chart:
    points: Points = [(float(e["step"]), float(e["scores"][name])) for e in entries]
    band = [
        (x, y - float(e["spread"][name]), y + float(e["spread"][name]))
        for (x, y), e in zip(points, entries, strict=True)
        if name in e.get("spread", {})
    ]
    floor = entries[-1].get("floor", {}).get(name)
    return Chart(title, _says(entries[-1].get("protocol", {})), [Curve(name, points, band)], floor, "real against real")


def _says(of: dict[str, Any]) -> str:
    averaged = " of the averaged generator" if of.get("ema") else ""
    several = of.get("sets", 1) not in (0, 1)
    sets = f", mean of {of['sets']} sets, the band their standard deviation" if several else ""
    real = f"{of.get('n_real')} real ones ({of.get('split')})"
    return f"{of.get('n_fake')} generated samples{averaged} against {real}{sets}."


def extremes(run: Run) -> list[tuple[str, ...]]:
    """Return a row for each metric: name, first, last, smallest and largest value, and number of values."""
    rows = []
    for name, points in sorted(run.metrics.items()):
        finite = [y for _, y in points if math.isfinite(y)] or [math.nan]
        numbers = (points[0][1], points[-1][1], min(finite), max(finite))
        rows.append((name, *(f"{number:.4g}" for number in numbers), str(len(points))))
    return rows
