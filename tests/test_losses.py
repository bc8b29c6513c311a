"""Each game against its formula, computed by hand in float64."""

import math

import pytest
import torch
from torch.testing import assert_close

from lit_gan import losses
from lit_gan.losses import AdversarialLoss, Minimax, NonSaturating, RelativisticPaired
from lit_gan.theory import value

LOSSES = [cls for cls in (getattr(losses, n) for n in losses.__all__) if cls is not AdversarialLoss]
REAL = torch.tensor([0.0, math.log(3)], dtype=torch.float64)  # D = 1/2, 3/4
FAKE = torch.tensor([math.log(1 / 3), 0.0], dtype=torch.float64)  # D = 1/4, 1/2


def close(actual, expected):
    assert_close(actual, torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=1e-12)


def test_minimax_is_the_papers_equation_1():
    v = (math.log(1 / 2) + math.log(3 / 4)) / 2 + (math.log(3 / 4) + math.log(1 / 2)) / 2
    close(Minimax().discriminator(REAL, FAKE), -v)
    close(-value(REAL, FAKE), -v)
    close(Minimax().generator(FAKE), (math.log(3 / 4) + math.log(1 / 2)) / 2)


def test_non_saturating_changes_the_generator_alone():
    assert NonSaturating().discriminator(REAL, FAKE) == Minimax().discriminator(REAL, FAKE)
    close(NonSaturating().generator(FAKE), -(math.log(1 / 4) + math.log(1 / 2)) / 2)


def test_relativistic_pairs_by_hand():
    # differences real − fake: log 3 and log 3, so sigmoid = 3/4 for both
    close(RelativisticPaired().discriminator(REAL, FAKE), -math.log(3 / 4))
    close(RelativisticPaired().generator(FAKE, REAL), -math.log(1 / 4))


def test_an_offset_of_the_logits_cancels_in_the_relativistic_game():
    loss = RelativisticPaired()
    close(loss.discriminator(REAL + 7, FAKE + 7), float(loss.discriminator(REAL, FAKE)))
    close(loss.generator(FAKE - 7, REAL - 7), float(loss.generator(FAKE, REAL)))


def test_the_relativistic_generator_asks_for_real_logits():
    with pytest.raises(ValueError, match="pass the real logits"):
        RelativisticPaired().generator(FAKE)


@pytest.mark.parametrize(("loss", "slope"), [(Minimax(), -1 / (1 + math.exp(20))), (NonSaturating(), -1.0)])
def test_only_the_saturating_gradient_vanishes_where_fakes_are_rejected(loss, slope):
    logit = torch.tensor([-20.0], dtype=torch.float64, requires_grad=True)
    loss.generator(logit).backward()
    assert_close(logit.grad, torch.tensor([slope], dtype=torch.float64), rtol=1e-6, atol=1e-14)


@pytest.mark.parametrize("cls", LOSSES)
class TestEveryLoss:
    def test_gives_finite_scalars_and_gradients_at_extreme_logits(self, cls):
        real = torch.tensor([-200.0, 0.0, 200.0], requires_grad=True)
        fake = torch.tensor([200.0, 0.0, -200.0], requires_grad=True)
        for objective in (cls().discriminator(real, fake), cls().generator(fake, real)):
            assert objective.shape == ()
            gradients = torch.autograd.grad(objective, (real, fake), allow_unused=True)
            assert all(g is None or g.isfinite().all() for g in gradients)
            assert objective.isfinite()

    def test_pulls_the_players_apart(self, cls):
        real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
        d_real, d_fake = torch.autograd.grad(cls().discriminator(real, fake), (real, fake))
        (g_fake,) = torch.autograd.grad(cls().generator(fake, real), fake)
        assert (d_real < 0).all(), "the discriminator raises real logits"
        assert (d_fake > 0).all(), "and lowers fake ones"
        assert (g_fake < 0).all(), "the generator raises fake logits"

    def test_reads_real_logits_in_the_generators_turn_only_where_it_says_so(self, cls):
        real = REAL.clone().requires_grad_()
        objective = cls().generator(FAKE, real)
        assert objective.requires_grad == cls.needs_real

    def test_is_a_value(self, cls):
        assert cls() == cls()
        assert repr(cls()).startswith(cls.__name__)

    def test_names_formula_and_paper(self, cls):
        assert "arXiv" in cls.__doc__
        assert "E[" in cls.__doc__

    def test_log_ratio_keeps_shape_or_is_none(self, cls):
        ratio = cls().log_ratio(REAL)
        assert ratio is None or ratio.shape == REAL.shape
