"""A run that is killed and resumed ends with the bits of one that was not: every tensor, counter and random state."""

import copy
import json
import os
import random
import shutil
import signal
import warnings
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning import Callback
from pytorch_lightning.callbacks import LambdaCallback, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.plugins import MixedPrecision
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset, WeightedRandomSampler

from benchmarks.soak import differing
from lit_gan import LitGAN, LitGANError
from lit_gan.callbacks import DivergenceStop, GenerativeMetrics, SampleGrid
from lit_gan.data import FashionMNISTSample
from lit_gan.networks import DCGANDiscriminator, DCGANGenerator, MLPDiscriminator, MLPGenerator
from lit_gan.penalties import R1
from lit_gan.schedules import Cosine
from tests.support.processes import on_ranks
from tests.support.small import trainer

pytestmark = pytest.mark.slow

SIZE, BATCH = 44, 8  # 5 batches an epoch, and a rest


class Noisy(Dataset):
    """Points that are moved at random, by every kind of random number, wherever they are loaded."""

    def __len__(self):
        return SIZE

    def __getitem__(self, index):
        moved = index / SIZE + 0.1 * torch.randn(2) + 0.1 * random.random() + 0.1 * np.random.rand()
        return moved.float()


def points(workers=0, world_size=1):
    return DataLoader(Noisy(), BATCH // world_size, shuffle=True, num_workers=workers, persistent_workers=workers > 0)


def weighted():
    weights = WeightedRandomSampler(torch.rand(SIZE) + 0.1, SIZE, generator=torch.Generator())
    return DataLoader(TensorDataset(torch.linspace(-1, 1, 2 * SIZE).reshape(SIZE, 2)), BATCH, sampler=weights)


def pictures():
    torch.manual_seed(8)
    return FashionMNISTSample(image_size=16, batch_size=BATCH, horizontal_flip=True, num_workers=2)


def balanced():
    torch.manual_seed(8)
    return FashionMNISTSample(image_size=16, batch_size=BATCH, class_balanced=True)


CASES = {
    "plain": {},
    "every third turn": {"k": 3},
    "workers": {"data": lambda: points(2)},
    "weighted sampler": {"data": weighted},
    "validation between": {"val": True, "trainer": {"val_check_interval": 2}},
    "validation each epoch": {"val": True},
    "data module": {"data": pictures, "images": True, "trainer": {"limit_train_batches": 5, "limit_val_batches": 1}},
    "fp16": {"precision": "16-mixed", "k": 2},
    "bf16": {"precision": "bf16-mixed"},
    "two processes": {"world_size": 2, "k": 2, "val": True, "data": lambda: points(0, 2)},
    "two processes, workers": {"world_size": 2, "data": lambda: points(1, 2)},
    "balanced": {"data": balanced, "images": True, "trainer": {"limit_train_batches": 5, "limit_val_batches": 1}},
}


class KillAt(Callback):
    """Saves after some batches and kills its process at a later one, before, in the midst of or after its turns."""

    def __init__(self, folder, save=(), kill=None, where="on_train_batch_end"):
        self.folder, self.save, self.kill = folder, save, kill
        setattr(self, where, partial(self._kill, getattr(self, where)))

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if int(pl_module.d_steps) in self.save:
            trainer.save_checkpoint(self.folder / "last.ckpt")

    def _kill(self, hook, trainer, pl_module, *args):
        hook(trainer, pl_module, *args)
        if self.kill is not None and int(pl_module.d_steps) >= self.kill:
            os.kill(os.getpid(), signal.SIGKILL)


def networks(images):
    if images:
        return DCGANGenerator(16, 1, 5, 10, width=4), DCGANDiscriminator(16, 1, 10, width=4)
    discriminator = nn.Sequential(MLPDiscriminator(features=2, width=16), nn.Dropout(0.1))
    return MLPGenerator(features=2, latent_dim=3, width=16), discriminator


def train(folder, case, save=(), kill=None, where="on_train_batch_end", resume=False, world_size=None, epochs=3):
    """Fit, and save what is there at the end."""
    options = CASES[case]
    precision, world_size = options.get("precision", "32-true"), world_size or options.get("world_size", 1)
    pl.seed_everything(1, verbose=False)
    g, d = networks(options.get("images", False))
    gan = LitGAN(
        g,
        d,
        d_steps_per_g_step=options.get("k", 1),
        penalties={"r1": R1(0.1, every=3)},
        lr_schedule=Cosine(end=0.1, images=200),
        gradient_clip=1.0,
        ema_half_life=50,
    )
    plugins = {"precision": precision}
    if precision == "16-mixed":  # Lightning has no scaler for the CPU
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**20, growth_interval=3)
        plugins = {"plugins": MixedPrecision("16-mixed", "cpu", scaler=scaler)}
    fitted = trainer(
        folder,
        max_epochs=epochs,
        strategy="ddp" if world_size > 1 else "auto",
        devices=world_size,
        callbacks=[SampleGrid(every_n_steps=3, n=4), KillAt(folder, save, kill, where)],
        **plugins,
        **options.get("trainer", {}),
    )
    data = options.get("data", points)()
    val = DataLoader(Noisy(), BATCH, num_workers=1) if options.get("val") else None
    fitted.fit(gan, data, val, ckpt_path=folder / "last.ckpt" if resume else None)
    fitted.save_checkpoint(folder / "end.ckpt")
    return fitted.global_step, int(gan.images_seen), int(gan.d_steps), fitted.current_epoch


