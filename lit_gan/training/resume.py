"""Bit-exact resuming of a run: the state that a checkpoint needs for it, and warnings of what differs."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from torch import Tensor

from lit_gan._utils.checkpoint_file import Section
from lit_gan._utils.config import describe_data, summary
from lit_gan._utils.randomness import random_states, set_random_states
from lit_gan.training.checkpoint import check_restored
from lit_gan.training.checkpoint_io import saves_on_error
from lit_gan.training.distributed import gather
from lit_gan.training.lightning_compat import restore_metrics
from lit_gan.training.lightning_counts import (
    Unfinished,
    count_epoch_as_over,
    finish_batch,
    is_within_batch,
    open_finished_run,
    rescale_epoch,
    restore_loaders,
)
from lit_gan.training.run_state import differences, facts, read_run_state, settled

__all__ = ["Resume"]


class Resume:
    """The random states of a run, and the state of the saved run that it resumes; a new object for each fit.

    A checkpoint can be written at any point: after a batch, in a validation, or, after an error, in the middle of a
    turn. The counts of the loops in it are first set to whole batches. When training starts, what followed the last
    whole batch and was not done is done: its validation, and the end of its epoch. If the run was interrupted between
    the turns of a batch, the turns that were played are left out when this batch comes again.
    """

    def __init__(self) -> None:
        self.saved: dict[str, Any] | None = None
        """The saved run's :meth:`state`; None for a run from scratch, or a checkpoint without it."""
        self._changed: list[str] = []
        self._unfinished, self._gone_on, self._ended = Unfinished(), False, False
        self._close: Callable[[], None] | None = None
        self._before_validation: dict[str, Any] | None = None
        self._validated = False
        self._saves_in_turn = False  # whether a checkpoint may be written in a turn; the next two only if so
        self._before_batch: dict[str, Any] | None = None
        self._after_turn: dict[str, Any] | None = None
        self._played = self._played_before = 0  # turns of this batch

    # Random states

    def begin_validation(self, device: torch.device) -> None:
        """Save the random states before a validation."""
        self._before_validation, self._validated = random_states(device), False

    def mark_validated(self) -> None:
        """Count the validation as done; checkpoints are written in the hooks that follow."""
        self._validated = True

    def end_validation(self, device: torch.device) -> None:
        """Restore the random states that were saved before the validation, so that its draws do not affect training."""
        if self._before_validation is not None:
            set_random_states(self._before_validation, device)
            self._before_validation = None

    def begin_batch(self, device: torch.device) -> None:
        """Save the random states before a batch is read, if a checkpoint may be written before the batch is done."""
        self._played, self._after_turn = 0, None
        if self._saves_in_turn:
            self._before_batch = random_states(device)

    def turns_played(self, device: torch.device) -> int:
        """Return how many turns of this batch the saved run played, and restore the random states after them."""
        self._played, self._played_before = self._played_before, 0
        if self._played and self.saved is not None and self.saved["exact"]:
            set_random_states(self.saved["after_turn"], device)
        return self._played

    def end_turn(self, device: torch.device) -> None:
        """Count a turn of this batch as played."""
        self._played += 1
        if self._before_batch is not None:
            self._after_turn = random_states(device)

    # Checkpoints

    def state(self, trainer: Trainer, seed: int, step_metrics: dict[str, Tensor]) -> dict[str, Any]:
        """Return what a checkpoint needs in addition to Lightning's counters; every process must call this."""
        if self.saved is not None and not self._gone_on:
            return self.saved if self._ended else {**self.saved, "unfinished": list(self._unfinished)}
        within = is_within_batch(trainer)
        states = self._before_validation or random_states(trainer.strategy.root_device)
        if within and self._before_batch is not None:
            states = self._before_batch
        return {
            **facts(trainer),
            "seed": seed,
            "random_states": gather(states),
            "validating": self._before_validation is not None and not self._validated,
            "metrics": _on_cpu(trainer.callback_metrics),
            "step_metrics": gather(_on_cpu(step_metrics)),
            "played": self._played if within else 0,
            "after_turn": self._after_turn if within else None,
            "exact": not within or self._before_batch is not None,
            "unfinished": None,
        }

    def load(self, checkpoint: dict[str, Any], arguments: dict[str, Any], data: Any) -> int | None:
        """Read the saved run's state from a checkpoint, before Lightning restores its counters; return the seed.

        Args:
            checkpoint: its content; Lightning's counts in it may be corrected in place.
            arguments: of the model that resumes, as plain data.
            data: its data module, or None.

        Returns:
            The saved run's seed, or None if the checkpoint holds no state of a run.

        Raises:
            ValueError: the state of the run or the counts of its loops are not as a run writes them.
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
        self.saved = read_run_state(checkpoint)
        if self.saved is None:
            return None
        self._unfinished = settled(checkpoint, self.saved)
        if self.saved["unfinished"] is not None:  # written before the run went on, from counts that were settled
            self._unfinished = Unfinished(*self.saved["unfinished"])
        self._played_before = self.saved["played"]
        return int(self.saved["seed"])

    def open(self, trainer: Trainer) -> None:
        """Restore the metrics that callbacks decide by; let the loop begin if the saved run's last batch is unfinished.

        Lightning would not begin it if the run's limit is reached.
        """
        if self.saved is not None and not self._gone_on:
            restore_metrics(trainer, self.saved["metrics"])
        if self._unfinished.batch and self._close is None:
            self._close = open_finished_run(trainer)

    def step_metrics(self, rank: int) -> dict[str, Tensor]:
        """Return the metrics of the saved run's last step on the process of this rank."""
        metrics = [] if self.saved is None else self.saved["step_metrics"]
        return metrics[rank] if rank < len(metrics) else {}

    def go_on(self, trainer: Trainer, device: torch.device) -> bool:
        """Restore the random states; warn if the run cannot equal one without an interruption bit by bit.

        Returns:
            Whether the random states must be seeded anew, because those of the saved run do not fit this one.

        Raises:
            ValueError: the optimizers' restored states are not of their parameters' shapes.
        """
        self._gone_on, self._saves_in_turn = True, saves_on_error(trainer)
        check_restored(trainer.optimizers)
        if self._changed:
            rank_zero_warn(
                f"resuming a run that had other arguments: {'; '.join(sorted(self._changed))}. Weights, counters and "
                "the optimizers' settings are the checkpoint's; warm_start takes the networks alone"
            )
        if self.saved is None:
            if trainer.ckpt_path is not None:
                rank_zero_warn("resuming, not bit-exact: the checkpoint says nothing of the run that it is from")
            return False
        if reasons := differences(trainer, self.saved):
            rank_zero_warn(f"resuming, not bit-exact: {'; '.join(reasons)}. Weights, optimizers and counters are exact")
            rescale_epoch(trainer, self.saved["batches_per_epoch"], trainer.num_training_batches)
        if self.saved["world_size"] != trainer.world_size:
            return True
        set_random_states(self.saved["random_states"][trainer.global_rank], device)
        return False

    def finish_batch(self, trainer: Trainer) -> None:
        """Do what the saved run's last batch still lacks: its validation, and the end of its epoch."""
        if self._close is not None:
            self._close()
        finish_batch(trainer, self._unfinished)

    def end(self, trainer: Trainer) -> None:
        """Leave the counts and the loaders of a run that was finished, and has not gone on, as they were."""
        self._ended = True
        if self.saved is not None and not self._gone_on:
            restore_loaders(trainer)
            if self._unfinished.epoch:
                count_epoch_as_over(trainer)


def _on_cpu(metrics: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: metric.detach().cpu() for name, metric in metrics.items()}
