"""An object that a checkpoint cannot hold is refused when training starts, with its place; paths become text."""

import enum
from collections import Counter, OrderedDict, defaultdict, namedtuple
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning import Callback

from lit_gan import LitGAN, LitGANError
from lit_gan.training.plain_state import objects_in
from tests.support.small import PlainDiscriminator, PlainGenerator, loader, trainer

DATA = torch.rand(8, 1, 4, 4) * 2 - 1
Pair = namedtuple("Pair", "a b")


class Kind(enum.Enum):
    A = 1


PLAIN = [None, True, 1, 0.5, 1j, "a", b"a", torch.ones(2), torch.nn.Parameter(torch.ones(2)), torch.float32]
PLAIN += [torch.device("cpu"), torch.Size([1]), Counter("a"), OrderedDict(a=1), {1, 2}, {"a": [(1, {"b": 2.0})]}]
OBJECTS = [Path("a"), np.float64(1.0), np.ones(2), Kind.A, Pair(1, 2), defaultdict(list), lambda: 0, torch.nn.ReLU()]


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_plain_data(value):
    assert list(objects_in({"a": [value]}, "x")) == []


@pytest.mark.parametrize("value", OBJECTS, ids=lambda value: type(value).__name__)
def test_objects_are_named_by_their_place(value):
    ((place, found),) = objects_in({"a": [1, {"b": (2, value)}]}, "x")
    assert place == "x['a'][1]['b'][1]"
    assert found is value


class Data(pl.LightningDataModule):
    def __init__(self, folder, batch_size=4):
        super().__init__()
        self.save_hyperparameters()

    def train_dataloader(self):
        return loader(DATA)


class Keeps(Callback):
    def state_dict(self):
        return {"best": {"kind": Kind.A}}


class Stateful(Data):
    def state_dict(self):
        return {"position": np.int64(3)}


class OwnHyperparameters(LitGAN):
    def __init__(self, generator, discriminator, kind=Kind.A):
        super().__init__(generator, discriminator)
        self.save_hyperparameters(ignore=["generator", "discriminator"])


class OwnContent(LitGAN):
    def on_save_checkpoint(self, checkpoint):
        super().on_save_checkpoint(checkpoint)
        checkpoint["mine"] = Kind.A


REFUSED = {
    "a hyper-parameter of the data": (
        LitGAN,
        Data(Kind),
        None,
        r"'datamodule_hyper_parameters'\]\['folder'",
    ),
    "a hyper-parameter of the model": (OwnHyperparameters, Data("a"), None, r"'hyper_parameters'\]\['kind'\]"),
    "a callback's state": (LitGAN, Data("a"), Keeps(), r"'callbacks'\]\['Keeps'\]\['best'\]\['kind'\]"),
    "a data module's state": (LitGAN, Stateful("a"), None, r"'Stateful'\]\['position'\]"),
    "what a subclass adds": (OwnContent, Data("a"), None, r"\['mine'\]"),
}


@pytest.mark.parametrize(("cls", "data", "callback", "place"), REFUSED.values(), ids=REFUSED)
def test_an_object_is_refused_before_training(tmp_path, cls, data, callback, place):
    model, callbacks = cls(PlainGenerator(), PlainDiscriminator()), [] if callback is None else [callback]
    with pytest.raises(TypeError, match=place) as raised:
        trainer(tmp_path, enable_checkpointing=True, callbacks=callbacks).fit(model, data)
    assert isinstance(raised.value, LitGANError)
    assert model.d_steps == 0
    trainer(tmp_path, callbacks=[] if callback is None else [callback]).fit(
        model, data
    )  # without checkpoints nothing is lost
    assert model.d_steps == 2


def test_paths_and_numbers_of_numpy_are_hyperparameters(tmp_path):
    run = trainer(tmp_path, enable_checkpointing=True)
    data = Data({"train": [Path("a/b")], "test": (Path("c"), None)}, batch_size=np.int64(4))
    run.fit(LitGAN(PlainGenerator(), PlainDiscriminator()), data)
    path = run.checkpoint_callback.best_model_path
    kept = torch.load(path, weights_only=True)["datamodule_hyper_parameters"]
    assert kept == {"folder": {"train": ["a/b"], "test": ("c", None)}, "batch_size": 4}
    assert Data.load_from_checkpoint(path).hparams.batch_size == 4
    assert data.hparams.folder["train"] == [Path("a/b")]


class Later(Callback):
    """Has a state only after the first batch."""

    def on_train_batch_end(self, *args):
        self.seen = 1

    def state_dict(self):
        return {"seen": self.seen}


def test_a_state_that_is_there_only_later_is_not_asked_for(tmp_path):
    run = trainer(tmp_path, enable_checkpointing=True, callbacks=[Later()])
    run.fit(LitGAN(PlainGenerator(), PlainDiscriminator()), Data("a"))
    assert torch.load(run.checkpoint_callback.best_model_path, weights_only=True)["callbacks"]["Later"] == {"seen": 1}
