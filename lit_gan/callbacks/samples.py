"""Callbacks that write the generator's samples: grids and interpolations in training, single files in ``predict``."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import BasePredictionWriter
from pytorch_lightning.utilities.rank_zero import rank_zero_info, rank_zero_warn
from torch import Tensor

from lit_gan._utils.arguments import at_least, at_least_one, expanded
from lit_gan._utils.errors import LitGANError
from lit_gan._utils.representation import in_one_line
from lit_gan.callbacks.drawing import PictureCallback
from lit_gan.data.images import grid, have_a_picture, save_png, to_uint8
from lit_gan.gan import LitGAN
from lit_gan.sampling.conditions import read_labels
from lit_gan.sampling.grids import interpolations, rows
from lit_gan.sampling.paths import PathKind, check_path
from lit_gan.training.batch import unpack
from lit_gan.training.distributed import gather
from lit_gan.training.logging import run_folder

__all__ = ["Interpolation", "SampleGrid", "SampleWriter"]


class FixedLatents(PictureCallback):
    """Base class of callbacks that draw samples of the same latents, and the same classes, throughout training.

    Args:
        every_n_steps: generator updates between pictures.
        n: number of latents, or of pairs of them.
        seed: of the latents, which are the same in each picture.
        movie: whether to make a GIF of the run's pictures when fit ends.
    """

    def __init__(self, every_n_steps: int, n: int, seed: int, movie: bool) -> None:
        super().__init__(every_n_steps, movie)
        at_least_one(n=n)
        at_least(0, seed=seed)
        self.n, self.seed = n, seed
        self._labels: Tensor | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Reset the state from an earlier fit."""
        super().setup(trainer, pl_module, stage)
        self._labels = None

    def state_dict(self) -> dict[str, Any]:
        """Return the classes of the first training batch, if those are shown."""
        return super().state_dict() | ({} if self._labels is None else {"labels": self._labels})

    def _wrote(self, state: dict[str, Any], model: LightningModule) -> bool:
        labels = state.get("labels", torch.zeros(1, dtype=torch.int64))
        return isinstance(labels, Tensor) and labels.dtype is torch.int64 and labels.ndim == 1

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the classes to show from a checkpoint, if they are as many as this callback shows."""
        super().load_state_dict(state_dict)
        labels = state_dict.get("labels")
        self._labels = labels if labels is not None and len(labels) == self.n else None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Keep the classes of the first training batch; draw at each ``every_n_steps``-th generator update."""
        if self._labels is None and isinstance(pl_module, LitGAN) and pl_module.takes_labels:
            images, labels = unpack(batch)
            if labels is not None:
                self._labels = read_labels(labels, len(images))[torch.arange(self.n) % len(images)]
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def labels(self, model: LitGAN) -> Tensor | None:
        """Return the classes to show: all in turn, or those of the first training batch if their number is unknown."""
        classes = len(model.label_counts)
        return torch.arange(self.n) % classes if classes else self._labels if model.takes_labels else None


class SampleGrid(FixedLatents):
    """Grids of samples of the same latents throughout training, as PNG files and to image loggers.

    ``samples/step-000500.png`` in the run's folder shows the averaged generator, if there is one, after 500
    generator updates; the last grid is written when fit ends, and its path is printed. Points of one or two
    dimensions are drawn as one picture. Loggers with ``log_image`` (W&B) or ``experiment.add_image`` (TensorBoard) get
    it as well.

    Args:
        every_n_steps: generator updates between grids.
        n: samples in a grid.
        seed: of the latents, which are the same in each grid.
        movie: whether to make ``samples.gif`` of the run's grids when fit ends.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: ``every_n_steps`` or ``n`` below 1, ``seed`` below 0.
    """

    name: ClassVar[str] = "samples"

    def __init__(self, every_n_steps: int = 500, n: int = 64, seed: int = 0, movie: bool = False) -> None:
        super().__init__(every_n_steps, n, seed, movie)

    def draw(self, model: LitGAN) -> Tensor | None:
        """Return the grid as a uint8 picture ``(C, H, W)``; None, with a warning, for samples that cannot be drawn.

        Each column has one class of a conditional generator; if its number of classes is not known, the grid has
        the classes of the first training batch.
        """
        samples = model.sample(self.n, self.labels(model), seed=self.seed)
        if not have_a_picture(samples):
            rank_zero_warn(f"SampleGrid draws images, and points of one or two dimensions, not {samples.shape[1]}")
            return None
        classes = len(model.label_counts)
        return grid(samples, columns=classes if 1 < classes <= 20 else None)

    def caption(self, model: LitGAN) -> str:
        """Return a caption with the generator (raw or averaged), the generator updates and images seen so far."""
        which = "the generator" if model.ema_generator is None else "the averaged generator"
        return f"{which} after {super().caption(model)}"


