"""Optimizers of a subclass and options of the Trainer are refused, or warned of, before anything is trained."""

import warnings
from dataclasses import dataclass
from datetime import timedelta

import pytest
import torch
from pytorch_lightning import callbacks as pl_callbacks
from pytorch_lightning.tuner import Tuner
from torch import nn
from torch.nn.functional import softplus
from torch.optim import SGD
from torch.optim.lr_scheduler import ExponentialLR, StepLR

from lit_gan import LitGAN, LitGANError
from lit_gan.augment import Augmentation
from lit_gan.data import GaussianMixture
from lit_gan.losses import AdversarialLoss
from lit_gan.networks import MLPDiscriminator, MLPGenerator
from lit_gan.optim import GANAdam
from lit_gan.penalties import R1, Penalty
from lit_gan.schedules import Linear, Schedule
from lit_gan.training import checks
from tests.support.small import PlainDiscriminator, PlainGenerator, loader, trainer


def gan(optimizers=None, **options) -> LitGAN:
    """Return a LitGAN whose ``configure_optimizers`` returns what ``optimizers`` makes of those of the players."""

    class Own(LitGAN):
        def configure_optimizers(self):
            both = super().configure_optimizers()
            return both if optimizers is None else optimizers(*both)

    return Own(PlainGenerator(), PlainDiscriminator(), **options)


def decays(optimizer):
    return ExponentialLR(optimizer, 0.5)


# Parts of one's own that lack something


@dataclass(frozen=True)
class Weightless(Penalty):
    every: int = 1

    def __call__(self, turn):
        return turn.fake_logits.mean()


class Plain(Penalty):
    """A penalty that is no dataclass, with some of the fields."""

    def __init__(self, **fields):
        vars(self).update(fields)

    def __call__(self, turn):
        return turn.fake_logits.square() if "whole" in vars(self) else turn.fake_logits.square().mean()


class Uninitialised(nn.Module, Penalty):
    weight, every = 1.0, 1

    def __init__(self):
        pass

    def forward(self, turn):
        return turn.fake_logits.mean()

    __call__ = nn.Module.__call__


class Flip(Augmentation):
    def __init__(self, p=0.5):
        self.p = p

    def forward(self, images):
        return images.flip(3)


class Bare(nn.Module):
    latent_dim = 3

    def __init__(self):
        self.width = 8


@dataclass(frozen=True)
class Pairs(AdversarialLoss):
    """Forgets to say that it needs the real logits."""

    def discriminator(self, real, fake):
        return softplus(fake - real).mean()

    def generator(self, fake, real=None):
        return softplus(real - fake).mean()


LACKING = {
    "weight": (lambda: gan(penalties={"p": Weightless()}), "Weightless has no weight"),
    "weight, in no dataclass": (lambda: gan(penalties={"p": Plain(every=1)}), "Plain has no weight"),
    "every": (lambda: gan(penalties={"p": Plain(weight=1.0)}), "Plain has no every"),
    "a good weight": (lambda: gan(penalties={"p": Plain(weight=-1.0, every=1)}), "weight=-1.0"),
    "a player": (lambda: gan(penalties={"p": Plain(weight=1.0, every=1, player="critic")}), "critic"),
    "a penalty's super": (lambda: gan(penalties={"p": Uninitialised()}), "Uninitialised without super"),
    "an augmentation's super": (lambda: gan(augment=Flip()), "Flip without super"),
    "a network's super": (lambda: LitGAN(Bare(), PlainDiscriminator()), "Bare without super"),
    "needs_real": (lambda: gan(loss=Pairs()), "needs_real"),
}


@pytest.mark.parametrize(("make", "says"), LACKING.values(), ids=LACKING)
def test_a_part_that_lacks_what_its_base_needs_says_so(make, says):
    with pytest.raises(LitGANError, match=says):
        make()


def test_a_penalty_needs_no_dataclass(fit, images):
    fitted = fit(gan(penalties={"p": Plain(weight=1.0, every=1)}), loader(images))
    assert fitted.callback_metrics["penalty/p"] > 0


class Number(LitGAN):
    def generator_loss(self, turn):
        return 1.0


def test_losses_and_penalties_are_scalars(fit, images):
    with pytest.raises(LitGANError, match=r"penalties\['p'\] is of shape \(4,\)"):
        fit(gan(penalties={"p": Plain(weight=1.0, every=1, whole=False)}), loader(images))
    with pytest.raises(LitGANError, match=r"the generator's loss is a float"):
        fit(Number(PlainGenerator(), PlainDiscriminator()), loader(images))


# Optimizers

SCHEDULED = {
    "two lists": lambda g, d: ([g, d], [decays(g), decays(d)]),
    "dicts": lambda g, d: [
        {"optimizer": o, "lr_scheduler": {"scheduler": decays(o), "interval": "step"}} for o in (g, d)
    ],
    "a tuple of dicts": lambda g, d: ({"optimizer": g}, {"optimizer": d, "lr_scheduler": StepLR(d, 1)}),
    "dicts in the second list": lambda g, d: ([g, d], [{"scheduler": StepLR(g, 1)}]),
}


