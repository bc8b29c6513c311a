"""Training for a time, by a clock that stands still while samples are scored, and the record of it."""

import json
import logging
import math
import multiprocessing
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningDataModule, Trainer

from lit_gan import LitGAN

__all__ = [
    "ALONE",
    "DEVICE",
    "PRESETS",
    "Clock",
    "fit",
    "images_in",
    "machine",
    "now",
    "peak",
    "quiet",
    "resident",
    "results",
    "seconds",
    "spread",
    "two_at_a_time",
    "write",
]

DEVICE = os.environ.get("DEVICE", "cpu")
"""Where speed is measured: ``make bench DEVICE=cuda``."""

PRESETS = Path(__file__).parent.parent / "examples" / "configs"

Scores = dict[str, float]
Row = dict[str, Any]

ALONE: dict[str, Any] = {
    "logger": False,
    "enable_checkpointing": False,
    "limit_val_batches": 0,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}
"""Options of a Trainer that does nothing beside training."""


@dataclass
class Clock:
    """Seconds of training; at the end of each of ``points`` equal parts of ``budget`` it takes scores."""

    budget: float
    points: int
    score: Callable[[Any], Scores]
    curve: list[Scores] = field(default_factory=list)
    steps: int = 0

    def start(self) -> None:
        """Begin to count."""
        self._start = time.perf_counter()

    def tick(self, trained: Any) -> bool:
        """Count a step; return whether to go on."""
        self.steps += 1
        now = time.perf_counter()
        if now - self._start >= self.budget * (len(self.curve) + 1) / self.points:
            self.curve.append({"seconds": now - self._start, "steps": self.steps, **self.score(trained)})
            self._start += time.perf_counter() - now
        return len(self.curve) < self.points


class _Watch(Callback):
    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        self.clock.start()

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *args: Any) -> None:
        trainer.should_stop |= not self.clock.tick(pl_module)


def fit(model: LitGAN, data: LightningDataModule, clock: Clock, precision: Any = "32-true") -> None:
    """Train until the clock has run down; a run that ends in NaN keeps the scores that it has, and says so."""
    watch = _Watch(clock)
    try:
        Trainer(accelerator="cpu", max_epochs=-1, precision=precision, callbacks=[watch], **ALONE).fit(model, data)
    except FloatingPointError as error:
        print(f"ended after {clock.steps} steps: {error}", flush=True)


def images_in(seconds: float, model: LitGAN, data: LightningDataModule, rehearsal: float = 5.0) -> int:
    """Return how many images ``model`` sees in ``seconds`` on this machine, from some seconds of training."""
    clock = Clock(2 * rehearsal, 2, lambda gan: {"images": float(gan.images_seen)})
    fit(model, data, clock)
    first, last = clock.curve
    return round(seconds * (last["images"] - first["images"]) / (last["seconds"] - first["seconds"]))


def two_at_a_time(run: Callable[[Any], Row], cases: Iterable[Any]) -> Iterator[Row]:
    """Yield what ``run`` makes of each case, in their order; two run side by side, each in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(2) as processes:
        yield from processes.imap(run, cases)


def peak() -> int:
    """Return the largest memory that this process has had, in KiB; getrusage would count its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def resident() -> int:
    """Return the memory that this process has now, in KiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def machine() -> str:
    """Return what measures: the GPU, or the processor, what it can and the cores that this process may use."""
    if DEVICE == "cuda":
        return torch.cuda.get_device_name()
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    flags = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in facts.get("flags", "").split()]
    return ", ".join([facts.get("model name", platform.machine()), *flags, f"{len(os.sched_getaffinity(0))} cores"])


def now() -> float:
    """Return seconds, when all that the device was given to do is done."""
    if DEVICE != "cpu":
        torch.accelerator.synchronize()
    return time.perf_counter()


def seconds(work: Callable[[], object]) -> float:
    """Return how long ``work`` takes."""
    start = now()
    work()
    return now() - start


def spread(scores: Sequence[float], shown: str = ".1f") -> str:
    """Return the median of several seeds' scores, the least and the most, in a format, for a table."""
    return f"{statistics.median(scores):{shown}} ({min(scores):{shown}} to {max(scores):{shown}})"


def results(name: str) -> Path:
    """Return the file of a benchmark's results on the device."""
    return Path(__file__).parent / "results" / f"{name}{'' if DEVICE == 'cpu' else f'_{DEVICE}'}.json"


def write(file: Path, rows: Any, **facts: Any) -> None:
    """Write rows and facts, with those of the machine, as JSON; what is infinite or NaN as a string."""
    record = {"machine": machine(), "torch": torch.__version__, **facts, "rows": rows}
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(_plain(record), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def quiet() -> None:
    """Leave Lightning's remarks out of the output."""
    warnings.simplefilter("ignore")
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
