"""What the long benchmarks rest on: seeds that differ, a clock that stands still, records that can be read."""

import json
import math

import pytest
import torch

from benchmarks import clock
from benchmarks.clock import Clock, write
from benchmarks.mode_coverage import CONTENDERS, _preset


def first_weights(make, seed):
    torch.manual_seed(seed)
    model = make()
    return torch.cat([p.flatten() for p in model.parameters()] + [model.discriminator.layers[1].waves.flatten()])


@pytest.mark.parametrize(
    "make", [lambda: _preset(1000), lambda: CONTENDERS["plain"](None, 1.0)], ids=["recipe", "plain"]
)
def test_each_seed_of_a_contest_has_its_own_first_weights(make):
    """Of the preset too, whose file names a seed."""
    assert not torch.equal(first_weights(make, 0), first_weights(make, 1))
    assert torch.equal(first_weights(make, 1), first_weights(make, 1))


def test_the_clock_stands_still_while_scores_are_taken(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(clock.time, "perf_counter", lambda: now[0])

    def score(trained):
        now[0] += 100
        return {"fid": trained}

    watch = Clock(budget=4, points=2, score=score)
    watch.start()
    going = []
    for step in range(4):
        now[0] += 1
        going.append(watch.tick(float(step)))
    assert going == [True, True, True, False]
    assert watch.curve == [{"seconds": 2, "steps": 2, "fid": 1.0}, {"seconds": 4, "steps": 4, "fid": 3.0}]


def test_a_record_holds_what_is_infinite(tmp_path):
    write(tmp_path / "r.json", [{"kl": math.inf, "modes": 3.0, "curve": [math.nan]}], minutes=1.0)
    record = json.loads(
        (tmp_path / "r.json").read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON")
    )
    assert record["rows"] == [{"kl": "inf", "modes": 3.0, "curve": ["nan"]}]
    assert record["minutes"] == 1.0
