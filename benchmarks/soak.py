"""Soak: a run that is killed again and again ends with the bits of one that was not, and neither's memory grows.

    .venv/bin/python -m benchmarks.soak [MINUTES [KILLS [SEED]]]     # 60 and 50: an hour, both runs side by side

Both are the command of ``make demo`` for as many updates as this machine makes in the time, on one thread each, with
worker processes, an adaptive augmentation, validations, the monitor and a grid now and then, and a checkpoint each few
seconds. One is let alone. The other is ended at random times, by SIGKILL or SIGTERM, in its start, its steps or its
writing as it comes, and started again with ``--ckpt_path last``. Memory (RSS) and open files are those of the run that
is let alone, from a tenth of its way on, and 600 updates at the least.
"""

import ctypes
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from benchmarks.clock import PRESETS, resident, results, write

_CHECKPOINT_EACH = 5.0  # seconds
_PR_SET_PDEATHSIG = 1  # of Linux's prctl
_WARM = 600  # updates, after the first validation, grid and measurement
_FOLDERS = ".callbacks.ModelCheckpoint"
"""The part of a checkpoint that names the folders of its run, which differ."""


class Vitals(Callback):
    """Writes generator updates, memory in KiB and open files of its process to a file, each so many updates.

    Args:
        path: of the file, a line of JSON for each look.
        every_n_steps: generator updates between looks.
    """

    def __init__(self, path: str, every_n_steps: int = 50) -> None:
        self.path, self.every_n_steps = path, every_n_steps

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Look."""
        if trainer.global_step % self.every_n_steps == 0:
            files = len(list(Path("/proc/self/fd").iterdir()))
            look = {"step": trainer.global_step, "seconds": time.monotonic(), "kib": resident(), "files": files}
            with Path(self.path).open("a") as file:
                file.write(json.dumps(look) + "\n")


def command(steps: int, each: int) -> list[str]:
    """Return a command that trains for so many updates and goes on with whatever is there."""
    options = {
        "ckpt_path": "last",
        "trainer.max_time": "null",
        "trainer.max_steps": steps,
        "trainer.limit_val_batches": 4,
        "trainer.enable_progress_bar": "false",
        "trainer.logger.init_args.name": "soak",
        "model.augment": "AdaptiveAugment",
        "data.num_workers": 1,
    }
    callbacks: dict[str, dict[str, Any]] = {
        "benchmarks.soak.Vitals": {"path": "vitals.jsonl"},
        "ModelCheckpoint": {"every_n_train_steps": each, "save_last": "true"},
    }
    added = [
        part
        for name, arguments in callbacks.items()
        for part in (
            f"--trainer.callbacks+={name}",
            *(f"--trainer.callbacks.{key}={value}" for key, value in arguments.items()),
        )
    ]
    given = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "lit_gan", "fit", f"--config={PRESETS / 'demo.yaml'}", *given, *added]


def start(folder: Path, steps: int, each: int) -> subprocess.Popen[bytes]:
    """Start a run in a folder; what it says goes to ``log`` there."""
    folder.mkdir(exist_ok=True)
    paths = os.pathsep.join(filter(None, [str(PRESETS.parents[1]), os.environ.get("PYTHONPATH", "")]))
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            command(steps, each), cwd=folder, env=environment, stdout=log, stderr=log, preexec_fn=_end_with_parent
        )


def _end_with_parent() -> None:
    """Have Linux end this process when the one that started it ends, however that happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def looks(folder: Path) -> list[dict[str, float]]:
    """Return what Vitals saw."""
    return [json.loads(line) for line in (folder / "vitals.jsonl").read_text().splitlines()]


def pace(folder: Path, steps: int = 400) -> float:
    """Return updates per second of two runs side by side, each on a thread."""
    both = [start(folder / name, steps, steps) for name in ("pace_a", "pace_b")]
    if any(run.wait() for run in both):
        raise RuntimeError(f"a rehearsal failed: {(folder / 'pace_a' / 'log').read_text()[-2000:]}")
    first, *_, last = looks(folder / "pace_a")
    return (last["step"] - first["step"]) / (last["seconds"] - first["seconds"])


