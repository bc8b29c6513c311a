"""Checkpoints of every format load, sample, export and resume: small ones that earlier code wrote are kept."""

import pytest
import torch
from lit_gan.export import export
from torch.testing import assert_close

from lit_gan import LitGAN, LitGANError, load_generator
from lit_gan._utils.checkpoint_file import FORMAT
from tests.support.formats import BATCH, BATCHES, EPOCHS, FOLDER, RUNS, train
from tests.support.processes import on_ranks

KEPT = [pytest.param(folder, name, id=f"{folder.name}-{name}") for folder in sorted(FOLDER.iterdir()) for name in RUNS]
ROUNDING = {"rtol": 1e-4, "atol": 1e-6}  # of another processor, or another torch


@pytest.mark.parametrize(("folder", "name"), KEPT)
def test_it_loads_and_samples(folder, name):
    for kind, expected in torch.load(folder / f"{name}_samples.pt", weights_only=True).items():
        model = LitGAN.load_from_checkpoint(folder / f"{name}{kind}.ckpt")
        assert_close(model.sample(4, seed=0), expected, **ROUNDING)
        assert model.images_seen == (RUNS[name].saved if kind == "" else EPOCHS * BATCHES) * BATCH


@pytest.mark.parametrize(("folder", "name"), KEPT)
def test_it_exports(folder, name, tmp_path):
    export(str(folder / f"{name}.ckpt"), str(tmp_path / "generator"), onnx=False)
    expected = torch.load(folder / f"{name}_samples.pt", weights_only=True)[""]
    assert_close(load_generator(tmp_path / "generator").sample(4, seed=0), expected, **ROUNDING)


def resumed(name, folder, path):
    """Return what differs between the end that was kept and that of the run that goes on now."""
    expected = torch.load(path.with_stem(f"{name}_end"), weights_only=True)
    end = train(name, folder, resume=path)
    for part in ("state_dict", "optimizer_states", "global_step", "epoch"):
        assert_close(end[part], expected[part], **ROUNDING)
    for key, state in expected["callbacks"].items():  # a callback may keep more by now
        assert_close({name: end["callbacks"][key][name] for name in state}, state, **ROUNDING)
    assert end["lit_gan"] == expected["lit_gan"]
    return len(end["state_dict"])


@pytest.mark.slow
@pytest.mark.parametrize(("folder", "name"), KEPT)
def test_it_resumes(folder, name, tmp_path):
    counts = on_ranks(resumed, name, tmp_path, folder / f"{name}.ckpt", world_size=RUNS[name].world_size)
    assert min(counts) > 10


def test_what_is_written_now_says_its_format():
    checkpoint = torch.load(FOLDER / f"format_{FORMAT}" / "minimax.ckpt", weights_only=True)
    assert checkpoint["lit_gan_format"] == FORMAT
    assert {folder.name for folder in FOLDER.iterdir()} == {f"format_{number}" for number in range(FORMAT + 1)}


@pytest.mark.parametrize("number", [FORMAT + 1, "2", None])
def test_a_later_format_is_refused(tmp_path, number):
    checkpoint = torch.load(FOLDER / f"format_{FORMAT}" / "minimax.ckpt", weights_only=True)
    torch.save({**checkpoint, "lit_gan_format": number}, tmp_path / "later.ckpt")
    with pytest.raises(LitGANError, match=rf"{number!r}.*{FORMAT}"):
        LitGAN.load_from_checkpoint(tmp_path / "later.ckpt")
