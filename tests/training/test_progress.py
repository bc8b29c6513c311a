"""What is counted is right in every combination: micro-batches, devices, lazy penalties, k, short epochs, resume."""

import csv
from dataclasses import dataclass, field
from itertools import product

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning import Callback
from pytorch_lightning.loggers import CSVLogger
from torch.utils.data import DataLoader, TensorDataset

from lit_gan import LitGAN
from lit_gan.networks import MLPDiscriminator, MLPGenerator
from lit_gan.penalties import Penalty
from lit_gan.schedules import Linear
from tests.support.processes import on_ranks
from tests.support.small import trainer

pytestmark = pytest.mark.slow

EPOCHS, BATCHES, WHOLE, SAVED = 4, 3, 8, 4  # twelve turns; the run that is resumed was saved in its second epoch
TABLE = list(product([1, 3, 5], [1, 2], [1, 3], [False, True]))  # k, micro_batches, every, resumed


@dataclass(frozen=True)
class Counting(Penalty):
    """Notes the turns in which it is due."""

    weight: float = 0.0
    every: int = 1
    turns: list = field(default_factory=list)

    def __call__(self, turn):
        self.turns.append(int(self.model[0].d_steps) + 1)  # a turn is counted when it is done
        return 0 * turn.fake_logits.sum()

    model: list = field(default_factory=list)


class Save(Callback):
    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if int(pl_module.d_steps) == SAVED:
            trainer.save_checkpoint(trainer.default_root_dir + "/saved.ckpt")


def train(folder, world_size, k, micro_batches, every, resumed):
    pl.seed_everything(0, verbose=False)
    penalty = Counting(every=every)
    gan = LitGAN(
        MLPGenerator(features=2, latent_dim=3, width=4, num_classes=2),
        MLPDiscriminator(features=2, width=4, num_classes=2),
        penalties={"counting": penalty},
        d_steps_per_g_step=k,
        micro_batches=micro_batches,
        lr_schedule=Linear(end=0.0, images=EPOCHS * BATCHES * WHOLE),
    )
    penalty.model.append(gan)
    fitted = trainer(
        folder,
        max_epochs=EPOCHS,
        logger=CSVLogger(folder, name="", version=f"resumed-{resumed}"),
        log_every_n_steps=1,
        strategy="ddp" if world_size > 1 else "auto",
        devices=world_size,
        callbacks=[Save()],
    )
    n = BATCHES * WHOLE
    data = DataLoader(TensorDataset(torch.randn(n, 2), torch.arange(n) % 2), WHOLE // world_size, shuffle=True)
    fitted.fit(gan, data, ckpt_path=folder / "saved.ckpt" if resumed else None)
    rows = []
    if fitted.is_global_zero:
        with (folder / f"resumed-{resumed}" / "metrics.csv").open() as file:
            rows = [(int(row["step"]), int(float(row["images_seen"]))) for row in csv.DictReader(file)]
    return {
        "global_step": fitted.global_step,
        "epoch": fitted.current_epoch,
        "images_seen": int(gan.images_seen),
        "ema_images_seen": int(gan.ema_images_seen),
        "d_steps": int(gan.d_steps),
        "labels": gan.label_counts.tolist(),
        "lr": fitted.optimizers[0].param_groups[0]["lr"],
        "due": sorted(set(penalty.turns)),
        "rows": rows,
    }


def train_all(folder, world_size):
    return [train(folder / f"{k}-{m}-{e}", world_size, k, m, e, resumed) for k, m, e, resumed in TABLE]


@pytest.fixture(scope="module", params=[1, 2])
def counted(request, tmp_path_factory):
    return on_ranks(train_all, tmp_path_factory.mktemp("counters"), request.param, world_size=request.param)


@pytest.mark.parametrize("number", range(len(TABLE)))
def test_counts(counted, number):
    k, _, every, resumed = TABLE[number]
    turns, first = EPOCHS * BATCHES, SAVED if resumed else 0
    for rank, counts in enumerate(ranks[number] for ranks in counted):
        rows = [(turn // k, WHOLE * turn) for turn in range(first + 1, turns + 1)] if rank == 0 else []
        assert counts == {
            "global_step": turns // k,
            "epoch": EPOCHS,
            "images_seen": turns * WHOLE,
            "ema_images_seen": turns // k * k * WHOLE,
            "d_steps": turns,
            "labels": [turns * WHOLE // 2] * 2,
            "lr": pytest.approx(2e-4 / turns),  # the factor of a turn is that of the images seen before it
            "due": [turn for turn in range(first + 1, turns + 1) if (turn - 1) % every == 0],
            "rows": rows,
        }
