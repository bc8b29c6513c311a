"""FID-lite0 on Fashion-MNIST at 32 px after ten minutes of training: a plain loop, our DCGAN, our best preset.

    .venv/bin/python -m benchmarks.quality [MINUTES [SEEDS [FIRST]]]     # 10, 3 and 0: two hours
    .venv/bin/python -m benchmarks.quality search [MINUTES]              # the plain loop's widths and batches

Runs take turns, seed by seed, each on all cores; the clock stands still while samples are scored, at each fifth of the
time. Seeds below FIRST are those of the record, so that two sittings make one table. Every score is of 10,000 samples
against all 55,000 training images; the floor is that of the 10,000 test images.
The plain loop is PyTorch's DCGAN tutorial (pytorch.org/tutorials/beginner/dcgan_faces_tutorial.html) for 32 px, with
images in memory, of the width and batch in ``PLAIN``, which the search compares with others. Presets train as their
files say, on the same images, without validation and pictures; a schedule of the learning rate is laid out over the
images that the time allows, as a rehearsal measures.
"""

import json
import os
import statistics
import sys
from dataclasses import dataclass

import torch
from pytorch_lightning import seed_everything
from torch import Tensor, nn

from benchmarks.by_hand import Tutorial
from benchmarks.clock import PRESETS, Clock, Row, fit, images_in, machine, quiet, results, spread, write
from lit_gan.cli import LitGANCLI
from lit_gan.data import FashionMNIST
from lit_gan.data.images import grid, save_png, to_uint8
from lit_gan.gan import LitGAN
from lit_gan.metrics.evaluation import Evaluation, GeneratedSamples, RealSamples
from lit_gan.metrics.evaluation.blocks import BLOCK
from lit_gan.metrics.evaluation.scores import Scorer
from lit_gan.metrics.evaluation.sources import Samples
from lit_gan.metrics.extractors import EfficientNetLite0

N_FAKE, POINTS = 10_000, 5
PLAIN = {"width": 32, "batch": 32}
CONTENDERS = {
    "plain PyTorch loop": "",
    "preset dcgan_fashion_mnist": "dcgan_fashion_mnist",
    "preset fashion_mnist": "fashion_mnist",
}


@dataclass
class PlainSamples:
    """What the tutorial's generator makes of fixed latents, in evaluation mode."""

    generator: nn.Module
    latent_dim: int
    n: int = N_FAKE

    @torch.no_grad()
    def block(self, number: int) -> Tensor:
        """Return the images of a block."""
        rng = torch.Generator().manual_seed(number)
        z = torch.randn(BLOCK, self.latent_dim, 1, 1, generator=rng)[: self.n - number * BLOCK]
        images = to_uint8(self.generator.eval()(z))
        self.generator.train()
        return images


def plain(data: FashionMNIST, clock: Clock, width: int, batch: int) -> Samples:
    """Train as the tutorial does; return the samples at the end."""
    loop, images = Tutorial(width), data.load("train")[0]
    images = nn.functional.interpolate(images.float(), size=32, mode="bilinear", antialias=True) / 127.5 - 1
    samples = PlainSamples(loop.generator, loop.latent_dim)
    clock.start()
    while True:
        for chosen in torch.randperm(len(images)).split(batch):
            if len(chosen) == batch:
                loop.step(images[chosen])
                if not clock.tick(samples):
                    return samples


def preset(name: str, data: FashionMNIST, clock: Clock, seed: int) -> Samples:
    """Train a preset on ``data``; return the samples at the end."""
    given = ["--config", str(PRESETS / f"{name}.yaml"), "--seed_everything", str(seed)]
    cli = LitGANCLI(args=given, run=False)
    data = FashionMNIST(data.root, 32, cli.datamodule.batch_size, download=False)
    if cli.model.lr_schedule is not None:
        images = images_in(clock.budget, cli.model, data)
        cli = LitGANCLI(args=[*given, f"--model.lr_schedule.images={images}"], run=False)
    fit(cli.model, data, clock, cli.trainer.precision)
    return GeneratedSamples(cli.model, N_FAKE)


