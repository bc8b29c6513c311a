"""NaN and infinity: found in the turn they appear in, named, and stopped or skipped."""

from dataclasses import dataclass
from functools import partial

import pytest
import torch
from pytorch_lightning import Callback
from pytorch_lightning.plugins import MixedPrecision
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lit_gan import LitGAN
from lit_gan.losses import NonSaturating
from lit_gan.networks import DCGANDiscriminator, DCGANGenerator, MLPDiscriminator, MLPGenerator
from lit_gan.training.non_finite import NonFiniteGuard
from tests.support.processes import on_ranks
from tests.support.small import PlainDiscriminator, PlainGenerator, loader, trainer
from tests.test_gan import weights

BAD = [float("nan"), float("inf"), -float("inf")]


class SpoilGradient(Callback):
    """Makes the gradient of one parameter bad in some turns of its network."""

    def __init__(self, parameter, turns, value=float("nan")):
        self.parameter, self.turns, self.value, self.count = parameter, turns, value, 0

    def on_train_start(self, trainer, pl_module):
        pl_module.get_parameter(self.parameter).register_hook(self._spoil)
        self.before = []

    def _spoil(self, gradient):
        self.count += 1
        return gradient + self.value if self.count in self.turns else None

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.before.append((weights(pl_module.generator), weights(pl_module.discriminator)))


class Explodes(nn.Module):
    """Passes its input on, and NaN from its third call on while training."""

    calls = 0

    def forward(self, x):
        self.calls += self.training
        return x * float("nan") if self.training and self.calls >= 3 else x


@dataclass(frozen=True)
class BadLoss(NonSaturating):
    player: str
    value: float
    turn: int = 3

    def discriminator(self, real, fake):
        return self._spoiled("discriminator", super().discriminator(real, fake))

    def generator(self, fake, real=None):
        return self._spoiled("generator", super().generator(fake, real))

    def _spoiled(self, player, loss):
        counts = self.__dict__.setdefault("counts", {})
        counts[player] = counts.get(player, 0) + 1
        return loss + self.value if player == self.player and counts[player] == self.turn else loss


def gan(**options):
    return LitGAN(PlainGenerator(), PlainDiscriminator(), **options)


@pytest.mark.parametrize("player", ["discriminator", "generator"])
@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("k", [1, 2])
def test_a_bad_loss_stops_the_run_before_the_step(fit, images, player, value, k):
    model = gan(loss=BadLoss(player, value), d_steps_per_g_step=k)
    turn = 3 * k if player == "generator" else 3
    good = turn // k - (player == "generator")
    if player == "discriminator" and k == 1:
        good = 2
    with pytest.raises(
        FloatingPointError,
        match=rf"the loss is (nan|-?inf) in the {player}'s turn {turn}; the last good step is generator update {good}:",
    ):
        fit(model, loader(images), max_epochs=3)
    assert weights(model).isfinite().all()


@pytest.mark.parametrize("parameter", ["discriminator.net.1.weight", "generator.net.2.bias"])
@pytest.mark.parametrize("value", BAD)
def test_a_bad_gradient_is_named(fit, images, parameter, value):
    player, _, layer = parameter.partition(".")
    message = rf"the gradient of {layer} is not finite in the {player}'s turn 4; .* update 3: lower the learning rate"
    with pytest.raises(FloatingPointError, match=message):
        fit(gan(), loader(images), callbacks=[SpoilGradient(parameter, {4}, value)])


@pytest.mark.parametrize(("precision", "largest"), [("32-true", 3e38), ("64-true", 1e308)])
def test_large_numbers_are_finite(fit, images, precision, largest):
    """Also a gradient whose norm's square is infinite in its type."""
    model = gan(discriminator_optimizer=partial(torch.optim.SGD, lr=0.0))
    model = model.double() if precision == "64-true" else model
    spoil = SpoilGradient("discriminator.last.weight", {1, 2}, largest)
    fit(model, loader(images.to(next(model.parameters()))), callbacks=[spoil], precision=precision)
    assert model.d_steps == spoil.count == 6


