"""Schedules against their formulas."""

import pytest

from lit_gan import schedules
from lit_gan.schedules import Cosine, Linear, Schedule

SCHEDULES = [
    cls for cls in (getattr(schedules, n) for n in schedules.__all__) if isinstance(cls, type) and cls is not Schedule
]


def test_linear_goes_straight_and_stays():
    ramp = Linear(start=1.0, end=0.2, images=100)
    assert [ramp(n) for n in (0, 25, 50, 100, 1000)] == pytest.approx([1.0, 0.8, 0.6, 0.2, 0.2])


def test_linear_can_warm_up():
    assert Linear(0.0, 1.0, 10)(5) == 0.5


def test_cosine_is_half_a_period():
    ramp = Cosine(start=3.0, end=1.0, images=100)
    assert [ramp(n) for n in (0, 50, 100, 200)] == pytest.approx([3.0, 2.0, 1.0, 1.0])
    assert ramp(25) == pytest.approx(2 + 2**-0.5)


@pytest.mark.parametrize("cls", SCHEDULES)
def test_every_schedule_is_a_value(cls):
    assert cls() == cls()
    assert isinstance(cls()(0), float)
