"""Nearest neighbours and the test for copies, against closed forms and scipy's."""

import math

import pytest
import torch
from scipy.stats import mannwhitneyu

from lit_gan.metrics.copying import copying_test, nearest_neighbours

RNG = torch.Generator().manual_seed(0)


def normal(*shape):
    return torch.randn(*shape, generator=RNG, dtype=torch.float64)


def test_neighbours_on_a_line():
    nearest = nearest_neighbours(
        torch.tensor([[0.0], [10.0]]), [torch.tensor([[3.0], [-1.0]]), torch.tensor([[8.0]])], 2
    )
    assert nearest.numbers.tolist() == [[1, 0], [2, 0]]
    assert nearest.distances.tolist() == [[1.0, 3.0], [2.0, 7.0]]


@pytest.mark.parametrize("size", [1, 7, 100])
def test_blocks_do_not_matter(size):
    samples, real = normal(20, 5), normal(100, 5)
    expected, numbers = (samples[:, None] - real).norm(dim=2).sort(1)
    nearest = nearest_neighbours(samples, real.split(size), 4)
    torch.testing.assert_close(nearest.distances, expected[:, :4])
    assert nearest.numbers.equal(numbers[:, :4])


def test_a_copied_image_is_at_the_distance_0_and_others_are_exact():
    real = torch.randint(256, (300, 3, 16, 16), generator=RNG, dtype=torch.uint8)
    other = real[[7]].clone()
    other[0, 0, 0, 0] ^= 255
    nearest = nearest_neighbours(torch.cat([real[[250]], other]), real.split(64))
    assert nearest.numbers[:, 0].tolist() == [250, 7]
    assert nearest.distances[0] == 0
    assert nearest.distances[1] == abs(int(other[0, 0, 0, 0]) - int(real[7, 0, 0, 0]))


def test_closed_forms():
    """All nearer; all further; as near; one swap of two and two: U = 1 of 4, σ² = 4·5/12."""
    low, high = torch.arange(10.0), torch.arange(10.0) + 100
    sigma = math.sqrt(100 * 21 / 12)
    copies, far = copying_test(low, high), copying_test(high, low)
    assert (copies.closer, far.closer) == (1, 0)
    assert copies.z == pytest.approx(-50 / sigma)
    assert far.z == pytest.approx(50 / sigma)
    assert copies.p_value == pytest.approx(math.erfc(50 / sigma / math.sqrt(2)) / 2)
    assert copies.p_value + far.p_value == pytest.approx(1)
    same = copying_test(low, low)
    assert same == (0.5, 0, 0.5)
    swapped = copying_test(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 3.0]))
    assert swapped.closer == 0.75
    assert swapped.z == pytest.approx((1 - 2) / math.sqrt(4 * 5 / 12))
    assert copying_test(torch.zeros(5), torch.zeros(3)) == (0.5, 0, 0.5)


@pytest.mark.parametrize("decimals", [0, 1, 9])
def test_z_is_scipys_with_ties_and_without(decimals):
    generated, held_out = normal(80).abs().round(decimals=decimals), (normal(60).abs() + 0.2).round(decimals=decimals)
    test = copying_test(generated, held_out)
    expected = mannwhitneyu(generated, held_out, alternative="less", method="asymptotic", use_continuity=False)
    assert test.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert 1 - test.closer == pytest.approx(expected.statistic / (80 * 60))


def test_z_is_standard_normal_where_samples_are_new_and_finds_copies():
    """As in the paper: a kernel density estimate copies where its width is small, and strays where it is large."""
    rng, z = torch.Generator().manual_seed(2), {"new": [], "copies": [], "wide": []}
    for _ in range(200):
        train, held_out, fresh, noise = torch.randn(4, 60, 2, generator=rng)
        samples = {"new": fresh, "copies": train + 0.02 * noise, "wide": train + 3 * noise}
        reference = nearest_neighbours(held_out, [train]).distances
        for kind, some in samples.items():
            z[kind].append(copying_test(nearest_neighbours(some, [train]).distances, reference).z)
    new = torch.tensor(z["new"])
    assert new.mean() == pytest.approx(0, abs=3 / math.sqrt(200))
    assert new.std() == pytest.approx(1, abs=3 / math.sqrt(400))
    assert max(z["copies"]) < -4
    assert min(z["wide"]) > 1


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: nearest_neighbours(normal(2, 3), [normal(4, 3)], 5), ValueError, "k=5 neighbours of 4 real samples"),
        (
            lambda: nearest_neighbours(normal(2, 3), [normal(4, 2)]),
            ValueError,
            "samples of 3 numbers and real ones of 2",
        ),
        (lambda: nearest_neighbours(normal(2, 3), [normal(4, 3)], 0), ValueError, "k=0 must be at least 1"),
        (lambda: copying_test(torch.empty(0), torch.ones(2)), ValueError, "0 distances of samples and 2 of held-out"),
        (lambda: copying_test(torch.tensor([torch.nan]), torch.ones(2)), ValueError, "no NaN"),
    ],
)
def test_what_is_refused(call, error, says):
    with pytest.raises(error, match=says):
        call()


def test_it_says_what_it_means():
    assert str(copying_test(torch.arange(30.0), torch.arange(30.0))).endswith(
        "in 50% of pairs, z = 0.0: no sign of copies"
    )
    assert str(copying_test(torch.zeros(30), torch.arange(30.0) + 1)).endswith(
        "nearer than new data would be, as copies are"
    )
    assert str(copying_test(torch.arange(30.0) + 1, torch.zeros(30))).endswith("which can hide copies among them")
