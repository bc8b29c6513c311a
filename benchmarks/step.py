"""LitGAN's training step against the same step by hand in plain PyTorch, interleaved in one process.

    make bench          # or: .venv/bin/python benchmarks/step.py [ROUNDS]

Both train the same networks on the same batches with Adam, the non-saturating loss, fresh latents for each turn and an
average of the generator. A round times both, one after the other, the order alternating; the median of the rounds'
ratios is printed, so that a busy machine slows both alike.
"""

import copy
import json
import logging
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, Trainer
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.utils.data import DataLoader

from lit_gan import LitGAN
from lit_gan.data.base import TensorSamples, batch_as_it_is
from lit_gan.networks import DCGANDiscriminator, DCGANGenerator, MLPDiscriminator, MLPGenerator

RESULTS = Path(__file__).parent / "results" / "step.json"
Pair = tuple[Any, Any]  # generator and discriminator


def by_hand(pair: Pair, batches: DataLoader[Any], precision: str) -> float:
    """Train in plain PyTorch and return steps per second, the first batch left out."""
    generator, discriminator = pair
    average = copy.deepcopy(generator).requires_grad_(False)
    opt_g, opt_d = (torch.optim.Adam(n.parameters(), 2e-4, (0.5, 0.999)) for n in pair)
    start = 0.0
    for i, (images, _) in enumerate(batches):
        if i == 1:
            start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
            real = images.float().div_(127.5).sub_(1) if images.dtype == torch.uint8 else images
            n = len(real)
            with torch.no_grad():
                fake = generator(torch.randn(n, generator.latent_dim))
            on_real, on_fake = discriminator(real).float(), discriminator(fake).float()
            loss = bce(on_real, torch.ones(n)) + bce(on_fake, torch.zeros(n))
        opt_d.zero_grad()
        loss.backward()
        opt_d.step()
        discriminator.requires_grad_(False)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
            on_fake = discriminator(generator(torch.randn(n, generator.latent_dim))).float()
            loss = bce(on_fake, torch.ones(n))
        opt_g.zero_grad()
        loss.backward()
        opt_g.step()
        discriminator.requires_grad_(True)
        with torch.no_grad():
            for a, p in zip(average.parameters(), generator.parameters(), strict=True):
                a.lerp_(p, 1 - 0.5 ** (n / 10_000))
            for kept, buffer in zip(average.buffers(), generator.buffers(), strict=True):
                kept.copy_(buffer)
    return i / (time.perf_counter() - start)


class Clock(Callback):
    """Steps per second of a fit, the first batch left out."""

    def on_train_batch_end(  # noqa: D102
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx == 0:
            self.start = time.perf_counter()
        else:
            self.rate = batch_idx / (time.perf_counter() - self.start)


def by_lit_gan(pair: Pair, batches: DataLoader[Any], precision: str) -> float:
    """Train with LitGAN and return steps per second, the first batch left out."""
    clock = Clock()
    trainer = Trainer(
        accelerator="cpu",
        precision=precision,  # type: ignore[arg-type]
        max_epochs=1,
        callbacks=[clock],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(LitGAN(*pair), batches)
    return clock.rate


def loader(data: Tensor, batch_size: int, steps: int) -> DataLoader[Any]:
    """Return ``steps`` batches drawn from ``data``."""
    rows = torch.randint(len(data), (batch_size * (steps + 1),))
    images = TensorSamples(data[rows], torch.zeros(len(rows), dtype=torch.int64))
    return DataLoader(images, batch_size, collate_fn=batch_as_it_is)


def cases() -> Iterator[tuple[str, str, Callable[[], Pair], DataLoader[Any]]]:
    """Yield name, precision, networks and batches."""
    images = torch.randint(256, (512, 1, 32, 32), dtype=torch.uint8)
    for precision in ("32-true", "bf16-mixed"):
        yield (
            "DCGAN 32 px, width 32, batch 64",
            precision,
            lambda: (DCGANGenerator(32, 1, width=32), DCGANDiscriminator(32, 1, width=32)),
            loader(images, 64, 20),
        )
    yield (
        "points, MLP 3 × 128, batch 512",
        "32-true",
        lambda: (MLPGenerator(features=2, latent_dim=2, width=128), MLPDiscriminator(features=2, width=128)),
        loader(torch.randn(4096, 2), 512, 400),
    )


def main(rounds: str = "9") -> None:
    warnings.simplefilter("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    table = []
    for name, precision, pair, batches in cases():
        rates: dict[Callable[..., float], list[float]] = {by_hand: [], by_lit_gan: []}
        for i in range(int(rounds)):
            for train in sorted(rates, key=lambda f: f.__name__, reverse=bool(i % 2)):
                rates[train].append(train(pair(), batches, precision))
        ratios = [ours / theirs for ours, theirs in zip(rates[by_lit_gan], rates[by_hand], strict=True)]
        row = {
            "case": name,
            "precision": precision,
            "by_hand_steps_per_s": statistics.median(rates[by_hand]),
            "lit_gan_steps_per_s": statistics.median(rates[by_lit_gan]),
            "ratio": statistics.median(ratios),
            "ratio_quartiles": statistics.quantiles(ratios, n=4)[::2],
            "rounds": int(rounds),
        }
        table.append(row)
        print(
            f"| {name} | {precision} | {row['by_hand_steps_per_s']:.1f} | {row['lit_gan_steps_per_s']:.1f} "
            f"| {row['ratio']:.2f} |",
            flush=True,
        )
    RESULTS.parent.mkdir(exist_ok=True)
    machine = {"cpu": platform.processor() or platform.machine(), "threads": torch.get_num_threads()}
    RESULTS.write_text(json.dumps({"machine": machine, "torch": torch.__version__, "rows": table}, indent=2) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