def killed_and_resumed(folder, case, save, kill, where):
    """Return what differs between an undisturbed run's end and that of one killed after ``kill`` batches."""
    world_size = CASES[case].get("world_size", 1)
    undisturbed, disturbed = folder / "undisturbed", folder / f"killed-{kill}-{where}"
    if not (undisturbed / "end.ckpt").exists():
        on_ranks(train, undisturbed, case, world_size=world_size)
    with pytest.raises((EOFError, AssertionError)):
        on_ranks(train, disturbed, case, save, kill, where, world_size=world_size)
    on_ranks(train, disturbed, case, (), None, where, True, world_size=world_size)
    ends = [torch.load(path / "end.ckpt", weights_only=True) for path in (undisturbed, disturbed)]
    grids = [{p.name: p.read_bytes() for p in path.rglob("samples/*.png")} for path in (undisturbed, disturbed)]
    return differing(*ends), [name for name in grids[0] if grids[0][name] != grids[1].get(name)]


HOOKS = ("on_train_batch_start", "on_before_optimizer_step", "on_train_batch_end", "on_validation_batch_start")
_random = random.Random(2026)
POINTS = [(case, _random.randint(1, 12), _random.choice(HOOKS[: 3 + ("val" in CASES[case])])) for case in CASES]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("resume")


@pytest.mark.parametrize(("case", "saved", "where"), POINTS)
def test_a_killed_run_ends_with_the_same_bits(folder, case, saved, where):
    tensors, grids = killed_and_resumed(folder / case, case, {saved}, saved + 1, where)
    assert (tensors, grids) == ([], [])


def test_the_comparison_finds_what_differs(folder):
    ends = []
    for kill in (None, 3):
        on_ranks(
            train,
            folder / f"apart-{kill}",
            "plain",
            (),
            None,
            "on_train_batch_end",
            False,
            None,
            kill or 2,
            world_size=1,
        )
        ends.append(torch.load(folder / f"apart-{kill}" / "end.ckpt", weights_only=True))
    names = differing(*ends)
    for part in (".state_dict.generator.", ".state_dict.ema_generator.", ".optimizer_states.0.", ".random_states."):
        assert any(part in name for name in names)


class Stop(Callback):
    """Ends a run in mid-epoch, as EarlyStopping, a Timer and Ctrl-C do."""

    def __init__(self, turn):
        self.turn = turn

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        trainer.should_stop = int(pl_module.d_steps) == self.turn