@pytest.mark.parametrize("optimizers", SCHEDULED.values(), ids=SCHEDULED)
def test_schedulers_that_nothing_steps_are_refused(fit, images, optimizers):
    model = gan(optimizers)
    with pytest.raises(LitGANError, match=r"(ExponentialLR|StepLR).*lr_schedule"):
        fit(model, loader(images))
    assert model.d_steps == 0


MISPLACED = {
    "one": (lambda g, d: g, "1 optimizers"),
    "one in a list": (lambda g, d: [d], "1 optimizers"),
    "three": (lambda g, d: [g, d, SGD([torch.nn.Parameter(torch.zeros(1))], 0.1)], "3 optimizers"),
    "in the wrong order": (lambda g, d: [d, g], "generator's place"),
    "the generator's twice": (lambda g, d: [g, g], "discriminator's place"),
}


@pytest.mark.parametrize(("optimizers", "says"), MISPLACED.values(), ids=MISPLACED)
def test_there_is_one_optimizer_for_each_player(fit, images, optimizers, says):
    model = gan(optimizers)
    with pytest.raises(LitGANError, match=says):
        fit(model, loader(images))
    assert model.d_steps == 0


def test_dicts_without_schedulers_and_tuples_are_optimizers(fit, images):
    for optimizers in (lambda g, d: (g, d), lambda g, d: [{"optimizer": g}, {"optimizer": d}]):
        model = gan(optimizers)
        fit(model, loader(images))
        assert model.d_steps == 6


def plain_sgd(g, d):
    return [SGD([p for group in o.param_groups for p in group["params"]], 0.5) for o in (g, d)]


def test_optimizers_of_a_subclass_follow_the_schedules(fit, images):
    fitted = fit(gan(plain_sgd, lr_schedule=Linear(1.0, 0.0, images=40)), loader(images))
    assert [o.param_groups[0]["lr"] for o in fitted.optimizers] == [0.25, 0.25]  # before the sixth batch of 4
    with pytest.raises(LitGANError, match=r"SGD, which has no β2"):
        fit(gan(plain_sgd, beta2_schedule=Linear(0.9, 0.99)), loader(images))
    fit(gan(lambda g, d: [GANAdam(g.param_groups[0]["params"]), d], beta2_schedule=Linear(0.9, 0.99)), loader(images))


class Third(LitGAN):
    """A LitGAN with a third network, whose parameters are in the generator's optimizer if ``trained``."""

    def __init__(self, trained, scale=1.0):
        super().__init__(PlainGenerator(), PlainDiscriminator())
        self.encoder, self.trained, self.scale = nn.Linear(16, 3), trained, scale

    def configure_optimizers(self):
        generators, discriminators = super().configure_optimizers()
        if self.trained:
            generators.add_param_group({"params": list(self.encoder.parameters())})
        return [generators, discriminators]

    def generator_loss(self, turn):
        if self.scale != 1 and self.encoder.weight.requires_grad:
            self.encoder.weight.register_hook(lambda gradient: gradient * self.scale)
        return super().generator_loss(turn) + (self.encoder(turn.fake.flatten(1)) - turn.z).square().mean()


def test_parameters_that_nothing_trains_are_said(fit, images):
    with pytest.warns(UserWarning, match=r"encoder.weight.* in no optimizer"):
        fit(Third(trained=False), loader(images))


@pytest.mark.filterwarnings("error:.*no optimizer")
def test_a_third_network_trains_and_is_named(fit, images):
    fit(Third(trained=True), loader(images))
    with pytest.raises(LitGANError, match=r"gradient of encoder.weight"):
        fit(Third(trained=True, scale=float("nan")), loader(images))


class Spike(Schedule):
    """A schedule that is 0.5, except after 8 images."""

    def __init__(self, value):
        self.value = value

    def __call__(self, images_seen):
        return self.value if images_seen == 8 else 0.5


SPIKES = {
    "a negative rate": (lambda: gan(lr_schedule=Spike(-1.0)), r"-1.0 after 8"),
    "a rate of NaN": (lambda: gan(lr_schedule=Spike(float("nan"))), r"nan after 8"),
    "a rate in words": (lambda: gan(lr_schedule=Spike("x")), r"'x' after 8"),
    "no rate": (lambda: gan(lr_schedule=Spike(None)), r"None after 8"),
    "a second moment that stays": (lambda: gan(beta2_schedule=Spike(1.0)), r"1.0 after 8"),
    "a negative weight": (lambda: gan(penalties={"r1": R1(weight=Spike(-2.0))}), r"-2.0 after 8"),
    "no half-life": (lambda: gan(ema_half_life=Spike(0.0)), r"ema_half_life=0.0"),
}


