"""What evaluations are known of a generator: of its run's ``scores.json``, or of a file that is named."""

import json
from pathlib import Path
from typing import Any

__all__ = ["of_a_file", "of_the_run"]


def of_the_run(checkpoint: Path, images_seen: int) -> list[dict[str, Any]]:
    """Return the newest evaluations of a checkpoint's run that are not of a later state; none where there are none.

    Args:
        checkpoint: beside the run's ``scores.json``, or in the folder ``checkpoints`` beside it.
        images_seen: of the checkpoint.

    Raises:
        ValueError: that file holds something else.
    """
    folder = checkpoint.resolve().parent
    path = (folder.parent if folder.name == "checkpoints" else folder) / "scores.json"
    return _newest(_evaluations(path), images_seen) if path.is_file() else []


def of_a_file(path: Path, images_seen: int) -> list[dict[str, Any]]:
    """Return the evaluations of a file that somebody names.

    Args:
        path: of an ``evaluation.json``, or of a ``scores.json``.
        images_seen: of the checkpoint.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it holds something else, or nothing of this state of the generator or an earlier one.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there are no scores {path}: name an evaluation.json or a scores.json")
    evaluations = _evaluations(path)
    newest = _newest(evaluations, images_seen)
    if not newest:
        later = min(evaluation["images_seen"] for evaluation in evaluations)
        raise ValueError(
            f"{path} is of a generator after {later:,} images, the checkpoint is of one after {images_seen:,}: "
            "evaluate this checkpoint"
        )
    return newest


def _evaluations(path: Path) -> list[dict[str, Any]]:
    """Return what a file holds, one evaluation at least."""
    try:
        held = json.loads(path.read_bytes())
    except ValueError:
        held = None
    evaluations = held if isinstance(held, list) else [held]
    if not evaluations or not all(map(_is_evaluation, evaluations)):
        raise ValueError(f"{path} holds no evaluations as GenerativeMetrics and lit-gan evaluate write them: move it")
    return evaluations


def _is_evaluation(held: Any) -> bool:
    if not isinstance(held, dict) or not {"scores", "protocol"} <= held.keys():
        return False
    by_name = [held["protocol"], *(held.get(name, {}) for name in ("scores", "spread", "floor"))]
    if not all(isinstance(part, dict) for part in by_name):
        return False
    numbers = [held.get("images_seen", 0), held.get("step", 0), *(n for part in by_name[1:] for n in part.values())]
    return all(isinstance(number, (int, float)) for number in numbers)


def _newest(evaluations: list[dict[str, Any]], images_seen: int) -> list[dict[str, Any]]:
    """Return the last of each protocol, of the newest state that is not later; those that name none come first."""
    unknown = [evaluation for evaluation in evaluations if "images_seen" not in evaluation]
    known = [e for e in evaluations if e.get("images_seen", images_seen + 1) <= images_seen]
    newest = max((e["images_seen"] for e in known), default=None)
    chosen = unknown + [e for e in known if e["images_seen"] == newest]
    return list({json.dumps([e.get("stage"), e["protocol"]]): e for e in chosen}.values())