def harass(folder: Path, steps: int, each: int, gap: float, kills: int, rng: random.Random) -> dict[str, int]:
    """Run to the end, through so many kills at random times; return how many there were of each kind."""
    ended = {"SIGKILL": 0, "SIGTERM": 0}
    while True:
        run = start(folder, steps, each)
        try:
            code = run.wait(rng.uniform(0, 2 * gap) if sum(ended.values()) < kills else None)
        except subprocess.TimeoutExpired:
            how = rng.choice((signal.SIGKILL, signal.SIGTERM))
            run.send_signal(how)
            run.wait()
            ended[how.name] += 1
            continue
        if code:
            raise RuntimeError(f"the run ended with {code}: {(folder / 'log').read_text()[-2000:]}")
        return ended


def end(folder: Path) -> dict[str, Any]:
    """Return the last checkpoint of a folder's runs."""
    newest = max(folder.glob("runs/soak/*/checkpoints/last.ckpt"), key=lambda path: path.stat().st_mtime_ns)
    checkpoint: dict[str, Any] = torch.load(newest, weights_only=True)
    return checkpoint


def differing(a: Any, b: Any, name: str = "") -> list[str]:
    """Return the names of all leaves of two checkpoints that are not the same bits."""
    if isinstance(a, dict) and isinstance(b, dict):
        return [d for key in a.keys() | b.keys() for d in differing(a.get(key), b.get(key), f"{name}.{key}")]
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)) and len(a) == len(b):
        return [d for i, (x, y) in enumerate(zip(a, b, strict=True)) for d in differing(x, y, f"{name}.{i}")]
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return [] if a.dtype == b.dtype and torch.equal(a, b) else [name]
    return [] if a == b else [name]


def soak(minutes: float, kills: int, seed: int, folder: Path) -> dict[str, Any]:
    """Return what came of both runs."""
    rate = pace(folder)
    steps, each = round(60 * minutes * rate), max(1, round(_CHECKPOINT_EACH * rate))
    alone = start(folder / "alone", steps, each)
    ended = harass(folder / "harassed", steps, each, 60 * minutes / kills, kills, random.Random(seed))
    if alone.wait():
        raise RuntimeError(f"the run that was let alone failed: {(folder / 'alone' / 'log').read_text()[-2000:]}")
    vitals = looks(folder / "alone")
    late = [look for look in vitals if look["step"] >= max(steps / 10, min(_WARM, steps / 2))]
    differ = differing(end(folder / "alone"), end(folder / "harassed"))
    return {
        "steps": steps,
        "kills": ended,
        "differing": [name for name in differ if not name.startswith(_FOLDERS)],
        "memory_growth": max(look["kib"] for look in late) / late[0]["kib"] - 1,
        "files": [late[0]["files"], late[-1]["files"]],
    }


def line(found: dict[str, Any]) -> str:
    """Return the table's row."""
    cells = (f"{found['steps']:,}", *found["kills"].values(), len(found["differing"]), f"{found['memory_growth']:+.1%}")
    return f"| {' | '.join(map(str, cells))} | {found['files'][0]}; {found['files'][1]} |"


def main(minutes: str = "60", kills: str = "50", seed: str = "0") -> None:
    with TemporaryDirectory() as folder:
        found = soak(float(minutes), int(kills), int(seed), Path(folder))
    print("| updates | SIGKILL | SIGTERM | parts that differ | memory, most / warm | open files, warm; end |")
    print("|---|---|---|---|---|---|")
    print(line(found), *found["differing"][:10], sep="\n")
    write(results("soak"), [found], minutes=float(minutes))


if __name__ == "__main__":
    main(*sys.argv[1:])
