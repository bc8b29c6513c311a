"""The share of a run's time that watching it takes: progress bar, log, sample grids and monitor, at their defaults.

    .venv/bin/python -m benchmarks.watching

What watches is timed inside the run that it watches, from its start on; the run has as many generator updates as there
are between two measurements of the monitor.
"""

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from pytorch_lightning import Callback, Trainer, seed_everything
from pytorch_lightning.loggers import CSVLogger

from benchmarks.clock import Row, quiet, results, write
from benchmarks.step import dcgan, points
from lit_gan import LitGAN
from lit_gan.callbacks import EquilibriumMonitor, SampleGrid
from lit_gan.data import FashionMNISTSample, GaussianMixture
from lit_gan.penalties import R1
from lit_gan.training import logging

LINE = "| {run} | {seconds:.1f} | {monitor:.2f} | {watching:.2f} | {share:.1%} | {goal} |"


class Stopwatch:
    """Adds up the seconds that some functions take."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the same function, timed."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - start

        return timed

    def time_hooks(self, callback: Callback) -> None:
        """Time all that a Trainer calls of a callback."""
        for name in dir(Callback):
            if name.startswith("on_") and getattr(type(callback), name) is not getattr(Callback, name):
                setattr(callback, name, self.timed(getattr(callback, name)))


def cases() -> dict[str, Callable[[], tuple[LitGAN, Any]]]:
    """Return networks and data by name."""

    def demo() -> LitGAN:
        return LitGAN(*dcgan(32, batch_norm=False), penalties={"r1": R1(0.3, every=16)})

    return {
        "DCGAN 32 px, width 32, batch 32 (make demo)": lambda: (demo(), FashionMNISTSample(32, 32)),
        "DCGAN 32 px, width 64, batch 128": lambda: (LitGAN(*dcgan()), FashionMNISTSample(32, 128)),
        "points, MLP 3 × 128, batch 512": lambda: (LitGAN(*points()), GaussianMixture(batch_size=512)),
    }


def run(gan: LitGAN, data: Any, folder: str) -> dict[str, float]:
    """Train between two measurements; return the seconds in all, of the monitor, and of all that watches."""
    monitor, monitors, everything = EquilibriumMonitor(), Stopwatch(), Stopwatch()
    trainer = Trainer(
        accelerator="cpu",
        max_steps=monitor.every_n_steps,
        max_epochs=-1,
        callbacks=[monitor, SampleGrid()],
        logger=CSVLogger(folder),
        enable_checkpointing=False,
        enable_model_summary=False,
    )
    monitors.time_hooks(monitor)
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        everything.time_hooks(callback)
    start = time.perf_counter()
    with (
        patch.object(logging, "log_metrics", everything.timed(logging.log_metrics)),
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),  # the bar's
    ):
        trainer.fit(gan, data)
    return {
        "seconds": time.perf_counter() - start,
        "monitor": monitors.seconds,
        "watching": everything.seconds,
    }


def main() -> None:
    quiet()
    rows: list[Row] = []
    print("| run | seconds | of them the monitor's | of all that watches | share | goal |\n|---|---|---|---|---|---|")
    for name, make in cases().items():
        seed_everything(0, verbose=False)
        with tempfile.TemporaryDirectory() as folder:
            found = run(*make(), folder)
        goal = "≤ 3%" if "width 64" in name else ""
        rows.append({"run": name, **found, "share": found["watching"] / found["seconds"], "goal": goal})
        print(LINE.format(**rows[-1]), flush=True)
    write(results("watching"), rows, threads=torch.get_num_threads())


if __name__ == "__main__":
    main(*sys.argv[1:])
