"""Nearest neighbours and the test for copies, against closed forms and scipy's."""

import copy
import math
import pickle

import pytest
import torch
from scipy.stats import mannwhitneyu

from lit_gan.metrics.copying import copying_test, copying_test_with_variety, nearest_neighbours

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


def told(samples, train, held_out):
    distances = (nearest_neighbours(some, [train]).distances[:, 0] for some in (samples, held_out))
    return copying_test_with_variety(*distances, samples, held_out)


def drawn(seed):
    """Return kinds of samples that copy nothing, and kinds that copy, of 1,000 training and 250 held-out points."""
    rng = torch.Generator().manual_seed(seed)
    train, held_out, new = (torch.randn(n, 30, generator=rng, dtype=torch.float64) for n in (1000, 250, 200))
    noise = 0.01 * torch.randn(200, 30, generator=rng, dtype=torch.float64)
    five = torch.randint(5, (200,), generator=rng)
    means = torch.stack([part.mean(0) for part in train.chunk(10)])
    others = {
        "the mean": train.mean(0) + noise,
        "means": means[torch.randint(10, (200,), generator=rng)] + noise,
        "shrunk": 0.6 * new,
        "one new": new[:1] + noise,
        "five new": new[five] + noise,
        "new": new,
    }
    copies = {
        "all": train[:200],
        "nearly": train[:200] + 20 * noise,
        "shrunk": 0.7 * train[:200],
        "five": train[five] + noise,
        "one": train[:1] + noise,
        "a third": torch.cat([train[:70], new[:130]]),
    }
    return others, copies, train, held_out


def test_copies_are_told_from_what_is_near_to_all_data():
    """The share of false accusations is that of both tests at most; each kind of copies is found each time."""
    accused, shrunk = 0, 0
    for seed in range(6):
        others, copies, train, held_out = drawn(seed)
        for kind, samples in others.items():
            test = told(samples, train, held_out)
            accused += "as copies are" in str(test)
            shrunk += kind == "shrunk" and test.p_value < 0.01
            assert (test.variety < 0.5) == ("less varied" in str(test)) == (kind in ("the mean", "means", "one new"))
        for kind, samples in copies.items():
            assert "as copies are" in str(told(samples, train, held_out)), kind
    assert shrunk == 6, "nearer than held-out data, each time"
    assert accused <= 6 * 6 * 0.05 + 2 * math.sqrt(6 * 6 * 0.05)


def test_one_image_is_both_a_copy_and_unvaried():
    *_, train, held_out = drawn(0)
    said = str(told(train[:1].repeat(50, 1), train, held_out))
    assert "as copies are" in said
    assert "far less varied than the data (0%" in said


def test_variety_and_preference_have_closed_forms():
    """On a line: two samples 1 apart, held-out data 3 apart; the copy at 0 is nearer to training, all else alike."""
    held_out, train = torch.tensor([[2.0], [5.0]]), torch.tensor([[0.0], [9.0]])
    test = told(torch.tensor([[0.0], [1.0]]), train, held_out)
    assert test.variety == pytest.approx(1 / 3)
    # Shares 0/2 and 1/2, against 2/5 and 4/7; the second sample is nearer to the first than to held-out data: k = 1.
    z = (0.5 - 3 / 4) / math.sqrt((1 + 2 + 1) / (12 * 1 * 2))
    assert test.towards == pytest.approx(math.erfc(-z / math.sqrt(2)) / 2)
    assert test == copying_test(torch.tensor([0.0, 1.0]), torch.tensor([2.0, 4.0]))


def test_the_result_survives_pickle_and_copy():
    test = told(normal(5, 2), normal(9, 2), normal(4, 2))
    for again in (pickle.loads(pickle.dumps(test)), copy.deepcopy(test)):
        assert (again, again.towards, again.variety) == (test, test.towards, test.variety)


def test_samples_that_are_held_out_and_trained_on_prefer_neither():
    points = torch.zeros(6, 2)
    assert told(points, points, points).towards == 0.5


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
    assert "as copies are, and as blurred or unvaried samples" in str(
        copying_test(torch.zeros(30), torch.arange(30.0) + 1)
    )
    assert str(copying_test(torch.arange(30.0) + 1, torch.zeros(30))).endswith("which can hide copies among them")
