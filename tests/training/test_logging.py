"""Metrics for callbacks and loggers; loggers and log folders that cannot be written do not end a run."""

import errno
import os
import re
import warnings
from collections import Counter
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.logger import _flatten_dict
from pytorch_lightning import Callback
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger, Logger

from lit_gan import LitGAN, LitGANError
from lit_gan.augment import AdaptiveAugment
from lit_gan.callbacks import (
    EquilibriumMonitor,
    GenerativeMetrics,
    Interpolation,
    NearestNeighbours,
    SampleGrid,
    ValuePlot,
)
from lit_gan.penalties import R1
from lit_gan.schedules import Linear
from tests.callbacks.test_generative import Tiny
from tests.support.small import PlainDiscriminator, PlainGenerator, loader, trainer

DATA = torch.rand(32, 1, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def gan(**options) -> LitGAN:
    torch.manual_seed(0)
    return LitGAN(PlainGenerator(), PlainDiscriminator(), **options)


def watchers(folder) -> list[Callback]:
    return [
        SampleGrid(every_n_steps=2, n=4, movie=True),
        Interpolation(every_n_steps=2, n=2, movie=True),
        EquilibriumMonitor(every_n_steps=2, n=16),
        ValuePlot(every_n_validations=1),
        GenerativeMetrics(extractor=Tiny(), n_fake=20, every_n_steps=2, cache=str(folder / "cache")),
    ]


class Fill(Callback):
    """Fills the disk after a step: nothing new can be made, and the system refuses to write to the log."""

    def __init__(self, monkeypatch, step):
        self.monkeypatch, self.step = monkeypatch, step

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == self.step:
            log = Path(trainer.log_dir, "metrics.csv")
            log.unlink(missing_ok=True)
            log.symlink_to("/dev/full")
            real = os.open
            self.monkeypatch.setattr(
                os, "open", lambda path, *a: real(path, *a) if "partial" not in str(path) else fail()
            )


def fail(*_, **__):
    raise FULL


def run(folder, callbacks, logger):
    fitted = trainer(folder, max_epochs=2, callbacks=callbacks, logger=logger, log_every_n_steps=1)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        model = gan()
        fitted.fit(model, loader(DATA), loader(DATA))
    said = Counter(str(warning.message) for warning in warned if "cannot be written" in str(warning.message))
    return torch.cat([p.detach().flatten() for p in model.parameters()]), said


def test_training_goes_on_though_the_log_folder_is_full_and_each_path_is_named_once(tmp_path, monkeypatch):
    undisturbed, said = run(tmp_path / "a", watchers(tmp_path), CSVLogger(tmp_path / "a"))
    assert not said
    weights, said = run(tmp_path / "b", [Fill(monkeypatch, 3), *watchers(tmp_path)], CSVLogger(tmp_path / "b"))
    assert weights.equal(undisturbed)
    folder = tmp_path / "b" / "lightning_logs" / "version_0"
    places = {folder / name for name in ("samples", "interpolations", "value", "verdicts.jsonl", "scores.json", "")}
    assert {Path(sentence.partition(" cannot be written")[0]) for sentence in said} == places
    assert set(said.values()) == {1}
    assert all("No space left on device" in sentence for sentence in said)
    assert [path.name for path in (folder / "samples").iterdir()] == ["step-000002.png"], "nothing half written"


class Broken(Logger):
    """Every call that writes fails, as on a full disk or without a network."""

    name, version, experiment = "broken", 0, None
    log_metrics = log_hyperparams = log_image = save = finalize = staticmethod(fail)


def test_a_logger_that_cannot_write_does_not_end_training_and_is_left_as_it_was(tmp_path):
    undisturbed, _ = run(tmp_path, watchers(tmp_path), False)
    logger = Broken()
    before = dict(vars(logger))
    logger.log_hyperparams = lambda *_: None  # Lightning's first call comes before training
    weights, said = run(tmp_path, watchers(tmp_path), logger)
    assert weights.equal(undisturbed)
    assert list(said.values()) == [1]
    assert "Broken cannot be written" in next(iter(said))
    assert vars(logger).keys() == before.keys() | {"log_hyperparams"}


def test_what_is_wrong_with_a_logger_is_still_raised(tmp_path):
    class Wrong(Broken):
        log_metrics = log_hyperparams = log_image = save = finalize = staticmethod(lambda *_, **__: {}["bug"])

    with pytest.raises(KeyError, match="bug"):
        run(tmp_path, [], Wrong())


@pytest.mark.parametrize("monitor", ["loss/g", "loss/d", "penalty/r1", "lr_factor", "logits/real"])
@pytest.mark.parametrize("held_out", [False, True])
def test_every_epoch_has_losses_to_monitor(tmp_path, images, monitor, held_out):
    """Also one of six batches, when each fiftieth is logged."""
    stop = EarlyStopping(monitor, patience=1, min_delta=1e9)  # nothing is an improvement but the first
    best = ModelCheckpoint(tmp_path, monitor=monitor)
    model = gan(penalties={"r1": R1()}, lr_schedule=Linear())
    run = trainer(tmp_path, max_epochs=9, callbacks=[stop, best], enable_checkpointing=True)
    run.fit(model, loader(images), *([loader(images)] if held_out else []))
    assert run.current_epoch == 2
    assert best.best_model_score.isfinite()


def test_what_is_monitored_is_the_last_batchs(fit, images):
    model = gan()
    run = fit(model, loader(images), log_every_n_steps=2, max_epochs=2)
    assert run.callback_metrics["loss/g"] == model.step_metrics["loss/g"]
    assert "loss/g" not in run.logged_metrics


@pytest.mark.parametrize("stage", ["fit", "validate", "test"])
def test_barebones_trains_and_logs_nothing(tmp_path, images, monkeypatch, stage):
    monkeypatch.chdir(tmp_path)
    model, data = gan(), loader(images)
    run = pl.Trainer(barebones=True, accelerator="cpu", max_epochs=1, callbacks=[EquilibriumMonitor(2, n=16)])
    run.fit(model, data, data) if stage == "fit" else getattr(run, stage)(model, data)  # and warns of nothing
    assert model.d_steps == (6 if stage == "fit" else 0)
    assert not run.callback_metrics
    assert not list(tmp_path.rglob("*.ckpt"))
    assert not list(tmp_path.rglob("*.csv"))


class Strict(CSVLogger):
    """Takes the keys that MLflow takes."""

    def log_metrics(self, metrics, step=None):
        self.check(metrics)

    def log_hyperparams(self, params):
        self.check(_flatten_dict(params))

    def check(self, keys):
        refused = [key for key in keys if not re.fullmatch(r"[\w/. -]{1,250}", key, re.ASCII)]
        assert not refused


class Features(torch.nn.Module):
    def forward(self, images):
        return images.flatten(1)[:, :3].float()


def test_all_keys_are_of_letters_digits_blanks_and_four_signs(tmp_path):
    images = torch.rand(60, 1, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    callbacks = [
        EquilibriumMonitor(2, n=32),
        NearestNeighbours(2, n=2, k=1, tested=20),
        NearestNeighbours(2, n=2, k=2, tested=20),
        GenerativeMetrics(["fid", "kid", "precision_recall", "density_coverage"], Features(), n_fake=20),
        GenerativeMetrics(["two_sample"], n_fake=60),
    ]
    model = gan(penalties={"r1 of-D/1": R1()}, augment=AdaptiveAugment(), lr_schedule=Linear())
    run = trainer(tmp_path, logger=Strict(tmp_path), callbacks=callbacks, log_every_n_steps=2)
    run.fit(model, loader(images), loader(images))
    assert {"penalty/r1 of-D/1", "val/fid_Features"} <= run.callback_metrics.keys()


@pytest.mark.parametrize("name", ["r1, r2", "r1:", "r(1)", "γ=1", "a.b", "", "a\n"])
def test_a_penaltys_name_is_a_log_key(name):
    with pytest.raises(LitGANError, match="log key"):
        gan(penalties={name: R1()})
