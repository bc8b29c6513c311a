"""The command, run in this process, and once as a stranger runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from lit_gan import LitGAN
from lit_gan.cli import main
from lit_gan.losses import RelativisticPaired
from lit_gan.optim import GANAdam
from tests.support.commands import refused
from tests.support.layouts import cifar

pytestmark = pytest.mark.slow

CONFIGS = sorted((Path(__file__).parents[2] / "examples" / "configs").glob("*.yaml"))
NETWORKS = [
    f"--model.{player}={player_class}"
    for player, player_class in (("generator", "MLPGenerator"), ("discriminator", "MLPDiscriminator"))
] + [f"--model.{p}.{o}" for p in ("generator", "discriminator") for o in ("image_size=16", "channels=1", "width=8")]
QUICK = [
    "--trainer.accelerator=cpu",
    "--trainer.max_steps=4",
    "--trainer.limit_val_batches=2",
    "--trainer.enable_progress_bar=false",
    "--trainer.log_every_n_steps=2",
    "--data.image_size=16",
    "--seed_everything=3",
]


def run_folder() -> Path:
    return max(Path("lightning_logs").iterdir(), key=lambda p: int(p.name.removeprefix("version_")))


def checkpoint() -> str:
    (path,) = run_folder().glob("checkpoints/*.ckpt")
    return str(path)


def test_a_barebones_fit_writes_nothing_but_its_config():
    main(["fit", *NETWORKS, "--trainer.barebones=true", "--trainer.max_steps=2", "--data.image_size=16"])
    assert [path.name for path in Path().rglob("*") if path.is_file()] == ["config.yaml"]


def test_fit_logs_shows_saves_and_runs_again_from_its_config():
    main(["fit", *NETWORKS, *QUICK, "--model.loss=RelativisticPaired", "--model.generator_optimizer.lr=0.003"])
    folder = run_folder()
    header, *rows = (folder / "metrics.csv").read_text().splitlines()
    assert {"loss/d", "loss/g", "logits/real", "logits/fake", "images_seen", "step"} <= set(header.split(","))
    assert len(rows) >= 2
    assert (folder / "samples" / "step-000004.png").exists()
    model = LitGAN.load_from_checkpoint(checkpoint())
    assert model.loss == RelativisticPaired()
    optimizer = model.configure_optimizers()[0]
    assert isinstance(optimizer, GANAdam)
    assert optimizer.defaults["lr"] == 0.003

    first = torch.load(checkpoint(), weights_only=True)["state_dict"]
    main(["fit", f"--config={folder / 'config.yaml'}"])
    assert run_folder() != folder
    second = torch.load(checkpoint(), weights_only=True)["state_dict"]
    assert all(torch.equal(t, second[n]) for n, t in first.items()), "the saved config gives the same bits"


@pytest.fixture
def trained():
    main(["fit", *NETWORKS, *QUICK, "--model.penalties.r1=R1", "--model.penalties.r1.weight=0.1"])
    return run_folder() / "config.yaml", checkpoint()


def test_a_warm_start_is_one_argument(trained):
    main(["fit", f"--config={trained[0]}", f"--model.warm_start={trained[1]}", "--model.generator_optimizer.lr=0"])
    ends = [torch.load(path, weights_only=True)["state_dict"] for path in (trained[1], checkpoint())]
    frozen = [name for name in ends[0] if name.startswith("generator.") and "running" not in name and "num" not in name]
    assert frozen
    assert all(ends[0][name].equal(ends[1][name]) for name in frozen)
    assert ends[0]["images_seen"] == ends[1]["images_seen"]  # counted anew


def test_the_other_commands_take_config_and_checkpoint(trained, capsys):
    config, path = trained
    main(["validate", f"--config={config}", f"--ckpt_path={path}"])
    assert "val/jsd_lower_bound" in capsys.readouterr().out
    main(["test", f"--config={config}", f"--ckpt_path={path}"])
    assert "test/value" in capsys.readouterr().out
    main(["predict", f"--config={config}", f"--ckpt_path={path}", "--trainer.limit_predict_batches=2"])
    assert len(list((run_folder() / "predictions").iterdir())) == 128
    main(["fit", f"--config={config}", f"--ckpt_path={path}", "--trainer.max_steps=6"])
    assert (run_folder() / "checkpoints" / "epoch=0-step=6.ckpt").exists()


def test_sample_needs_nothing_but_the_checkpoint_and_is_deterministic(trained, tmp_path, monkeypatch):
    path = Path(trained[1]).resolve()
    (tmp_path / "away").mkdir()
    monkeypatch.chdir(tmp_path / "away")
    for name in ("a.png", "b.png"):
        main(["sample", str(path), "--n=9", f"--output={name}", "--seed=0"])
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    with Image.open("a.png") as picture:
        assert picture.size == (3 * 18 + 2, 3 * 18 + 2)
    main(["sample", str(path), "--n=9", "--output=c.png", "--seed=1"])
    assert Path("a.png").read_bytes() != Path("c.png").read_bytes()
    main(["sample", str(path), "--n=3", "--output=folder", "--seed=0", "--ema=false", "--truncation=0.5"])
    assert sorted(p.name for p in Path("folder").iterdir()) == ["000000.png", "000001.png", "000002.png"]


def test_auto_is_the_path_that_suits_the_latents():
    for latent, suits, other in (("normal", "spherical", "linear"), ("uniform", "linear", "spherical")):
        main(["fit", *NETWORKS, *QUICK, f"--model.latent={latent}"])
        for name in ("auto", suits, other):
            main(["sample", checkpoint(), "--seed=0", f"--interpolate={name}", f"--output={name}.png"])
        drawn = {name: Path(f"{name}.png").read_bytes() for name in ("auto", suits, other)}
        assert drawn["auto"] == drawn[suits] != drawn[other]


def test_sample_draws_the_classes_asked_for():
    main(["fit", *NETWORKS, *QUICK, *(f"--model.{p}.num_classes=10" for p in ("generator", "discriminator"))])
    for name, labels in (("a", "3"), ("b", "[3,3,3,3]"), ("c", "4")):
        main(["sample", checkpoint(), "--n=4", "--seed=0", f"--output={name}.png", f"--labels={labels}"])
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes() != Path("c.png").read_bytes()
    main(["sample", checkpoint(), "--n=4", "--output=any.png"])


@pytest.mark.usefixtures("any_checksum")
def test_fit_on_a_set_by_its_name():
    colour = [f"--model.{player}.channels=3" for player in ("generator", "discriminator")]
    options = ["--data=CIFAR10", f"--data.root={cifar(Path('files'))}", "--data.batch_size=8"]
    main(["fit", *NETWORKS, *QUICK, *colour, *options, "--data.class_balanced=true", "--data.download=false"])
    config = yaml.safe_load((run_folder() / "config.yaml").read_text())["data"]
    assert (config["class_path"], config["init_args"]["horizontal_flip"]) == ("lit_gan.data.CIFAR10", True)


@pytest.mark.usefixtures("any_checksum")
@pytest.mark.filterwarnings("ignore:the generator has num_classes=10, and there are no training images of")
@pytest.mark.parametrize(
    ("preset", "turns", "classes", "betas"),
    [
        ("sngan", 5, 0, (0.0, 0.9)),
        ("projection_cgan", 5, 10, (0.0, 0.9)),
        ("biggan_small", 4, 10, (0.0, 0.999)),
        ("r3gan", 1, 10, (0.0, 0.9)),
        ("wgan_gp", 5, 0, (0.5, 0.9)),
    ],
)
def test_presets_for_cifar_train(preset, turns, classes, betas):
    """With narrow networks: turns of D on nine images each, of which the last is followed by one of G."""
    small = [f"--data.root={cifar(Path('files'))}", "--data.batch_size=9", "--trainer.max_steps=1"]
    small += [f"--model.{player}.width=4" for player in ("generator", "discriminator")] + QUICK[:1] + QUICK[3:4]
    main(["fit", f"--config={CONFIGS[0].with_name(preset)}.yaml", *small])
    model = LitGAN.load_from_checkpoint(checkpoint())
    assert (int(model.d_steps), int(model.images_seen)) == (turns, 9 * turns)
    assert len(model.label_counts) == classes
    assert model.generator_optimizer([torch.nn.Parameter(torch.zeros(1))]).defaults["betas"] == betas


def test_the_preset_for_few_pictures_trains(monkeypatch):
    """With narrow networks at 32 px: two turns of both players."""
    monkeypatch.setenv("LIT_GAN_CACHE", "cache")
    Path("mine").mkdir()
    for i in range(60):
        Image.effect_noise((40 + i, 50), 50).convert("RGB").save(f"mine/{i}.jpg")
    small = ["--data.folder=mine", "--data.image_size=32", "--trainer.max_steps=2", *QUICK[:1], *QUICK[3:4]]
    sizes = ("width=4", "image_size=32")
    small += [f"--model.{player}.{size}" for player in ("generator", "discriminator") for size in sizes]
    main(["fit", f"--config={CONFIGS[0].with_name('fastgan_folder.yaml')}", *small])
    model = LitGAN.load_from_checkpoint(checkpoint())
    assert (int(model.images_seen), list(model.penalties)) == (16, ["reconstruction"])


@pytest.mark.usefixtures("any_checksum")
def test_the_preset_of_stylegan2_trains():
    """With narrow networks, for two steps of both; what its numbers are made of."""
    small = [f"--data.root={cifar(Path('files'))}", "--data.batch_size=9", "--trainer.max_steps=2"]
    small += [f"--model.{player}.width=4" for player in ("generator", "discriminator")] + QUICK[:1] + QUICK[3:4]
    main(["fit", f"--config={CONFIGS[0].with_name('stylegan2')}.yaml", *small, "--model.generator.latent_dim=8"])
    model = LitGAN.load_from_checkpoint(checkpoint())
    assert (int(model.d_steps), model.generator.mapping_depth, model.discriminator.residual) == (2, 2, False)
    g = model.generator_optimizer([torch.nn.Parameter(torch.zeros(1))]).defaults
    assert (g["lr"], g["betas"]) == (0.0025 * 4 / 5, (0.0, pytest.approx(0.99 ** (4 / 5), abs=1e-6)))
    assert model.ema_half_life(64) == pytest.approx(0.05 * 64, abs=1)
    main(["sample", checkpoint(), "--n=4", "--output=few.png", "--truncation=0.5"])


def test_the_small_r3gan_trains_and_follows_its_schedules():
    config = CONFIGS[0].with_name("r3gan_laptop.yaml")
    options = ["--data.batch_size=4", "--trainer.max_steps=2", "--trainer.limit_val_batches=1", QUICK[3]]
    main(["fit", f"--config={config}", *options])
    (path,) = Path("runs").rglob("*.ckpt")
    saved = torch.load(path, weights_only=True)
    model = LitGAN.load_from_checkpoint(path)
    assert model.sample(3).shape == (3, 1, 32, 32)
    assert {type(schedule).__name__ for schedule in (model.lr_schedule, model.beta2_schedule)} == {"Cosine"}
    group = saved["optimizer_states"][0]["param_groups"][0]
    assert group["betas"] == (0.0, model.beta2_schedule(4)), "as the second turn began"
    assert group["lr"] == 0.002 * model.lr_schedule(4)


def test_the_preset_of_modes_trains():
    """With few points, for eight turns; what it reaches is measured by benchmarks/mode_coverage.py."""
    few = ["--data.train_size=2048", "--data.held_out_size=64", "--trainer.max_steps=8", QUICK[3]]
    main(["fit", f"--config={CONFIGS[0].with_name('modes.yaml')}", *few])
    model = LitGAN.load_from_checkpoint(checkpoint())
    assert int(model.images_seen) == 8 * 256
    assert 0.5 < model.sample(500).std() < 2, "as wide as the data, at once"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--data=STL10"], {"image_size": 48, "horizontal_flip": True}),
        (["--data=GaussianMixture"], {"batch_size": 256}),
        (["--data.image_size=16"], {"image_size": 16, "horizontal_flip": False}),
        (["--data=STL10", "--data.image_size=16"], {"image_size": 16, "horizontal_flip": True}),
    ],
)
def test_a_set_has_its_own_defaults(arguments, expected, capsys):
    """Not those of the set that is taken where none is named."""
    with pytest.raises(SystemExit):
        main(["fit", *arguments, "--print_config"])
    options = yaml.safe_load(capsys.readouterr().out)["data"]["init_args"]
    assert {name: options[name] for name in expected} == expected


@pytest.mark.parametrize("config", CONFIGS, ids=lambda p: p.name)
def test_every_config_parses_and_says_what_it_is(config, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["fit", f"--config={config}", "--print_config"])
    assert caught.value.code in (0, None)
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["model"]["generator"]["class_path"].startswith("lit_gan.")
    assert config.read_text().startswith("# ")


def test_points_sampled_into_a_folder_are_refused(capsys):
    points = [o for o in NETWORKS if "MLP" in o] + ["--model.generator.features=2", "--model.discriminator.features=2"]
    Path("plane.py").write_text(PLANE)
    main(["fit", *points, *QUICK[:3], *QUICK[4:5], "--data=plane.Plane"])
    main(["sample", checkpoint(), "--output=points.png"])
    assert Path("points.png").exists()
    assert "samples of shape (2,) are no images" in refused(capsys, "sample", checkpoint(), "--output=points")
    said = refused(capsys, "sample", checkpoint(), "--output=rows.png", "--interpolate=linear")
    assert "samples of shape (2,) are no images, which interpolate shows: leave it out" in said
    assert not Path("rows.png").exists()


PLANE = """
import pytorch_lightning as pl, torch
class Plane(pl.LightningDataModule):
    def train_dataloader(self):
        return torch.utils.data.DataLoader(torch.randn(64, 2), batch_size=16)
