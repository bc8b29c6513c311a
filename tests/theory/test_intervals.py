"""Intervals and p-values: coverage by simulation with known answers, tails by hand."""

import math
from math import comb

import pytest
import torch

from lit_gan.theory import accuracy_p_value, jsd_interval, jsd_lower_bound, value


def test_the_interval_holds_the_bound_as_often_as_it_says():
    """Log ratios of N(1, 1) against N(−1, 1) are 2x; the true bound is the JSD, by a very large sample."""
    rng = torch.Generator().manual_seed(0)

    def ratios(n, mean):
        return 2 * (torch.randn(n, generator=rng).double() + mean)

    jsd = float(jsd_lower_bound(value(ratios(2_000_000, 1), ratios(2_000_000, -1))))
    intervals = [jsd_interval(ratios(200, 1), ratios(200, -1), 0.9, resamples=200, seed=i) for i in range(300)]
    held = sum(low <= jsd <= high for low, high in intervals) / 300
    assert 0.84 <= held <= 0.95  # three standard errors of 0.9, and the percentile interval's slight shortness


def test_the_interval_narrows_with_the_root_of_the_samples():
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(6400, generator=rng)
    (a, b), (c, d) = jsd_interval(x[:400] + 1, x[:400] - 1), jsd_interval(x + 1, x - 1)
    assert (b - a) / (d - c) == pytest.approx(4, rel=0.25)


def test_the_interval_leaves_the_random_state_alone_and_is_the_same_again():
    x, before = torch.linspace(-1, 1, 50), torch.get_rng_state()
    assert jsd_interval(x, -x) == jsd_interval(x, -x) != jsd_interval(x, -x, seed=1)
    assert torch.equal(before, torch.get_rng_state())


def test_an_interval_of_one_sample_of_each_kind_is_a_point():
    low, high = jsd_interval(torch.tensor([1.0]), torch.tensor([-2.0]))
    bound = float(jsd_lower_bound(value(torch.tensor([1.0]).double(), torch.tensor([-2.0]).double())))
    assert low == pytest.approx(bound, abs=1e-12)
    assert high == pytest.approx(bound, abs=1e-12)


@pytest.mark.parametrize(("correct", "n"), [(0, 10), (5, 10), (8, 10), (10, 10), (531, 1000)])
def test_p_value_is_the_binomial_tail(correct, n):
    assert accuracy_p_value(correct, n) == pytest.approx(
        sum(comb(n, k) for k in range(correct, n + 1)) / 2**n, rel=1e-9
    )


def test_p_value_of_many_questions_is_near_the_normal_one():
    z = 1.5
    p = accuracy_p_value(500_000 + z * math.sqrt(1_000_000) / 2, 1_000_000)
    assert p == pytest.approx(math.erfc(z / math.sqrt(2)) / 2, rel=5e-3)