def train_on(folder, turns, how, resume=False, validate_before_saving=False, val=False):
    """Fit up to some turns, by ``max_steps`` or by a callback, ModelCheckpoint saving at the end as it does."""
    pl.seed_everything(1, verbose=False)
    gan = LitGAN(*networks(False), ema_half_life=50)
    ends = {"max_steps": turns} if how == "max_steps" else {"callbacks": [Stop(turns)]}
    fitted = trainer(folder, enable_checkpointing=True, max_epochs=9, **ends)
    fitted.fit(gan, points(), points() if val else None, ckpt_path=folder / "last.ckpt" if resume else None)
    if validate_before_saving:
        fitted.validate(gan, points(), verbose=False)
    fitted.save_checkpoint(folder / "last.ckpt")
    return torch.load(folder / "last.ckpt", weights_only=True), fitted.checkpoint_callback.best_model_path


@pytest.mark.parametrize("how", ["max_steps", "should_stop"])
@pytest.mark.parametrize("turns", [4, 6, *(pytest.param(n, marks=pytest.mark.extended) for n in (1, 7, 12))])
@pytest.mark.parametrize(
    "saved_by", ["hand", "ModelCheckpoint", pytest.param("hand after validating", marks=pytest.mark.extended)]
)
@pytest.mark.parametrize("val", [False, True])
def test_a_run_that_was_stopped_goes_on(folder, tmp_path, how, turns, saved_by, val):
    """Lightning calls an epoch finished in which it stops; an epoch has six batches."""
    whole, _ = on_ranks(train_on, tmp_path / "whole", 15, how, False, False, val, world_size=1)[0]
    _, path = on_ranks(train_on, tmp_path, turns, how, False, "validating" in saved_by, val, world_size=1)[0]
    if saved_by == "ModelCheckpoint":
        Path(path).rename(tmp_path / "last.ckpt")
    end, _ = on_ranks(train_on, tmp_path, 15, how, True, False, val, world_size=1)[0]
    logged = ".lit_gan_run.metrics" if "validating" in saved_by else ".callbacks"  # those of the validation by hand
    assert [name for name in differing(whole, end) if not name.startswith((".callbacks", logged))] == []
    assert end["state_dict"]["images_seen"] == 15 * 8 - 4 * (15 // 6)  # an epoch's last batch holds four


def with_noisy_validation(folder, saved=(), resume=False):
    pl.seed_everything(1, verbose=False)
    gan = LitGAN(*networks(False))
    fitted = trainer(folder, max_epochs=2, val_check_interval=2, callbacks=[KillAt(folder, saved)])
    fitted.fit(gan, points(), points(), ckpt_path=folder / "last.ckpt" if resume else None)
    fitted.save_checkpoint(folder / "end.ckpt")


def test_what_validation_draws_does_not_count(tmp_path):
    """Saved in the hook before a validation that draws from the global random states, which the resumed run skips."""
    ends = []
    for resume in (False, True):
        on_ranks(with_noisy_validation, tmp_path, () if resume else {4}, resume, world_size=1)
        ends.append(torch.load(tmp_path / "end.ckpt", weights_only=True))
    assert differing(*ends) == []


def without_state(folder):
    checkpoint = torch.load(folder / "last.ckpt", weights_only=True)
    for state in (None, {"seed": 3}):
        checkpoint["lit_gan_run"] = state
        torch.save(checkpoint, folder / "last.ckpt")
        with pytest.warns(UserWarning, match="not bit-exact: the checkpoint says nothing of the run that it is from"):
            train(folder, "plain", resume=True, epochs=2)


def test_a_file_without_a_run_is_said(tmp_path):
    on_ranks(train, tmp_path, "plain", {3}, None, HOOKS[2], False, None, 1, world_size=1)
    on_ranks(without_state, tmp_path, world_size=1)


DOCTORED = {
    "seed": "three",
    "world_size": 0,
    "batches_per_epoch": float("nan"),
    "random_states": [],
    "metrics": {"val/fid": "low"},
    "played": 7,
    "unfinished": [1, 0],
    "loops": {},
    "counts": {"ready": "many"},
    "optimizer_states": [],
    "exp_avg": torch.zeros(1),
}


def doctored(folder):
    whole = torch.load(folder / "last.ckpt", weights_only=True)
    for name, value in DOCTORED.items():
        checkpoint = {**whole, "lit_gan_run": {**whole["lit_gan_run"], name: value}}
        if name == "loops":
            checkpoint = {**whole, "loops": {}}
        if name == "counts":
            loop = {**whole["loops"]["fit_loop"], "epoch_progress": {"total": value, "current": value}}
            checkpoint = {**whole, "loops": {**whole["loops"], "fit_loop": loop}}
        if name == "optimizer_states":
            checkpoint = {**whole, name: value}
        if name == "exp_avg":
            checkpoint = copy.deepcopy(whole)
            checkpoint["optimizer_states"][0]["state"][0][name] = value
        torch.save(checkpoint, folder / "last.ckpt")
        with pytest.raises(LitGANError, match="loops" if name == "counts" else name):
            train(folder, "plain", resume=True, epochs=2)


def test_a_doctored_run_is_refused(tmp_path):
    on_ranks(train, tmp_path, "plain", {3}, None, HOOKS[2], False, None, 1, world_size=1)
    on_ranks(doctored, tmp_path, world_size=1)


def otherwise(folder, case, world_size=1):
    with warnings.catch_warnings(record=True) as caught:
        counts = train(folder, case, resume=True, world_size=world_size, epochs=2)
    return counts, [str(warning.message) for warning in caught]


@pytest.mark.parametrize(("case", "reason"), [("bf16", "precision was 32-true and is bf16"), ("workers", "worker")])
def test_another_precision_or_number_of_workers_is_said(tmp_path, case, reason):
    on_ranks(train, tmp_path, "plain", {3}, None, HOOKS[2], False, None, 1, world_size=1)
    counts, warned = on_ranks(otherwise, tmp_path, case, world_size=1)[0]
    assert counts == (12, 88, 12, 2)
    assert any("not bit-exact" in message and reason in message for message in warned)


class Looks(Callback):
    """Reads the counters in each hook of a turn, and ends the run in the generator's third."""

    def __init__(self):
        self.seen = []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.seen.append((int(pl_module.d_steps), int(pl_module.images_seen)))
        if len(self.seen) == 6:
            raise InterruptedError


def test_a_turn_is_counted_when_it_is_done(tmp_path):
    gan = LitGAN(*networks(False))
    fitted = trainer(
        tmp_path,
        callbacks=[looks := Looks(), ModelCheckpoint(tmp_path, save_on_exception=True)],
        enable_checkpointing=True,
    )
    with pytest.raises(InterruptedError):
        fitted.fit(gan, points())
    assert looks.seen == [(0, 0), (1, 8), (1, 8), (2, 16), (2, 16), (3, 24)]
    (path,) = tmp_path.glob("*.ckpt")
    resumed = LitGAN(*networks(False))
    trainer(tmp_path, max_epochs=1).fit(resumed, points(), ckpt_path=path)
    assert (int(resumed.d_steps), int(resumed.images_seen)) == (6, 44)


class Scripted(Callback):
    """Logs a score of a script at some steps, as GenerativeMetrics does, and saves at one."""

    def __init__(self, folder, scores, saved):
        self.folder, self.scores, self.saved = folder, scores, saved

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        step = trainer.global_step
        if step in self.scores:
            pl_module.log("val/fid", self.scores[step])
        if step == self.saved:
            trainer.save_checkpoint(self.folder / "last.ckpt")


def decided(folder, saved=None, resume=False):
    """Return the steps at which a run is scored, and at which it stopped."""
    pl.seed_everything(1, verbose=False)
    gan = LitGAN(*networks(False))
    scores = {4: 1.0, 9: 5.0, 15: 5.0, 21: 5.0, 27: 5.0}  # each read by the validation that follows; bad from step 9
    callbacks = [
        GenerativeMetrics(["precision_recall"], n_fake=20, every_n_steps=8),
        DivergenceStop("val/fid", patience=3, restore=False),
        Scripted(folder, scores, saved),
    ]
    fitted = trainer(folder, max_epochs=9, callbacks=callbacks, logger=CSVLogger(folder), log_every_n_steps=1)
    points = DataLoader(TensorDataset(torch.linspace(-1, 1, 96).reshape(48, 2)), BATCH)
    fitted.fit(gan, points, points, ckpt_path=folder / "last.ckpt" if resume else None)
    scored = [e["step"] for path in sorted(folder.rglob("scores.json")) for e in json.loads(path.read_text())]
    return scored, fitted.global_step


@pytest.mark.parametrize("saved", [10, *(pytest.param(n, marks=pytest.mark.extended) for n in (8, 13, 20))])
def test_callbacks_decide_at_the_same_steps(tmp_path, saved):
    whole = on_ranks(decided, tmp_path / "whole", saved, world_size=1)[0]
    assert whole == ([6, 8, 16, 24], 24)
    (tmp_path / "cut").mkdir()
    shutil.copy(tmp_path / "whole" / "last.ckpt", tmp_path / "cut")
    scored, stopped = on_ranks(decided, tmp_path / "cut", None, True, world_size=1)[0]
    assert scored == [step for step in whole[0] if step > saved]
    assert stopped == whole[1]


class Fails(Callback):
    """Fails when training starts."""

    def on_train_start(self, trainer, pl_module):
        raise InterruptedError


@pytest.mark.parametrize("saved", [3, 6])
def test_a_start_that_fails_loses_nothing(tmp_path, saved):
    """The checkpoint that a failure leaves still says that the end of the epoch, after the sixth batch, is missing."""
    on_ranks(epochs, tmp_path, None, [Scripted(tmp_path, {}, saved)], world_size=1)
    failing = [Fails(), ModelCheckpoint(tmp_path / "failed", save_on_exception=True)]
    on_ranks(epochs, tmp_path, tmp_path / "last.ckpt", failing, world_size=1)
    (path,) = (tmp_path / "failed").glob("*.ckpt")
    ends = [on_ranks(epochs, tmp_path, path, [], world_size=1)[0] for path in (tmp_path / "last.ckpt", path)]
    assert ends == [([0, 1], 12)] * 2


def epochs(folder, path, callbacks):
    """Return the epochs whose end a run has seen, and its turns."""
    ended = []
    pl.seed_everything(1, verbose=False)
    gan = LitGAN(*networks(False))
    seen = LambdaCallback(on_train_epoch_end=lambda trainer, _: ended.append(trainer.current_epoch))
    fitted = trainer(folder, max_epochs=2, callbacks=[seen, *callbacks], enable_checkpointing=bool(callbacks))
    with suppress(InterruptedError):
        fitted.fit(gan, points(), ckpt_path=path)
    return ended, int(gan.d_steps)


def test_as_many_batches_as_lightning_takes_of_two_loaders(tmp_path):
    """The shorter one begins again in mid-epoch."""
    long = DataLoader(torch.arange(64.0).reshape(32, 2) / 64, 8, shuffle=True)
    short = DataLoader(torch.arange(16) % 2, 8, shuffle=True)
    gan = LitGAN(MLPGenerator(features=2, latent_dim=3, num_classes=2), MLPDiscriminator(features=2, num_classes=2))
    fitted = trainer(tmp_path, max_epochs=2)
    fitted.fit(gan, {"image": long, "label": short})
    assert (fitted.global_step, int(gan.images_seen), gan.label_counts.tolist()) == (8, 64, [32, 32])


@pytest.mark.parametrize(
    ("before", "after", "saved", "d_steps", "images_seen"),
    [(1, 2, 3, 3 + 2 + 3, 24 + 28 + 44), (2, 1, 1, 1 + 4 + 6, 16 + 28 + 44)],
)
def test_other_devices_are_said_and_counted(folder, before, after, saved, d_steps, images_seen):
    """An epoch of 44 images is 6 batches of one process, 3 of two; the resumed run goes on at the same share of it."""
    there = folder / f"from-{before}-to-{after}"
    on_ranks(train, there, "plain", {saved}, None, HOOKS[2], False, before, 1, world_size=before)
    counts, warned = on_ranks(otherwise, there, "plain", after, world_size=after)[0]
    assert counts == (d_steps, images_seen, d_steps, 2)
    assert any(f"not bit-exact: the run had {before} devices and has {after} now" in message for message in warned)
