"""NearestNeighbours: samples next to their nearest training images, and a test for memorised ones."""

from typing import Any, ClassVar

import torch
from pytorch_lightning import LightningDataModule, LightningModule, Trainer
from pytorch_lightning.utilities.model_helpers import is_overridden
from pytorch_lightning.utilities.rank_zero import rank_zero_info, rank_zero_warn
from torch import Tensor, nn

from lit_gan._utils.arguments import at_least, at_least_one, instance_of
from lit_gan.callbacks.drawing import PictureCallback
from lit_gan.callbacks.fixed import loader_of, validating
from lit_gan.gan import LitGAN
from lit_gan.metrics.copying import CopyingTest
from lit_gan.metrics.evaluation import GeneratedSamples
from lit_gan.metrics.evaluation.blocks import on_first
from lit_gan.metrics.evaluation.nearest import NearestImages, train_and_held_out
from lit_gan.training import logging
from lit_gan.training.lightning_compat import find_validation_loaders

__all__ = ["NearestNeighbours"]


class NearestNeighbours(PictureCallback):
    """Pictures of samples next to their nearest training images, and a test whether the generator copies these.

    ``neighbours/step-002000.png`` in the run's folder has a sample at the left of each row and the ``k`` nearest
    training images next to it. Logged with it are ``neighbours/closer``, the share of all pairs of a sample and a
    held-out image in which the sample is nearer to the training data, ½ for new images, and ``neighbours/z``, far below
    0 if samples are copies (:func:`lit_gan.metrics.copying.copying_test`). Poor samples are further from the training
    data than held-out images, z > 0, which can hide copies among them: look at the picture as well.

    Distances are between pixels, of images reduced to 32 px if they are larger, or between an extractor's features.
    Samples are of fixed latents, of the averaged generator if there is one, with classes as frequent as among the
    held-out images, or among the training images if none are held out, and then nothing is tested. If the data
    module mirrors training images, their mirror images count as well. Rank 0 does the work. When fit ends, the result
    of the last test is printed.

    Args:
        every_n_steps: generator updates between pictures.
        n: samples in the picture.
        k: nearest training images of each sample.
        tested: number of samples, and of held-out images, in the test, ≥ ``n``.
        extractor: any module that maps uint8 images to features ``(N, D)``,
            :class:`lit_gan.extractors.EfficientNetLite0` for instance; those of all training images are then
            kept in memory. None for pixels.
        seed: of the latents.
        movie: whether to make ``neighbours.gif`` of the run's pictures when fit ends.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range; before training, data of another shape than the samples, fewer training
            samples than ``k``, held-out data of another shape, or data without a length, which may never end.

    Reference: Meehan, Chaudhuri & Dasgupta 2020, arXiv:2004.05675.
    """

    name: ClassVar[str] = "neighbours"

    def __init__(
        self,
        every_n_steps: int = 2000,
        n: int = 8,
        k: int = 5,
        tested: int = 500,
        extractor: nn.Module | None = None,
        seed: int = 0,
        movie: bool = False,
    ) -> None:
        super().__init__(every_n_steps, movie)
        at_least_one(n=n, k=k)
        at_least(n, tested=tested)
        at_least(0, seed=seed)
        if extractor is not None:
            instance_of("extractor", extractor, nn.Module, "EfficientNetLite0()")
        self.n, self.k, self.tested, self.extractor, self.seed = n, k, tested, extractor, seed
        self.test: CopyingTest | None = None
        self._nearest: NearestImages | None = None
        self._counts: Tensor | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Reset the state from an earlier fit."""
        super().setup(trainer, pl_module, stage)
        self.test, self._nearest, self._counts = None, None, None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find the training and held-out data, on every process; raise if neighbours cannot be searched in them."""
        super().on_train_start(trainer, pl_module)
        assert isinstance(pl_module, LitGAN)
        with validating(pl_module):
            train, held_out = train_and_held_out(loader_of(trainer, "train"), _held_out(trainer), self.tested)
            if held_out is None:
                rank_zero_warn("NearestNeighbours tests nothing, since there are no held-out data: it only draws")
            network = None if self.extractor is None else self.extractor.to(pl_module.device)
            mirrored = getattr(getattr(trainer, "datamodule", None), "horizontal_flip", False)
            self._nearest = NearestImages(train, held_out, network, mirrored)
            self._counts = self._nearest.label_counts(len(pl_module.label_counts))
            self._nearest.check(self._samples(pl_module), self.k)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Draw at each ``every_n_steps``-th generator update, and log the result of the test."""
        assert isinstance(pl_module, LitGAN)
        drawn = self._last[0]
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        if self._last[0] != drawn and (test := on_first(lambda: self.test)) is not None:
            numbers = {"closer": test.closer, "z": test.z}
            metrics = {f"{self._own_name}/{name}": torch.tensor(x) for name, x in numbers.items()}
            logging.log_metrics(pl_module, metrics, int(pl_module.images_seen))

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the path of the last picture and the result of the test."""
        super().on_fit_end(trainer, pl_module)
        if self.test is not None:
            rank_zero_info(f"Neighbours: {self.test}")

    @torch.no_grad()
    def draw(self, model: LitGAN) -> Tensor | None:
        """Return the uint8 picture ``(C, H, W)``, or None for points; keep the result of the test."""
        assert self._nearest is not None
        generated = self._samples(model)
        nearest, self.test = self._nearest.search(generated, self.k)
        return self._nearest.picture(generated, nearest, self.n) if generated.block(0).ndim == 4 else None

    def _samples(self, model: LitGAN) -> GeneratedSamples:
        return GeneratedSamples(model, self.tested, self.seed, counts=self._counts)


def _held_out(trainer: Trainer) -> Any:
    """Return a loader of held-out data, or None if neither Trainer nor data module has one."""
    data = getattr(trainer, "datamodule", None)
    given = find_validation_loaders(trainer) or is_overridden("val_dataloader", data, LightningDataModule)
    return loader_of(trainer, "val") if given else None
