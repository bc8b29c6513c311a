"""What holds of V(G, D), of D* and C(G), over drawn distributions, discriminators and logits."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from lit_gan.theory import (
    accuracy,
    cross_entropy,
    expected_value,
    f_divergence,
    js_divergence,
    jsd_lower_bound,
    kl_divergence,
    optimal_discriminator,
    training_criterion,
    value,
    variational_bound,
)
from tests.support.strategies import ANY_PAIR, SAMPLES, alike, at_most, frequencies, played, tensors, together


@given(ANY_PAIR)
def test_the_criterion_is_two_jsd_above_minus_log_4(pair):
    criterion = training_criterion(*pair)
    assert alike(criterion, -math.log(4) + 2 * js_divergence(*pair))
    assert at_most(-math.log(4), criterion)
    assert at_most(criterion, 0)


@given(together())  # not of any pair: beside 1e-17, D* rounds to 1, and log(1 − D*) to −∞
def test_the_criterion_is_the_value_at_d_star(pair):
    assert alike(expected_value(*pair, optimal_discriminator(*pair)), training_criterion(*pair))


@given(together(), st.data())
def test_what_a_discriminator_loses_is_the_divergence_of_its_answers(pair, data):
    """C(G) − V(G, D) = Σ (p + q)·KL(D*‖D) ≥ 0, of two coins at each point; so D* alone loses nothing."""
    p, q = pair
    d = data.draw(tensors(st.floats(0, 1), len(p), len(p)), label="D")
    best = optimal_discriminator(p, q)
    coins = zip(torch.stack([best, 1 - best], 1), torch.stack([d, 1 - d], 1), p + q, strict=True)
    lost = sum(mass * kl_divergence(right, given) for right, given, mass in coins if mass > 0)
    assert at_most(expected_value(p, q, d), training_criterion(p, q))
    assert alike(expected_value(p, q, d), training_criterion(p, q) - lost)


@given(together())
def test_d_star_is_a_share_that_the_players_halve(pair):
    p, q = pair
    assert torch.allclose(optimal_discriminator(p, q) + optimal_discriminator(q, p), torch.ones(len(p)).double())
    assert ((optimal_discriminator(p, q) - 0.5) * (p - q) >= 0).all(), "on the likelier side"


@given(played())
def test_what_samples_say_is_what_their_distributions_say(game):
    real, fake, logits = game
    p, q = frequencies(real), frequencies(fake)
    v = value(logits.repeat_interleave(real), logits.repeat_interleave(fake))
    assert alike(v, expected_value(p, q, logits.sigmoid()))
    assert at_most(jsd_lower_bound(v), js_divergence(p, q))


@given(played())
def test_no_discriminator_is_right_more_often_than_the_total_variation_allows(game):
    """P(right) ≤ ½ + TV/2, with equality where D takes the likelier side."""
    real, fake, logits = game
    p, q = frequencies(real), frequencies(fake)
    best = (1 + f_divergence(p, q, "total_variation")) / 2
    assert at_most(accuracy(logits.repeat_interleave(real), logits.repeat_interleave(fake)), best)
    sides = (p - q).sign()
    assert alike(accuracy(sides.repeat_interleave(real), sides.repeat_interleave(fake)), best)


@given(SAMPLES, SAMPLES)
def test_the_value_is_minus_twice_the_cross_entropy_and_bounds_the_errors(real, fake):
    v = value(real, fake)
    assert alike(cross_entropy(real, fake), -v / 2)
    assert alike(value(-fake, -real), v)
    assert alike(variational_bound(real, fake, "js"), jsd_lower_bound(v))
    assert at_most(math.log(2) * (1 - accuracy(real, fake)), cross_entropy(real, fake))


@given(tensors(st.floats(-30, 30), 5, 5), tensors(st.floats(-30, 30), 5, 5), st.floats(0, 1))
def test_the_value_is_concave_in_the_logits(one, other, t):
    between = t * one + (1 - t) * other
    ends = t * value(*one.split([2, 3])) + (1 - t) * value(*other.split([2, 3]))
    assert at_most(ends, value(*between.split([2, 3])))