@pytest.mark.parametrize("type_", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("value", BAD)
def test_one_bad_number_of_many_is_found(tmp_path, type_, value):
    """In gradients of any type, next to the largest number of it; an empty one is finite."""
    model = gan()
    model.trainer = trainer(tmp_path)
    guard = NonFiniteGuard("stop", model.players, model.trainer)
    parameters = [nn.Parameter(torch.zeros(n, dtype=type_)) for n in (3, 0)]
    for parameter in parameters:
        parameter.grad = torch.full_like(parameter, torch.finfo(type_).max)
    numbers = guard._numbers("generator", 1, torch.tensor(1e300, dtype=torch.float64), parameters)
    assert numbers.values.isfinite().all()
    parameters[0].grad[1] = value
    assert guard._numbers("generator", 1, torch.ones(()), parameters).values.isfinite().tolist() == [True, False, True]


@pytest.mark.parametrize("limit", [1e-3, 1.0, 1e6])
def test_a_large_gradient_is_clipped_and_not_lost(fit, images, limit):
    """Along its direction, to the limit, though its norm's square is infinite."""
    model = gan(discriminator_optimizer=partial(torch.optim.SGD, lr=1.0), gradient_clip=limit)
    before, spoil = weights(model.discriminator), SpoilGradient("discriminator.last.weight", {1}, 4.5e19)
    fit(model, loader(images), callbacks=[spoil], limit_train_batches=1)
    moved = weights(model.discriminator) - before
    assert moved.norm().item() == pytest.approx(limit, rel=1e-2)
    assert (moved.abs() > 0.3 * limit).sum() == 8  # those of the last layer, each 1/√8 of the whole


def test_layers_behind_a_bad_gradient_are_counted(fit, images):
    model = gan()
    model.discriminator.net[1].register_full_backward_pre_hook(lambda module, g: (g[0] * float("nan"),))
    with pytest.raises(FloatingPointError, match=r"gradient of net.1.bias and 1 layers before it is not finite"):
        fit(model, loader(images))


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_the_layer_where_it_began_is_named(fit, images, player):
    model = gan()
    getattr(model, player).net.insert(2, Explodes())
    with pytest.raises(FloatingPointError, match=rf"first seen in the output of {player}\.net\.\d \("):
        fit(model, loader(images))


@pytest.mark.parametrize("parameter", ["discriminator.last.weight", "generator.net.0.weight"])
@pytest.mark.parametrize("value", BAD)
def test_a_turn_is_skipped(fit, images, parameter, value):
    spoil = SpoilGradient(parameter, {3}, value)
    player = parameter.partition(".")[0]
    with pytest.warns(UserWarning, match=rf"in the {player}'s turn 3; .* generator update 2; the turn is skipped"):
        fitted = fit(gan(on_non_finite="skip"), loader(images), callbacks=[spoil])
    index = ("generator", "discriminator").index(player)
    moved = [not a[index].equal(b[index]) for a, b in zip(spoil.before, spoil.before[1:], strict=False)]
    assert moved == [True, True, False, True, True]
    assert fitted.global_step == 6 - (player == "generator")


@pytest.mark.parametrize("share", [False, True])
def test_a_skipped_turn_leaves_statistics_alone(fit, share):
    """One NaN in batch norm's running mean would stay for ever."""
    model = LitGAN(
        DCGANGenerator(16, 1, 4, width=4),
        DCGANDiscriminator(16, 1, width=4),
        on_non_finite="skip",
        ema_half_life=None,
        share_fakes=share,
    )
    model.generator.layers[0].register_forward_hook(Once(3))
    with pytest.warns(UserWarning, match="the turn is skipped"):
        fit(model, loader(torch.rand(24, 1, 16, 16) * 2 - 1))
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())


class Once:
    """A hook that spoils one output while training."""

    def __init__(self, call, factor=float("nan")):
        self.call, self.factor, self.count = call, factor, 0

    def __call__(self, module, inputs, output):
        self.count += module.training
        return output * self.factor if module.training and self.count == self.call else output


def test_a_run_that_only_skips_stops(fit, images):
    with (
        pytest.warns(UserWarning, match="the turn is skipped"),
        pytest.raises(FloatingPointError, match="and 20 turns in succession were skipped"),
    ):
        fit(
            gan(on_non_finite="skip"),
            loader(images),
            max_epochs=9,
            callbacks=[SpoilGradient("discriminator.last.weight", range(5, 99))],
        )


