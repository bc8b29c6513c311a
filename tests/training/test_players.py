"""Compiled networks: trained compiled, saved, described and resumed as the networks that were compiled."""

import copy
from functools import partial

import pytest
import torch
from torch import nn

from lit_gan import LitGAN
from lit_gan.networks import MLPDiscriminator, MLPGenerator, Packed
from lit_gan.training.players import compiled_in_place
from tests.support.small import loader, trainer
from tests.test_gan import weights

IMAGES = torch.rand(24, 1, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture
def compile_():
    """Return ``torch.compile`` with a backend that counts in ``compile_.keywords['backend'].compiled``."""

    def backend(graph, inputs):
        backend.compiled += 1
        return graph.forward

    backend.compiled = 0
    yield partial(torch.compile, backend=backend)
    torch.compiler.reset()


def gan(wrap=lambda network: network) -> LitGAN:
    torch.manual_seed(0)
    generator, discriminator = MLPGenerator(4, 1, latent_dim=3, width=8), MLPDiscriminator(4, 1, width=8)
    return LitGAN(wrap(generator), wrap(discriminator))


def inside(compile_):
    def wrap(network):
        name, child = next(iter(network.named_children()))
        setattr(network, name, compile_(child))
        return network

    return wrap


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # torch's own, in tracing
@pytest.mark.parametrize("where", ["whole", "inside"])
def test_a_compiled_pair_is_trained_saved_loaded_and_resumed_as_the_plain_one(tmp_path, compile_, where):
    wrap = compile_ if where == "whole" else inside(compile_)
    plain, compiled = gan(), gan(wrap)
    for model, folder in ((plain, "plain"), (compiled, "compiled")):
        run = trainer(tmp_path, max_steps=4)
        run.fit(model, loader(IMAGES), loader(IMAGES))
        run.save_checkpoint(tmp_path / f"{folder}.ckpt")
    assert compile_.keywords["backend"].compiled > 0
    saved = {f: torch.load(tmp_path / f"{f}.ckpt", weights_only=True) for f in ("plain", "compiled")}
    assert saved["compiled"]["state_dict"].keys() == saved["plain"]["state_dict"].keys()
    assert compiled.plain_arguments() == plain.plain_arguments()
    loaded = LitGAN.load_from_checkpoint(tmp_path / "compiled.ckpt")
    assert weights(loaded.generator).equal(weights(compiled.generator))
    again, resumed = gan(wrap), gan()
    trainer(tmp_path).fit(again, loader(IMAGES), ckpt_path=tmp_path / "compiled.ckpt")
    trainer(tmp_path).fit(resumed, loader(IMAGES), ckpt_path=tmp_path / "compiled.ckpt")
    assert torch.allclose(weights(again.generator), weights(resumed.generator))
    assert again.d_steps == 6


def test_what_a_network_is_stays_known_when_it_is_compiled(compile_):
    model = LitGAN(compile_(MLPGenerator(4, 1, num_classes=3)), compile_(Packed(MLPDiscriminator(4, 2), 2)))
    assert model.pack == 2
    assert model.takes_labels
    assert len(model.label_counts) == 3
    assert copy.deepcopy(model).sample(2, labels=1).shape == (2, 1, 4, 4)


def test_other_modules_stay_as_they_are():
    network = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU()))
    before = list(network.modules())
    assert compiled_in_place(network) is network
    assert all(a is b for a, b in zip(network.modules(), before, strict=True))
    assert compiled_in_place(None) is None
    assert compiled_in_place(nn.Linear) is nn.Linear
