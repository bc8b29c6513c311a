"""Runs that are interrupted at drawn points and resumed: they must end as one that was not interrupted."""

import os
import random
import shutil
import signal
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytorch_lightning as pl
import torch
from pytorch_lightning import Callback
from pytorch_lightning.callbacks import ModelCheckpoint, Timer, timer
from torch import nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.soak import differing
from lit_gan import LitGAN
from lit_gan.networks import MLPDiscriminator, MLPGenerator
from lit_gan.penalties import R1
from lit_gan.schedules import Cosine
from lit_gan.training.checkpoint_io import newest_checkpoint
from tests.support.processes import free_port, result, start
from tests.support.small import trainer

BATCH = 4
HOOKS = (
    *("on_train_epoch_start", "on_train_batch_start", "discriminator's turn", "generator's turn", "on_train_batch_end"),
    *("on_validation_batch_start", "on_validation_epoch_end", "on_validation_end", "on_train_epoch_end"),
    *("while saving", "on_train_end"),
)
WAYS = ("SIGTERM", "SIGINT", "SIGKILL", "exception")
CHECKPOINTS: dict[str, tuple[dict[str, Any], ...]] = {
    "each epoch": ({"save_last": True},),
    "every n steps": ({"every_n_train_steps": 2, "save_top_k": -1},),
    "save_on_exception": ({"save_on_exception": True, "save_last": True},),
    "three": (
        {"filename": "epoch-{epoch}"},
        {"every_n_train_steps": 1, "filename": "step-{step}"},
        {"monitor": "val/value", "filename": "best-{step}", "save_on_exception": True},
    ),
}
_NOT_THE_GAME = (".callbacks.ModelCheckpoint",)
"""Parts of a checkpoint that name files, which differ."""


@dataclass(frozen=True)
class Interruption:
    """An end of a process: at the first call of a hook when so many turns of D are done, or at a later one."""

    turns: int
    hook: str
    way: str

    @staticmethod
    def draw(rng: random.Random, turns: int, world_size: int) -> "Interruption":
        """Return an interruption at some point after so many turns.

        Of several processes one that fails saves nothing; and a hook of an epoch's end that fails keeps the model's own
        from being called.
        """
        hook, way = rng.choice(HOOKS), rng.choice(WAYS)
        saves = world_size == 1 and hook != "on_train_epoch_end"
        return Interruption(turns, hook, way if saves or way != "exception" else "SIGKILL")


