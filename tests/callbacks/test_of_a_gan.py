"""lit_gan's callbacks refuse other models, and a Trainer takes several of one class."""

from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning import Callback
from pytorch_lightning.loggers import CSVLogger

from lit_gan import LitGAN, LitGANError
from lit_gan import callbacks as public
from lit_gan.callbacks import (
    DivergenceStop,
    EquilibriumMonitor,
    GenerativeMetrics,
    Interpolation,
    NearestNeighbours,
    SampleGrid,
    SampleWriter,
    ValuePlot,
)
from lit_gan.callbacks.drawing import PictureCallback
from tests.support.small import PlainDiscriminator, PlainGenerator, loader, trainer

DATA = torch.rand(24, 1, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
OF_A_GAN = [name for name in public.__all__ if name != SampleWriter.__name__]  # which writes any images


def gan() -> LitGAN:
    return LitGAN(PlainGenerator(), PlainDiscriminator())


class NoGAN(pl.LightningModule):
    """A classifier."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(16, 1)
        self.steps = 0

    def training_step(self, batch, batch_idx):
        self.steps += 1
        return self.layer(batch[0].flatten(1)).mean()

    def validation_step(self, batch, batch_idx):
        self.steps += 1

    test_step = predict_step = validation_step

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


@pytest.mark.parametrize("stage", ["fit", "validate", "test", "predict"])
@pytest.mark.parametrize("name", OF_A_GAN)
def test_another_model_is_refused_before_it_is_used(tmp_path, name, stage):
    callback, model = getattr(public, name)(), NoGAN()
    with pytest.raises(TypeError, match=f"{name} .*NoGAN") as raised:
        getattr(trainer(tmp_path, callbacks=[callback]), stage)(model, loader(DATA))
    assert isinstance(raised.value, LitGANError)
    assert model.steps == 0


def test_two_of_a_class_draw_to_folders_of_their_own(tmp_path):
    both = [Interpolation(n=2, steps=3, kind=kind, movie=True) for kind in ("linear", "spherical")]
    grids = [SampleGrid(n=4), SampleGrid(n=9), SampleGrid(n=4, seed=1)]
    run = trainer(tmp_path, callbacks=[*both, *grids])
    run.fit(gan(), loader(DATA))
    folders = ["interpolations", "interpolations-2", "samples", "samples-2", "samples-3"]
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == folders
    pictures = {(tmp_path / folder / "step-000006.png").read_bytes() for folder in folders}
    assert len(pictures) == 5
    assert {path.name for path in tmp_path.glob("*.gif")} == {"interpolations.gif", "interpolations-2.gif"}


def test_two_searches_for_neighbours_log_under_names_of_their_own(tmp_path):
    both = [NearestNeighbours(every_n_steps=6, n=2, k=k, tested=20) for k in (1, 2)]
    run = trainer(tmp_path, callbacks=both, logger=CSVLogger(tmp_path))
    run.fit(gan(), loader(DATA), loader(DATA))
    assert {"neighbours/z", "neighbours-2/z"} <= run.callback_metrics.keys()


def test_two_scores_are_told_apart_by_what_they_log():
    both = [GenerativeMetrics(metrics=[metric], split="train") for metric in ("fid", "kid")]
    assert both[0].state_key != both[1].state_key


def saved(tmp_path, *callbacks):
    """Return the path of a checkpoint in the middle of a run with ``callbacks``."""
    run = trainer(tmp_path / "run", callbacks=list(callbacks), max_steps=3)
    run.fit(gan(), loader(DATA))
    run.save_checkpoint(tmp_path / "last.ckpt")
    return tmp_path / "last.ckpt"


class Keeps(Callback):
    """A callback of another author's, whose key is its class."""

    def state_dict(self):
        return {"kept": 1}

    def load_state_dict(self, state_dict):
        self.loaded = state_dict


def frames(tmp_path, path, *callbacks):
    """Return the names of the folders of the pictures that each callback has when a run is resumed from ``path``."""
    loaded = []

    class Look(Callback):
        def on_train_start(self, trainer, pl_module):
            loaded.extend([Path(frame).parent.name for frame in getattr(c, "_frames", [])] for c in callbacks)

    trainer(tmp_path / "run", callbacks=[*callbacks, Look()]).fit(gan(), loader(DATA), ckpt_path=path)
    return loaded


def grid(seed, every=3):
    return SampleGrid(every, n=4, seed=seed, movie=True)


@pytest.mark.filterwarnings("ignore:.*leaves out 1 of 2 pictures")  # of the other's folder
def test_each_gets_its_own_state_back(tmp_path):
    path = saved(tmp_path, grid(0), grid(1))
    assert frames(tmp_path, path, grid(1), grid(0)) == [["samples-2"], ["samples"]]


def test_one_whose_arguments_have_changed_gets_the_state_that_is_left(tmp_path):
    path = saved(tmp_path, grid(0), grid(1), Keeps())
    keeps = Keeps()
    assert frames(tmp_path, path, grid(0), grid(1, every=4), keeps) == [["samples"], ["samples-2"], []]
    assert keeps.loaded == {"kept": 1}


def test_a_state_of_an_earlier_version_is_under_its_class(tmp_path):
    path = saved(tmp_path, grid(0))
    checkpoint = torch.load(path, weights_only=True)
    (key,) = [key for key in checkpoint["callbacks"] if key.startswith("SampleGrid")]
    checkpoint["callbacks"]["SampleGrid"] = checkpoint["callbacks"].pop(key)
    torch.save(checkpoint, path)
    assert frames(tmp_path, path, grid(0), grid(1)) == [["samples"], []]


@pytest.mark.parametrize("monitors", [("val/value", "val/d_accuracy")])
def test_two_that_restore_weights_write_files_of_their_own(tmp_path, monitors):
    both = [DivergenceStop(monitor, patience=1) for monitor in monitors]
    run = trainer(tmp_path, callbacks=both)
    run.fit(gan(), loader(DATA), loader(DATA))
    for callback in both:
        callback.on_exception(run, run.lightning_module, FloatingPointError())
    assert {path.name for path in tmp_path.glob("*.pt")} == {"best.pt", "best-2.pt"}


def test_two_monitors_would_log_under_the_same_names(tmp_path):
    with pytest.raises(RuntimeError, match="EquilibriumMonitor"):
        trainer(tmp_path, callbacks=[EquilibriumMonitor(n=16), EquilibriumMonitor(n=32)])


class Nameless(PictureCallback):
    def draw(self, model):
        return None


class Headless(PictureCallback):
    name = "pictures"

    def __init__(self):
        pass

    def draw(self, model):
        return None


@pytest.mark.parametrize(("callback", "lacks"), [(Nameless, "name"), (Headless, "every_n_steps")])
def test_a_drawing_callback_that_lacks_something_says_what(tmp_path, callback, lacks):
    model = gan()
    with pytest.raises(LitGANError, match=f"{callback.__name__} has no {lacks}"):
        trainer(tmp_path, callbacks=[callback()]).fit(model, loader(DATA))
    assert model.d_steps == 0


def test_a_callback_that_reads_the_first_of_several_loaders_says_so(tmp_path):
    neighbours = NearestNeighbours(every_n_steps=6, n=2, k=1, tested=20)
    with pytest.warns(UserWarning, match=r"split='val' has 2 loaders"):
        trainer(tmp_path, callbacks=[neighbours]).fit(gan(), loader(DATA), [loader(DATA), loader(-DATA)])


WATCHED = [ValuePlot(), EquilibriumMonitor(every_n_steps=2, n=16), DivergenceStop("val/value"), SampleGrid(n=4)]


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """Content of a checkpoint with a state of each of ``WATCHED``, after 6 steps."""
    folder = tmp_path_factory.mktemp("saved")
    run = trainer(folder, callbacks=WATCHED)
    run.fit(gan(), loader(DATA), loader(DATA))
    run.save_checkpoint(folder / "x.ckpt")
    read = torch.load(folder / "x.ckpt", weights_only=True)
    read["callbacks"][repr(WATCHED[3])] = {"labels": torch.arange(4)}  # as of a generator that takes classes
    return read


def resumed(folder, content, callbacks=WATCHED):
    torch.save(content, folder / "y.ckpt")
    run = trainer(folder, max_epochs=2, callbacks=callbacks)
    run.fit(gan(), loader(DATA), loader(DATA), ckpt_path=folder / "y.ckpt")
    return run


def test_states_of_callbacks_are_restored(tmp_path, content):
    assert resumed(tmp_path, content).global_step == 12


MEASURED = {"step": 1.0, "value": -1.0, "jsd_lower_bound": 0.1, "jsd_low": 0.0, "jsd_high": 0.2, "d_accuracy": 0.5}


@pytest.mark.parametrize(
    ("number", "part"),
    [
        (0, {"values": None}),
        (0, {"values": "ab"}),
        (0, {"values": [[1.0, 2.0, 3.0]]}),
        (0, {"values": [["a", "b"]]}),
        (1, {"history": None}),
        (1, {"history": [1]}),
        (1, {"history": [{}]}),
        (1, {"history": [{**MEASURED, "value": "x"}]}),
        (1, {"history": [{**MEASURED, "memorising_gap": 1.0}]}),
        (2, {"best": "x"}),
        (2, {"best": float("nan")}),
        (2, {"bad": "1"}),
        (2, {"weights": None}),
        (2, {"weights": {"generator.x": 1}}),
        (2, {"weights": {"generator.x": torch.zeros(3)}}),
        (3, {"labels": "a"}),
        (3, {"labels": torch.zeros(4)}),
    ],
    ids=str,
)
def test_a_state_that_a_callback_has_not_written_is_refused(tmp_path, content, number, part):
    callback = WATCHED[number]
    states = {**content["callbacks"], callback.state_key: {**content["callbacks"][callback.state_key], **part}}
    with pytest.raises(LitGANError, match=type(callback).__name__):
        resumed(tmp_path, {**content, "callbacks": states})


@pytest.mark.parametrize("states", [[1], {1: {}}, {WATCHED[0].state_key: [1]}], ids=str)
def test_states_that_are_none_are_refused(tmp_path, content, states):
    with pytest.raises(LitGANError, match="callbacks"):
        resumed(tmp_path, {**content, "callbacks": states})


def test_a_grid_of_another_size_does_not_take_the_classes_of_the_saved_one(tmp_path, content):
    callbacks = [*WATCHED[:3], SampleGrid(n=9)]
    resumed(tmp_path, content, callbacks)
    assert callbacks[3]._labels is None
