"""What 1,000 images of training cost with each preset, on one thread in float32.

    .venv/bin/python -m benchmarks.presets [NAME ...]     # all: twenty minutes

Seconds of a core, not of a clock, so that other work beside matters less. On noise of the right shape, in batches of 16
images at the most, over as many turns as the laziest penalty and the slower player take, after the first; the median of
three such spans, the least and the most.
"""

import itertools
import math
import sys
import time
from statistics import median
from typing import Any

import torch
from pytorch_lightning import Callback, Trainer
from torch.utils.data import DataLoader

from benchmarks.clock import ALONE, PRESETS, quiet, results, write
from lit_gan import LitGAN
from lit_gan.cli import LitGANCLI
from lit_gan.data.base import TensorSamples, batch_as_it_is

SPANS = 3


class Watch(Callback):
    """Keeps the seconds of a core at the end of each batch."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *args: Any) -> None:
        """Look at the clock."""
        self.seconds.append(time.process_time())


def noise(model: LitGAN, shape: torch.Size, n: int) -> TensorSamples:
    """Return samples of a shape, with labels."""
    return TensorSamples(torch.randn(n, *shape).clamp(-1, 1), torch.arange(n) % max(1, len(model.label_counts)))


def cost(name: str) -> list[float]:
    """Return seconds of a core for 1,000 images, over each span."""
    cli = LitGANCLI(args=["--config", str(PRESETS / f"{name}.yaml")], run=False)
    model, shape = cli.model, cli.model.sample(1).shape[1:]
    batch = min(cli.datamodule.batch_size, 16 if len(shape) == 3 else 512)
    k = model.d_steps_per_g_step
    span = math.lcm(k, *(p.every * (k if p.player == "generator" else 1) for p in model.penalties.values()))
    watch, turns = Watch(), 1 + SPANS * span
    options: dict[str, Any] = {**ALONE, "callbacks": [watch], "max_epochs": 1, "accelerator": "cpu"}
    Trainer(**options).fit(model, DataLoader(noise(model, shape, turns * batch), batch, collate_fn=batch_as_it_is))
    ends = watch.seconds[::span]
    return [1000 * (b - a) / (span * batch) for a, b in itertools.pairwise(ends)]


def main(*names: str) -> None:
    quiet()
    torch.set_num_threads(1)
    rows = {}
    print("| preset | seconds of a core for 1,000 images (least to most) |\n|---|---|", flush=True)
    for name in names or sorted(file.stem for file in PRESETS.glob("*.yaml")):
        rows[name] = cost(name)
        shown = [f"{seconds:.3g}" for seconds in (median(rows[name]), min(rows[name]), max(rows[name]))]
        print(f"| {name} | {shown[0]} ({shown[1]} to {shown[2]}) |", flush=True)
    if not names:
        write(results("presets"), rows, threads=1, unit="seconds of a core for 1,000 images")


if __name__ == "__main__":
    main(*sys.argv[1:])
