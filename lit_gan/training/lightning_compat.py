"""Functions that rely on undocumented behaviour of Lightning; only here and in ``lightning_counts.py`` it is used.

Each function says why it is needed. ``tests/training/test_lightning_compat.py`` has a test of each that fails if
Lightning changes this behaviour, and a weekly job runs these tests against Lightning's nightly build.
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
from torch import Tensor
from torch.optim import Optimizer

__all__ = [
    "as_validation",
    "averages_gradients_itself",
    "checkpoint_content",
    "end_other_processes",
    "find_validation_loaders",
    "ignore_hyperparameters",
    "remove_callbacks",
    "replace_loaders_and_wrapper",
    "restore_loaders_and_wrapper",
    "restore_metrics",
    "scales_gradients",
    "shares_samples",
    "step_uncounted",
    "training_loaders",
    "validation_precision",
    "whole_sampler",
    "writes_pickles",
]


def replace_loaders_and_wrapper(strategy: Strategy, loader: Callable[[Any], Any]) -> None:
    """Replace each loader of a Trainer by ``loader(it)``, and leave the model unwrapped under DDP.

    Why: Lightning's loaders do not resume within an epoch, and DistributedDataParallel supports one loss. Lightning
    calls methods of the strategy for both, which no argument of the Trainer replaces.
    """
    strategy.process_dataloader = loader  # type: ignore[method-assign, assignment]
    if isinstance(strategy, DDPStrategy):
        strategy.configure_ddp = lambda: None  # type: ignore[method-assign]


def restore_loaders_and_wrapper(strategy: Strategy) -> None:
    """Undo :func:`replace_loaders_and_wrapper`.

    Why: the Trainer keeps its strategy, and may be given another model next.
    """
    for name in ("process_dataloader", "configure_ddp"):
        vars(strategy).pop(name, None)


def writes_pickles(strategy: Strategy) -> bool:
    """Tell whether Lightning's default plugin writes checkpoints, which pickles objects, and not one of the user's.

    Why: a Trainer does not say whether its checkpoint plugin was given or is the default.
    """
    return type(strategy.checkpoint_io) is TorchCheckpointIO


def remove_callbacks(trainer: Trainer, kind: type[Callback]) -> None:
    """Remove all callbacks of a class from a Trainer.

    Why: Lightning never removes the callbacks that ``configure_callbacks`` returned, and adds new ones at each fit.
    """
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    trainer.callbacks = [c for c in callbacks if not isinstance(c, kind)]  # type: ignore[attr-defined]


def shares_samples(trainer: Trainer) -> bool:
    """Tell whether samples are to be dealt to the processes, as ``Trainer(use_distributed_sampler=True)`` asks.

    Why: the Trainer keeps this argument in a private attribute only.
    """
    return bool(trainer._accelerator_connector.use_distributed_sampler)


def whole_sampler(sampler: Any) -> Any:
    """Return the sampler inside Lightning's distributed wrapper, or a sampler without a wrapper as it is.

    Why: the wrapper keeps it in a private data set.
    """
    return cast(Any, sampler.dataset)._sampler if isinstance(sampler, DistributedSamplerWrapper) else sampler


def training_loaders(trainer: Trainer) -> list[Any]:
    """Return the loaders of the training data, one by one.

    Why: ``trainer.train_dataloader`` may be a collection of any form.
    """
    loader: Any = trainer.fit_loop._combined_loader
    return [] if loader is None else list(loader.flattened)


def restore_metrics(trainer: Trainer, metrics: dict[str, Tensor]) -> None:
    """Set ``trainer.callback_metrics``, the last value of each logged metric.

    Why: callbacks decide by them, and Lightning does not restore them from a checkpoint.
    """
    device = trainer.strategy.root_device
    trainer._logger_connector._callback_metrics.update({name: metric.to(device) for name, metric in metrics.items()})


def find_validation_loaders(trainer: Trainer) -> list[Any]:
    """Return the validation loaders during fit, and create them if no validation has run yet.

    Why: Lightning creates them when the first validation starts, and a callback may need held-out data earlier.
    """
    loop: Any = trainer.fit_loop.epoch_loop.val_loop
    if trainer.val_dataloaders is None and trainer.enable_validation:
        loop.setup_data()
    return [] if loop._combined_loader is None else list(loop._combined_loader.flattened)


@contextmanager
def as_validation(trainer: Trainer) -> Iterator[None]:
    """Set the Trainer's stage to validation within the context, so that ``trainer.validating`` is true.

    Why: networks and callbacks ask the Trainer whether it is training, and only Lightning's loops set the stage.
    """
    state = trainer.state
    stage, state.stage = state.stage, RunningStage.VALIDATING
    try:
        yield
    finally:
        state.stage = stage


def validation_precision(trainer: Trainer) -> Any:
    """Return the autocast context in which Lightning validates.

    Why: Lightning enters it around ``validation_step`` only.
    """
    return trainer.precision_plugin.val_step_context()


def step_uncounted(trainer: Trainer, optimizer: Optimizer) -> None:
    """Step an optimizer with precision plugin and hooks, as ``LightningOptimizer.step``, but keep ``global_step``.

    Why: ``trainer.global_step`` counts every ``LightningOptimizer.step``, and is to count generator updates only.
    """
    trainer.strategy.optimizer_step(optimizer, lambda: None)


def scales_gradients(trainer: Trainer) -> bool:
    """Tell whether training uses float16's gradient scaler, which skips updates with gradients that are not finite.

    Why: Lightning documents no way to ask; only its plugin of mixed precision has the attribute.
    """
    return getattr(trainer.precision_plugin, "scaler", None) is not None


def averages_gradients_itself(strategy: DDPStrategy) -> bool:
    """Tell whether a DDP strategy was given a communication hook or model averaging, which LitGAN would ignore.

    Why: the strategy keeps these arguments in private attributes.
    """
    return strategy._ddp_comm_hook is not None or strategy._model_averaging_period is not None


def end_other_processes(trainer: Trainer, seconds: float) -> None:
    """Wait for the processes that the Trainer started to end, ``seconds`` in all at most, then kill the rest.

    Why: they would wait for a process that has failed, and Lightning kills them after Ctrl-C only.
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
    """Make a LightningCLI call ``instead()``, and not merge a checkpoint's hyper-parameters into the config.

    Why: LitGAN rebuilds its model from its own section of a checkpoint, and a manipulated one could name any class.
    """
    cli._parse_ckpt_path = instead


def checkpoint_content(trainer: Trainer) -> dict[str, Any]:
    """Return what a checkpoint would hold now; every process must call this.

    Why: Lightning makes it only to write a file.
    """
    return trainer._checkpoint_connector.dump_checkpoint(weights_only=False)
