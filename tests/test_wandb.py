"""Weights & Biases, the real one without a network: what a run leaves there, read back with its own tool."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger, WandbLogger

from lit_gan import LitGAN
from lit_gan.callbacks import EquilibriumMonitor, GenerativeMetrics, SampleGrid, ValuePlot, WandbAxis
from lit_gan.cli import main
from lit_gan.losses import Hinge
from tests.callbacks.test_generative import IMAGES, Tiny
from tests.cli.test_cli import NETWORKS, QUICK
from tests.support.processes import on_ranks
from tests.support.small import PlainDiscriminator, PlainGenerator, loader, trainer

pytestmark = pytest.mark.slow

wandb = pytest.importorskip("wandb", reason="the extra wandb is not there")


def set_up(environment, folder):
    for name, value in {"MODE": "offline", "CONSOLE": "off", "SILENT": "true", "DATA_DIR": f"{folder}/data"}.items():
        environment.setenv(f"WANDB_{name}", value)
    environment.setenv("LIT_GAN_CACHE", f"{folder}/cache")


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    set_up(monkeypatch, tmp_path)
    yield
    wandb.teardown()  # it reads the environment once


def pixels(path):
    with Image.open(path) as picture:
        return torch.from_numpy(np.array(picture.convert("RGB")))


def scoring():
    return GenerativeMetrics(["fid"], Tiny(), n_fake=100)


class Read:
    """What is in the one run below a folder."""

    def __init__(self, folder):
        wandb.finish()
        (self.file,) = Path(folder).glob("wandb/offline-run-*/run-*.wandb")
        self.records = [json.loads(line) for line in self._leet().splitlines()]
        whole = json.loads(self._leet("--summary"))
        self.config, self.summary = whole["config"], whole["summary"]

    def _leet(self, *options):
        command = [Path(sys.executable).with_name("wandb"), "leet", "inspect", *options, "--json", self.file]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def of(self, kind):
        return [record[kind] for record in self.records if record["type"] == kind]

    @property
    def history(self):
        return [record["item"] for record in self.of("history")]

    def column(self, name):
        """Return (generator updates, images seen, value) of each record that has ``name``."""
        return [(r["trainer/global_step"], r["images_seen"], r[name]) for r in self.history if name in r]


def fitted(folder, callbacks=(), gan=None, **options):
    torch.manual_seed(0)
    gan = gan or LitGAN(PlainGenerator(), PlainDiscriminator(), Hinge(), d_steps_per_g_step=2)
    run = trainer(
        folder,
        **{"logger": WandbLogger("a run", str(folder)), "log_every_n_steps": 2, "max_epochs": 2, **options},
        callbacks=list(callbacks),
    )
    run.fit(gan, loader(IMAGES, batch_size=20), loader(IMAGES[:40], batch_size=20))
    return run


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """A run with all that is logged, read back."""
    folder = tmp_path_factory.mktemp("everything")
    environment = pytest.MonkeyPatch()
    set_up(environment, folder)
    logger = WandbLogger("a run", str(folder), log_model=True)
    watching = [
        SampleGrid(3, n=9, movie=True),
        EquilibriumMonitor(3, 16),
        ValuePlot(1),
        GenerativeMetrics(["fid"], Tiny(), n_fake=100, sets=2),
        GenerativeMetrics(["precision_recall"], Tiny(), n_fake=50),
        WandbAxis(),
        ModelCheckpoint(),
    ]
    run = fitted(folder, watching, logger=logger, enable_checkpointing=True)
    yield run, watching, Read(folder)
    wandb.teardown()
    environment.undo()


def test_scalars_come_against_generator_updates_and_images_seen(everything):
    run, _, read = everything
    assert [at[:2] for at in read.column("loss/d")] == [(1, 40), (2, 80), (3, 120), (4, 160), (5, 200), (6, 240)]
    for name in ("val/value", "val/fid_Tiny", "equilibrium/jsd_lower_bound"):
        *_, last = read.column(name)
        assert last[:2] == (6, 240)
        assert last[2] == pytest.approx(float(run.callback_metrics[name]), rel=1e-6)


def test_the_axis_is_the_one_that_was_asked_for(everything):
    defined = {
        metric["glob_name"]: metric["step_metric"] for metric in everything[2].of("metric") if "glob_name" in metric
    }
    assert defined == {"*": "images_seen"}


def test_pictures_have_captions_and_the_movie_comes_along(everything):
    _, watching, read = everything
    said = [r["samples.captions"] for r in read.history if "samples.captions" in r]
    assert said == [
        [f"the averaged generator after {s} generator updates, {i} images seen"] for s, i in ((3, 120), (6, 240))
    ]
    files = read.file.parent / "files"
    (shown,) = read.summary["samples"]["filenames"]
    (written,) = Path(watching[0]._frames[-1]).parent.glob("step-000006.png")
    assert torch.equal(pixels(files / shown), pixels(written))
    assert read.summary["value"]["captions"] == ["6 generator updates, 240 images seen"]
    (film,) = read.summary["samples_movie"]["videos"]
    assert (files / film["path"]).read_bytes() == Path(watching[0]._frames[-1]).parent.with_suffix(".gif").read_bytes()


def test_scores_come_with_their_protocol(everything):
    _, watching, read = everything
    of = "100 generated samples of the averaged generator, 120 real ones (train)"
    assert read.summary["val/fid_Tiny"] == pytest.approx(watching[3].report.scores["fid_Tiny"], rel=1e-6)
    assert read.summary["val/fid_Tiny_of"] == f"2 times {of}"
    assert read.summary["val/recall_Tiny_of"] == of.replace("100", "50")
    assert read.summary["equilibrium/verdict"] == str(watching[1].verdict)
    assert read.config["evaluation of fid of Tiny"]["n_fake"] == 100
    assert read.config["evaluation of precision_recall of Tiny"]["n_fake"] == 50


def test_the_config_says_what_the_run_is_made_of(everything):
    model = everything[2].config["model"]
    assert model["loss"]["class_path"] == "lit_gan.losses.Hinge"
    assert (model["d_steps_per_g_step"], model["ema_half_life"]) == (2, 10_000)
    assert model["generator_optimizer"]["init_args"]["lr"] == 2e-4


def test_pictures_lie_at_the_images_that_were_seen_whatever_scalars_were_logged(tmp_path):
    fitted(tmp_path, [SampleGrid(2, n=4, movie=True), WandbAxis()], log_every_n_steps=7)
    read = Read(tmp_path)
    assert [at[:2] for at in read.column("samples.captions")] == [(2, 80), (4, 160), (6, 240)]
    assert [at[:2] for at in read.column("samples_movie.count")] == [(6, 240)]


def test_the_environment_is_named(everything):
    environment = everything[2].config["environment"]
    assert environment["torch"] == torch.__version__
    assert (environment["device"], environment["devices"], environment["precision"]) == ("cpu", 1, "32-true")


def test_the_checkpoint_is_an_artifact_where_asked(everything):
    run, _, read = everything
    (artifact,) = read.of("artifact")
    (file,) = artifact["manifest"]["contents"]
    assert int(file["size"]) == Path(run.checkpoint_callback.best_model_path).stat().st_size
    assert artifact["type"] == "model"


def test_runs_of_one_project_have_folders_of_their_own(everything):
    run, _, read = everything
    folder = read.file.parents[2] / "lightning_logs" / run.logger.version
    assert {path.name for path in folder.iterdir()} == {
        *("samples", "samples.gif", "value", "scores.json", "verdicts.jsonl", "checkpoints")
    }


def test_without_the_axis_it_is_generator_updates_and_nothing_is_uploaded(tmp_path):
    fitted(tmp_path)
    read = Read(tmp_path)
    assert [metric.get("step_metric") for metric in read.of("metric")] == [None, "trainer/global_step"]
    assert not read.of("artifact")


def test_from_the_command_the_whole_config_arrives(monkeypatch, tmp_path):
    wandb.teardown()  # its service has a working folder of its own
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["lit-gan"])
    options = ["--trainer.logger=WandbLogger", "--trainer.logger.project=tries", "--trainer.callbacks+=WandbAxis"]
    main(["fit", *NETWORKS, *QUICK, *options, "--model.penalties.r1=R1", "--model.penalties.r1.weight=0.3"])
    read = Read(".")
    (folder,) = Path("tries").iterdir()
    assert {path.name for path in folder.iterdir()} == {"checkpoints", "config.yaml", "samples"}
    assert read.config["seed_everything"] == 3
    assert read.config["trainer"]["max_steps"] == 4
    assert read.config["model"]["penalties"]["r1"]["init_args"]["weight"] == 0.3
    assert read.config["data"]["init_args"]["image_size"] == 16
    main(["fit", f"--config={folder / 'config.yaml'}", "--trainer.fast_dev_run=true"])


@pytest.mark.parametrize("options", [{}, {"fast_dev_run": True}])
def test_nothing_breaks_where_it_is_disabled(tmp_path, monkeypatch, options):
    wandb.teardown()
    monkeypatch.setenv("WANDB_MODE", "disabled")
    run = fitted(tmp_path, [SampleGrid(3, movie=True), EquilibriumMonitor(3, 16), scoring(), WandbAxis()], **options)
    assert run.global_step == (0 if options else 6)
    assert not list(tmp_path.glob("**/*.wandb"))


def test_the_axis_is_refused_where_nothing_would_use_it(tmp_path):
    with pytest.raises(ValueError, match="needs a WandbLogger, and the Trainer's loggers are CSVLogger"):
        fitted(tmp_path, [WandbAxis()], logger=CSVLogger(tmp_path))


def on_two(folder):
    set_up(pytest.MonkeyPatch(), folder)  # a process of its own, perhaps with another environment
    callbacks = [SampleGrid(3), EquilibriumMonitor(3, 16), scoring(), WandbAxis()]
    fitted(folder, callbacks, devices=2, strategy="ddp", num_sanity_val_steps=0)
    wandb.finish()


def test_two_processes_make_one_run(tmp_path):
    on_ranks(on_two, tmp_path)
    read = Read(tmp_path)
    assert [at[:2] for at in read.column("val/fid_Tiny")] == [(1, 120), (3, 240)]
    (folder,) = (tmp_path / "lightning_logs").iterdir()
    assert {path.name for path in folder.iterdir()} == {"samples", "scores.json", "verdicts.jsonl"}
