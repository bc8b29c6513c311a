"""How cost grows: a step over batch, width and image size; data and statistics up to a million images; evaluation.

    .venv/bin/python -m benchmarks.scaling

The million images are noise, in a memory map as lit_gan writes them (1 GB in the temporary folder); their statistics
are FID's, with features that cost next to nothing, so that what is seen is what lit_gan adds. Memory is what this
process holds beside files: what the system caches of a memory map can be dropped at any time.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from benchmarks.clock import Row, quiet, results, write
from benchmarks.step import lit_gan
from lit_gan import LitGAN
from lit_gan.data import FashionMNISTSample
from lit_gan.data.base import TensorSamples, batch_as_it_is
from lit_gan.data.images import to_float
from lit_gan.data.memory_map import Pictures, memory_map
from lit_gan.metrics.evaluation import Evaluation, RealSamples
from lit_gan.metrics.evaluation.blocks import BLOCK
from lit_gan.metrics.evaluation.scores import Scorer
from lit_gan.metrics.extractors import EfficientNetLite0, OwnExtractor
from lit_gan.networks import DCGANDiscriminator, DCGANGenerator

PICTURE = Path(__file__).parent.parent / "docs" / "images" / "scaling.png"
SWEEPS = {"batch": (16, 32, 64, 128, 256), "width": (16, 32, 64, 128), "image size": (16, 32, 64, 128)}
COUNTS = (10_000, 100_000, 1_000_000)


def held() -> float:
    """Return the memory that this process holds beside files, in MiB."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("RssAnon")).split()[1]) / 1024


def steps() -> Iterator[Row]:
    """Yield milliseconds of a training step for one image, one dimension at a time around 32, 32, 32."""
    for name, values in SWEEPS.items():
        for value in values:
            batch, width, size = (value if name == swept else 32 for swept in SWEEPS)
            pair = partial(DCGANGenerator, size, 1, width=width), partial(DCGANDiscriminator, size, 1, width=width)
            images = TensorSamples(torch.rand(9 * batch, 1, size, size) * 2 - 1, torch.zeros(9 * batch))
            train = lit_gan(lambda pair=pair: LitGAN(*(make() for make in pair)))  # type: ignore[misc]
            rate = max(train(DataLoader(images, batch, collate_fn=batch_as_it_is)) for _ in range(2))
            yield {"sweep": name, "value": value, "ms": 1000 / (rate * batch)}


def mapped(n: int, folder: str) -> Tensor:
    """Return ``n`` pictures of noise in a memory map."""

    def decode(number: int) -> np.ndarray:
        return np.random.default_rng(number).integers(256, size=(1, 32, 32), dtype=np.uint8)

    pictures = Pictures(range(n), np.zeros(n), decode)  # type: ignore[arg-type]
    return memory_map(lambda: pictures, n, (1, 32, 32), "noise", folder)[0]


def data(counts: tuple[int, ...]) -> Iterator[Row]:
    """Yield images per second from the memory map into the step, and the memory that it takes."""
    for n in counts:
        with tempfile.TemporaryDirectory() as folder:
            samples = TensorSamples(mapped(n, folder), torch.zeros(n, dtype=torch.int64))
            before, grown, start = held(), 0.0, time.perf_counter()
            for i, (images, _) in enumerate(DataLoader(samples, 128, shuffle=True, collate_fn=batch_as_it_is)):
                to_float(images)
                grown = grown if i % 100 else max(grown, held() - before)
            yield {"sweep": "data", "value": n, "rate": n / (time.perf_counter() - start), "mib": grown}


class Small(nn.Module):
    """64 features: the image at 8×8."""

    def forward(self, images: Tensor) -> Tensor:
        """Average pixels."""
        return nn.functional.avg_pool2d(images.float(), 4).flatten(1)


class Noise:
    """Generated samples that cost next to nothing."""

    def __init__(self, n: int) -> None:
        self.n = n

    def block(self, number: int) -> Tensor:
        """Draw a block."""
        rng = torch.Generator().manual_seed(number)
        return torch.randint(256, (min(BLOCK, self.n - number * BLOCK), 1, 32, 32), generator=rng, dtype=torch.uint8)


def evaluation(name: str, extractor: Any, counts: tuple[int, ...], make: Callable[[int], Any]) -> Iterator[Row]:
    """Yield seconds of a FID of as many generated images, the reference seen before, and the memory it takes."""
    real = FashionMNISTSample(32).load("train")[0]
    images = nn.functional.interpolate(real[:2000].float(), 32).to(torch.uint8)
    with tempfile.TemporaryDirectory() as folder:
        reference = RealSamples(DataLoader(torch.utils.data.TensorDataset(images), BLOCK))
        scored = Evaluation(Scorer(("fid",), extractor), reference, folder=folder)
        scored.score([make(BLOCK)])
        for n in counts:
            before = held()
            seconds = scored.score([make(n)]).seconds
            yield {"sweep": name, "value": n, "seconds": seconds, "mib": held() - before}


def lines(rows: list[Row]) -> Iterator[str]:
    """Yield the lines of the tables in docs/scaling.md."""
    shown = [("batch", "ms", ".2f"), ("width", "ms", ".2f"), ("image size", "ms", ".2f")]
    shown += [("data", "rate", ",.0f"), ("data", "mib", ".1f"), ("statistics", "seconds", ".1f")]
    for sweep, key, form in [*shown, ("FID-lite0", "seconds", ".1f")]:
        found = {row["value"]: row[key] for row in rows if row["sweep"] == sweep}
        yield "| " + " | ".join(f"{number:{form}}" for number in found.values()) + " |"


def plot(rows: list[Row]) -> None:
    """Draw what a step, the data path and an evaluation cost."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 5, figsize=(16, 3.2), layout="constrained")
    for axis, name in zip(axes, SWEEPS, strict=False):
        found = [(row["value"], row["ms"]) for row in rows if row["sweep"] == name]
        axis.plot(*zip(*found, strict=True), "o-")
        axis.set(xscale="log", yscale="log", xlabel=name, title="step, ms for an image")
    for axis, name, key, title in (
        (axes[3], "data", "rate", "memory map, images/s"),
        (axes[4], "statistics", "seconds", "statistics, s"),
    ):
        found = [(row["value"], row[key]) for row in rows if row["sweep"] == name]
        axis.plot(*zip(*found, strict=True), "o-")
        axis.set(xscale="log", xlabel="images", title=title)
    axes[0].set_yscale("linear")
    axes[4].set_yscale("log")
    for axis in (axes[0], axes[3]):
        axis.set_ylim(bottom=0)
    for axis in axes[:3]:
        axis.set_xticks([16, 32, 64, 128, 256], ["16", "32", "64", "128", "256"])
        axis.minorticks_off()
    figure.savefig(PICTURE, dpi=90)


def main() -> None:
    quiet()
    rows: list[Row] = []
    for found in (
        steps(),
        data(COUNTS),
        evaluation("statistics", OwnExtractor(Small()), COUNTS, Noise),
        evaluation("FID-lite0", EfficientNetLite0(), (500, 1000, 2000, 4000), Noise),
    ):
        for row in found:
            rows.append(row)
            numbers = [f"{row[key]:,.2f} {key}" for key in ("ms", "rate", "seconds", "mib") if key in row]
            print(f"{row['sweep']} {row['value']:,}: {', '.join(numbers)}", flush=True)
    write(results("scaling"), rows, threads=torch.get_num_threads())
    plot(rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