@dataclass(frozen=True)
class Combination:
    """A run, and the interruptions that it must survive."""

    batches: int = 3
    epochs: int = 3
    end: str = "max_epochs"
    checkpoints: str = "each epoch"
    validation: str = "none"
    k: int = 1
    data: str = "points"
    world_size: int = 1
    interruptions: tuple[Interruption, ...] = field(default=(), compare=False)

    @property
    def turns(self) -> int:
        """The turns of D that the run has."""
        whole = self.batches * self.epochs
        return whole if self.end == "max_epochs" else max(self.k, (whole - 1) // self.k * self.k)

    @staticmethod
    def draw(rng: random.Random, most: int = 3) -> "Combination":
        """Return a combination that is drawn."""
        drawn = Combination(
            batches=rng.choice((1, 2, 3, 6)),
            epochs=rng.choice((2, 3, 4)),
            end=rng.choice(("max_epochs", "max_steps", "max_time")),
            checkpoints=rng.choice(list(CHECKPOINTS)),
            validation=rng.choice(("none", "each epoch", "between")),
            k=rng.choice((1, 1, 2, 3)),
            data=rng.choice(("points", "points", "workers", "stream")),
            world_size=rng.choice((1, 1, 1, 2)),
        )
        if drawn.world_size == 2 and drawn.data == "stream":
            drawn = replace(drawn, data="points")
        points = sorted(rng.randint(0, drawn.turns) for _ in range(rng.randint(1, most)))
        return replace(drawn, interruptions=tuple(Interruption.draw(rng, turns, drawn.world_size) for turns in points))


class Noisy(Dataset):
    """Points that are moved at random where they are loaded."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> torch.Tensor:
        return index / self.size + 0.1 * torch.randn(2) + 0.1 * random.random()


class Stream:
    """A stream of batches with a state and without a length."""

    def __init__(self, batches: int) -> None:
        self.batches, self.at, self.passes = batches, 0, 0

    def __iter__(self):
        while self.at < self.batches:
            self.at += 1
            noise = torch.randn(BATCH, 2, generator=torch.Generator().manual_seed(100 * self.passes + self.at))
            yield noise + self.at
        self.at, self.passes = 0, self.passes + 1

    def state_dict(self) -> dict[str, int]:
        return {"at": self.at, "passes": self.passes}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.at, self.passes = state["at"], state["passes"]


class Counts(Callback):
    """Counts the calls of hooks, in its state."""

    HOOKS = ("on_train_epoch_start", "on_train_batch_end", "on_train_epoch_end", "on_validation_epoch_end")

    def __init__(self) -> None:
        self.calls = dict.fromkeys(self.HOOKS, 0)
        for hook in self.HOOKS:
            setattr(self, hook, lambda *_, hook=hook: self._count(hook))

    def _count(self, hook: str) -> None:
        self.calls[hook] += 1

    def state_dict(self) -> dict[str, int]:
        return self.calls.copy()

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.calls.update(state_dict)


class Interrupt(Callback):
    """Ends its process once, in the way and at the point of an interruption."""

    def __init__(self, interruption: Interruption) -> None:
        self.it, self.done = interruption, False
        for hook in HOOKS:
            if hook.startswith("on_"):
                setattr(self, hook, lambda trainer, module, *_, hook=hook: self.at(hook, module))

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        player = "generator" if optimizer is trainer.optimizers[0] else "discriminator"
        self.at(f"{player}'s turn", pl_module)

    def on_save_checkpoint(self, trainer, pl_module, checkpoint):
        self.at("while saving", pl_module)

    def at(self, hook: str, module: LitGAN) -> None:
        turns = int(module.d_steps)
        late = turns > self.it.turns and hook == "on_train_batch_start"  # the hook was not called at this point
        if self.done or not (late or (hook == self.it.hook and turns >= self.it.turns)):
            return
        self.done = True
        if self.it.way == "exception":
            raise InterruptedError(hook)
        os.kill(os.getpid(), getattr(signal, self.it.way))


def fit(folder: Path, run: Combination, interruption: Interruption | None, end: str = "end.ckpt") -> int:
    """Fit from the newest checkpoint of a folder, if there is one, and save what is there at the end.

    Returns:
        The batches that this process trained.
    """
    pl.seed_everything(1, verbose=False)
    discriminator = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.1), MLPDiscriminator(features=2, width=8))
    gan = LitGAN(
        MLPGenerator(features=2, latent_dim=3, width=8),
        discriminator,
        d_steps_per_g_step=run.k,
        penalties={"r1": R1(0.1, every=2)},
        lr_schedule=Cosine(end=0.1, images=200),
        ema_half_life=50,
    )
    options: dict[str, Any] = {"max_epochs": run.epochs if run.end == "max_epochs" else -1}
    callbacks: list[Callback] = [Counts()]
    if run.end == "max_steps":
        options["max_steps"] = run.turns // run.k
    elif run.end == "max_time":
        callbacks.append(Timer({"seconds": run.turns}))
    for i, saving in enumerate(CHECKPOINTS[run.checkpoints]):
        monitored = {"monitor": "loss/d"} if "monitor" in saving and run.validation == "none" else {}
        callbacks.append(ModelCheckpoint(folder / str(i), **{**saving, **monitored}))
    if interruption is not None:
        again = interruption.hook in ("on_train_epoch_start", "on_validation_epoch_end")  # hooks that are called again
        callbacks.insert(0 if again else 1, Interrupt(interruption))
    if run.validation == "between" and run.batches > 1 and run.data != "stream":
        options["val_check_interval"] = 2
    fitted = trainer(
        folder,
        enable_checkpointing=True,
        callbacks=callbacks,
        devices=run.world_size,
        strategy="ddp" if run.world_size > 1 else "auto",
        **options,
    )
    newest = newest_checkpoint(folder)
    progress = fitted.fit_loop.epoch_loop.batch_progress
    before = torch.load(newest, weights_only=True)["state_dict"]["d_steps"] if newest else 0
    with mock.patch.object(timer.time, "monotonic") as clock:
        clock.side_effect = lambda: float(progress.total.processed)  # a batch takes a second
        fitted.fit(gan, _data(run), _validation(run), ckpt_path=newest)
    fitted.save_checkpoint(folder / end)
    return int(gan.d_steps) - int(before)


def _data(run: Combination) -> Any:
    if run.data == "stream":
        return Stream(run.batches)
    workers = 1 if run.data == "workers" else 0
    return DataLoader(Noisy(BATCH * run.batches), BATCH // run.world_size, shuffle=True, num_workers=workers)


def _validation(run: Combination) -> DataLoader | None:
    return None if run.validation == "none" else DataLoader(Noisy(8), 4 // run.world_size)


def on_all(function, *args, world_size: int) -> list[Any]:
    """Return what the processes return; the exception of each that ended otherwise."""
    port = free_port()
    ranks = [start(function, *args, rank=rank, world_size=world_size, port=port) for rank in range(world_size)]
    return [_end(process, reading) for process, reading in ranks]


def _end(process, reading) -> Any:
    try:
        return result(process, reading, timeout=60)
    except (EOFError, AssertionError) as error:
        return error


def undisturbed(folder: Path, run: Combination) -> dict[str, Any]:
    """Return the last checkpoint of a run without interruptions, played once for each kind of run."""
    there = folder / f"whole-{hash(run)}"
    if not (there / "end.ckpt").exists():
        trained = on_all(fit, there, run, None, world_size=run.world_size)
        assert trained == [run.turns] * run.world_size, trained
    return torch.load(there / "end.ckpt", weights_only=True)


def differs(folder: Path, run: Combination) -> list[str]:
    """Return what differs at the end of a run that is interrupted, from that of one that is not."""
    whole, there = undisturbed(folder, run), folder / "interrupted"
    shutil.rmtree(there, ignore_errors=True)
    for interruption in run.interruptions:
        on_all(fit, there, run, interruption, world_size=run.world_size)
        (there / "end.ckpt").unlink(missing_ok=True)  # of a run that was not reached
    last = on_all(fit, there, run, None, world_size=run.world_size)
    if errors := [str(e) for e in last if isinstance(e, Exception)]:
        return errors
    end = torch.load(there / "end.ckpt", weights_only=True)
    found = [name for name in differing(whole, end) if not name.startswith(_NOT_THE_GAME)]
    again = on_all(fit, there, run, None, "again.ckpt", world_size=run.world_size)
    return found + [f"started again it trains {n}" for n in again if n != 0]