class Deferring(Callback):
    """Does as on a GPU, where numbers are read together now and then; saves after a bad turn."""

    def __init__(self, save_at=None):
        self.save_at, self.reads = save_at, 0

    def on_train_start(self, trainer, pl_module):
        pl_module.guard.defers = True

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.turns = int(pl_module.d_steps)
        if self.turns == self.save_at:
            trainer.save_checkpoint(trainer.default_root_dir + "/broken.ckpt")


@pytest.mark.parametrize(
    ("options", "stops_at"),
    [({"log_every_n_steps": 0}, 24), ({"log_every_n_steps": 5}, 4), ({"log_every_n_steps": 0, "max_epochs": 1}, 6)],
)
def test_numbers_read_later_name_the_turn_where_it_began(tmp_path, images, options, stops_at):
    """Two turns a batch: 50 are read in the 25th, or at the next log, or at the end."""
    deferring = Deferring()
    callbacks = [SpoilGradient("generator.net.0.weight", {2}), deferring]
    fitted = trainer(tmp_path, callbacks=callbacks, **{"max_epochs": 9, **options})
    with pytest.raises(
        FloatingPointError, match=r"in the generator's turn 2; the last good step is generator update 1"
    ):
        fitted.fit(gan(), loader(images))
    assert deferring.turns == stops_at


def test_a_broken_state_is_not_saved(tmp_path, images):
    callbacks = [SpoilGradient("generator.net.0.weight", {2}), Deferring(save_at=3)]
    with pytest.raises(FloatingPointError, match="generator's turn 2"):
        trainer(tmp_path, callbacks=callbacks).fit(gan(), loader(images))
    assert not (tmp_path / "broken.ckpt").exists()


@pytest.mark.parametrize("on_non_finite", ["stop", "skip"])
def test_a_scaler_looks_after_its_own_infinities(fit, images, on_non_finite):
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**60, growth_interval=100)
    model = gan(on_non_finite=on_non_finite)
    before = weights(model)
    fit(model, loader(images), max_epochs=9, plugins=MixedPrecision("16-mixed", "cpu", scaler=scaler))
    assert scaler.get_scale() < 2.0**60
    assert weights(model).isfinite().all()
    assert weights(model).ne(before).any()


def test_statistics_are_put_back_where_a_scaler_skips(fit):
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    model = LitGAN(
        DCGANGenerator(16, 1, 4, width=4), DCGANDiscriminator(16, 1, width=4), on_non_finite="skip", ema_half_life=None
    )
    next(m for m in model.discriminator.modules() if isinstance(m, nn.Conv2d)).register_forward_hook(
        Once(4, float("inf"))
    )
    with pytest.warns(UserWarning, match="the discriminator's buffers are not finite in its turn 2: they are put back"):
        fit(
            model,
            loader(torch.rand(24, 1, 16, 16) * 2 - 1),
            plugins=MixedPrecision("16-mixed", "cpu", scaler=scaler),
            max_epochs=2,
        )
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())


def test_other_words_are_refused():
    with pytest.raises(ValueError, match='on_non_finite=\'ignore\' is neither "stop" nor "skip"'):
        gan(on_non_finite="ignore")


class BadOnTheSecond(nn.Module):
    """A discriminator whose output is infinite in the third turn of the second process alone."""

    def __init__(self):
        super().__init__()
        self.network, self.calls = MLPDiscriminator(features=2, width=4), 0

    def forward(self, x):
        self.calls += self.training
        return self.network(x) + (float("inf") if torch.distributed.get_rank() == 1 and self.calls == 8 else 0)


def skip_together(folder):
    model = LitGAN(MLPGenerator(features=2, latent_dim=3, width=4), BadOnTheSecond(), on_non_finite="skip")
    fitted = trainer(folder, strategy="ddp", devices=2, max_epochs=2)
    fitted.fit(model, DataLoader(TensorDataset(torch.randn(32, 2, generator=torch.Generator().manual_seed(0))), 4))
    return model.state_dict(), fitted.global_step


@pytest.mark.slow
def test_processes_skip_together(tmp_path):
    (first, steps), (second, steps_too) = on_ranks(skip_together, tmp_path)
    assert steps == steps_too
    assert [name for name, tensor in first.items() if not tensor.equal(second[name])] == []
