"""Mixtures of Gaussians: the density against torch.distributions, the samples against the density."""

import math

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal
from torch.testing import assert_close

from lit_gan.theory import Mixture

MEANS = [[0.0, 1.0], [-2.0, 3.0], [4.0, -1.0]]


def test_density_is_that_of_torch():
    mixture = Mixture(MEANS, [0.5, 1.0, 2.0], [1, 2, 5])
    oracle = MixtureSameFamily(
        Categorical(torch.tensor([0.125, 0.25, 0.625]).double()),
        Independent(Normal(mixture.means, mixture.stds[:, None].expand(3, 2)), 1),
    )
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0)).double() * 5
    assert_close(mixture.log_density(x), oracle.log_prob(x), rtol=1e-12, atol=0)
    assert_close(mixture.density(x), oracle.log_prob(x).exp(), rtol=1e-12, atol=0)


def test_density_of_a_line_integrates_to_one():
    x = torch.linspace(-40, 40, 80_001, dtype=torch.float64)[:, None]
    assert float(Mixture([[-3.0], [5.0]], [0.1, 2.0], [3, 1]).density(x).sum()) * 1e-3 == pytest.approx(1, abs=1e-9)


def test_a_distant_point_has_a_finite_log_density():
    point = torch.full((1, 2), 1e3).double()
    expected = -((1e3 / 0.01) ** 2) - 2 * math.log(0.01) - math.log(2 * math.pi)
    assert float(Mixture([[0.0, 0.0]], 0.01).log_density(point)) == pytest.approx(expected, rel=1e-12)


def test_samples_have_the_moments_of_their_modes():
    mixture = Mixture(MEANS, [0.5, 1.0, 2.0], [1, 2, 5])
    points, modes = mixture.sample(80_000, torch.Generator().manual_seed(0))
    assert (points.dtype, modes.dtype) == (torch.float32, torch.int64)
    for k in range(3):
        own = points[modes == k].double()
        n, std = len(own), float(mixture.stds[k])
        assert n / 80_000 == pytest.approx(float(mixture.weights[k]), abs=5 * 0.5 / math.sqrt(80_000))
        assert_close(own.mean(0), mixture.means[k], atol=5 * std / math.sqrt(n), rtol=0)
        assert_close(own.std(0), torch.full((2,), std).double(), atol=5 * std / math.sqrt(2 * n), rtol=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 2.0], 1.0), r"means of shape \(2,\): give finite ones, \(modes, dimensions\)"),
        (([[math.nan]], 1.0), "give finite ones"),
        (([[1.0], [2.0]], [1.0, 2.0, 3.0]), r"stds=\[1.0, 2.0, 3.0\] for 2 modes"),
        (([[1.0]], 0.0), r"stds=\[0.0\] must be positive"),
        (([[1.0], [2.0]], 1.0, [1.0]), r"weights=\[1.0\] for 2 modes"),
        (([[1.0], [2.0]], 1.0, [1.0, -1.0]), r"weights=\[1.0, -1.0\] must not be negative"),
        (([[1.0], [2.0]], 1.0, [0.0, 0.0]), "nor all zero"),
    ],
)
def test_what_is_no_mixture_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Mixture(*arguments)
