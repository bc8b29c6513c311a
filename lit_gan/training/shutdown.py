"""Graceful shutdown: checkpoint on a signal, end the other ranks when one fails."""

import signal
import threading
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities.rank_zero import rank_zero_info

from lit_gan.training.lightning_compat import end_other_processes

__all__ = ["GracefulExit", "GracefulShutdown"]

_SECONDS_TO_FAIL = 5  # for other processes that failed as well to print their own errors


class GracefulExit(SystemExit):
    """The exit of a run that a signal ended after a batch: with code 0 after SIGTERM, 130 after Ctrl-C.

    Args:
        signum: number of the signal.
        saved: path of the checkpoint to resume from, or None if the run writes none.
    """

    def __init__(self, signum: int, saved: str | None) -> None:
        super().__init__(0 if signum == signal.SIGTERM else 128 + signum)
        self.signum, self.saved = signum, saved

    def __str__(self) -> str:
        """Return a sentence: the signal, and how to go on."""
        name = "Ctrl-C" if self.signum == signal.SIGINT else signal.Signals(self.signum).name
        if self.saved is None:
            return f"{name}: not saved"
        return f"{name}: saved {self.saved}, resume with ckpt_path={self.saved!r}"


class GracefulShutdown(Callback):
    """A callback that on SIGTERM or Ctrl-C saves ``last.ckpt`` after the current batch and ends the process.

    A second Ctrl-C ends it at once. LitGAN adds the callback to each Trainer. On several devices the first process
    decides for all. If a process fails, the others that the Trainer started are ended within seconds.

    Args:
        on_failure: called if the run ends by an exception, when Lightning does not call ``teardown``.
    """

    def __init__(self, on_failure: Callable[[], None]) -> None:
        self.on_failure = on_failure
        self._asked = 0  # number of the signal that was received
        self._before: dict[int, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Install the signal handlers; Lightning's would communicate with other processes in the middle of a step.

        Ctrl-C is left to a handler of the user's own, and ignored if it was.
        """
        self._asked = 0
        if threading.current_thread() is not threading.main_thread():
            return
        for signum in (signal.SIGTERM, signal.SIGINT):
            if signum == signal.SIGTERM or signal.getsignal(signum) is signal.default_int_handler:
                self._before[signum] = signal.signal(signum, self._ask)

    def _ask(self, signum: int, frame: Any) -> None:
        if signum == signal.SIGINT and self._asked:
            self._restore_handlers()
            raise KeyboardInterrupt
        if signum == signal.SIGINT:
            rank_zero_info("Ctrl-C: the run saves and ends after this batch; a second Ctrl-C ends it at once")
        self._asked = signum

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save a checkpoint and exit, if a signal was received."""
        asked = self._first_asked(pl_module.device, trainer.world_size)
        if asked:
            path = _last(trainer)
            if path is not None:
                trainer.save_checkpoint(path, weights_only=False)
            raise GracefulExit(asked, path)

    def on_validation_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Save a checkpoint and exit, if a signal was received; a resumed run validates anew."""
        if trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking:
            self.on_train_batch_end(trainer, pl_module, None, None, 0)

    def _first_asked(self, device: torch.device, world_size: int) -> int:
        """Return the number of the signal that the first process received, or 0."""
        if world_size == 1:
            return self._asked
        asked = torch.tensor(self._asked, device=device)
        dist.broadcast(asked, src=0)
        return int(asked)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restore the previous signal handlers."""
        self._restore_handlers()

    def _restore_handlers(self) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
        self._before.clear()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """End the processes that this one started, which would wait for it; save nothing, as that would need them."""
        self._restore_handlers()
        self.on_failure()
        if isinstance(exception, GracefulExit):
            rank_zero_info(str(exception))
        else:
            end_other_processes(trainer, _SECONDS_TO_FAIL)


def _last(trainer: Trainer) -> str | None:
    """Return the path of the run's ``last.ckpt``, or None for a run that writes no checkpoints."""
    folder = getattr(trainer.checkpoint_callback, "dirpath", None)
    return f"{folder}/last.ckpt" if folder else None
