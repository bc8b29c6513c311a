"""Graceful shutdown: checkpoint on a signal, end the other ranks when one fails."""

import signal
import threading
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.utilities.rank_zero import rank_zero_info

from lit_gan.training.lightning_compat import end_other_processes

__all__ = ["GracefulExit", "GracefulShutdown"]

_SECONDS_TO_FAIL = 5  # for other processes that failed as well to print their own errors


class GracefulExit(SystemExit):
    """The exit of a run that SIGTERM ended, with code 0; Lightning's own exception has another code from 2.7 on."""

    def __init__(self) -> None:
        super().__init__(0)


class GracefulShutdown(Callback):
    """A callback that on SIGTERM saves ``last.ckpt`` after the current batch and exits with code 0.

    LitGAN adds it to each Trainer. On several devices the first process decides for all. If a process fails, the others
    that the Trainer started are ended within seconds.

    Args:
        on_failure: called if the run ends by an exception, when Lightning does not call ``teardown``.
    """

    def __init__(self, on_failure: Callable[[], None]) -> None:
        self.on_failure = on_failure
        self._asked = False
        self._before: Any = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Install a SIGTERM handler; Lightning's would communicate with other processes in the middle of a step."""
        self._asked = False
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, signum: int, frame: Any) -> None:
        self._asked = True

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save a checkpoint and exit, if SIGTERM was received."""
        if not self._all_asked(pl_module.device, trainer.world_size):
            return
        path = _last(trainer)
        if path is not None:
            trainer.save_checkpoint(path, weights_only=False)
        rank_zero_info(f"SIGTERM: saved {path}, resume with ckpt_path={path!r}" if path else "SIGTERM: not saved")
        raise GracefulExit

    def _all_asked(self, device: torch.device, world_size: int) -> bool:
        if world_size == 1:
            return self._asked
        asked = torch.tensor([self._asked], dtype=torch.uint8, device=device)
        dist.broadcast(asked, src=0)
        return bool(asked)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restore the previous signal handler."""
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
            self._before = None

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """End the processes that this one started, which would wait for it; save nothing, as that would need them."""
        self.on_train_end(trainer, pl_module)
        self.on_failure()
        if not isinstance(exception, GracefulExit):
            end_other_processes(trainer, _SECONDS_TO_FAIL)


def _last(trainer: Trainer) -> str | None:
    """Return the path of the run's ``last.ckpt``, or None for a run that writes no checkpoints."""
    folder = getattr(trainer.checkpoint_callback, "dirpath", None)
    return f"{folder}/last.ckpt" if folder else None
