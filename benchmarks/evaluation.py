"""What an evaluation costs beside plain use of torchmetrics: seconds, first and second time, and memory.

    .venv/bin/python -m benchmarks.evaluation [IMAGES [ROUNDS]]     # 1000 and 3; 5000 are all that are embedded

Plain use makes the metrics anew at each evaluation and shows them the real images each time. Both score the same
images, embedded garments and in the generated ones' place the same mirrored, which are there already, in the same
extractor's features; they take turns, and a ratio is the median of rounds.
Memory is that of a process of its own, above what it has when images and extractor are loaded.
"""

import multiprocessing
import statistics
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics import Metric
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from benchmarks.clock import peak, quiet, results, seconds, write
from lit_gan.data import FashionMNISTSample
from lit_gan.metrics.evaluation import Evaluation, RealSamples
from lit_gan.metrics.evaluation.scores import Scorer
from lit_gan.metrics.extractors import EfficientNetLite0

CASES: dict[str, tuple[str, ...]] = {"FID-lite0": ("fid",), "FID-lite0 and KID-lite0": ("fid", "kid")}


def plain(names: tuple[str, ...], extractor: EfficientNetLite0, real: Tensor, fake: Tensor) -> None:
    """Score as torchmetrics' documentation does."""
    makers: dict[str, Callable[[], Metric]] = {
        "fid": lambda: FrechetInceptionDistance(extractor),
        "kid": lambda: KernelInceptionDistance(extractor, subset_size=min(1000, len(real))),
    }
    for name in names:
        metric = makers[name]()
        for images, is_real in ((real, True), (fake, False)):
            for batch in images.split(256):
                metric.update(batch, real=is_real)
        metric.compute()


def samples(images: Tensor) -> RealSamples:
    return RealSamples(DataLoader(TensorDataset(images), 256))


def compare(names: tuple[str, ...], real: Tensor, fake: Tensor, rounds: int) -> dict[str, float]:
    """Return median seconds of both, and median ratios of the first and of the second evaluation."""
    extractor = EfficientNetLite0()
    first, second, by_hand = [], [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            evaluation = Evaluation(Scorer(names, extractor, min(1000, len(real))), samples(real), folder=folder)
            first.append(seconds(lambda e=evaluation: e.score([samples(fake)])))  # type: ignore[misc]
            by_hand.append(seconds(lambda: plain(names, extractor, real, fake)))
            second.append(seconds(lambda e=evaluation: e.score([samples(fake)])))  # type: ignore[misc]
    return {
        "plain_seconds": statistics.median(by_hand),
        "first_seconds": statistics.median(first),
        "second_seconds": statistics.median(second),
        "first_ratio": statistics.median(h / f for h, f in zip(by_hand, first, strict=True)),
        "second_ratio": statistics.median(h / s for h, s in zip(by_hand, second, strict=True)),
    }


def memory(n: int) -> float:
    """Return by how many MB a FID of ``n`` generated images grows a process."""
    extractor, images = EfficientNetLite0(), FashionMNISTSample(image_size=32).load("train")[0][:256]
    extractor(images)

    class Repeated:
        def __init__(self) -> None:
            self.n = n

        def block(self, number: int) -> Tensor:
            return images[: min(256, n - number * 256)]

    before = peak()
    with tempfile.TemporaryDirectory() as folder:
        Evaluation(Scorer(("fid",), extractor), samples(images), folder=folder).score([Repeated()])
    return (peak() - before) / 1024


def line(row: dict[str, Any], n: int) -> str:
    """Return a case's row of the table."""
    seconds = [f"{row[f'{name}_seconds']:.1f}" for name in ("plain", "first", "second")]
    ratios = [f"{row[f'{name}_ratio']:.2f}" for name in ("first", "second")]
    return f"| {row['case']}, {n:,} | {seconds[0]} | {seconds[1]} | {ratios[0]} | {seconds[2]} | {ratios[1]} |"


def main(images: str = "1000", rounds: str = "3") -> None:
    quiet()
    n, data = int(images), FashionMNISTSample(image_size=32)
    garments = torch.cat([data.load(split)[0] for split in ("train", "test")])
    if not 0 < n <= len(garments):
        raise ValueError(f"{n} images: {len(garments)} are embedded")
    real, rows = garments[:n], []
    for case, names in CASES.items():
        rows.append({"case": case, **compare(names, real, real.flip(-1), int(rounds))})
        print(line(rows[-1], n), flush=True)
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        grown = {str(m): pool.apply(memory, (m,)) for m in (1_280, 5_120)}
    print(grown)
    file = results("evaluation" if n == 1000 else f"evaluation_{n}")
    write(file, rows, threads=torch.get_num_threads(), images=n, rounds=int(rounds), memory_mb=grown)


if __name__ == "__main__":
    main(*sys.argv[1:])
