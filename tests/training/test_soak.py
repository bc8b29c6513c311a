"""The soak's short version: kills at random times change nothing. benchmarks/soak.py has an hour of them."""

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.soak import soak


@pytest.mark.extended
@pytest.mark.alone
def test_a_run_killed_at_random_ends_as_one_let_alone(tmp_path):
    """A minute of training, some more with all that is started again, as other tests run beside."""
    found = soak(minutes=1.0, kills=5, seed=2026, folder=tmp_path)
    assert sum(found["kills"].values()) == 5
    assert found["differing"] == []
    assert found["files"][0] == found["files"][1]
    assert found["memory_growth"] < 0.02


STARTS = """
import sys
from pathlib import Path
from benchmarks import soak
soak.command = lambda steps, each: [sys.executable, "-c", "import sys; sys.stdin.read()"]
print(soak.start(Path(sys.argv[1]), 1, 1).pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="of Linux")
def test_a_killed_soak_leaves_no_process_behind(tmp_path):
    root = Path(__file__).parents[2]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", STARTS, tmp_path / "run"], cwd=root, **pipes) as soak:
        descriptor = os.pidfd_open(int(soak.stdout.readline()))
        soak.kill()
        ended, _, _ = select.select([descriptor], [], [], 30)  # readable once that process has ended
        os.close(descriptor)
    assert ended == [descriptor]
