"""What holds of every game, over drawn logits: who pulls where, what cancels, and that nothing overflows."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from lit_gan.losses import (
    FDivergence,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    RelativisticAverage,
    RelativisticPaired,
    Wasserstein,
)
from lit_gan.theory import DIVERGENCES, value
from tests.support.strategies import alike, at_most, tensors

PRACTICAL, MINIMAX = ([FDivergence(name, minimax) for name in DIVERGENCES] for minimax in (False, True))
RELATIVISTIC = [RelativisticPaired(), RelativisticAverage()]
ZERO_SUM = [Minimax(), Wasserstein(), *MINIMAX]
MONOTONE = [NonSaturating(), Hinge(), *ZERO_SUM, *PRACTICAL, *RELATIVISTIC]
EVERY = [*MONOTONE, LeastSquares()]
EXPONENTIAL = ("kl", "reverse_kl", "squared_hellinger")  # infinite beyond logits of 88, as FDivergence says


def pairs(numbers):
    """Logits, as many real as fake."""
    return st.integers(1, 6).flatmap(lambda n: st.tuples(tensors(numbers, n, n), tensors(numbers, n, n)))


PAIRS = pairs(st.floats(-15, 15))


def gradients(loss, real, fake):
    """Of D's objective by the real and the fake logits, of G's by the fake ones, and both objectives."""
    real, fake = real.clone().requires_grad_(), fake.clone().requires_grad_()
    d, g = loss.discriminator(real, fake), loss.generator(fake, real)
    return *torch.autograd.grad(d, (real, fake)), *torch.autograd.grad(g, fake), d.detach(), g.detach()


@given(PAIRS)
def test_each_player_pulls_its_own_way_wherever_the_logits_are(pair):
    for loss in MONOTONE:
        d_real, d_fake, g_fake, *_ = gradients(loss, *pair)
        assert (d_real <= 0).all(), f"{loss}: D raises real logits"
        assert (d_fake >= 0).all(), f"{loss}: and lowers fake ones"
        assert (g_fake <= 0).all(), f"{loss}: G raises fake logits"


@given(PAIRS, st.floats(-5, 5), st.floats(0.1, 5), st.floats(0.1, 5))
def test_least_squares_pulls_to_its_targets(pair, a, to_b, to_c):
    real, fake = pair
    d_real, d_fake, g_fake, *_ = gradients(LeastSquares(a, a + to_b, a + to_c), *pair)
    for gradient, distance in ((d_real, real - a - to_b), (d_fake, fake - a), (g_fake, fake - a - to_c)):
        torch.testing.assert_close(gradient * len(real), distance, rtol=1e-9, atol=1e-12)


@given(PAIRS)
def test_in_a_minimax_game_one_loses_what_the_other_wins(pair):
    for loss in ZERO_SUM:
        _, d_fake, g_fake, *_ = gradients(loss, *pair)
        assert torch.equal(d_fake, -g_fake), loss
    for loss in (Minimax(), NonSaturating(), FDivergence("gan")):
        assert alike(loss.discriminator(*pair), -value(*pair))


@given(PAIRS, st.floats(-1e3, 1e3))
def test_relativistic_games_know_differences_alone_and_are_symmetric(pair, offset):
    real, fake = pair
    assert alike(Wasserstein().discriminator(real + offset, fake + offset), Wasserstein().discriminator(real, fake))
    for loss in RELATIVISTIC:
        d_real, d_fake, _, d, g = gradients(loss, real, fake)
        assert alike(loss.discriminator(real + offset, fake + offset), d)
        assert alike(loss.generator(fake + offset, real + offset), g)
        assert alike((d_real + d_fake).sum(), 0)
        assert alike(loss.discriminator(fake, real), g), "the generator plays the discriminator with the labels swapped"


@given(PAIRS, st.randoms(use_true_random=False))
def test_neither_the_order_nor_the_number_of_equal_samples_counts(pair, random):
    order = random.sample(range(len(pair[0])), len(pair[0])) * 2
    for loss in EVERY:
        *_, d, g = gradients(loss, *pair)
        *_, d_again, g_again = gradients(loss, *(logits[order] for logits in pair))
        assert alike(d_again, d), loss
        assert alike(g_again, g), loss


@given(pairs(st.sampled_from([-1.0, 1.0]) | st.floats(-1, 1)))
def test_no_logit_overflows_in_float32(pair):
    for loss in EVERY:
        largest = 80 if getattr(loss, "divergence", None) in EXPONENTIAL else 1e4
        for result in gradients(loss, *(largest * logits.float() for logits in pair)):
            assert result.isfinite().all(), loss


@given(PAIRS)
def test_a_wrong_side_has_its_price(pair):
    """Each logit on the wrong side costs the hinge 1 at least, and the cross-entropy one bit."""
    real, fake = pair
    wrong = (real < 0).double().mean() + (fake > 0).double().mean()
    assert at_most(wrong, Hinge().discriminator(real, fake))
    assert at_most(wrong, Minimax().discriminator(real, fake) / math.log(2))