"""
OWN = """
from dataclasses import dataclass
from lit_gan.losses import Minimax
@dataclass(frozen=True)
class Own(Minimax):
    pass
"""


def _reshape(checkpoint: str) -> None:
    torch.zeros(2).reshape(3)


def test_an_error_of_torchs_own_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr("lit_gan.cli.sample.sample", _reshape)
    with pytest.raises(RuntimeError, match="shape"):
        main(["sample", "x"])


@pytest.mark.slow
def test_the_installed_command_and_a_loss_of_ones_own(tmp_path):
    command = Path(sys.executable).with_name("lit-gan")
    (tmp_path / "own.py").write_text(OWN)
    run = {"capture_output": True, "text": True, "cwd": tmp_path, "env": {**os.environ, "CUDA_VISIBLE_DEVICES": ""}}
    done = subprocess.run([command, "fit", *NETWORKS, *QUICK, "--model.loss=own.Own"], **run)
    assert done.returncode == 0, done.stderr
    assert "Samples: lightning_logs/version_0/samples/step-000004.png" in done.stderr
    assert "Warning" not in done.stderr
    done = subprocess.run([command, "sample", checkpoint()], **run)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "samples.png").exists()
    done = subprocess.run([sys.executable, "-m", "lit_gan", "--help"], capture_output=True, text=True)
    assert "lit-gan sample CKPT" in done.stdout
