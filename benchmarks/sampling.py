"""``lit-gan sample --n 10000`` against a bare loop over ``generator(z)``, in one process.

    .venv/bin/python -m benchmarks.sampling [ROUNDS]

The command reads the checkpoint, draws, and writes one picture of all samples, 11 MB of pixels. The loop draws alone,
in batches of the same size, from a generator that is there already; or it also writes the picture, by ``save_image`` of
torchvision. All take turns.
"""

import contextlib
import io
import sys
import tempfile
from collections.abc import Callable
from statistics import median

import torch
from pytorch_lightning import Trainer
from torch import Tensor
from torchvision.utils import save_image

from benchmarks.clock import ALONE, Row, quiet, results, seconds, write
from lit_gan import LitGAN
from lit_gan.cli import main as command
from lit_gan.networks import DCGANDiscriminator, DCGANGenerator

LINE = "| {ours} | {seconds:.2f} | {theirs} | {their_seconds:.2f} | {ratio:.2f} | {goal} |"
PAIRS = (
    ("lit-gan sample", "bare loop", "≥ 0.9"),
    ("lit-gan sample", "bare loop, save_image", ""),
    ("LitGAN.sample", "bare loop", ""),
)
N, BATCH = 10_000, 256


@torch.no_grad()
def bare(generator: DCGANGenerator) -> Tensor:
    parts = [generator(torch.randn(min(BATCH, N - start), generator.latent_dim)) for start in range(0, N, BATCH)]
    return torch.cat(parts)


def main(rounds: str = "5") -> None:
    quiet()
    generator = DCGANGenerator(32, 1)
    gan, trainer = LitGAN(generator, DCGANDiscriminator(32, 1)), Trainer(accelerator="cpu", max_steps=1, **ALONE)
    trainer.fit(gan, torch.utils.data.DataLoader([torch.zeros(1, 32, 32)] * 4, 4))  # type: ignore[arg-type]
    generator.eval()
    with tempfile.TemporaryDirectory() as folder:
        trainer.save_checkpoint(f"{folder}/gan.ckpt")
        draw = ["sample", f"{folder}/gan.ckpt", f"--n={N}", f"--output={folder}/all.png"]
        contenders: dict[str, Callable[[], object]] = {
            "lit-gan sample": lambda: command(draw),
            "LitGAN.sample": lambda: gan.sample(N),
            "bare loop": lambda: bare(generator),
            "bare loop, save_image": lambda: save_image(
                bare(generator), f"{folder}/bare.png", nrow=100, normalize=True, value_range=(-1, 1)
            ),
        }
        found: dict[str, list[float]] = {name: [] for name in contenders}
        with contextlib.redirect_stdout(io.StringIO()):  # what the command says
            for _ in range(1 + int(rounds)):  # the first to warm up
                for name, work in contenders.items():
                    found[name].append(seconds(work))
    rows: list[Row] = []
    print("| 10,000 images | s | against | s | ratio | goal |\n|---|---|---|---|---|---|")
    for ours, theirs, goal in PAIRS:
        a, b = found[ours][1:], found[theirs][1:]
        ratio = median(y / x for x, y in zip(a, b, strict=True))
        row = {"ours": ours, "seconds": median(a), "theirs": theirs, "their_seconds": median(b)}
        rows.append(row | {"ratio": ratio, "goal": goal})
        print(LINE.format(**rows[-1]))
    write(results("sampling"), rows, threads=torch.get_num_threads(), rounds=int(rounds))


if __name__ == "__main__":
    main(*sys.argv[1:])
