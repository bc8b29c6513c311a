"""Pictures of what the generator makes: grids during training, single files on ``predict``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import BasePredictionWriter
from pytorch_lightning.utilities.rank_zero import rank_zero_info, rank_zero_warn
from torch import Tensor

from lit_gan.arguments import at_least_one
from lit_gan.distributed import gather
from lit_gan.images import grid, save_png, to_uint8
from lit_gan.inputs import unpack
from lit_gan.labels import read_labels
from lit_gan.module import LitGAN

__all__ = ["SampleGrid", "SampleWriter"]


class SampleGrid(Callback):
    """Shows the same latents again and again while the generator learns, as PNG files and to image loggers.

    ``samples/step-000500.png`` in the run's folder shows the averaged generator, where there is one, after 500
    generator updates; the last grid is written when fit ends, and its path is printed. Points ``(N, 2)`` are drawn as
    a density picture. Loggers with ``log_image`` (W&B) or ``experiment.add_image`` (TensorBoard) get it as well.

    Args:
        every_n_steps: generator updates between grids.
        n: samples in a grid.
        seed: of the latents, which are the same in each grid.

    Raises:
        ValueError: an argument below 1.
    """

    def __init__(self, every_n_steps: int = 500, n: int = 64, seed: int = 0) -> None:
        at_least_one(every_n_steps=every_n_steps, n=n)
        self.every_n_steps, self.n, self.seed = every_n_steps, n, seed
        self._last: tuple[int, Path | None] = (-1, None)
        self._labels: Tensor | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Forget another run."""
        self._last, self._labels = (-1, None), None

    def state_dict(self) -> dict[str, Any]:
        """Return the classes that are shown, where the first batch chose them."""
        return {} if self._labels is None else {"labels": self._labels}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Show the same classes again."""
        self._labels = state_dict["labels"]

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write a grid at each ``every_n_steps``-th generator update."""
        if self._labels is None and isinstance(pl_module, LitGAN) and pl_module.takes_labels:
            images, labels = unpack(batch)
            if labels is not None:
                self._labels = read_labels(labels, len(images))[torch.arange(self.n) % len(images)]
        if trainer.global_step and trainer.global_step % self.every_n_steps == 0:
            self._write(trainer, pl_module)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the last grid and say where it is."""
        self._write(trainer, pl_module)
        if self._last[1] is not None:
            rank_zero_info(f"Samples: {self._last[1]}")

    def _write(self, trainer: Trainer, model: LightningModule) -> None:
        step, folder = trainer.global_step, run_folder(trainer)  # on every process: they agree on the folder
        if self._last[0] == step or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        assert isinstance(model, LitGAN)
        picture = self.draw(model) if trainer.is_global_zero else None
        path = None
        if picture is not None:
            path = save_png(picture, folder / "samples" / f"step-{step:06d}.png")
            log_image(trainer, "samples", picture, step)
        self._last = (step, path)

    def draw(self, model: LitGAN) -> Tensor | None:
        """Return the grid as a uint8 picture ``(C, H, W)``; None, with a warning, for samples without a picture.

        A conditional generator shows one class in each column, or, where it does not say how many classes there are,
        those of the first training batch.
        """
        classes = len(model.label_counts)
        labels = torch.arange(self.n) % classes if classes else self._labels if model.takes_labels else None
        samples = model.sample(self.n, labels, seed=self.seed)
        if samples.ndim != 4 and samples.shape[1:] != (2,):
            rank_zero_warn(f"SampleGrid draws images and points in a plane, not samples of {tuple(samples.shape[1:])}")
            return None
        return grid(samples, columns=classes if 1 < classes <= 20 else None)


class SampleWriter(BasePredictionWriter):
    """Writes what ``predict`` generates as PNG files, ``predictions/000000.png`` and on, in the run's folder.

    Args:
        folder: where to write; ``predictions`` in the run's folder where it is None.
    """

    def __init__(self, folder: str | None = None) -> None:
        super().__init__(write_interval="batch")
        self.folder = folder
        self._written = 0

    def write_on_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        prediction: Any,
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Write each image of the batch."""
        if prediction.ndim != 4:
            raise ValueError(
                f"samples of shape {tuple(prediction.shape[1:])} are no images: take what Trainer.predict returns"
            )
        numbers = batch_indices or range(self._written, self._written + len(prediction))
        for number, image in zip(numbers, to_uint8(prediction), strict=True):
            save_png(image, self._folder / f"{number:06d}.png")
        self._written += len(prediction)

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count from 0, and ask where to write, which several processes must do together."""
        self._written = 0
        self._folder = Path(self.folder) if self.folder else run_folder(trainer) / "predictions"

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say how many there are, and where."""
        written = sum(gather(self._written))
        rank_zero_info(f"Wrote {written} images to {self._folder}")


def run_folder(trainer: Trainer) -> Path:
    """Return the folder of the run: the first logger's, or the Trainer's own."""
    return Path(trainer.log_dir or trainer.default_root_dir)


def log_image(trainer: Trainer, name: str, picture: Tensor, step: int) -> None:
    """Give a uint8 picture ``(C, H, W)`` to each logger that takes pictures."""
    for logger in trainer.loggers:
        add_image = getattr(getattr(logger, "experiment", None), "add_image", None)
        if hasattr(logger, "log_image"):
            logger.log_image(name, [picture.permute(1, 2, 0).numpy()], step)
        elif add_image is not None:
            add_image(name, picture, step)
