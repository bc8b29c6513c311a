"""Lightning's counts of epochs and batches, put right where a run goes on."""

from typing import Any

__all__ = ["leave_finished_epoch", "rescale_epoch", "undo_early_end"]


def undo_early_end(loop: dict[str, Any]) -> None:
    """Go back into an epoch that ``max_steps`` or ``should_stop`` ended early, which Lightning counts as over.

    Args:
        loop: the state of Lightning's fit loop in a checkpoint, changed in place.
    """
    epochs, batches = loop["epoch_progress"], loop["epoch_loop.batch_progress"]
    if batches["is_last_batch"] or epochs["current"]["processed"] != epochs["current"]["ready"]:
        return
    for counts in epochs.values():
        counts["processed"] = counts["completed"] = counts["ready"] - 1


def leave_finished_epoch(loop: Any) -> None:
    """Have the next epoch begin where the last one is over; with ``max_steps`` Lightning would play an empty one.

    Args:
        loop: Lightning's fit loop, its counts restored and no batch played.
    """
    epoch, batches = loop.epoch_progress.current, loop.epoch_loop.batch_progress.current
    if not loop.restarting or epoch.ready != epoch.processed or batches.ready != batches.completed:
        return
    if epoch.completed < epoch.processed:
        loop.epoch_progress.increment_completed()
    loop._restarting = loop.epoch_loop.restarting = False
    loop.reset_restart_stage()


def rescale_epoch(loop: Any, before: float, now: float) -> None:
    """Move the position to the same share of an epoch of another length.

    Args:
        loop: Lightning's fit loop.
        before: batches in an epoch of the run that was saved.
        now: batches in one of this run; infinite where they are not known.
    """
    if before == now or float("inf") in (before, now):
        return
    progress = loop.epoch_loop.batch_progress.current
    ready = progress.ready * int(now) // int(before)
    for name in ("started", "processed", "completed", "ready"):
        setattr(progress, name, ready - (progress.ready - getattr(progress, name)))
