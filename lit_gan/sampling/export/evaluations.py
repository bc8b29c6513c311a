"""Evaluations of a generator, read from its run's ``scores.json`` or from a file that the user names."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from lit_gan._utils.errors import LitGANError, MissingFileError

__all__ = ["is_evaluation", "of_a_file", "of_the_run"]


def of_the_run(checkpoint: Path, images_seen: int, weights: Collection[str]) -> list[dict[str, Any]]:
    """Return the newest evaluations in a checkpoint's run that score it or an earlier state of it; may be empty.

    Args:
        checkpoint: path of the checkpoint, below ``checkpoints`` in the folder of the run's ``scores.json``, or in that
            folder itself. A file name of Lightning's with a metric's name, ``val/fid``, makes folders of its own.
        images_seen: images seen by the checkpoint.
        weights: digests of the weights of the checkpoint's generators, averaged and raw.

    Raises:
        ValueError: ``scores.json`` does not hold evaluations.
    """
    path = next((file for folder in _folders(checkpoint) if (file := folder / "scores.json").is_file()), None)
    return [] if path is None else _newest(_evaluations(path), images_seen, weights)


def _folders(checkpoint: Path) -> list[Path]:
    """Return the folders that may be the run's: from the checkpoint's up to that of ``checkpoints``.

    Without one of this name, further up than the first only from a folder that is part of a file name, ``epoch=1-val``.
    """
    folders = list(checkpoint.resolve().parents)
    names = [folder.name for folder in folders]
    if "checkpoints" in names:
        return folders[: names.index("checkpoints") + 2]
    return folders[: 1 + next(i for i, name in enumerate(names) if "=" not in name)]


def of_a_file(path: Path, images_seen: int, weights: Collection[str]) -> list[dict[str, Any]]:
    """Return the newest evaluations in a file that score a checkpoint or an earlier state of it.

    Args:
        path: path of an ``evaluation.json``, or of a ``scores.json``.
        images_seen: images seen by the checkpoint.
        weights: digests of the weights of the checkpoint's generators, averaged and raw.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file does not hold evaluations, or none that can score this generator or an earlier state of it.
    """
    if not path.is_file():
        raise MissingFileError(f"there are no scores {path}: name an evaluation.json or a scores.json")
    evaluations = _evaluations(path)
    newest = _newest(evaluations, images_seen, weights)
    if not newest:
        other = min(evaluation.get("images_seen", 0) for evaluation in evaluations)
        raise LitGANError(
            f"{path} is of another generator, after {other:,} images, the checkpoint's is one after {images_seen:,}: "
            "evaluate this checkpoint"
        )
    return newest


def _evaluations(path: Path) -> list[dict[str, Any]]:
    """Return the evaluations that a JSON file holds; raise a ValueError if it holds none or anything else."""
    try:
        held = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        held = None
    evaluations = held if isinstance(held, list) else [held]
    if not evaluations or not all(map(is_evaluation, evaluations)):
        raise LitGANError(f"{path} holds no evaluations as GenerativeMetrics and lit-gan evaluate write them: move it")
    return evaluations


def is_evaluation(held: Any) -> bool:
    """Tell whether plain data is an evaluation: scores and a protocol, of the types that GenerativeMetrics writes."""
    if not isinstance(held, dict) or not {"scores", "protocol"} <= held.keys():
        return False
    by_name = [held["protocol"], *(held.get(name, {}) for name in ("scores", "spread", "floor"))]
    if not all(isinstance(part, dict) for part in by_name):
        return False
    numbers = [held.get("images_seen", 0), held.get("step", 0), *(n for part in by_name[1:] for n in part.values())]
    texts = held.get("weights", ""), held.get("stage", "")
    return all(isinstance(text, str) for text in texts) and all(map(_is_number, numbers))


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**63)


def _newest(evaluations: list[dict[str, Any]], images_seen: int, weights: Collection[str]) -> list[dict[str, Any]]:
    """Return one evaluation for each protocol: those of these weights first, then those of the newest earlier state."""

    def rank(evaluation: dict[str, Any]) -> tuple[bool, float]:
        return evaluation.get("weights") in weights, evaluation.get("images_seen", -1)

    ranked = sorted((e for e in evaluations if _may_be_of(e, images_seen, weights)), key=rank)
    last = {json.dumps([e.get("stage"), e["protocol"]]): e for e in ranked}
    return sorted(last.values(), key=rank, reverse=True)


def _may_be_of(evaluation: dict[str, Any], images_seen: int, weights: Collection[str]) -> bool:
    """Return whether an evaluation scores these weights, or may score an earlier state, with fewer images seen."""
    own, seen = evaluation.get("weights"), evaluation.get("images_seen", 0)
    return own in weights or seen < images_seen or (own is None and seen == images_seen)
