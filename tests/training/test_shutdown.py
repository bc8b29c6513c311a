"""SIGTERM saves and ends a run, in code and for the command; resuming goes on where it was."""

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning import Callback
from pytorch_lightning.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.soak import differing
from lit_gan import LitGAN
from lit_gan.networks import MLPDiscriminator, MLPGenerator
from tests.support.processes import on_ranks
from tests.support.small import trainer


class Terminate(Callback):
    """Sends a signal to its own process in the middle of a batch."""

    def __init__(self, turn, ranks=(0,), signum=signal.SIGTERM):
        self.turn, self.ranks, self.signum = turn, ranks, signum

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        ours = optimizer is trainer.optimizers[0] and trainer.global_rank in self.ranks
        if ours and int(pl_module.d_steps) == self.turn:
            os.kill(os.getpid(), self.signum)


def train(folder, callbacks=(), ckpt_path=None, world_size=1):
    pl.seed_everything(1, verbose=False)
    gan = LitGAN(MLPGenerator(features=2, latent_dim=3, width=8), MLPDiscriminator(features=2, width=8))
    fitted = trainer(
        folder,
        max_epochs=2,
        strategy="ddp" if world_size > 1 else "auto",
        devices=world_size,
        enable_checkpointing=True,
        callbacks=[ModelCheckpoint(folder, filename="{step}"), *callbacks],
    )
    data = DataLoader(TensorDataset(torch.linspace(-1, 1, 48).reshape(24, 2)), 4 // world_size, shuffle=True)
    fitted.fit(gan, data, ckpt_path=ckpt_path)
    fitted.save_checkpoint(folder / "end.ckpt")


def terminated(folder, ranks, world_size, signum):
    handlers = [signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)]
    with pytest.raises(SystemExit) as ended:
        train(folder, [Terminate(3, ranks, signum)], world_size=world_size)
    assert handlers == [signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)]
    return ended.value.code, sorted(p.name for p in folder.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("world_size", "ranks", "signum", "expected"),
    [
        (1, (0,), signal.SIGTERM, 0),
        (2, (0,), signal.SIGTERM, 0),
        pytest.param(2, (0, 1), signal.SIGTERM, 0, marks=pytest.mark.extended),
        (1, (0,), signal.SIGINT, 130),
        pytest.param(2, (0, 1), signal.SIGINT, 130, marks=pytest.mark.extended),
    ],
)
def test_a_signal_saves_and_exits(tmp_path, world_size, ranks, signum, expected):
    for code, files in on_ranks(terminated, tmp_path / "ended", ranks, world_size, signum, world_size=world_size):
        assert (code or 0) == expected
        assert files == ["last.ckpt"]
    last = torch.load(tmp_path / "ended" / "last.ckpt", weights_only=True)
    assert last["state_dict"]["d_steps"] == 3
    on_ranks(train, tmp_path / "ended", (), tmp_path / "ended" / "last.ckpt", world_size, world_size=world_size)
    on_ranks(train, tmp_path / "whole", (), None, world_size, world_size=world_size)
    ends = [torch.load(tmp_path / name / "end.ckpt", weights_only=True) for name in ("ended", "whole")]
    assert [name for name in differing(*ends) if not name.startswith(".callbacks")] == []


