"""All that lit_gan uses of Lightning without its documentation promising it, in this file alone.

Each function says why it is needed. ``tests/training/test_lightning_compat.py`` has a test of each that fails when
Lightning changes it, and a weekly job runs them against Lightning's nightly.
"""

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from lightning_fabric.plugins import TorchCheckpointIO
from lightning_fabric.utilities.distributed import DistributedSamplerWrapper
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.strategies import DDPStrategy, Strategy
from pytorch_lightning.strategies.launchers import _SubprocessScriptLauncher
from pytorch_lightning.trainer.states import RunningStage
from torch.optim import Optimizer

__all__ = [
    "as_validation",
    "averages_gradients_itself",
    "batches_trained",
    "end_other_processes",
    "find_validation_loaders",
    "ignore_hyperparameters",
    "leave_finished_epoch",
    "position_in_epoch",
    "remove_callbacks",
    "replace_loaders_and_wrapper",
    "rescale_epoch",
    "restore_loaders_and_wrapper",
    "scales_gradients",
    "shares_samples",
    "step_uncounted",
    "undo_early_end",
    "validation_precision",
    "whole_sampler",
    "writes_pickles",
]


def replace_loaders_and_wrapper(strategy: Strategy, loader: Callable[[Any], Any]) -> None:
    """Have ``loader`` make a Trainer's loaders, and leave the model unwrapped under DDP.

    Why: Lightning's loaders forget where they are in an epoch, and DistributedDataParallel serves one loss. Both are
    methods of the strategy that Lightning calls, and that no argument of the Trainer replaces.
    """
    strategy.process_dataloader = loader  # type: ignore[method-assign, assignment]
    if isinstance(strategy, DDPStrategy):
        strategy.configure_ddp = lambda: None  # type: ignore[method-assign]


def restore_loaders_and_wrapper(strategy: Strategy) -> None:
    """Undo :func:`replace_loaders_and_wrapper`.

    Why: the Trainer keeps its strategy, and may be given another model.
    """
    for name in ("process_dataloader", "configure_ddp"):
        vars(strategy).pop(name, None)


def writes_pickles(strategy: Strategy) -> bool:
    """Tell whether checkpoints are written by Lightning's default, which pickles objects, and not by the user's own.

    Why: a Trainer does not say whether its checkpoint plugin was given or is the default.
    """
    return type(strategy.checkpoint_io) is TorchCheckpointIO


def remove_callbacks(trainer: Trainer, kind: type[Callback]) -> None:
    """Take callbacks of a kind from a Trainer again.

    Why: Lightning adds the callbacks of ``configure_callbacks`` to the Trainer for good, and asks again at each fit.
    """
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    trainer.callbacks = [c for c in callbacks if not isinstance(c, kind)]  # type: ignore[attr-defined]


def shares_samples(trainer: Trainer) -> bool:
    """Tell whether samples are dealt to the processes, ``Trainer(use_distributed_sampler=True)``.

    Why: the Trainer keeps this argument in a private object only.
    """
    return bool(trainer._accelerator_connector.use_distributed_sampler)


def whole_sampler(sampler: Any) -> Any:
    """Return the sampler that Lightning has wrapped to deal its samples, or any other one as it is.

    Why: the wrapper hides it in a private data set.
    """
    return cast(Any, sampler.dataset)._sampler if isinstance(sampler, DistributedSamplerWrapper) else sampler


def position_in_epoch(trainer: Trainer) -> tuple[int, int]:
    """Return (epoch, number of the next batch in it), both from 0.

    Why: the public ``current_epoch`` counts an epoch as over before its end hooks, and there is no public batch number.
    """
    loop: Any = trainer.fit_loop
    return loop.epoch_progress.current.processed, loop.epoch_loop.batch_progress.current.ready


def batches_trained(trainer: Trainer) -> int:
    """Return the batches that were trained before this one, over all epochs.

    Why: ``global_step`` counts generator updates, and ``log_every_n_steps`` batches.
    """
    return trainer.fit_loop.total_batch_idx


def undo_early_end(loop: dict[str, Any]) -> None:
    """Go back into an epoch that ``max_steps`` or ``should_stop`` ended early.

    Why: Lightning counts such an epoch as over, and a run that goes on would leave its last batches out.

    Args:
        loop: the state of Lightning's fit loop in a checkpoint, changed in place.
    """
    epochs, batches = loop["epoch_progress"], loop["epoch_loop.batch_progress"]
    if batches["is_last_batch"] or epochs["current"]["processed"] != epochs["current"]["ready"]:
        return
    for counts in epochs.values():
        counts["processed"] = counts["completed"] = counts["ready"] - 1


