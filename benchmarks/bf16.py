"""Does bf16-mixed cost quality? FID-lite0 of the demo's game after as many updates in float32 and in bf16-mixed.

    .venv/bin/python -m benchmarks.bf16 [UPDATES [SEEDS]]     # 1500 and 3: ten minutes

Two run side by side, on a thread each. Scores are of as many samples as there are embedded training images, 4,500,
against these. How fast bf16 is, ``step.py`` measures.
"""

import sys
from typing import Any

import torch
from pytorch_lightning import Trainer

from benchmarks.clock import ALONE, PRESETS, Row, quiet, results, spread, two_at_a_time, write
from lit_gan.cli import LitGANCLI
from lit_gan.metrics.evaluation import Evaluation, GeneratedSamples, RealSamples
from lit_gan.metrics.evaluation.scores import Scorer
from lit_gan.metrics.extractors import EfficientNetLite0

PRECISIONS = ("32-true", "bf16-mixed")


def trained(case: tuple[Any, int, int]) -> Row:
    """Train the demo's game with a precision, a seed and so many updates; return its score."""
    precision, seed, updates = case
    quiet()
    torch.set_num_threads(1)
    given = ["--config", str(PRESETS / "demo.yaml"), "--seed_everything", str(seed)]
    cli = LitGANCLI(args=given, run=False)
    trainer = Trainer(accelerator="cpu", max_steps=updates, max_epochs=-1, precision=precision, **ALONE)
    trainer.fit(cli.model, cli.datamodule)
    real = RealSamples(cli.datamodule.train_dataloader())
    evaluation = Evaluation(Scorer(("fid",), EfficientNetLite0(), real.n), real)
    fid = evaluation.score([GeneratedSamples(cli.model, real.n)]).scores["fid_lite0"]
    print(f"{precision}, seed {seed}: {fid:.1f}", flush=True)
    return {"precision": precision, "seed": seed, "updates": updates, "fid": fid}


def line(precision: str, rows: list[Row]) -> str:
    """Return a precision's row of the table."""
    return f"| {precision} | {spread([row['fid'] for row in rows if row['precision'] == precision])} |"


def main(updates: str = "1500", seeds: str = "3") -> None:
    cases = [(precision, seed, int(updates)) for seed in range(int(seeds)) for precision in PRECISIONS]
    rows = list(two_at_a_time(trained, cases))
    print("| precision | FID-lite0, median (least to most) |\n|---|---|")
    print(*(line(precision, rows) for precision in PRECISIONS), sep="\n")
    write(results("bf16"), rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
