"""Every example runs, on a few steps."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from pytorch_lightning.loggers import CSVLogger

from examples import (
    kl_directions,
    minimal,
    one_dimension,
    optimal_discriminator,
    own_folder,
    own_loss,
    own_networks,
    plot_value,
    projection,
)
from lit_gan import LitGAN
from lit_gan.data.images import save_png, to_uint8
from lit_gan.networks import MLPDiscriminator, MLPGenerator
from tests.support.small import trainer

pytestmark = pytest.mark.slow

QUICK = {
    "max_epochs": 1,
    "limit_train_batches": 2,
    "limit_val_batches": 1,
    "num_sanity_val_steps": 0,
    "log_every_n_steps": 1,
    "accelerator": "cpu",
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


@pytest.fixture
def quick(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return {**QUICK, "logger": CSVLogger(tmp_path, "run")}


@pytest.mark.parametrize("example", [minimal, own_networks, own_loss], ids=lambda e: e.__name__)
def test_example(example, quick):
    gan = example.main(**quick)
    assert gan.images_seen == 128
    assert gan.sample(2).shape == (2, 1, 32, 32)


def test_own_folder(quick, tmp_path, monkeypatch):
    monkeypatch.setenv("LIT_GAN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "mine").mkdir()
    for i in range(60):
        Image.effect_noise((40 + i, 50), 50).convert("RGB").save(tmp_path / "mine" / f"{i}.jpg")
    gan = own_folder.main(str(tmp_path / "mine"), image_size=32, batch_size=4, **quick)
    assert gan.sample(2).shape == (2, 3, 32, 32)


def test_plot_value(quick, tmp_path, capsys):
    minimal.main(**{**quick, "max_epochs": 2})
    picture = plot_value.main(str(tmp_path / "run" / "version_0"))
    with Image.open(picture) as image:
        assert image.size == (640, 360)
    assert "−log 4 is -1.386" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("example", "dimensions"), [(optimal_discriminator, [1]), (optimal_discriminator, [2]), (one_dimension, [])]
)
def test_pictures_of_the_mathematics(example, dimensions, quick, tmp_path):
    """With pictures, in two steps; what the examples claim of whole runs is measured in test_learned.py."""
    numbers = example.main(*dimensions, **{**quick, "limit_val_batches": 1, "val_check_interval": 2})
    assert all(number == number for number in numbers.values())
    assert len(list(tmp_path.glob("run/version_0/densities/*.png"))) == 1
    assert len(list(tmp_path.glob("run/version_0/densities.gif"))) == 1


def test_kl_directions(quick, tmp_path):
    fitted = kl_directions.main(folder=str(tmp_path), **quick)
    mean, std = fitted["maximum likelihood"]
    assert mean == pytest.approx(0, abs=0.03)  # in closed form: the moments of the data
    assert std == pytest.approx((4 + 0.36) ** 0.5, abs=0.03)
    with Image.open(tmp_path / "kl.png") as image:
        assert image.size == (840, 320)


@pytest.fixture
def untrained(tmp_path, monkeypatch):
    """Return a model of three classes, its checkpoint beside it, whose images vary as those of a trained one do."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    sizes = {"image_size": 8, "channels": 1, "num_classes": 3}
    gan = LitGAN(MLPGenerator(**sizes, latent_dim=4, width=32), MLPDiscriminator(**sizes, width=8), latent="uniform")
    with torch.no_grad():
        for weights in gan.parameters():
            weights.mul_(2)
    run = trainer(tmp_path)
    run.strategy.connect(gan)
    run.save_checkpoint("a.ckpt", weights_only=True)
    return gan


def test_projection_finds_what_the_generator_made_and_nothing_else(untrained, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(projection, "perceptual", lambda: None)
    save_png(to_uint8(untrained.sample(1, 2, seed=5)[0]), "made.png")
    before, after = projection.main("a.ckpt", "made.png", starts=6, steps=200)
    assert before > 0.1
    assert after < 0.1 * before
    assert f"Distance {before:.3f} → {after:.3f}" in capsys.readouterr().out
    with Image.open("projection.png") as picture:
        assert picture.size == (22, 12)
    save_png(torch.randint(256, (1, 8, 8), dtype=torch.uint8), "noise.png")
    before, after = projection.main("a.ckpt", "noise.png", "noise_projected.png", steps=50)
    assert 0.5 * before < after <= before


def test_projection_by_features(untrained, tmp_path):
    save_png(to_uint8(untrained.sample(1, 2, seed=5)[0]), "made.png")
    before, after = projection.main("a.ckpt", "made.png", "both.png", starts=3, steps=12)
    assert after < before


def test_no_example_is_left_out():
    tested = {minimal, own_folder, own_loss, own_networks, plot_value, projection}
    tested |= {kl_directions, one_dimension, optimal_discriminator}
    files = {p.stem for p in Path(minimal.__file__).parent.glob("*.py")} - {"__init__"}
    assert files == {e.__name__.rpartition(".")[2] for e in tested}
