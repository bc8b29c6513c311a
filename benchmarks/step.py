"""LitGAN's training step against plain PyTorch loops, interleaved in one process.

    make bench          # or: .venv/bin/python -m benchmarks.step [ROUNDS]

A round lets each contender train for some steps, from new networks and on the same batches, in an order that turns
round from one to the next; a ratio is the median of the rounds' ratios, so that a busy machine slows all alike. The
loops are in ``by_hand.py``: PyTorch's DCGAN tutorial, and LitGAN's step written out by hand.
"""

import sys
from collections.abc import Callable, Iterator
from statistics import median, quantiles
from typing import Any

import torch
from pytorch_lightning import Callback, Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from benchmarks.by_hand import Tuned, Tutorial
from benchmarks.clock import ALONE, DEVICE, Row, now, quiet, results, write
from lit_gan import LitGAN
from lit_gan.data.base import TensorSamples, batch_as_it_is
from lit_gan.networks import DCGANDiscriminator, DCGANGenerator, MLPDiscriminator, MLPGenerator
from lit_gan.penalties import R1, R2

Batches = DataLoader[Any]
Contender = Callable[[Batches], float]
"""Trains on batches and returns steps per second, the first left out."""

LINE = "| {ours} | {rate:.2f} | {theirs} | {their_rate:.2f} | {ratio:.2f} | {goal} |"


def by_hand(make: Callable[[], Tutorial | Tuned]) -> Contender:
    def train(batches: Batches) -> float:
        loop = make()
        for i, (images, _) in enumerate(batches):
            if i == 1:
                start = now()
            images = images.to(DEVICE)
            loop.step(images.float().div_(127.5).sub_(1) if images.dtype == torch.uint8 else images)
        return i / (now() - start)

    return train


class Watch(Callback):
    """Steps per second of a fit, the first left out."""

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Look at the clock."""
        if batch_idx == 0:
            self.start = now()
        self.last = batch_idx

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Look at it again."""
        self.rate = self.last / (now() - self.start)


def lit_gan(make: Callable[[], LitGAN], precision: Any = "32-true") -> Contender:
    def train(batches: Batches) -> float:
        watch = Watch()
        device: dict[str, Any] = {"accelerator": "gpu" if DEVICE == "cuda" else DEVICE, "devices": 1}
        Trainer(**device, precision=precision, max_epochs=1, callbacks=[watch], **ALONE).fit(make(), batches)
        return watch.rate

    return train


def dcgan(width: int = 64, batch_norm: bool = True) -> tuple[DCGANGenerator, DCGANDiscriminator]:
    return DCGANGenerator(32, 1, width=width), DCGANDiscriminator(32, 1, width=width, batch_norm=batch_norm)


def points() -> tuple[MLPGenerator, MLPDiscriminator]:
    return MLPGenerator(features=2, latent_dim=2, width=128), MLPDiscriminator(features=2, width=128)


IMAGES: dict[str, Contender] = {
    "tutorial": by_hand(lambda: Tutorial(64, device=DEVICE)),
    "by hand": by_hand(lambda: Tuned(*dcgan(), device=DEVICE)),
    "by hand, bf16": by_hand(lambda: Tuned(*dcgan(), "bf16-mixed", DEVICE)),
    "LitGAN": lit_gan(lambda: LitGAN(*dcgan())),
    "LitGAN, share_fakes": lit_gan(lambda: LitGAN(*dcgan(), share_fakes=True)),
    "LitGAN, bf16": lit_gan(lambda: LitGAN(*dcgan()), "bf16-mixed"),
    "LitGAN, no batch norm": lit_gan(lambda: LitGAN(*dcgan(batch_norm=False))),
    "LitGAN, lazy R1": lit_gan(lambda: LitGAN(*dcgan(batch_norm=False), penalties={"r1": R1(every=16)})),
    "LitGAN, R1 and R2": lit_gan(lambda: LitGAN(*dcgan(batch_norm=False), penalties={"r1": R1(), "r2": R2()})),
}
POINTS: dict[str, Contender] = {
    "plain, points": by_hand(lambda: Tuned(*points(), device=DEVICE, fused=None)),
    "by hand, points": by_hand(lambda: Tuned(*points(), device=DEVICE)),
    "LitGAN, points": lit_gan(lambda: LitGAN(*points())),
}
PAIRS = {
    ("LitGAN", "tutorial"): "≥ 1.1",
    ("LitGAN, share_fakes", "tutorial"): "≥ 1.2",
    ("LitGAN", "by hand"): "≥ 0.98",
    ("LitGAN, bf16", "tutorial"): "≥ 1.6",
    ("LitGAN, bf16", "by hand, bf16"): "",
    ("LitGAN, lazy R1", "LitGAN, no batch norm"): "≥ 0.91",
    ("LitGAN, R1 and R2", "LitGAN, no batch norm"): "",
    ("LitGAN, points", "plain, points"): "≥ 0.8",
    ("LitGAN, points", "by hand, points"): "",
}
"""Who is compared with whom, and the least ratio that we want."""


def loader(data: Tensor, batch_size: int, steps: int) -> Batches:
    """Return ``steps`` batches drawn from ``data``, after one to warm up on."""
    rows = torch.randint(len(data), (batch_size * (steps + 1),))
    images = TensorSamples(data[rows], torch.zeros(len(rows), dtype=torch.int64))
    return DataLoader(images, batch_size, collate_fn=batch_as_it_is)


def rates(contenders: dict[str, Contender], batches: Batches, rounds: int) -> Iterator[tuple[str, float]]:
    """Yield what each contender reaches in each round."""
    names = list(contenders)
    for i in range(rounds):
        shift = i // 2 % len(names)
        for name in (names[shift:] + names[:shift])[:: -1 if i % 2 else 1]:
            yield name, contenders[name](batches)


def main(rounds: str = "5") -> None:
    quiet()
    found: dict[str, list[float]] = {name: [] for name in (*IMAGES, *POINTS)}
    images = torch.randint(256, (512, 1, 32, 32), dtype=torch.uint8)
    for contest, batches in ((IMAGES, loader(images, 128, 12)), (POINTS, loader(torch.randn(4096, 2), 512, 400))):
        for name, rate in rates(contest, batches, int(rounds)):
            found[name].append(rate)
    rows: list[Row] = []
    print("| steps per second of | | against | | ratio | goal |\n|---|---|---|---|---|---|")
    for (ours, theirs), goal in PAIRS.items():
        ratios = [a / b for a, b in zip(found[ours], found[theirs], strict=True)]
        row = {"ours": ours, "rate": median(found[ours]), "theirs": theirs, "their_rate": median(found[theirs])}
        rows.append(row | {"ratio": median(ratios), "ratio_quartiles": quantiles(ratios, n=4)[::2], "goal": goal})
        print(LINE.format(**rows[-1]))
    write(results("step"), rows, threads=torch.get_num_threads(), rounds=int(rounds))


if __name__ == "__main__":
    main(*sys.argv[1:])
