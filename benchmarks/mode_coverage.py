"""Modes of a ring of 8 and a grid of 25 Gaussians that a generator covers in three minutes: a plain GAN and our recipe.

    .venv/bin/python -m benchmarks.mode_coverage [MINUTES [SEEDS]]     # 3 and 5: 35 minutes

The mixtures are those of VEEGAN and PacGAN, divided by their standard deviation, as in WGAN-GP's code. Runs take turns,
two at a time, on one thread each. At the end 2,500 samples are judged by VEEGAN's rules (a mode is caught
that has a sample within 3σ; the reverse KL is that of such samples alone, as in PacGAN), and 10,000 by our strict ones
(a mode is caught that has half its share; KL with a category for no mode): see :class:`lit_gan.metrics.ModeCoverage`.
The recipe is ``examples/configs/modes.yaml``, its schedules laid out over the images that the time allows, as a
rehearsal measures; the plain GAN is the original game on the same networks, with Adam as in DCGAN.
"""

import itertools
import sys
from functools import partial
from typing import Any

import torch
from pytorch_lightning import seed_everything

from benchmarks.clock import PRESETS, Clock, Row, fit, images_in, quiet, results, spread, two_at_a_time, write
from lit_gan import LitGAN
from lit_gan.cli import LitGANCLI
from lit_gan.data import GaussianMixture
from lit_gan.metrics import ModeCoverage
from lit_gan.networks import MLPDiscriminator, MLPGenerator

PRESET = PRESETS / "modes.yaml"
POINTS = 3
MIXTURES = ("ring", "grid")
COLUMNS = {
    "modes/veegan": ("modes", ".0f"),
    "high_quality/veegan": ("high quality", ".1%"),
    "reverse_kl/veegan": ("reverse KL", ".3f"),
    "modes/strict": ("modes, strict", ".0f"),
    "kl/strict": ("KL, strict", ".3f"),
}


def plain(data: GaussianMixture, seconds: float) -> LitGAN:
    """Return the original game on the recipe's networks: no penalty, no schedule, Adam as in DCGAN."""
    generator = MLPGenerator(features=2, latent_dim=2, width=128, depth=8, he_init=True)
    return LitGAN(generator, MLPDiscriminator(features=2, width=128, depth=2, waves=32))


def recipe(data: GaussianMixture, seconds: float) -> LitGAN:
    """Return the preset's model, its schedules over the images that ``seconds`` allow."""
    images = images_in(seconds, _preset(10**7), data)
    return _preset(images)


def _preset(images: int) -> LitGAN:
    lengths = {"penalties.r1.weight": 0.6, "penalties.r2.weight": 0.6, "lr_schedule": 1.0}
    over = [f"--model.{part}.images={round(share * images)}" for part, share in lengths.items()]
    given = ["--config", str(PRESET), "--seed_everything=false"]  # the run's seed, not the file's
    model: LitGAN = LitGANCLI(args=[*given, *over], run=False).model
    return model


CONTENDERS = {"plain": plain, "recipe": recipe}


def scores(data: GaussianMixture, model: LitGAN) -> dict[str, float]:
    """Return what 2,500 samples score by VEEGAN's rules, and 10,000 by the strict ones."""
    samples = model.sample(10_000, seed=0)
    found: dict[str, float] = {}
    for protocol, n in (("veegan", 2_500), ("strict", 10_000)):
        metric = ModeCoverage(data, [protocol])  # type: ignore[list-item]
        metric.update(samples[:n], real=False)
        found |= {name: value.item() for name, value in metric.compute().items() if "/" in name}
    return found


def run(case: tuple[int, Any, str], seconds: float) -> Row:
    """Train a contender on a mixture with a seed, on one thread; return its curve."""
    seed, kind, name = case
    quiet()
    torch.set_num_threads(1)
    seed_everything(seed, verbose=False)
    data = GaussianMixture(kind, setting="wgan_gp", batch_size=256, seed=seed)
    model = CONTENDERS[name](data, seconds)
    clock = Clock(seconds, POINTS, lambda gan: scores(data, gan))
    fit(model, data, clock)
    return {"mixture": kind, "contender": name, "seed": seed, "curve": clock.curve}


def summary(rows: list[Row]) -> str:
    """Return a line of the table: the median over seeds of the last scores, the least and the most."""
    cells = [rows[0]["mixture"], rows[0]["contender"]]
    for name, (_, shown) in COLUMNS.items():
        values = [float(row["curve"][-1][name]) for row in rows]  # a record holds what is infinite as a string
        cells.append(spread(values, shown))
    return "| " + " | ".join(cells) + " |"


def main(minutes: str = "3", seeds: str = "5") -> None:
    cases = list(itertools.product(range(int(seeds)), MIXTURES, CONTENDERS))
    rows: list[Row] = []
    for row in two_at_a_time(partial(run, seconds=60 * float(minutes)), cases):
        rows.append(row)
        end = {name: round(row["curve"][-1][name], 3) for name in ("steps", *COLUMNS)}
        print(*(row[name] for name in ("mixture", "contender", "seed")), end, flush=True)
        write(results("mode_coverage"), rows, minutes=float(minutes), threads=1)
    heads = ["mixture", "contender", *(head for head, _ in COLUMNS.values())]
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    for kind, name in itertools.product(MIXTURES, CONTENDERS):
        print(summary([row for row in rows if (row["mixture"], row["contender"]) == (kind, name)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
