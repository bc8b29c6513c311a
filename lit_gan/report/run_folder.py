"""Reader of a run's folder: metrics, scores, verdicts, pictures, configuration."""

import csv
import json
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lit_gan._utils.errors import LitGANError, MissingFileError
from lit_gan.sampling.export.evaluations import is_evaluation

__all__ = ["Run", "read"]

Points = list[tuple[float, float]]
"""Pairs (generator updates, value)."""
_LARGEST = 500_000_000  # bytes of a file that is read
_MOST_COLUMNS = 10_000  # of metrics.csv: each has a chart


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
    left_out: list[str] = field(default_factory=list)
    """A clause about each file that is not read: a link out of the folder, a device, a file that is too large."""


def read(folder: Path) -> Run:
    """Return the contents of a run's folder, which may be a stranger's: no link is followed out of it.

    Raises:
        FileNotFoundError: ``folder`` is not a folder, or holds no files of a run.
        ValueError: a file in it is damaged.
    """
    if not folder.is_dir():
        raise MissingFileError(f"{folder} is no folder: give that of a run, which holds metrics.csv or samples")
    run = Run(folder)
    if _is_read(run, path := folder / "metrics.csv"):
        run.metrics = _metrics(path)
    if _is_read(run, path := folder / "scores.json"):
        run.scores = _entries(path, json.loads, is_evaluation)
    if _is_read(run, path := folder / "verdicts.jsonl"):
        run.verdicts = _entries(path, lambda text: [json.loads(line) for line in text.split("\n") if line])
    run.pictures = _pictures(run)
    for path in (folder / "config.yaml", folder / "hparams.yaml"):
        if _is_read(run, path):
            run.texts[path.name] = path.read_text(encoding="utf-8", errors="replace")
    if not (run.metrics or run.scores or run.verdicts or run.pictures):
        inside = ", ".join([*sorted(path.name for path in folder.iterdir())[:5], *run.left_out[:5]]) or "nothing"
        raise MissingFileError(f"{folder} holds {inside}, and nothing that a run logs: give the folder of one run")
    return run


def _is_read(run: Run, path: Path) -> bool:
    """Tell whether to read a path; note in ``run`` why not if it is there, but no file in the run's folder."""
    if not (path.exists() or path.is_symlink()):
        return False
    try:
        real = path.resolve()
        size = real.stat().st_size if real.is_file() else None
    except (OSError, RuntimeError):  # a circle of links
        real, size = path, None
    if not real.is_relative_to(run.folder.resolve()):
        why = "leads out of the folder"
    elif size is None:
        why = "is no file"
    elif size > _LARGEST:
        why = f"has more than {_LARGEST / 1e6:.0f} MB"
    else:
        return True
    run.left_out.append(f"{path.relative_to(run.folder)} {why}")
    return False


def _metrics(file: Path) -> dict[str, Points]:
    """Return each column of the CSV log as pairs with its column ``step``."""
    points: dict[str, Points] = defaultdict(list)
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            rows = csv.DictReader(lines)
            if (columns := len(rows.fieldnames or ())) > _MOST_COLUMNS:
                raise LitGANError(f"{columns} columns are more than {_MOST_COLUMNS}")
            for row in rows:
                step = float(row.pop("step"))
                for name, value in row.items():
                    if value:
                        points[name].append((step, float(value)))
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise LitGANError(f"{file} is no log of metrics ({error}): without it the report has no charts") from error
    return dict(points)


def _entries(file: Path, parse: Callable[[str], Any], fits: Callable[[Any], bool] = bool) -> list[dict[str, Any]]:
    """Return the entries that a file lists, each with a step; raise a ValueError if there is one that does not fit."""
    try:
        entries = parse(file.read_text(encoding="utf-8"))
        if isinstance(entries, list) and all(_has_step(entry) and fits(entry) for entry in entries):
            return entries
    except (ValueError, RecursionError):
        pass
    raise LitGANError(f"{file} is damaged: remove it, and the report does without it")


def _has_step(entry: Any) -> bool:
    step = entry.get("step") if isinstance(entry, dict) else None
    return isinstance(step, (int, float)) and abs(step) < 2**63


def _pictures(run: Run) -> dict[str, list[tuple[int, Path]]]:
    """Return the pictures of each kind, in the order of their generator updates."""
    found: dict[str, list[tuple[int, Path]]] = defaultdict(list)
    for path in run.folder.glob("*/step-*.png"):
        if (number := re.fullmatch(r"step-(\d{1,18})", path.stem)) and _is_read(run, path):
            found[path.parent.name].append((int(number[1]), path))
    return {name: sorted(pictures) for name, pictures in sorted(found.items())}
