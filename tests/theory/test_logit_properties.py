"""What holds of accuracy, calibration and the intervals, over drawn logits: ties and outliers are among them."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from lit_gan.theory import (
    accuracy,
    accuracy_p_value,
    calibrate,
    calibration_error,
    jsd_interval,
    jsd_lower_bound,
    value,
)
from tests.support.strategies import LOGITS, SAMPLES, alike, at_most, doubles, tensors

WITH_OUTLIERS = tensors(LOGITS | st.integers(-(10**6), 10**6), 2, 10)


@given(SAMPLES, SAMPLES)
def test_accuracy_is_a_share_that_swapped_labels_turn_over(real, fake):
    right = accuracy(real, fake)
    assert 0 <= right <= 1
    assert alike(accuracy(fake, real), 1 - right)
    assert alike(accuracy(-fake, -real), right)


@given(SAMPLES, SAMPLES, st.integers(1, 20))
def test_a_calibration_error_grows_as_bins_are_halved(real, fake, bins):
    """From |½ − E[D]| with one bin to 1 at the most: an error that cancels in a bin does not cancel in its halves."""
    d = (real.sigmoid().mean() + fake.sigmoid().mean()) / 2
    assert alike(calibration_error(real, fake, bins=1), abs(0.5 - d))
    coarse, fine = calibration_error(real, fake, bins), calibration_error(real, fake, 2 * bins)
    assert at_most(abs(0.5 - d), coarse)
    assert at_most(coarse, fine)
    assert at_most(fine, 1)


# Calibration


def fitted(real, fake, x):
    slope, offset = calibrate(real, fake)
    return slope * x + offset


@given(WITH_OUTLIERS, WITH_OUTLIERS)
def test_a_calibration_is_the_best_line(real, fake):
    """The loss is convex, and at the fit its gradient vanishes: Newton's method has arrived, from wherever."""
    n, m, both = len(real), len(fake), torch.cat([real, fake])
    weight = doubles([0.5 / n] * n + [0.5 / m] * m)
    target = doubles([(n + 1) / (n + 2)] * n + [1 / (m + 2)] * m)
    off = weight * (fitted(real, fake, both).sigmoid() - target)
    unit = (both - both.mean()) / both.std().clamp_min(1e-12)
    flat = pytest.approx(0, abs=1e-7)  # the root of the last digit: below it, no step changes the loss
    assert float(off.sum()) == flat
    assert float((off * unit).sum()) == flat


@given(SAMPLES, SAMPLES, st.floats(0.01, 100), st.sampled_from([-1, 1]), st.floats(-100, 100))
def test_a_calibration_undoes_any_line(real, fake, scale, sign, offset):
    """a·logit + b is the same of logits in other units; with the labels swapped it is its opposite."""
    x = torch.linspace(-5, 5, 3).double()
    expected, close = fitted(real, fake, x), {"rtol": 1e-6, "atol": 1e-6}
    moved = (sign * scale * logits + offset for logits in (real, fake, x))
    assert_close(fitted(*moved), expected, **close)
    assert_close(fitted(fake, real, x), -expected, **close)


@given(SAMPLES, SAMPLES)
def test_a_calibration_rises_where_real_logits_are_higher_on_average(real, fake):
    slope, _ = calibrate(real, fake)
    assert (slope > 1e-9) - (slope < -1e-9) == float((real.mean() - fake.mean()).sign())


@given(st.floats(-1e6, 1e6), st.integers(2, 9), st.integers(2, 9))
def test_logits_without_spread_calibrate_to_a_slope_of_zero(logit, n, m):
    """What is left is the log odds of the targets' mean."""
    target = ((n + 1) / (n + 2) + 1 / (m + 2)) / 2
    slope, offset = calibrate(doubles([logit] * n), doubles([logit] * m))
    assert slope == 0
    assert offset == pytest.approx(math.log(target / (1 - target)), abs=1e-9)


# Intervals


@given(SAMPLES, SAMPLES, st.floats(0.05, 0.9), st.integers(0, 99))
def test_intervals_are_ordered_nested_and_within_what_any_resample_gives(real, fake, level, seed):
    low, high = jsd_interval(real, fake, level, resamples=20, seed=seed)
    lower, higher = jsd_interval(real, fake, level + 0.05, resamples=20, seed=seed)
    worst, best = (jsd_lower_bound(value(*ends)) for ends in ((real.min(), fake.max()), (real.max(), fake.min())))
    chain = [worst, lower, low, high, higher, best]
    assert all(at_most(a, b) for a, b in pairwise(chain))


@given(LOGITS, LOGITS, st.integers(1, 9), st.integers(1, 9))
def test_without_spread_the_interval_is_the_bound(real, fake, n, m):
    real, fake = doubles([real] * n), doubles([fake] * m)
    assert all(alike(end, jsd_lower_bound(value(real, fake))) for end in jsd_interval(real, fake, resamples=5))


@given(st.integers(1, 400), st.data())
def test_p_values_fall_by_the_binomial_probabilities_and_are_symmetric(n, data):
    k = data.draw(st.integers(1, n), label="correct")
    p = accuracy_p_value(k, n)
    assert accuracy_p_value(0, n) == pytest.approx(1, abs=1e-9)
    assert accuracy_p_value(n, n) == pytest.approx(2.0**-n, rel=1e-9)
    assert accuracy_p_value(k - 1, n) - p == pytest.approx(math.comb(n, k - 1) / 2**n, rel=1e-9, abs=1e-12)
    assert accuracy_p_value(n - k + 1, n) == pytest.approx(1 - p, abs=1e-9)
    assert accuracy_p_value(k - 0.5, n) == accuracy_p_value(k - 1, n), "a tie is rounded down"
