"""Time and memory of PrecisionRecall and DensityCoverage on 10,000 real and 10,000 fake features of 2,048 numbers.

    .venv/bin/python -m benchmarks.manifold [SAMPLES [NUMBERS]]

Beside one product of the two matrices of features in float64, which each of three (two) tables of distances takes at
the least. The memory is the largest resident set during ``compute`` less that before it, each metric in a process of
its own. Two minutes.
"""

import multiprocessing
import sys
import time

import torch

from benchmarks.clock import peak, resident, results, write
from lit_gan.metrics import DensityCoverage, PrecisionRecall

TABLES = {"PrecisionRecall": 3, "DensityCoverage": 2}


def features(n: int, d: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw real and fake features of one distribution."""
    rng = torch.Generator().manual_seed(0)
    return torch.randn(n, d, generator=rng), torch.randn(n, d, generator=rng)


def product(n: int, d: int) -> float:
    """Return the seconds that one product of the features takes, the same number of rows at a time as the metrics."""
    real, fake = (x.double() for x in features(n, d))
    start = time.perf_counter()
    for rows in real.split(max(1, 2**23 // n)):
        torch.mm(rows, fake.T)
    return time.perf_counter() - start


def measured(name: str, n: int, d: int) -> dict[str, float]:
    """Return seconds, peak memory beside the features, and the scores."""
    metric = {"PrecisionRecall": PrecisionRecall, "DensityCoverage": DensityCoverage}[name]()
    for kind, x in zip((True, False), features(n, d), strict=True):
        for batch in x.split(500):
            metric.update(batch, real=kind)
    before = resident()
    start = time.perf_counter()
    scores = metric.compute()
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "mib": (peak() - before) / 1024, **{key: float(score) for key, score in scores.items()}}


def main(samples: str = "10000", numbers: str = "2048") -> None:
    n, d = int(samples), int(numbers)
    rows = []
    print("| metric | s | of them the products | ratio | memory beside the features, MiB |\n|---|---|---|---|---|")
    for name, tables in TABLES.items():
        with multiprocessing.get_context("spawn").Pool(1) as process:
            row = process.apply(measured, (name, n, d))
            row["products"] = tables * process.apply(product, (n, d))
        row["ratio"] = row["seconds"] / row["products"]
        rows.append({"metric": name, **row})
        print(f"| {name} | {row['seconds']:.1f} | {row['products']:.1f} | {row['ratio']:.2f} | {row['mib']:.0f} |")
    write(results("manifold"), rows, threads=torch.get_num_threads(), samples=n, numbers=d)


if __name__ == "__main__":
    main(*sys.argv[1:])
