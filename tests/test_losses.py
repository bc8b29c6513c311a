"""Each game against its formula, computed by hand in float64."""

import math

import pytest
import torch
from torch.testing import assert_close

from lit_gan import losses
from lit_gan.losses import (
    AdversarialLoss,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    RelativisticAverage,
    RelativisticPaired,
    Wasserstein,
)
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


@pytest.mark.parametrize("loss", [RelativisticPaired(), RelativisticAverage()])
def test_an_offset_of_the_logits_cancels_in_the_relativistic_games(loss):
    close(loss.discriminator(REAL + 7, FAKE + 7), float(loss.discriminator(REAL, FAKE)))
    close(loss.generator(FAKE - 7, REAL - 7), float(loss.generator(FAKE, REAL)))


@pytest.mark.parametrize("loss", [RelativisticPaired(), RelativisticAverage()])
def test_a_relativistic_generator_asks_for_real_logits(loss):
    with pytest.raises(ValueError, match="pass the real logits"):
        loss.generator(FAKE)


def test_hinge_pays_nothing_beyond_the_margin():
    real, fake = torch.tensor([2.0, 0.5, -1.0]).double(), torch.tensor([-3.0, -0.5, 1.0]).double()
    close(Hinge().discriminator(real, fake), (0 + 0.5 + 2) / 3 + (0 + 0.5 + 2) / 3)
    close(Hinge().generator(fake), 2.5 / 3)


def test_wasserstein_is_a_difference_of_means():
    real, fake = torch.tensor([2.0, 4.0]).double(), torch.tensor([-1.0, 0.0]).double()
    close(Wasserstein().discriminator(real, fake), -0.5 - 3)
    close(Wasserstein().generator(fake), 0.5)


def test_least_squares_by_hand():
    real, fake = torch.tensor([2.0, 0.0]).double(), torch.tensor([1.0, -1.0]).double()
    close(LeastSquares().discriminator(real, fake), ((1 + 1) / 2 + (1 + 1) / 2) / 2)
    close(LeastSquares().generator(fake), (0 + 4) / 2 / 2)
    pearson = LeastSquares(a=-1, b=1, c=0)
    close(pearson.discriminator(real, fake), ((1 + 1) / 2 + (4 + 0) / 2) / 2)
    close(pearson.generator(fake), (1 + 1) / 2 / 2)


def test_least_squares_descends_pearsons_divergence():
    """Equation 6: at the best D, 2·C(G) = χ² of (p_data + p_g, 2·p_g) for b − c = 1, b − a = 2, real term included."""
    p = torch.tensor([0.5, 0.3, 0.2]).double()
    q = torch.tensor([0.2, 0.2, 0.6]).double()
    a, b, c = -1.0, 1.0, 0.0
    best = (b * p + a * q) / (p + q)
    objective = (p * (best - c).square()).sum() + (q * (best - c).square()).sum()
    assert_close(objective, ((2 * q - (p + q)).square() / (p + q)).sum())


@pytest.mark.parametrize("targets", [{"b": 0.0}, {"c": -1.0}])
def test_targets_that_pull_the_wrong_way_are_refused(targets):
    with pytest.raises(ValueError, match=r"must be above a=0\.0"):
        LeastSquares(**targets)


def test_relativistic_averages_by_hand():
    loss = RelativisticAverage()
    r = [0 - (math.log(1 / 3) / 2), math.log(3) - math.log(1 / 3) / 2]  # real less the mean fake logit
    f = [math.log(1 / 3) - math.log(3) / 2, 0 - math.log(3) / 2]

    def softplus(x):
        return math.log1p(math.exp(x))

    close(loss.discriminator(REAL, FAKE), sum(softplus(-x) for x in r) / 2 + sum(softplus(x) for x in f) / 2)
    close(loss.generator(FAKE, REAL), sum(softplus(x) for x in r) / 2 + sum(softplus(-x) for x in f) / 2)


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
        # within the hinge's margin, and between the targets of least squares
        real, fake = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in ([0.1, 0.4], [0.2, 0.6]))
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

    def test_log_ratio_keeps_shape_or_is_none(self, cls):
        ratio = cls().log_ratio(REAL)
        assert ratio is None or ratio.shape == REAL.shape
