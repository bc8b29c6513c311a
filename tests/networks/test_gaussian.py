"""GaussianGenerator: G(z) = μ + σz, whose density is known."""

import math

import pytest
import torch
from torch.testing import assert_close

from lit_gan.networks import GaussianGenerator


def test_maps_latents_and_knows_its_density():
    generator = GaussianGenerator(2, mean=[1.0, -2.0], std=[0.5, 3.0])
    z = torch.tensor([[0.0, 0.0], [1.0, -1.0]])
    assert_close(generator(z), torch.tensor([[1.0, -2.0], [1.5, -5.0]]))
    normal = torch.distributions.Normal(torch.tensor([1.0, -2.0]).double(), torch.tensor([0.5, 3.0]).double())
    x = torch.randn(20, 2, generator=torch.Generator().manual_seed(0)).double() * 4
    assert_close(generator.log_density(x), normal.log_prob(x).sum(1), rtol=1e-6, atol=1e-6)


def test_one_number_serves_all_coordinates():
    assert_close(GaussianGenerator(3, mean=2.0, std=0.5)(torch.ones(1, 3)), torch.full((1, 3), 2.5))


def test_both_parameters_learn():
    generator = GaussianGenerator(2)
    generator(torch.ones(1, 2)).sum().backward()
    assert_close(generator.mu.grad, torch.ones(2))
    assert_close(generator.log_sigma.grad, torch.ones(2))
    assert math.isclose(float(generator.log_density(torch.zeros(1, 2))), -math.log(2 * math.pi), rel_tol=1e-9)


def test_other_latents_are_refused():
    with pytest.raises(ValueError, match=r"\(1, 3\): this generator takes \(N, 2\)"):
        GaussianGenerator(2)(torch.zeros(1, 3))
