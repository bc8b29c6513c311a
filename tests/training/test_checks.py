"""What is refused, or warned of, before anything is trained: optimizers of a subclass, options of the Trainer."""

import warnings

import pytest
import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import ExponentialLR, StepLR

from lit_gan import LitGAN, LitGANError
from lit_gan.optim import GANAdam
from lit_gan.schedules import Linear
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


# The Trainer


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
