"""GaussianMixture: where its modes are, the published settings, its splits, what it refuses."""

import math

import pytest
import torch
from torch.testing import assert_close

from lit_gan.data import GaussianMixture


def test_ring():
    mixture = GaussianMixture("ring", modes=6, size=3.0, std=0.2).mixture
    assert_close(mixture.means.norm(dim=1), torch.full((6,), 3.0).double())
    gaps = (mixture.means - mixture.means.roll(1, 0)).norm(dim=1)
    assert_close(gaps, torch.full((6,), 3.0).double())  # neighbours of a hexagon are a radius apart
    assert mixture.stds.unique().item() == 0.2


def test_grid():
    means = GaussianMixture("grid", modes=9, size=2.0).mixture.means
    assert {tuple(m) for m in means.tolist()} == {(x, y) for x in (-2, 0, 2) for y in (-2, 0, 2)}


def test_line():
    assert GaussianMixture("line", modes=3, size=2.0).mixture.means.tolist() == [[-2], [0], [2]]
    assert GaussianMixture("line", modes=1).mixture.means.tolist() == [[0]]


def test_any_mixture_on_a_line():
    data = GaussianMixture("line", means=[-1.0, 4.0], std=[0.5, 2.0], weights=[1, 3])
    assert data.mixture.means.tolist() == [[-1], [4]]
    assert data.mixture.stds.tolist() == [0.5, 2]
    assert data.mixture.weights.tolist() == [0.25, 0.75]
    assert data.load("val")[0].shape == (10_000, 1)


@pytest.mark.parametrize(
    ("setting", "kind", "modes", "reach", "std"),
    [
        ("veegan", "ring", 8, 1.0, 0.01),
        ("pacgan", "ring", 8, 1.0, 0.01),
        ("wgan_gp", "ring", 8, math.sqrt(2), 0.02 / math.sqrt(2)),
        ("veegan", "grid", 25, 4.0, 0.05),
        ("pacgan", "grid", 25, 4.0, 0.05),
        ("wgan_gp", "grid", 25, math.sqrt(2), 0.05 / math.sqrt(8)),
    ],
)
def test_published_settings(setting, kind, modes, reach, std):
    data = GaussianMixture(kind, setting)
    means = data.mixture.means
    assert means.shape == (modes, 2)
    assert float(means.max()) == pytest.approx(reach, rel=1e-3)
    assert_close(data.mixture.stds, torch.full((modes,), std).double(), rtol=1e-3, atol=0)
    nearest = torch.pdist(means).min()
    assert float(nearest) == pytest.approx(reach / 2 if kind == "grid" else 2 * reach * math.sin(math.pi / 8), rel=1e-3)


def test_splits_are_the_same_each_time_and_differ_from_each_other():
    data, again, other = (GaussianMixture(train_size=500, held_out_size=100, seed=s) for s in (0, 0, 1))
    for split in ("train", "val", "test"):
        assert torch.equal(data.load(split)[0], again.load(split)[0])
        assert not torch.equal(data.load(split)[0], other.load(split)[0])
    assert len(data.load("train")[0]) == 500
    assert not torch.equal(data.load("val")[0], data.load("test")[0])


def test_points_are_drawn_without_touching_the_random_state():
    before = torch.get_rng_state()
    GaussianMixture().load("val")
    assert torch.equal(before, torch.get_rng_state())
