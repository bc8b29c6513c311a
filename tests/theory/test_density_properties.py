"""What holds of likelihoods, normalisers, pushforwards and mixtures, over drawn densities."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Categorical, Distribution, Exponential, Normal, Uniform
from torch.testing import assert_close

from lit_gan.theory import Mixture, kl_divergence, log_likelihood, log_normaliser, pushforward_density
from tests.support.strategies import alike, at_most, doubles, frequencies, played, tensors

CLOSE = {"rtol": 1e-9, "atol": 1e-12}
NORMAL = Normal(doubles(0.0), doubles(1.0))
LINE = torch.arange(-60, 60, 0.01, dtype=torch.float64)[:, None]


# Likelihood and normaliser


@given(played(everywhere=True))
def test_a_likelihood_is_lost_entropy_and_divergence(game):
    """log L / N = −H(p) − KL(p‖q) for samples of frequencies p, so that no q makes them likelier than p does."""
    counts, other, _ = game
    p, q = frequencies(counts), frequencies(other)
    samples = torch.arange(len(counts)).repeat_interleave(counts)
    entropy = Categorical(p).entropy()
    assert alike(log_likelihood(samples, Categorical(q)) / len(samples), -entropy - kl_divergence(p, q))
    assert at_most(log_likelihood(samples, Categorical(q)), log_likelihood(samples, Categorical(p)))


@given(tensors(st.floats(0, 5)), st.floats(0.1, 10))
def test_one_impossible_sample_makes_all_of_them_impossible(samples, beyond):
    for distribution in (Uniform(doubles(0.0), doubles(5.0)), Exponential(doubles(1.0))):
        assert log_likelihood(samples, distribution).isfinite() or (samples == 5).any()
        assert log_likelihood(torch.cat([samples, doubles([-beyond])]), distribution) == -math.inf


def test_nan_is_refused_and_a_support_need_not_be_named():
    class Triangle(Distribution):
        def log_prob(self, value):
            return (1 - value.abs()).log()

    nan, half = doubles([math.nan]), doubles([0.5])
    with pytest.raises(ValueError, match="nan"):
        log_likelihood(nan, NORMAL)
    with pytest.raises(ValueError, match="nan"):
        pushforward_density(-half[:, None], torch.log, NORMAL)
    triangle = Triangle(validate_args=False)
    assert alike(log_likelihood(half, triangle), math.log(0.5))
    assert alike(pushforward_density(half[:, None], lambda x: x / 2, triangle), 0.75 / 2)


@given(tensors(st.floats(-1e6, 1e6)), st.floats(-1e6, 1e6), st.floats(0.01, 100))
def test_a_normaliser_moves_with_the_scores_and_not_with_the_grid(scores, offset, cell):
    log_z = log_normaliser(scores, cell)
    assert alike(log_normaliser(scores + offset, cell), log_z + offset)
    assert alike(log_normaliser(scores.repeat_interleave(2), cell / 2), log_z)
    assert at_most(scores.max() + math.log(cell), log_z)
    assert at_most(log_z, scores.max() + math.log(cell * len(scores)))


# Pushforward

PARTS = st.tuples(st.floats(0.3, 3), st.floats(-2, 2), st.floats(0, 2))
"""a, b and c of x ↦ a·x + b + c·tanh x, which rises."""


def rising(parts):
    a, b, c = parts
    return lambda x: a * x + b + c * x.tanh(), lambda x: a + c * (1 - x.tanh() ** 2)


@given(PARTS, st.sampled_from([NORMAL, Uniform(doubles(-1.0), doubles(1.0))]))
def test_a_pushforward_has_mass_one(parts, latent):
    """On the line, with z normal or uniform: where no z leads, the density is 0."""
    inverse, _ = rising(parts)
    p_g = pushforward_density(LINE, inverse, latent)
    assert p_g.min() >= 0
    assert float(p_g.sum()) * 0.01 == pytest.approx(1, abs=1e-9 if latent is NORMAL else 0.05), (
        "but for a cell at each jump"
    )


@given(PARTS, PARTS, st.lists(tensors(st.floats(-3, 3), 2, 2), min_size=1, max_size=5).map(torch.stack))
def test_pushing_twice_is_pushing_once(parts, others, x):
    (first, _), (second, slope) = rising(parts), rising(others)
    once = pushforward_density(x, lambda point: first(second(point)), NORMAL)
    assert_close(once, pushforward_density(second(x), first, NORMAL) * slope(x).prod(1), **CLOSE)


# Mixtures


@st.composite
def mixtures(draw, dimensions=1):
    modes = draw(st.integers(1, 4))
    means = [draw(tensors(st.floats(-5, 5), dimensions, dimensions)) for _ in range(modes)]
    weights = draw(st.lists(st.just(0.0) | st.floats(0.01, 1), min_size=modes, max_size=modes).filter(any))
    return Mixture(torch.stack(means), draw(tensors(st.floats(0.1, 3), modes, modes)), weights)


@given(mixtures())
def test_a_mixture_has_mass_one_and_the_mean_of_its_modes(mixture):
    density = mixture.density(LINE)
    assert float(density.sum()) * 0.01 == pytest.approx(1, abs=1e-9)
    mean = float((density * LINE[:, 0]).sum()) * 0.01
    assert mean == pytest.approx(float(mixture.weights @ mixture.means[:, 0]), abs=1e-8)


@given(mixtures(2), tensors(st.floats(-9, 9), 2, 2), st.floats(0.1, 10))
def test_the_density_of_a_moved_mixture_is_the_moved_density(mixture, offset, scale):
    """The change of variables x ↦ s·x + c in the plane: p(x)/s²."""
    moved = Mixture(scale * mixture.means + offset, scale * mixture.stds, mixture.weights)
    x = torch.linspace(-9, 9, 12, dtype=torch.float64).reshape(6, 2)
    expected = mixture.log_density(x) - 2 * math.log(scale)
    assert_close(moved.log_density(scale * x + offset), expected, rtol=1e-8, atol=1e-8)


@given(mixtures(2), st.integers(0, 99))
def test_samples_lie_at_their_modes_as_often_as_these_weigh(mixture, seed):
    points, modes = mixture.sample(400, torch.Generator().manual_seed(seed))
    distance = (points.double() - mixture.means[modes]).norm(dim=1)
    assert (distance < 9 * mixture.stds[modes] + 1e-5).all()
    counts, expected = modes.bincount(minlength=len(mixture.weights)), 400 * mixture.weights
    assert ((counts - expected).abs() <= 6 * (expected * (1 - mixture.weights)).sqrt() + 2 * (expected > 0)).all()
