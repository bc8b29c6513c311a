"""What an evaluation costs beside plain use of torchmetrics: seconds, first and second time, and memory.

    .venv/bin/python -m benchmarks.evaluation [IMAGES]

Plain use makes the metrics anew at each evaluation and shows them the real images each time. Both score the same
images, which are there already, in the same extractor's features; they take turns, and a ratio is the median of rounds.
Memory is that of a process of its own, above what it has when images and extractor are loaded.
"""

import multiprocessing
import statistics
import sys
import tempfile
from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics import Metric
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from benchmarks.clock import peak, quiet, results, seconds, write
from lit_gan.data import FashionMNISTSample
from lit_gan.evaluation import Evaluation, RealSamples
from lit_gan.evaluation.scores import Scorer
from lit_gan.metrics.extractors import EfficientNetLite0

ROUNDS = 3
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


def compare(names: tuple[str, ...], real: Tensor, fake: Tensor) -> dict[str, float]:
    """Return median seconds of both, and median ratios of the first and of the second evaluation."""
    extractor = EfficientNetLite0()
    first, second, by_hand = [], [], []
    for _ in range(ROUNDS):
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


def main() -> None:
    quiet()
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    images = FashionMNISTSample(image_size=32).load("train")[0]
    real, fake = images[:n], images[n : 2 * n]
    rows = []
    for case, names in CASES.items():
        rows.append({"case": case, **compare(names, real, fake)})
        print(rows[-1], flush=True)
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        grown = {str(m): pool.apply(memory, (m,)) for m in (2_560, 10_240)}
    print(grown)
    write(results("evaluation"), rows, threads=torch.get_num_threads(), images=n, rounds=ROUNDS, memory_mb=grown)


if __name__ == "__main__":
    main()
