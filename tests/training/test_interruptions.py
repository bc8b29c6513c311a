"""A run that is interrupted, however often, wherever and however, ends as one that was not; each draw has its seed."""

import random
import time

import pytest
import torch

from tests.support.interruptions import Combination, Interruption, differs, fit, on_all

pytestmark = pytest.mark.slow

KNOWN = {  # that once ended elsewhere
    "SIGTERM at an epoch's last batch, then in the next": Combination(
        batches=6,
        interruptions=(
            Interruption(5, "on_train_batch_start", "SIGTERM"),
            Interruption(7, "on_train_batch_start", "SIGTERM"),
        ),
    ),
    "between the turns": Combination(
        checkpoints="save_on_exception", k=2, interruptions=(Interruption(4, "generator's turn", "exception"),)
    ),
    "in the discriminator's turn": Combination(
        checkpoints="save_on_exception", interruptions=(Interruption(4, "discriminator's turn", "exception"),)
    ),
    "at the last step, before its validation": Combination(
        end="max_steps",
        checkpoints="every n steps",
        validation="each epoch",
        batches=2,
        epochs=4,
        interruptions=(Interruption(6, "on_validation_batch_start", "SIGKILL"),),
    ),
    "in a validation": Combination(
        batches=6, validation="between", interruptions=(Interruption(4, "on_validation_batch_start", "SIGINT"),)
    ),
    "a stream": Combination(
        data="stream", checkpoints="every n steps", interruptions=(Interruption(5, "on_train_batch_end", "SIGKILL"),)
    ),
}
SEED = random.Random(time.time_ns()).randint(0, 10**6)


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_interruption_leaves_no_trace(tmp_path, name):
    assert differs(tmp_path, KNOWN[name]) == []


@pytest.mark.parametrize("draws", [1, pytest.param(60, marks=pytest.mark.extended)])
def test_drawn_interruptions_leave_no_trace(tmp_path, draws):
    rng = random.Random(SEED)
    for _ in range(draws):
        run = Combination.draw(rng)
        assert differs(tmp_path, run) == [], f"seed {SEED}: {run}"


def test_the_comparison_finds_a_run_that_ended_elsewhere(tmp_path):
    """One whose newest checkpoint is of another run, of other data."""
    run = Combination(batches=2, interruptions=(Interruption(9, "on_train_end", "SIGKILL"),))
    on_all(fit, tmp_path / "whole", run, None, world_size=1)
    other = Combination(batches=2, k=2)
    on_all(fit, tmp_path / "other", other, None, world_size=1)
    ends = [torch.load(tmp_path / name / "end.ckpt", weights_only=True) for name in ("whole", "other")]
    assert ends[0]["global_step"] != ends[1]["global_step"]
