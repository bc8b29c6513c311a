"""Bit-exact resuming of a run: the state that a checkpoint needs for it, and warnings of what differs."""

from typing import Any

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.utilities.rank_zero import rank_zero_warn

from lit_gan._utils.checkpoint_file import Section
from lit_gan._utils.config import describe_data, summary
from lit_gan._utils.randomness import random_states, set_random_states
from lit_gan.training.distributed import gather
from lit_gan.training.lightning_compat import leave_finished_epoch, rescale_epoch, undo_early_end

__all__ = ["Resume"]

_STATE = {"seed", "world_size", "batches_per_epoch", "random_states"}  # keys of Resume.state


class Resume:
    """The random states of a run, and the state of the saved run that it resumes; a new object for each fit."""

    def __init__(self) -> None:
        self.saved: dict[str, Any] | None = None
        """The saved run's :meth:`state`; None for a run from scratch, or a checkpoint without it."""
        self._changed: list[str] = []
        self._before_validation: dict[str, Any] | None = None

    def begin_validation(self, device: torch.device) -> None:
        """Save the random states before a validation."""
        self._before_validation = random_states(device)

    def end_validation(self, device: torch.device) -> None:
        """Restore the random states that were saved before the validation, so that its draws do not affect training."""
        if self._before_validation is not None:
            set_random_states(self._before_validation, device)
            self._before_validation = None

    def state(self, trainer: Trainer, seed: int, device: torch.device) -> dict[str, Any]:
        """Return what a checkpoint needs in addition to Lightning's counters; every process must call this."""
        states = self._before_validation or random_states(device)
        return {
            "seed": seed,
            "world_size": trainer.world_size,
            "batches_per_epoch": trainer.num_training_batches,
            "random_states": gather(states),
        }

    def load(self, checkpoint: dict[str, Any], arguments: dict[str, Any], data: Any) -> int | None:
        """Read the saved run's state from a checkpoint, before Lightning restores its counters; return the seed.

        Args:
            checkpoint: its content; Lightning's counts in it may be corrected in place.
            arguments: of the model that resumes, as plain data.
            data: its data module, or None.

        Returns:
            The saved run's seed, or None if the checkpoint holds no state of a run.
        """
        there = dict(checkpoint[Section.MODEL])
        if Section.DATA in checkpoint:
            there["data"] = checkpoint[Section.DATA]
        here = {"data": describe_data(data), **arguments}
        self._changed = [
            f"{name} was {summary(there[name])} and is {summary(here[name])}"
            for name in here.keys() & there.keys()
            if here[name] != there[name]
        ]
        state = checkpoint.get(Section.RUN)
        if not isinstance(state, dict) or state.keys() != _STATE:
            return None
        self.saved = state
        undo_early_end(checkpoint["loops"]["fit_loop"])
        return int(state["seed"])

    def go_on(self, trainer: Trainer, device: torch.device) -> bool:
        """Restore the random states; warn if the run cannot equal one without an interruption bit by bit.

        Returns:
            Whether the random states must be seeded anew, because those of the saved run do not fit this one.
        """
        leave_finished_epoch(trainer)
        if self._changed:
            rank_zero_warn(
                f"resuming a run that had other arguments: {'; '.join(sorted(self._changed))}. Weights, counters and "
                "the optimizers' settings are the checkpoint's; warm_start takes the networks alone"
            )
        if self.saved is None:
            if trainer.ckpt_path is not None:
                rank_zero_warn("resuming, not bit-exact: the checkpoint says nothing of the run that it is from")
            return False
        reasons = _differences(trainer, self.saved)
        if not reasons:
            set_random_states(self.saved["random_states"][trainer.global_rank], device)
            return False
        rank_zero_warn(f"resuming, not bit-exact: {'; '.join(reasons)}. Weights, optimizers and counters are exact")
        rescale_epoch(trainer, self.saved["batches_per_epoch"], trainer.num_training_batches)
        return True


def _differences(trainer: Trainer, saved: dict[str, Any]) -> list[str]:
    """Return the reasons why a resumed run cannot be bit-exact."""
    reasons = []
    if saved["world_size"] != trainer.world_size:
        reasons.append(f"the run had {saved['world_size']} devices and has {trainer.world_size} now")
    if saved["batches_per_epoch"] != trainer.num_training_batches:
        reasons.append(f"an epoch had {saved['batches_per_epoch']} batches and has {trainer.num_training_batches} now")
    if not hasattr(trainer.train_dataloader, "load_state_dict"):
        reasons.append("the training data is no ordinary DataLoader and has no load_state_dict")
    return reasons