@pytest.mark.parametrize(("make", "says"), SPIKES.values(), ids=SPIKES)
def test_a_schedule_that_leaves_its_range_late_stops_the_run(fit, images, make, says):
    with pytest.raises(LitGANError, match=says):
        fit(make(), loader(images))


# The Trainer


MONITORS = [pl_callbacks.EarlyStopping("val/value"), pl_callbacks.ModelCheckpoint(monitor="val/d_accuracy")]


@pytest.mark.parametrize("callback", MONITORS, ids=lambda callback: type(callback).__name__)
def test_held_out_metrics_are_monitored_with_held_out_data(tmp_path, images, callback):
    model, options = gan(), {"enable_checkpointing": True, "callbacks": [callback]}
    for held_out, more in ((None, {}), (loader(images), {"limit_val_batches": 0})):
        with pytest.raises(LitGANError, match=f"{callback.monitor}.*val_dataloaders"):
            trainer(tmp_path, **options, **more).fit(model, loader(images), held_out)
    assert model.d_steps == 0
    trainer(tmp_path, **options).fit(model, loader(images), loader(images))
    assert model.d_steps == 6


@pytest.mark.parametrize("callback", [pl_callbacks.WeightAveraging, pl_callbacks.EMAWeightAveraging])
def test_an_average_of_counters_is_refused(fit, images, callback):
    with pytest.raises(LitGANError, match=rf"{callback.__name__}.*ema_half_life"):
        fit(gan(), loader(images), callbacks=[callback()])


def test_a_checkpoint_that_time_never_saves_is_said(fit, images, tmp_path):
    by_time = pl_callbacks.ModelCheckpoint(tmp_path, train_time_interval=timedelta(microseconds=1))
    with pytest.warns(UserWarning, match=r"train_time_interval.*every_n_train_steps"):
        fit(gan(), loader(images), callbacks=[by_time], enable_checkpointing=True)


FINDERS = {
    "BatchSizeFinder": lambda run, model, data: Tuner(run).scale_batch_size(model, datamodule=data),
    "LearningRateFinder": lambda run, model, data: Tuner(run).lr_find(model, datamodule=data),
}


@pytest.mark.parametrize("name", FINDERS)
def test_finders_are_refused_before_they_train(tmp_path, name):
    model, data = LitGAN(MLPGenerator(features=2), MLPDiscriminator(features=2)), GaussianMixture(train_size=64)
    model.lr = 0.1  # which LearningRateFinder looks for
    with pytest.raises(LitGANError, match=name):
        FINDERS[name](trainer(tmp_path), model, data)
    with pytest.raises(LitGANError, match=name):
        trainer(tmp_path, callbacks=[getattr(pl_callbacks, name)()]).fit(model, data)
    assert model.d_steps == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("limit", [{"max_epochs": 1}, {"max_epochs": -1, "max_steps": 3}], ids=str)
def test_a_trainer_that_has_trained_trains_nothing_more_and_says_so(tmp_path, images, limit):
    used, first, second = trainer(tmp_path, **limit), gan(), gan()
    used.fit(first, loader(images))
    with pytest.warns(UserWarning, match=r"nothing is trained.*new Trainer"):
        used.fit(second, loader(images))
    with pytest.warns(UserWarning, match=r"nothing is trained"):
        used.fit(first, loader(images))
    assert second.d_steps == 0


def test_the_rest_of_a_trainers_epochs_is_said_to_be_a_rest(tmp_path, images):
    used, first, second = trainer(tmp_path), gan(), gan()
    used.fit(first, loader(images))
    used.fit_loop.max_epochs = 3
    with pytest.warns(UserWarning, match=r"generator update 6 and epoch 1 .*max_epochs=3: only the rest"):
        used.fit(second, loader(images))
    assert second.d_steps == 12
    used.fit_loop.max_epochs = 4
    used.fit(second, loader(images))  # the counters are its own
    assert second.d_steps == 18


@pytest.mark.parametrize(
    ("precision", "slower", "warned"),
    [("bf16-mixed", 14.2, True), ("bf16-mixed", 1.5, False), ("32-true", 14.2, False), ("64-true", 14.2, False)],
)
def test_bfloat16_on_a_processor_that_is_slow_in_it_is_warned_of(fit, images, monkeypatch, precision, slower, warned):
    monkeypatch.setattr(checks, "slowdown_in_bfloat16", lambda: slower)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(gan().to(torch.float64 if precision == "64-true" else torch.float32), loader(images), precision=precision)
    assert [str(w.message).count("14.2 times") for w in caught if "slower" in str(w.message)] == [1] * warned


def test_the_slowdown_is_measured_without_touching_the_random_state():
    before = torch.get_rng_state()
    with torch.no_grad():
        assert 0 < checks.slowdown_in_bfloat16() < 1000
    assert torch.get_rng_state().equal(before)
