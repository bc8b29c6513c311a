"""Reader of a run's folder: metrics, scores, verdicts, pictures, configuration."""

import csv
import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lit_gan._utils.errors import LitGANError, MissingFileError

__all__ = ["Run", "read"]

Points = list[tuple[float, float]]
"""Pairs (generator updates, value)."""


@dataclass
class Run:
    """Contents of a run's folder."""

    folder: Path
    metrics: dict[str, Points] = field(default_factory=dict)
    """Logged values, by name."""
    scores: list[dict[str, Any]] = field(default_factory=list)
    """Evaluations by ``GenerativeMetrics``, with step and protocol."""
    verdicts: list[dict[str, Any]] = field(default_factory=list)
    """Verdicts of ``EquilibriumMonitor``, with the keys ``step``, ``state`` and ``says``."""
    pictures: dict[str, list[tuple[int, Path]]] = field(default_factory=dict)
    """Pairs (generator updates, file), by kind, for instance ``samples``."""
    texts: dict[str, str] = field(default_factory=dict)
    """Text of ``config.yaml`` and ``hparams.yaml``, by file name."""


def read(folder: Path) -> Run:
    """Return the contents of a run's folder.

    Raises:
        FileNotFoundError: ``folder`` is not a folder, or holds no files of a run.
        ValueError: a file in it is damaged.
    """
    if not folder.is_dir():
        raise MissingFileError(f"{folder} is no folder: give that of a run, which holds metrics.csv or samples")
    run = Run(
        folder,
        _metrics(folder / "metrics.csv"),
        _json(folder / "scores.json", json.loads),
        _json(folder / "verdicts.jsonl", lambda text: [json.loads(line) for line in text.splitlines()]),
        _pictures(folder),
        {name: (folder / name).read_text() for name in ("config.yaml", "hparams.yaml") if (folder / name).exists()},
    )
    if not (run.metrics or run.scores or run.verdicts or run.pictures):
        inside = ", ".join(sorted(path.name for path in folder.iterdir())[:5]) or "nothing"
        raise MissingFileError(f"{folder} holds {inside}, and nothing that a run logs: give the folder of one run")
    return run


def _metrics(file: Path) -> dict[str, Points]:
    """Return each column of the CSV log as pairs with its column ``step``."""
    if not file.exists():
        return {}
    points: dict[str, Points] = defaultdict(list)
    try:
        with file.open(newline="") as lines:
            for row in csv.DictReader(lines):
                step = float(row.pop("step"))
                for name, value in row.items():
                    if value:
                        points[name].append((step, float(value)))
    except (KeyError, TypeError, ValueError) as error:
        raise LitGANError(f"{file} is no log of metrics ({error}): without it the report has no charts") from error
    return dict(points)


def _json(file: Path, parse: Any) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    try:
        entries = parse(file.read_text())
        if isinstance(entries, list) and all(_has_step(entry) for entry in entries):
            return entries
    except ValueError:
        pass
    raise LitGANError(f"{file} is damaged: remove it, and the report does without it")


def _has_step(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("step"), (int, float))


def _pictures(folder: Path) -> dict[str, list[tuple[int, Path]]]:
    """Return the pictures of each kind, in the order of their generator updates."""
    found: dict[str, list[tuple[int, Path]]] = defaultdict(list)
    for path in folder.glob("*/step-*.png"):
        if number := re.fullmatch(r"step-(\d+)", path.stem):
            found[path.parent.name].append((int(number[1]), path))
    return {name: sorted(pictures) for name, pictures in sorted(found.items())}