class Twice(Callback):
    """Presses Ctrl-C twice in a batch."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        os.kill(os.getpid(), signal.SIGINT)
        self.after_the_first = True
        os.kill(os.getpid(), signal.SIGINT)
        self.after_the_second = True


def pressed_twice(folder):
    with pytest.raises(SystemExit) as ended:  # of Lightning
        train(folder, [twice := Twice()])
    return ended.value.code, [name for name in vars(twice) if "after" in name], list(folder.iterdir())


def test_a_second_ctrl_c_ends_at_once(tmp_path):
    assert on_ranks(pressed_twice, tmp_path, world_size=1) == [(1, ["after_the_first"], [])]


def test_a_handler_of_the_users_own_stays(tmp_path):
    assert on_ranks(with_own_handler, tmp_path, world_size=1) == [[signal.SIGINT]]


def with_own_handler(folder):
    received = []
    signal.signal(signal.SIGINT, lambda signum, frame: received.append(signum))
    train(folder, [Terminate(2, signum=signal.SIGINT)])
    return received


def unsaved(folder):
    gan = LitGAN(MLPGenerator(features=2, latent_dim=3), MLPDiscriminator(features=2))
    with pytest.raises(SystemExit):
        trainer(folder, callbacks=[Terminate(2)]).fit(gan, DataLoader(TensorDataset(torch.randn(24, 2)), 4))
    return list(folder.iterdir())


def test_a_run_without_checkpoints_just_ends(tmp_path):
    assert on_ranks(unsaved, tmp_path, world_size=1) == [[]]


CONFIG = """
trainer: {max_epochs: -1, accelerator: cpu, limit_train_batches: 3, limit_val_batches: 0, enable_progress_bar: false}
model:
  generator: {class_path: MLPGenerator, init_args: {image_size: 8, channels: 1, width: 8}}
  discriminator: {class_path: MLPDiscriminator, init_args: {image_size: 8, channels: 1, width: 8}}
data: {class_path: FashionMNISTSample, init_args: {image_size: 8}}
"""


@pytest.mark.slow
def test_ctrl_c_in_a_terminal_saves_draws_and_says_how_to_go_on(tmp_path):
    """It reaches the workers too, as they are in the terminal's group of processes."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    command = [Path(sys.executable).with_name("lit-gan"), "fit", "--config=config.yaml", "--data.num_workers=2"]
    heeds = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs ignore Ctrl-C
    terminal = {"start_new_session": True, "preexec_fn": heeds}
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, **terminal)
    folder = tmp_path / "lightning_logs" / "version_0"
    while not list(folder.glob("checkpoints/*.ckpt")):
        assert process.poll() is None, process.stderr.read()
    os.killpg(process.pid, signal.SIGINT)
    errors = process.communicate()[1]
    assert process.returncode == 130
    assert (folder / "checkpoints" / "last.ckpt").exists()
    assert list(folder.glob("samples/*.png"))
    assert "ckpt_path='./lightning_logs/version_0/checkpoints/last.ckpt'" in errors
    assert not any(word in errors for word in ("Traceback", "EOFError", "KeyboardInterrupt"))


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, pytest.param(signal.SIGKILL, marks=pytest.mark.extended)])
def test_the_command_goes_on_after_any_end(tmp_path, how):
    """Ended from outside once it has written a checkpoint; the second run goes on where the first one was."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    command = [Path(sys.executable).with_name("lit-gan"), "fit", "--config=config.yaml", "--ckpt_path=last"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    folder = tmp_path / "lightning_logs" / "version_0" / "checkpoints"
    while not list(folder.glob("*.ckpt")):
        assert process.poll() is None, process.stderr.read()
    process.send_signal(how)
    errors = process.communicate()[1]
    assert "no checkpoint in lightning_logs yet, so this run starts from scratch" in errors
    assert process.returncode == (0 if how == signal.SIGTERM else -how)
    assert (folder / "last.ckpt").exists() == (how == signal.SIGTERM)
    newest = max(folder.glob("*.ckpt"), key=lambda p: p.stat().st_mtime_ns)
    if how == signal.SIGTERM:  # a disk that lied: the one before it is taken, and said
        newest.write_bytes(newest.read_bytes()[:-1000])
        newest = next(p for p in folder.glob("*.ckpt") if p.name != "last.ckpt")
    done = torch.load(newest, weights_only=True)["global_step"]
    again = [*command, f"--trainer.max_steps={done + 2}"]
    finished = subprocess.run(again, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=True)
    said = "last.ckpt is truncated or no checkpoint: not resumed from, the one before it is tried" in finished.stderr
    assert said == (how == signal.SIGTERM)
    assert f"Restored all states from the checkpoint at {newest}" in finished.stderr
    (end,) = (tmp_path / "lightning_logs" / "version_1" / "checkpoints").glob("*.ckpt")
    assert torch.load(end, weights_only=True)["global_step"] == done + 2
