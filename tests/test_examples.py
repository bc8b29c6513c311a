"""Every example runs, on a few steps."""

from pathlib import Path

import pytest
from PIL import Image
from pytorch_lightning.loggers import CSVLogger

from examples import minimal, own_folder, own_loss, own_networks, plot_value

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
        assert image.size == (768, 432)
    assert "−log 4 is -1.386" in capsys.readouterr().out


def test_no_example_is_left_out():
    tested = {minimal, own_folder, own_loss, own_networks, plot_value}
    files = {p.stem for p in Path(minimal.__file__).parent.glob("*.py")} - {"__init__"}
    assert files == {e.__name__.rpartition(".")[2] for e in tested}
