"""The section of a checkpoint that describes its run: how it is read and checked, and what differs from another run."""

import math
from typing import Any

from lightning_fabric.utilities.data import sized_len
from pytorch_lightning import Trainer
from torch import Tensor

from lit_gan._utils.checkpoint_file import Section
from lit_gan._utils.errors import LitGANError
from lit_gan._utils.randomness import random_states, set_random_states
from lit_gan.training.lightning_compat import training_loaders
from lit_gan.training.lightning_counts import Unfinished, settle_counts
from lit_gan.training.stateful_loader import StatefulLoader

__all__ = ["differences", "facts", "read_run_state", "settled"]

_REQUIRED = {"seed", "world_size", "batches_per_epoch", "random_states"}
_DEFAULTS: dict[str, Any] = {
    "validating": None,
    "metrics": {},
    "step_metrics": [],
    "played": 0,
    "after_turn": None,
    "exact": True,
    "unfinished": None,
}
"""Parts of the state that checkpoints of earlier versions lack."""


def facts(trainer: Trainer) -> dict[str, Any]:
    """Return what else a run's bits depend on: devices, precision, batches in an epoch, workers that read data."""
    return {
        "world_size": trainer.world_size,
        "batches_per_epoch": trainer.num_training_batches,
        "precision": str(trainer.precision),
        "device": trainer.strategy.root_device.type,
        "workers": any(getattr(loader, "num_workers", 0) for loader in training_loaders(trainer)),
    }


def read_run_state(checkpoint: dict[str, Any]) -> dict[str, Any] | None:
    """Return a checkpoint's state of its run, with defaults for what earlier versions did not write; None without one.

    Raises:
        ValueError: it is not as a run writes it.
    """
    state = checkpoint.get(Section.RUN)
    if not isinstance(state, dict) or not state.keys() >= _REQUIRED:
        return None
    state = {**_DEFAULTS, **state}
    for name, fits in _fit(state).items():
        if not fits:
            raise LitGANError(
                f"{name}={state[name]!r:.80} in the checkpoint is not as a run writes it: nothing is resumed, take "
                "another checkpoint, or warm_start, which reads the networks alone"
            )
    return state


def _fit(state: dict[str, Any]) -> dict[str, bool]:
    """Return whether each part of a run's state is as a run writes it, by name."""
    states, batches = state["random_states"], state["batches_per_epoch"]
    played, unfinished = state["played"], state["unfinished"]
    return {
        "seed": type(state["seed"]) is int,
        "world_size": type(state["world_size"]) is int and state["world_size"] >= 1,
        "batches_per_epoch": type(batches) in (int, float) and not math.isnan(batches) and batches >= 0,
        "random_states": isinstance(states, list)
        and len(states) == state["world_size"]
        and all(map(_are_random_states, states)),
        "metrics": _are_scalars(state["metrics"]),
        "step_metrics": isinstance(state["step_metrics"], list) and all(map(_are_scalars, state["step_metrics"])),
        "unfinished": unfinished is None
        or (isinstance(unfinished, list) and len(unfinished) == 3 and all(type(part) is bool for part in unfinished)),
        "played": type(played) is int and 0 <= played <= 2,
        "after_turn": _are_random_states(state["after_turn"]) or not (played and state["exact"]),
    }


def _are_scalars(metrics: Any) -> bool:
    values = metrics.values() if isinstance(metrics, dict) else [None]
    return all(isinstance(value, Tensor) and value.numel() == 1 for value in values)


def _are_random_states(states: Any) -> bool:
    """Tell whether ``states`` can be set as random states, which is tried."""
    before = random_states()
    try:
        set_random_states(states)
    except Exception:  # of many types
        return False
    finally:
        set_random_states(before)
    return True


def settled(checkpoint: dict[str, Any], state: dict[str, Any]) -> Unfinished:
    """Set the loops' counts in a checkpoint to whole batches; return what the last batch lacks.

    Raises:
        ValueError: the counts are not as a Trainer writes them.
    """
    try:
        return settle_counts(checkpoint["loops"]["fit_loop"], state["validating"])
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise LitGANError(
            f"the checkpoint's loops are not as a Trainer writes them ({type(error).__name__}: {error}): nothing is "
            "resumed, take another checkpoint, or warm_start, which reads the networks alone"
        ) from error


def differences(trainer: Trainer, saved: dict[str, Any]) -> list[str]:
    """Return the reasons why a run that resumes the saved one cannot equal it bit by bit."""
    now = {**saved, **facts(trainer)}  # earlier versions wrote fewer facts
    said = {
        "world_size": "the run had {} devices and has {} now",
        "batches_per_epoch": "an epoch had {} batches and has {} now",
        "precision": "the precision was {} and is {} now",
        "device": "the device was {} and is {} now",
    }
    reasons = [
        sentence.format(saved[name], now[name])
        for name, sentence in said.items()
        if saved.get(name, now[name]) != now[name]
    ]
    if saved.get("workers", now["workers"]) != now["workers"]:
        reasons.append("worker processes read the data in one of both runs alone, so random transforms differ")
    if not all(hasattr(loader, "load_state_dict") for loader in training_loaders(trainer)):
        reasons.append("the training data is no ordinary DataLoader and has no load_state_dict")
    if any(isinstance(loader, StatefulLoader) and _ends_early(loader, trainer) for loader in training_loaders(trainer)):
        reasons.append("limit_train_batches ends the epochs of a loader that has a state of its own")
    if not saved["exact"]:
        reasons.append("the checkpoint was written in the middle of a batch")
    return reasons


def _ends_early(loader: StatefulLoader, trainer: Trainer) -> bool:
    """Tell whether an epoch ends before the loader does."""
    length = sized_len(loader)
    limited = trainer.limit_train_batches != 1.0 if length is None else trainer.num_training_batches < length
    return bool(limited)
