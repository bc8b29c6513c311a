"""Images per second from a data set into the step: lit_gan's tensors against torchvision and a DataLoader.

    .venv/bin/python -m benchmarks.data_path [ROUNDS]

Both give shuffled batches of 128 Fashion-MNIST images, 32 px, float in [-1, 1]. torchvision's data set reads the same
images from files as the real ones are, and transforms one sample at a time as PyTorch's DCGAN tutorial does: resize,
to a tensor, normalise. Worker processes are started before the clock. Rounds take turns; ratios are of a round.
"""

import struct
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from benchmarks.clock import Row, quiet, results, write
from lit_gan.data import FashionMNISTSample
from lit_gan.data.images import to_float

LINE = "| {path} | {rate:,.0f} | {ratio:.1f} | {goal} |"
BATCH = 128


def files(root: str) -> None:
    """Write the embedded sample as Fashion-MNIST's own files."""
    images, labels = FashionMNISTSample().load("train")
    folder = Path(root) / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    for part in ("train", "t10k"):
        head = struct.pack(">4i", 2051, len(images), 28, 28)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(head + images.numpy().tobytes())
        head = struct.pack(">2i", 2049, len(labels))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(head + labels.byte().numpy().tobytes())


def torchvisions(root: str, workers: int) -> DataLoader[Any]:
    steps = [transforms.Resize(32), transforms.ToTensor(), transforms.Normalize(0.5, 0.5)]
    data = datasets.FashionMNIST(root, transform=transforms.Compose(steps))
    return DataLoader(data, BATCH, shuffle=True, drop_last=True, num_workers=workers, persistent_workers=workers > 0)


def ours() -> DataLoader[Any]:
    data = FashionMNISTSample(image_size=32, batch_size=BATCH)
    data.setup("fit")
    return data.train_dataloader()


def rate(batches: Iterable[Any], epochs: int) -> float:
    """Return images per second over ``epochs``."""
    n, start = 0, time.perf_counter()
    for _ in range(epochs):
        for images, _ in batches:
            real = to_float(images)
            n += len(real)
    return n / (time.perf_counter() - start)


def main(rounds: str = "5") -> None:
    quiet()
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as root:
        files(root)
        contenders = {
            "lit_gan": (ours(), 20),
            "torchvision, 0 workers": (torchvisions(root, 0), 1),
            "torchvision, 2 workers": (torchvisions(root, 2), 1),
        }
        for batches, _ in contenders.values():
            rate(batches, 1)
        for _ in range(int(rounds)):
            for name, (batches, epochs) in contenders.items():
                found.setdefault(name, []).append(rate(batches, epochs))
    rows: list[Row] = []
    print("| images per second | | lit_gan's, times | goal |\n|---|---|---|---|")
    for name, rates in found.items():
        ratio = median(a / b for a, b in zip(found["lit_gan"], rates, strict=True))
        rows.append({"path": name, "rate": median(rates), "ratio": ratio, "goal": "" if name == "lit_gan" else "≥ 20"})
        print(LINE.format(**rows[-1]))
    write(results("data_path"), rows, threads=torch.get_num_threads(), rounds=int(rounds))


if __name__ == "__main__":
    main(*sys.argv[1:])
