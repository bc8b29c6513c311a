"""Small checkpoints of each format: the runs that write them, and the folder in which they are kept.

    python -m tests.support.formats FORMAT     # writes those of today's code: once, when a format is new

A format's checkpoints are never written again: files that exist must load, sample, export and resume for ever.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

from lit_gan import LitGAN
from lit_gan.augment import AdaptiveAugment
from lit_gan.callbacks import DivergenceStop, EquilibriumMonitor
from lit_gan.losses import FDivergence, Hinge, LeastSquares, Minimax, RelativisticPaired, Wasserstein
from lit_gan.networks import DCGANDiscriminator, DCGANGenerator, MLPDiscriminator, MLPGenerator
from lit_gan.optim import ClippedRMSprop
from lit_gan.penalties import R1, R2, WGANGP, AuxiliaryClassifier, LeCam, PathLength
from lit_gan.schedules import Cosine, Linear

FOLDER = Path(__file__).parents[1] / "checkpoints"
EPOCHS, BATCHES, BATCH = 3, 5, 4


def points(classes: int | None = None) -> TensorDataset:
    x = torch.linspace(-1, 1, BATCHES * BATCH)
    return TensorDataset(torch.stack([x, x.square()], 1))


def pictures(classes: int | None = None) -> TensorDataset:
    x = torch.linspace(-1, 1, BATCHES * BATCH)[:, None, None, None] * torch.linspace(-1, 1, 64).reshape(1, 1, 8, 8)
    return TensorDataset(x) if classes is None else TensorDataset(x, torch.arange(len(x)) % classes)


def mlp() -> tuple[MLPGenerator, MLPDiscriminator]:
    return MLPGenerator(features=2, latent_dim=3, width=4), MLPDiscriminator(features=2, width=4)


def dcgan(classes: int | None = None, head: str = "projection") -> tuple[DCGANGenerator, DCGANDiscriminator]:
    d = DCGANDiscriminator(8, 1, classes, width=2, **({} if classes is None else {"conditioning": head}))
    return DCGANGenerator(8, 1, 3, classes, width=2), d


@dataclass
class Run:
    """A run that writes a checkpoint after ``saved`` batches, and one at its end."""

    saved: int
    networks: Callable[[], Any] = mlp
    data: Callable[..., TensorDataset] = points
    classes: int | None = None
    options: dict[str, Any] = field(default_factory=dict)
    trainer: dict[str, Any] = field(default_factory=dict)
    world_size: int = 1


RUNS: dict[str, Run] = {
    "minimax": Run(5, options={"loss": Minimax(), "ema_half_life": None}),
    "relativistic": Run(
        7,
        options={
            "loss": RelativisticPaired(),
            "penalties": lambda: {"r1": R1(Linear(1.0, 0.1, 40), every=2), "r2": R2(0.5)},
            "lr_schedule": Cosine(end=0.1, images=50),
            "beta2_schedule": Linear(0.9, 0.99, 50),
            "ema_half_life": Linear(5, 20, 50),
        },
    ),
    "least_squares": Run(
        10,
        options={
            "loss": LeastSquares(),
            "share_fakes": True,
            "latent": "uniform",
            "penalties": lambda: {"lecam": LeCam(0.1), "path": PathLength(0.5, every=2)},
        },
    ),
    "wasserstein": Run(
        8, options={"loss": Wasserstein(), "d_steps_per_g_step": 3, "penalties": lambda: {"gp": WGANGP()}}
    ),
    "clipped": Run(7, options={"loss": Wasserstein(), "discriminator_optimizer": ClippedRMSprop, "gradient_clip": 1.0}),
    "f_divergence": Run(6, options={"loss": FDivergence("kl"), "micro_batches": 2, "ema_half_life": 10}),
    "adaptive": Run(
        7,
        dcgan,
        pictures,
        options={"augment": lambda: AdaptiveAugment(0.5, target=0.01, images=100, every=4), "ema_half_life": 10},
    ),
    "projection": Run(5, lambda: dcgan(3), pictures, 3, options={"loss": Hinge(), "ema_half_life": 10}),
    "classifier": Run(
        9,
        lambda: dcgan(3, "classifier"),
        pictures,
        3,
        options={
            "penalties": lambda: {"d": AuxiliaryClassifier(), "g": AuxiliaryClassifier(player="generator")},
            "ema_half_life": None,
        },
    ),
    "watched": Run(
        7,
        options={"ema_half_life": 10},
        trainer={
            "callbacks": lambda: [EquilibriumMonitor(every_n_steps=2, n=16), DivergenceStop("val/jsd_lower_bound")]
        },
    ),
    "two_processes": Run(7, options={"ema_half_life": 10, "d_steps_per_g_step": 2}, world_size=2),
}


class Save(pl.Callback):
    def __init__(self, path: Path, after: int) -> None:
        self.path, self.after = path, after

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        if int(pl_module.d_steps) == self.after:
            trainer.save_checkpoint(self.path)


def model_of(name: str) -> LitGAN:
    run = RUNS[name]
    made = {key: value() if isinstance(value, FunctionType) else value for key, value in run.options.items()}
    return LitGAN(*run.networks(), **made)


def train(name: str, folder: Path, save: Path | None = None, resume: Path | None = None) -> dict[str, Any]:
    """Fit a run to its end, from ``resume`` on if given; return the checkpoint of its end."""
    run = RUNS[name]
    pl.seed_everything(3, verbose=False)
    model = model_of(name)
    data = run.data(run.classes)
    options = {key: value() for key, value in run.trainer.items()}
    callbacks = [*options.pop("callbacks", []), *([] if save is None else [Save(save, run.saved)])]
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=EPOCHS,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        num_sanity_val_steps=0,
        callbacks=callbacks,
        devices=run.world_size,
        strategy="ddp" if run.world_size > 1 else "auto",
        **options,
    )
    batch = BATCH // run.world_size
    val = DataLoader(data, batch) if run.trainer else None
    trainer.fit(model, DataLoader(data, batch, shuffle=True), val, ckpt_path=resume)
    trainer.save_checkpoint(folder / "end.ckpt")
    return torch.load(folder / "end.ckpt", weights_only=True)


def write(name: str, folder: Path) -> None:
    """Write ``<name>.ckpt``, in the midst of a run, and ``<name>_end.ckpt``, its end, with 4 samples of each."""
    from tests.support.processes import on_ranks

    folder.mkdir(parents=True, exist_ok=True)
    on_ranks(train, name, folder, folder / f"{name}.ckpt", world_size=RUNS[name].world_size)
    (folder / "end.ckpt").rename(folder / f"{name}_end.ckpt")
    samples = {
        kind: LitGAN.load_from_checkpoint(folder / f"{name}{kind}.ckpt").sample(4, seed=0) for kind in ("", "_end")
    }
    torch.save(samples, folder / f"{name}_samples.pt")


if __name__ == "__main__":
    for name in RUNS:
        write(name, FOLDER / sys.argv[1])