def run(name: str, data: FashionMNIST, clock: Clock, seed: int, **options: int) -> Row:
    """Train a contender, keep a picture of what it draws, and return its curve."""
    seed_everything(seed, verbose=False)
    config = CONTENDERS.get(name)
    samples = preset(config, data, clock, seed) if config else plain(data, clock, **options)
    picture = results("quality").with_suffix("") / f"{config or 'plain'}_{seed}.png"
    save_png(grid(samples.block(0)[:64]), picture)
    row = {"contender": name, "seed": seed, **options, "machine": machine()}
    row |= {"steps": clock.steps, "curve": clock.curve}
    print(
        name,
        options or "",
        f"seed {seed}:",
        *(f"{at['seconds']:.0f} s {at['fid']:.1f}" for at in clock.curve),
        flush=True,
    )
    return row


def judge(data: FashionMNIST) -> tuple[Evaluation, float]:
    """Return what scores samples, and the score of the test images."""
    data.prepare_data()
    data.setup("fit")
    data.setup("test")
    real, test = RealSamples(data.train_dataloader()), RealSamples(data.test_dataloader())
    evaluation = Evaluation(Scorer(("fid",), EfficientNetLite0(), N_FAKE), real)
    return evaluation, evaluation.score([test]).scores["fid_lite0"]


def line(name: str, rows: list[Row]) -> str:
    """Return a contender's row of the table: its seeds together."""
    mine, base = ([row for row in rows if row["contender"] == who] for who in (name, next(iter(CONTENDERS))))
    fids, base_fids = ([row["curve"][-1]["fid"] for row in those] for those in (mine, base))
    share = statistics.median(a / b for a, b in zip(fids, base_fids, strict=True))
    worst = max(row["curve"][-1]["fid"] / min(at["fid"] for at in row["curve"]) for row in mine)
    steps = statistics.median(row["steps"] for row in mine)
    return f"| {name} | {spread(fids)} | {share:.2f} | {worst:.2f} | {steps:,.0f} |"


def main(*arguments: str) -> None:
    quiet()
    searching = arguments[:1] == ("search",)
    given = [float(argument) for argument in arguments[searching:]]
    minutes, seeds, first = given + [10.0, 3.0, 0.0][len(given) :]
    data = FashionMNIST(os.environ.get("FASHION_MNIST", "data"), 32)
    evaluation, floor = judge(data)
    print(f"floor, 10,000 test images: {floor:.1f}", flush=True)

    def scores(trained: LitGAN | PlainSamples) -> dict[str, float]:
        samples = trained if isinstance(trained, PlainSamples) else GeneratedSamples(trained, N_FAKE)
        return {"fid": evaluation.score([samples]).scores["fid_lite0"]}

    sizes = [{"width": width, "batch": batch} for width in (16, 32, 64) for batch in (32, 64, 128)]
    searched = [("plain PyTorch loop", 0, size) for size in sizes]
    numbers = range(int(first), int(seeds))
    contests = [(name, seed, {} if CONTENDERS[name] else PLAIN) for seed in numbers for name in CONTENDERS]
    rows = [row for row in json.loads(results("quality").read_text())["rows"] if row["seed"] < first] if first else []
    for name, seed, options in searched if searching else contests:
        rows.append(run(name, data, Clock(60 * minutes, 1 if searching else POINTS, scores), seed, **options))
        facts = {"minutes": minutes, "floor": floor, "protocol": evaluation.protocol | {"n_fake": N_FAKE}}
        write(results("quality_search" if searching else "quality"), rows, **facts)
    if not searching:
        print("| contender | FID-lite0, median (least to most) | of the plain loop's | end / own best | steps |")
        print("|---|---|---|---|---|", *(line(name, rows) for name in CONTENDERS), sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
