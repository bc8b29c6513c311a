"""``lit-gan sample --n 10000`` against a bare loop over ``generator(z)``, in one process.

    .venv/bin/python -m benchmarks.sampling [ROUNDS]

The command reads the checkpoint, draws, and writes one picture of all samples; the loop draws alone, in batches of the
same size, from a generator that is there already. Both take turns.
"""

import contextlib
import io
import sys
import tempfile
import time
from collections.abc import Callable
from statistics import median

import torch
from pytorch_lightning import Trainer

from benchmarks.clock import ALONE, quiet, results, write
from lit_gan import LitGAN
from lit_gan.cli import main as command
from lit_gan.networks import DCGANDiscriminator, DCGANGenerator

LINE = "| {seconds:.2f} | {their_seconds:.2f} | {ratio:.2f} | {goal} |"
N, BATCH = 10_000, 256


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        work()
    return time.perf_counter() - start


@torch.no_grad()
def bare(generator: DCGANGenerator) -> None:
    for start in range(0, N, BATCH):
        generator(torch.randn(min(BATCH, N - start), generator.latent_dim))


def main(rounds: str = "5") -> None:
    quiet()
    generator = DCGANGenerator(32, 1)
    trainer = Trainer(accelerator="cpu", max_steps=1, **ALONE)
    trainer.fit(LitGAN(generator, DCGANDiscriminator(32, 1)), torch.utils.data.DataLoader(torch.zeros(4, 1, 32, 32), 4))
    generator.eval()
    with tempfile.TemporaryDirectory() as folder:
        trainer.save_checkpoint(f"{folder}/gan.ckpt")
        arguments = ["sample", f"{folder}/gan.ckpt", f"--n={N}", f"--output={folder}/all.png"]
        seconds(lambda: command(arguments))
        pairs = [(seconds(lambda: bare(generator)), seconds(lambda: command(arguments))) for _ in range(int(rounds))]
    loop, ours = (median(side) for side in zip(*pairs, strict=True))
    row = {"n": N, "seconds": ours, "their_seconds": loop, "ratio": median(a / b for a, b in pairs), "goal": "≥ 0.9"}
    print("| lit-gan sample, s | bare loop, s | ratio | goal |\n|---|---|---|---|")
    print(LINE.format(**row))
    write(results("sampling"), [row], threads=torch.get_num_threads(), rounds=int(rounds))


if __name__ == "__main__":
    main(*sys.argv[1:])
