"""The soak's short version: kills at random times change nothing. benchmarks/soak.py has an hour of them."""

import pytest

from benchmarks.soak import soak


@pytest.mark.slow
def test_a_run_killed_at_random_ends_as_one_let_alone(tmp_path):
    """A minute of training, some more with all that is started again, as other tests run beside."""
    found = soak(minutes=1.0, kills=5, seed=2026, folder=tmp_path)
    assert sum(found["kills"].values()) == 5
    assert found["differing"] == []
    assert found["files"][0] == found["files"][1]
    assert found["memory_growth"] < 0.02