class Interpolation(FixedLatents):
    """Pictures of interpolations between the same pairs of latents throughout training, one pair in each row.

    If images change gradually along a row, the generator has learned more than single images; if they jump, its samples
    are few and distinct. ``interpolations/step-000500.png`` in the run's folder is the picture after 500 generator
    updates; image loggers get it as well.

    Args:
        every_n_steps: generator updates between pictures.
        n: number of pairs of latents.
        steps: images in a row, both ends included, ≥ 2.
        kind: path from one latent to the other, ``"linear"`` or ``"spherical"``; None for the one that
            :func:`lit_gan.sampling.paths.path_for` returns for ``LitGAN(latent=…)``.
        seed: of the latents, which are the same in each picture.
        movie: whether to make ``interpolations.gif`` of the run's pictures when fit ends.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range; before training, ``"spherical"`` with latents of one dimension.
    """

    name: ClassVar[str] = "interpolations"

    def __init__(
        self,
        every_n_steps: int = 500,
        n: int = 8,
        steps: int = 8,
        kind: PathKind | None = None,
        seed: int = 0,
        movie: bool = False,
    ) -> None:
        super().__init__(every_n_steps, n, seed, movie)
        at_least(2, steps=steps)
        if kind not in (None, "linear", "spherical"):
            raise LitGANError(f'kind={kind!r} is neither "linear" nor "spherical", nor None')
        self.steps, self.kind = steps, kind

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Raise if the path is impossible for latents of this length."""
        if self.kind is not None and isinstance(pl_module, LitGAN):
            check_path(self.kind, pl_module.latent_dim)

    def draw(self, model: LitGAN) -> Tensor | None:
        """Return a uint8 picture ``(C, H, W)`` with one class in each row, if any; None, with a warning, for points."""
        images = interpolations(model, self.n, self.steps, self.kind, self.labels(model), seed=self.seed)
        if images.ndim != 5:
            rank_zero_warn(f"Interpolation draws images, and the samples are of shape {tuple(images.shape[2:])}")
            return None
        return rows(images)


class SampleWriter(BasePredictionWriter):
    """Callback that writes the samples of ``predict`` as PNG files, ``predictions/000000.png`` and so on.

    Each of several loaders has a folder of its own, ``predictions/0/000000.png``.

    Args:
        folder: folder to write to; None for ``predictions`` in the run's folder.
    """

    __repr__ = in_one_line

    def __init__(self, folder: str | None = None) -> None:
        super().__init__(write_interval="batch")
        self.folder = folder
        self._written: Counter[int] = Counter()  # images, by loader

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
            raise LitGANError(
                f"samples of shape {tuple(prediction.shape[1:])} are no images: take what Trainer.predict returns"
            )
        if not prediction.isfinite().all():
            raise LitGANError("the generator makes images of NaN or infinity: take an earlier checkpoint")
        folder = self._folder / str(dataloader_idx) if trainer.predict_loop.num_dataloaders > 1 else self._folder
        before, step = self._written[dataloader_idx], trainer.world_size
        first = before * step + trainer.global_rank  # for streams: numbers of this process alone
        numbers = batch_indices or range(first, first + len(prediction) * step, step)
        for number, image in zip(numbers, to_uint8(prediction), strict=True):
            save_png(image, folder / f"{number:06d}.png", sync=False)
        self._written[dataloader_idx] += len(prediction)

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Reset the counts, and find the folder, which all processes must do together."""
        self._written.clear()
        self._folder = Path(expanded(self.folder)) if self.folder else run_folder(trainer) / "predictions"

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the number of images written by all processes, and their folder."""
        written = sum(gather(self._written.total()))
        rank_zero_info(f"Wrote {written} images to {self._folder}")
