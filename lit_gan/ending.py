"""What stands between a run and the world: a SIGTERM saves and ends it, and no process outlives another's failure."""

import contextlib
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.strategies.launchers import _SubprocessScriptLauncher
from pytorch_lightning.utilities.exceptions import SIGTERMException
from pytorch_lightning.utilities.rank_zero import rank_zero_info

if TYPE_CHECKING:
    from lit_gan.run import Run

__all__ = ["GracefulEnd"]

_SECONDS_TO_FAIL = 5  # a process that failed as well may still print its own error


class GracefulEnd(Callback):
    """On SIGTERM, saves ``last.ckpt`` after the batch that is running and exits with 0; LitGAN brings it along.

    On several devices the first process decides for all. A process that fails takes the others that the Trainer started
    down with it, within seconds.

    Args:
        run: of the model.
    """

    def __init__(self, run: "Run") -> None:
        self.run = run
        self._asked = False
        self._before: Any = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen for SIGTERM in Lightning's place, whose handler would talk to other processes in mid-step."""
        self._asked = False
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, signum: int, frame: Any) -> None:
        self._asked = True

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save and exit, if asked to."""
        if not self._all_asked(pl_module.device, trainer.world_size):
            return
        path = _last(trainer)
        if path is not None:
            trainer.save_checkpoint(path, weights_only=False)
        rank_zero_info(f"SIGTERM: saved {path}, resume with ckpt_path={path!r}" if path else "SIGTERM: not saved")
        raise SIGTERMException

    def _all_asked(self, device: torch.device, world_size: int) -> bool:
        if world_size == 1:
            return self._asked
        asked = torch.tensor([self._asked], dtype=torch.uint8, device=device)
        dist.broadcast(asked, src=0)
        return bool(asked)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen no more."""
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
            self._before = None

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """End the processes that this one started: they would wait for it. Nothing is saved that needs them all."""
        self.on_train_end(trainer, pl_module)
        self.run.fail()
        launcher = trainer.strategy.launcher
        if not isinstance(launcher, _SubprocessScriptLauncher) or isinstance(exception, SIGTERMException):
            return
        deadline = time.monotonic() + _SECONDS_TO_FAIL
        for process in launcher.procs:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0, deadline - time.monotonic()))
        launcher.kill(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)


def _last(trainer: Trainer) -> str | None:
    """Return where the run's last checkpoint goes; None for a run that writes none."""
    folder = getattr(trainer.checkpoint_callback, "dirpath", None)
    return f"{folder}/last.ckpt" if folder else None
