"""A sweep over γ of R1, as a user runs it: ``wandb sweep`` and ``wandb agent`` on examples/sweeps/gamma.yaml.

    .venv/bin/python -m benchmarks.gamma_sweep     # ten runs: nine minutes of a core

W&B's server is ``wandb_server.py``, on this machine. Each γ has two seeds and the same number of images; the score is
that of a run's best evaluation, which is what the search goes by.
"""

import os
import resource
import sys
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.clock import results, write
from benchmarks.wandb_server import SweepServer

SWEEP = Path(__file__).parent.parent / "examples" / "sweeps" / "gamma.yaml"
GAMMA = "model.penalties.r1.weight"


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Return a line for each γ: its scores, seed by seed, and their mean."""
    lines = []
    for gamma in sorted({row["gamma"] for row in rows}):
        scores = [row["fid_lite0"] for row in rows if row["gamma"] == gamma]
        lines.append(f"| {gamma} | {' | '.join(f'{score:.0f}' for score in scores)} | {mean(scores):.0f} |")
    return lines


def main() -> None:
    with SweepServer() as server, TemporaryDirectory() as folder:
        (Path(folder) / "examples").symlink_to(SWEEP.parent.parent)
        server.run(SWEEP, Path(folder))
    goal, rows = server.config["metric"], []
    for run in server.runs.values():
        config = {name: part["value"] for name, part in run.config.items()}
        score = run.metric_extremum(goal["name"], goal["goal"])
        rows.append({"gamma": config[GAMMA], "seed": config["seed_everything"], "fid_lite0": float(score)})
    rows.sort(key=lambda row: (row["gamma"], row["seed"]))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = (used.ru_utime + used.ru_stime) / len(rows)
    write(results("gamma_sweep"), rows, core_seconds_a_run=seconds, threads=os.environ.get("OMP_NUM_THREADS"))
    print(*table(rows), sep="\n")
    print(f"{seconds:.0f} s of a core for a run; the best was {server.best().name}")


if __name__ == "__main__":
    main(*sys.argv[1:])
