"""What evaluations are known of a generator: of its run's ``scores.json``, or of a file that is named."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from lit_gan._utils.errors import LitGANError, MissingFileError

__all__ = ["of_a_file", "of_the_run"]


def of_the_run(checkpoint: Path, images_seen: int, weights: Collection[str]) -> list[dict[str, Any]]:
    """Return the newest evaluations in a checkpoint's run that are of it or may be of a state before; perhaps none.

    Args:
        checkpoint: beside the run's ``scores.json``, or in the folder ``checkpoints`` beside it.
        images_seen: of the checkpoint.
        weights: digests of the checkpoint's generators, averaged and raw.

    Raises:
        ValueError: that file holds something else.
    """
    folder = checkpoint.resolve().parent
    path = (folder.parent if folder.name == "checkpoints" else folder) / "scores.json"
    return _newest(_evaluations(path), images_seen, weights) if path.is_file() else []


def of_a_file(path: Path, images_seen: int, weights: Collection[str]) -> list[dict[str, Any]]:
    """Return the evaluations of a file that somebody names.

    Args:
        path: of an ``evaluation.json``, or of a ``scores.json``.
        images_seen: of the checkpoint.
        weights: digests of the checkpoint's generators, averaged and raw.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it holds something else, or nothing that is of this generator or may be of an earlier state of it.
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
    """Return what a file holds, one evaluation at least."""
    try:
        held = json.loads(path.read_bytes())
    except ValueError:
        held = None
    evaluations = held if isinstance(held, list) else [held]
    if not evaluations or not all(map(_is_evaluation, evaluations)):
        raise LitGANError(f"{path} holds no evaluations as GenerativeMetrics and lit-gan evaluate write them: move it")
    return evaluations


def _is_evaluation(held: Any) -> bool:
    if not isinstance(held, dict) or not {"scores", "protocol"} <= held.keys():
        return False
    by_name = [held["protocol"], *(held.get(name, {}) for name in ("scores", "spread", "floor"))]
    if not all(isinstance(part, dict) for part in by_name):
        return False
    numbers = [held.get("images_seen", 0), held.get("step", 0), *(n for part in by_name[1:] for n in part.values())]
    return isinstance(held.get("weights", ""), str) and all(isinstance(number, (int, float)) for number in numbers)


def _newest(evaluations: list[dict[str, Any]], images_seen: int, weights: Collection[str]) -> list[dict[str, Any]]:
    """Return one of each protocol, these weights' own or else that of the newest state before; their own come first."""

    def rank(evaluation: dict[str, Any]) -> tuple[bool, float]:
        return evaluation.get("weights") in weights, evaluation.get("images_seen", -1)

    ranked = sorted((e for e in evaluations if _may_be_of(e, images_seen, weights)), key=rank)
    last = {json.dumps([e.get("stage"), e["protocol"]]): e for e in ranked}
    return sorted(last.values(), key=rank, reverse=True)


def _may_be_of(evaluation: dict[str, Any], images_seen: int, weights: Collection[str]) -> bool:
    """Tell whether an evaluation is of these weights, or can be of a state that saw fewer images."""
    own, seen = evaluation.get("weights"), evaluation.get("images_seen", 0)
    return own in weights or seen < images_seen or (own is None and seen == images_seen)
