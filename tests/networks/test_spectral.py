"""Spectral normalisation: the largest singular value of every weight is 1, whatever happens to the network."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized
from torch.testing import assert_close

from lit_gan import LitGAN
from lit_gan.networks import SNGANDiscriminator, SNGANGenerator
from lit_gan.optim.ema import start_average, update_average
from lit_gan.penalties import R1
from tests.support.small import Batches, loader

IMAGES = torch.rand(16, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
LABELS = torch.arange(16) % 3


def critic(**options) -> SNGANDiscriminator:
    torch.manual_seed(0)
    network = SNGANDiscriminator(**{"image_size": 16, "channels": 1, "num_classes": 3, "width": 8, **options})
    for module in network.modules():
        if hasattr(module, "gamma"):
            nn.init.ones_(module.gamma)
    return network


def game(**options) -> LitGAN:
    return LitGAN(SNGANGenerator(16, 1, 4, num_classes=3, width=4), critic(width=4, attention=8), **options)


def weights(network):
    return {n: m.weight for n, m in network.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear, nn.Embedding))}


def singular_values(network):
    return {
        name: torch.linalg.svdvals(w.detach().double().flatten(1))[0].item() for name, w in weights(network).items()
    }


def state(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def changed(network, before):
    return {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}


def test_every_weight_is_normalised():
    network = critic(attention=8)
    assert all(is_parametrized(m, "weight") for m in network.modules() if isinstance(m, (nn.Conv2d, nn.Linear)))
    assert is_parametrized(network.head.embedding, "weight")
    assert len(weights(network)) == 3 + 3 + 2 + 2 + 4 + 1 + 1  # of four blocks, attention and the head


def test_no_weight_stretches_by_more_than_one():
    """After some passes, from weights that are far from it: by SVD, the power iteration's own σ is not asked."""
    network = critic(attention=8)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("original"):
                parameter.copy_(5 * torch.randn_like(parameter))
    assert max(singular_values(network).values()) > 1.1, "the vectors fit the weights before"
    for _ in range(60):
        network(IMAGES, LABELS)
    network.eval()
    for name, value in singular_values(network).items():
        assert value == pytest.approx(1, abs=0.01), name


def test_power_iteration_runs_in_training_mode_alone():
    network = critic()
    before = state(network)
    network.eval()(IMAGES, LABELS)
    assert changed(network, before) == set()
    network.train()(IMAGES, LABELS)
    moved = changed(network, before)
    assert moved
    assert all(name.endswith(("._u", "._v")) for name in moved)


class Watched(LitGAN):
    """Notes whose tensors have changed after each turn."""

    def _update(self, player, *args):
        self.turns = getattr(self, "turns", {"generator": set(), "discriminator": set()})
        before = state(self)
        super()._update(player, *args)
        self.turns[player] |= changed(self, before)


def test_each_player_keeps_its_buffers_in_the_others_turn(fit):
    gan = Watched(SNGANGenerator(16, 1, 4, width=4), critic(num_classes=None, width=4), ema_half_life=None)
    fit(gan, Batches(IMAGES))
    for player, names in gan.turns.items():
        assert {name.split(".")[0] for name in names} == {player}
    assert any(name.endswith("._u") for name in gan.turns["discriminator"])
    assert any(name.endswith("running_mean") for name in gan.turns["generator"])


@pytest.mark.parametrize("again", [copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n)), start_average])
def test_copied_and_pickled_with_its_state(again):
    network = critic(attention=8).eval()
    drawn = torch.random.get_rng_state()
    twin = again(network)
    assert torch.equal(torch.random.get_rng_state(), drawn), "no random numbers are drawn"
    assert not twin.training
    assert twin.state_dict().keys() == network.state_dict().keys()
    assert torch.equal(twin(IMAGES, LABELS), network(IMAGES, LABELS))
    before = state(network)
    with torch.no_grad():
        next(twin.parameters()).add_(1)
    twin.train()(IMAGES, LABELS)
    assert changed(twin, before)
    assert changed(network, before) == set(), "nothing is shared"


def test_the_average_is_normalised_by_its_own_singular_values():
    """With the vectors of the network it follows, whose weights move fast, σ would be too small."""
    network = critic()
    network.train()
    average = start_average(network)
    for _ in range(60):
        with torch.no_grad():
            for parameter in network.parameters():
                parameter += 0.1 * torch.randn_like(parameter)
            network(IMAGES[:2], LABELS[:2])  # a step of its own power iteration
        update_average(average, network, images=1, half_life=20)
    assert not any(module.training for module in average.modules())
    assert max(singular_values(average).values()) < 1.1
    with torch.no_grad():
        for kept, buffer in zip(average.buffers(), network.buffers(), strict=True):
            kept.copy_(buffer)
    assert max(singular_values(average).values()) > 1.15, "the vectors of the network would not do"


def test_what_was_frozen_is_frozen_after_pickling():
    network = critic().requires_grad_(False)
    network.head.linear.bias.requires_grad_(True)
    again = pickle.loads(pickle.dumps(network))
    assert [p.requires_grad for p in again.parameters()] == [p.requires_grad for p in network.parameters()]


def test_pickled_in_its_precision():
    twin = pickle.loads(pickle.dumps(critic().to(torch.bfloat16)))
    assert {p.dtype for p in twin.parameters()} == {torch.bfloat16}


def test_a_penaltys_gradient_goes_through_it():
    """The derivative of ‖∇D(x)‖² along a direction in weight space, against a difference quotient."""
    network = critic(attention=8).double().eval()
    x = IMAGES[:3].double().requires_grad_()
    parameters = list(network.parameters())

    def penalty():
        (gradient,) = torch.autograd.grad(network(x, LABELS[:3]).sum(), x, create_graph=True)
        return gradient.square().sum()

    direction = [torch.randn_like(p) for p in parameters]
    gradients = torch.autograd.grad(penalty(), parameters, allow_unused=True)
    slope = sum((g * d).sum() for g, d in zip(gradients, direction, strict=True) if g is not None)
    values, h = [], 1e-6
    for sign in (1, -2):
        with torch.no_grad():
            for parameter, d in zip(parameters, direction, strict=True):
                parameter += sign * h * d
        values.append(penalty())
    assert slope.abs() > 1e-3
    assert_close(slope, (values[0] - values[1]) / (2 * h), rtol=1e-4, atol=1e-6)


def test_a_resumed_run_ends_with_the_same_bits(fit, tmp_path):
    def run(epochs, ckpt_path=None):
        torch.manual_seed(1)
        gan = game(penalties={"r1": R1(0.1, every=2)}, d_steps_per_g_step=2)
        fit(gan, loader(IMAGES, LABELS), max_epochs=epochs, ckpt_path=ckpt_path).save_checkpoint(tmp_path / "end.ckpt")
        return state(gan)

    whole = run(4)
    run(2)
    resumed = run(4, tmp_path / "end.ckpt")
    assert [name for name, tensor in whole.items() if not torch.equal(tensor, resumed[name])] == []


def test_a_game_comes_back_from_its_checkpoint(fit, tmp_path):
    gan = game()
    fit(gan, Batches(IMAGES, LABELS), precision="bf16-mixed").save_checkpoint(tmp_path / "end.ckpt")
    again = LitGAN.load_from_checkpoint(tmp_path / "end.ckpt")
    assert changed(again, state(gan)) == set()
    assert torch.equal(again.discriminator.eval()(IMAGES, LABELS), gan.discriminator.eval()(IMAGES, LABELS))