def leave_finished_epoch(trainer: Trainer) -> None:
    """Have the next epoch begin where the last one is over, once a checkpoint's counts are restored.

    Why: with ``max_steps`` Lightning would otherwise play an empty epoch.
    """
    loop: Any = trainer.fit_loop
    epoch, batches = loop.epoch_progress.current, loop.epoch_loop.batch_progress.current
    if not loop.restarting or epoch.ready != epoch.processed or batches.ready != batches.completed:
        return
    if epoch.completed < epoch.processed:
        loop.epoch_progress.increment_completed()
    loop._restarting = loop.epoch_loop.restarting = False
    loop.reset_restart_stage()


def rescale_epoch(trainer: Trainer, before: float, now: float) -> None:
    """Move the position to the same share of an epoch of another length.

    Why: Lightning would go on at the same number of batches.

    Args:
        trainer: its counts restored and no batch played.
        before: batches in an epoch of the run that was saved.
        now: batches in one of this run; infinite if they are not known.
    """
    if before == now or float("inf") in (before, now):
        return
    loop: Any = trainer.fit_loop
    progress = loop.epoch_loop.batch_progress.current
    ready = progress.ready * int(now) // int(before)
    for name in ("started", "processed", "completed", "ready"):
        setattr(progress, name, ready - (progress.ready - getattr(progress, name)))


def find_validation_loaders(trainer: Trainer) -> list[Any]:
    """Return the validation loaders of a run that fits, making them if no validation has asked for them yet.

    Why: Lightning makes them when the first validation begins, and an instrument looks at held-out data before.
    """
    loop: Any = trainer.fit_loop.epoch_loop.val_loop
    if trainer.val_dataloaders is None and trainer.enable_validation:
        loop.setup_data()
    return [] if loop._combined_loader is None else list(loop._combined_loader.flattened)


@contextmanager
def as_validation(trainer: Trainer) -> Iterator[None]:
    """Have ``trainer.validating`` hold for a while.

    Why: networks and callbacks ask the Trainer whether they are in training, and only its loops can say otherwise.
    """
    state = trainer.state
    stage, state.stage = state.stage, RunningStage.VALIDATING
    try:
        yield
    finally:
        state.stage = stage


def validation_precision(trainer: Trainer) -> Any:
    """Return the autocast context in which Lightning validates.

    Why: Lightning enters it around ``validation_step`` alone.
    """
    return trainer.precision_plugin.val_step_context()


def step_uncounted(trainer: Trainer, optimizer: Optimizer) -> None:
    """Step an optimizer as ``LightningOptimizer.step`` does, precision plugin and hooks included, without counting.

    Why: ``trainer.global_step`` counts every ``LightningOptimizer.step``, and is to count generator updates.
    """
    trainer.strategy.optimizer_step(optimizer, lambda: None)


def scales_gradients(trainer: Trainer) -> bool:
    """Tell whether float16's scaler looks after gradients that are not finite.

    Why: only the plugin of mixed precision has the attribute.
    """
    return getattr(trainer.precision_plugin, "scaler", None) is not None


def averages_gradients_itself(strategy: DDPStrategy) -> bool:
    """Tell whether a DDP strategy was given its own way to average, which LitGAN's would ignore.

    Why: the strategy keeps these arguments in private attributes.
    """
    return strategy._ddp_comm_hook is not None or strategy._model_averaging_period is not None


def end_other_processes(trainer: Trainer, seconds: float) -> None:
    """End the processes that the Trainer started, each after so many seconds at the most to end by itself.

    Why: they would wait for one that has failed, and Lightning ends them after Ctrl-C only.
    """
    launcher = trainer.strategy.launcher
    if not isinstance(launcher, _SubprocessScriptLauncher):
        return
    deadline = time.monotonic() + seconds
    for process in launcher.procs:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0, deadline - time.monotonic()))
    launcher.kill(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)


def ignore_hyperparameters(cli: Any, instead: Callable[[], None]) -> None:
    """Have a LightningCLI call ``instead`` of merging a checkpoint's hyper-parameters into the config.

    Why: a LitGAN's checkpoint describes its model by itself, and a doctored one could name any class.
    """
    cli._parse_ckpt_path = instead
