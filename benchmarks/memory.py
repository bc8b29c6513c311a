"""The peak memory of a training step: LitGAN's, by hand, and PyTorch's DCGAN tutorial's.

    .venv/bin/python -m benchmarks.memory [ROUNDS]

Each in processes of their own, above what they hold with everything imported and the batches drawn; the median of some.
LitGAN and the step by hand keep an average of the generator, the tutorial does not.
"""

import multiprocessing
import sys
from statistics import median

import torch

from benchmarks.clock import Row, peak, quiet, results, write
from benchmarks.step import IMAGES, loader

LINE = "| {step} | {mib:.0f} | {ratio:.2f} | {goal} |"
CONTENDERS = ("tutorial", "by hand", "LitGAN", "LitGAN, share_fakes")


def grown(name: str) -> float:
    """Return by how many MiB five steps grow this process."""
    quiet()
    batches = loader(torch.randint(256, (512, 1, 32, 32), dtype=torch.uint8), 128, 5)
    before = peak()
    IMAGES[name](batches)
    return (peak() - before) / 1024


def main(rounds: str = "2") -> None:
    found: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as processes:
        for _ in range(int(rounds)):
            for name in CONTENDERS:
                found[name].append(processes.apply(grown, (name,)))
    rows: list[Row] = []
    print("| step | MiB | of the tutorial's | goal |\n|---|---|---|---|")
    for name, sizes in found.items():
        goal = "≤ 1.05" if name == "LitGAN" else ""
        rows.append(
            {"step": name, "mib": median(sizes), "ratio": median(sizes) / median(found["tutorial"]), "goal": goal}
        )
        print(LINE.format(**rows[-1]))
    write(results("memory"), rows, threads=torch.get_num_threads(), rounds=int(rounds))


if __name__ == "__main__":
    main(*sys.argv[1:])
