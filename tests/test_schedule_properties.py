"""What holds of every schedule, whatever its ends and length."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_gan.schedules import Cosine, Linear

VALUES = st.floats(0, 1e6)
LENGTHS = st.integers(1, 10**7)
RAMPS = pytest.mark.parametrize(("ramp", "steepest"), [(Linear, 1.0), (Cosine, math.pi / 2)])


@RAMPS
@given(VALUES, VALUES, LENGTHS, st.integers(0, 10**9))
def test_a_ramp_begins_and_ends_exactly_where_it_says(ramp, steepest, start, end, images, later):
    schedule = ramp(start, end, images)
    assert schedule(0) == start
    assert schedule(images) == schedule(images + later) == end


@RAMPS
@given(VALUES, VALUES, LENGTHS, st.floats(0, 1.2), st.floats(0, 1.2))
def test_a_ramp_stays_between_its_ends_and_never_turns_nor_jumps(ramp, steepest, start, end, images, a, b):
    """|f(n) − f(m)| ≤ slope·|n − m|, all of it towards the end."""
    schedule = ramp(start, end, images)
    m, n = sorted((int(a * images), int(b * images)))
    rounding = 1e-12 * max(start, end)
    assert min(start, end) - rounding <= schedule(n) <= max(start, end) + rounding
    gain = (schedule(n) - schedule(m)) * math.copysign(1, end - start)
    assert -rounding <= gain <= steepest * abs(end - start) * (n - m) / images + rounding


@RAMPS
@given(VALUES, VALUES, st.integers(1, 10**6), st.floats(0, 1))
def test_a_ramp_back_is_the_ramp_mirrored(ramp, steepest, start, end, images, t):
    """f from a to b and f from b to a add up to a + b, at each n; and f(n) + f(images − n) do as well."""
    schedule, back, n = ramp(start, end, images), ramp(end, start, images), int(t * images)
    assert schedule(n) + back(n) == pytest.approx(start + end, rel=1e-9)
    assert schedule(n) + schedule(images - n) == pytest.approx(start + end, rel=1e-9)


@RAMPS
@given(VALUES, VALUES, st.integers(1, 10**6), st.integers(1, 100), st.floats(0, 1.2))
def test_only_the_share_of_the_ramp_counts(ramp, steepest, start, end, images, factor, t):
    n = int(t * images)
    assert ramp(start, end, images)(n) == ramp(start, end, images * factor)(n * factor)
