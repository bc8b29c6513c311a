"""Counts of epochs and batches that Lightning does not document: where a run is, and how a saved one goes on.

As in ``lightning_compat.py``, each function says why it is needed, and has a test that fails if Lightning changes.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from pytorch_lightning import Trainer

__all__ = [
    "Unfinished",
    "batches_done",
    "batches_trained",
    "count_epoch_as_over",
    "finish_batch",
    "is_within_batch",
    "open_finished_run",
    "position_in_epoch",
    "rescale_epoch",
    "restore_loaders",
    "settle_counts",
]


def position_in_epoch(trainer: Trainer) -> tuple[int, int]:
    """Return (epoch, number of the next batch to read in it), both from 0.

    Why: the public ``current_epoch`` counts an epoch as over before its end hooks, and the batch number is private.
    Lightning reads ahead if a loader has no length.
    """
    loop: Any = trainer.fit_loop
    read = 0 if loop._data_fetcher is None else loop._data_fetcher.fetched
    return loop.epoch_progress.current.processed, max(read, loop.epoch_loop.batch_progress.current.ready)


def batches_done(trainer: Trainer) -> tuple[int, bool]:
    """Return how many batches were trained, over all epochs, and whether the last one ended its epoch.

    Why: Lightning keeps these counts in private attributes.
    """
    progress: Any = trainer.fit_loop.epoch_loop.batch_progress
    return progress.total.processed, progress.is_last_batch and not is_within_batch(trainer)


def batches_trained(trainer: Trainer) -> int:
    """Return the number of batches trained before this one, over all epochs.

    Why: ``global_step`` counts generator updates, while ``log_every_n_steps`` counts batches.
    """
    return trainer.fit_loop.total_batch_idx


class Unfinished(NamedTuple):
    """The part of its last batch and epoch that a saved run had not done yet.

    Why: only the loops' counts in a checkpoint say it, and Lightning reads them in its own way (:func:`settle_counts`).
    """

    batch: bool = False
    """Whether Lightning had not ended the batch: counted its step, and validated if that was due."""
    validation: bool = False
    """Whether the validation that follows the batch had not ended, if one was due."""
    epoch: bool = False
    """Whether ``max_steps`` or ``should_stop`` ended the epoch early."""


def settle_counts(loop: dict[str, Any], validating: bool | None) -> Unfinished:
    """Set the counts in a checkpoint to whole batches and epochs, and return what the last batch still lacks.

    Why: Lightning resumes correctly from few of the points at which a checkpoint can be written. At others it trains a
    batch or an epoch too many, leaves out a validation or the hooks of an epoch's end, or trains nothing any more.

    Args:
        loop: the state of Lightning's fit loop in a checkpoint, changed in place.
        validating: whether the checkpoint was written in a validation that had not ended; None if it does not say.
    """
    epochs, batches = loop["epoch_progress"], loop["epoch_loop.batch_progress"]
    epoch, batch = epochs["current"], batches["current"]
    _level(loop["epoch_loop.manual_optimization.optim_step_progress"], "completed")  # an update that failed had begun
    if epoch["started"] < epoch["ready"]:  # written in on_train_epoch_start: the epoch begins again
        _level(epochs, "started")
    if epoch["processed"] == epoch["ready"]:
        _level(epochs, "processed")
        if batches["is_last_batch"] or not epoch["ready"]:
            return Unfinished()
        for (
            counts
        ) in epochs.values():  # max_steps or should_stop ended the epoch early, and Lightning counts it as over
            counts["processed"] = counts["completed"] = counts["ready"] - 1
        return Unfinished(epoch=True)
    within, ended = batch["ready"] > batch["processed"], batch["completed"] == batch["processed"]
    _level(batches, "processed")
    if within:  # the batch comes again
        batches["is_last_batch"] = False
    if within or not batch["processed"]:
        return Unfinished()
    if ended and validating is None:
        validations = loop["epoch_loop.val_loop.batch_progress"]
        validating = validations["current"]["ready"] > validations["current"]["completed"]
    if ended and validating:  # the validation comes again
        _forget_last(loop["epoch_loop.val_loop.batch_progress"])
    return Unfinished(batch=True, validation=not ended or bool(validating))


def _level(progress: dict[str, Any], name: str) -> None:
    """Set all counts of a progress to that of one name."""
    for counts in (progress["current"], progress["total"]):
        counts.update(dict.fromkeys(counts, counts[name]))


def _forget_last(validations: dict[str, Any]) -> None:
    """Take the batches of the last validation from the counts of a validation loop."""
    current, total = validations["current"], validations["total"]
    total.update({name: total[name] - current[name] for name in total})
    current.update(dict.fromkeys(current, 0))
    validations["is_last_batch"] = False


def open_finished_run(trainer: Trainer) -> Callable[[], None]:
    """Lift ``max_steps`` and ``should_stop`` if they are reached, until the function that is returned is called.

    Why: Lightning calls none of the hooks of training for a run that is finished, and a resumed one may still have to
    validate and to end its epoch.
    """
    loop: Any = trainer.fit_loop.epoch_loop
    max_steps, should_stop = loop.max_steps, trainer.should_stop
    trainer.should_stop = False
    if 0 <= max_steps <= trainer.global_step:
        loop.max_steps = -1

    def close() -> None:
        loop.max_steps, trainer.should_stop = max_steps, should_stop

    return close


def finish_batch(trainer: Trainer, unfinished: Unfinished) -> None:
    """Do what a resumed run's last batch still lacks, and end its epoch after the last one, when training starts.

    Why: Lightning would do this in the loop only, and not from every point (:func:`settle_counts`).
    """
    loop: Any = trainer.fit_loop
    if not loop.is_resuming:
        return
    if loop.epoch_progress.current.ready > loop.epoch_progress.current.processed:
        batches, fetcher = loop.epoch_loop, loop._data_fetcher
        batches.val_loop.restarting = False
        if unfinished.batch:
            batches._skip_next_val = not unfinished.validation
            batches.on_advance_end(fetcher)
        stopped = trainer.should_stop and loop._can_stop_early
        if not (batches._is_training_done or stopped):
            # At this point Lightning adds a step without a batch if the batch before was one to validate after.
            batches._batches_that_stepped -= batches._should_check_val_fx(fetcher)
            return
        loop.on_advance_end()
    loop._restarting = loop.epoch_loop.restarting = False  # else an epoch without batches would follow
    loop.reset_restart_stage()
    if restore_loaders(trainer):
        iter(loop._data_fetcher)  # it may have read a batch ahead


def restore_loaders(trainer: Trainer) -> bool:
    """Restore the states of the training data's loaders from the checkpoint; return whether there were any left to.

    Why: Lightning restores them only if the checkpoint was written in the middle of an epoch.
    """
    loop: Any = trainer.fit_loop
    states, loop._combined_loader_states_to_load = loop._combined_loader_states_to_load, []
    if states and loop._combined_loader is not None:
        loop._combined_loader._load_state_dicts(states)
    return bool(states)


def count_epoch_as_over(trainer: Trainer) -> None:
    """Count the current epoch as over, as Lightning does if ``max_steps`` or ``should_stop`` ends it early.

    Why: :func:`settle_counts` takes it as unfinished, and a run whose limit is reached does not go on with it.
    """
    progress: Any = trainer.fit_loop.epoch_progress
    for counts in (progress.current, progress.total):
        counts.processed = counts.completed = counts.ready


def is_within_batch(trainer: Trainer) -> bool:
    """Tell whether a batch was read and not all of its turns are counted as played.

    Why: Lightning keeps these counts in private attributes.
    """
    batch: Any = trainer.fit_loop.epoch_loop.batch_progress.current
    return bool(batch.ready > batch.processed)


def rescale_epoch(trainer: Trainer, before: float, now: float) -> None:
    """Move the restored position to the same fraction of an epoch with another number of batches.

    Why: Lightning would resume at the same batch number.

    Args:
        trainer: with restored counts, before its first batch.
        before: batches in an epoch of the saved run; infinite if their number is not known.
        now: batches in an epoch of this run; infinite if their number is not known.
    """
    if before == now or float("inf") in (before, now):
        return
    loop: Any = trainer.fit_loop
    progress = loop.epoch_loop.batch_progress.current
    ready = progress.ready * int(now) // int(before)
    for name in ("started", "processed", "completed", "ready"):
        setattr(progress, name, ready - (progress.ready - getattr(progress, name)))
