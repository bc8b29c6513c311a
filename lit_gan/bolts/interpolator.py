"""The callback of bolts that shows a grid of images over two latent dimensions, for any LitGAN and any logger."""

import torch
from pl_bolts import callbacks
from pytorch_lightning import LightningModule, Trainer

from lit_gan._utils.arguments import at_least_one
from lit_gan._utils.errors import LitGANError
from lit_gan._utils.modes import evaluating
from lit_gan._utils.representation import in_one_line
from lit_gan.data.images import grid, save_png
from lit_gan.gan import LitGAN
from lit_gan.sampling.conditions import needs_labels
from lit_gan.training import logging
from lit_gan.training.logging import run_folder, training_goes_on

__all__ = ["LatentDimInterpolator"]


class LatentDimInterpolator(callbacks.LatentDimInterpolator):
    """A grid of images over the first two dimensions of z, the others 0, saved and logged at regular epochs.

    It takes any LitGAN of images and any logger. ``latent_space/step-000500.png`` in the run's folder is the grid after
    500 generator updates. Loggers with ``log_image`` (W&B) or ``experiment.add_image`` (TensorBoard) get it as well.

    Args:
        interpolate_epoch_interval: epochs between grids, ≥ 1.
        range_start: first value of both dimensions.
        range_end: last value of both dimensions.
        steps: number of values of each dimension, ≥ 1.
        num_samples: number of images generated for each cell of the grid, which shows the first of them, ≥ 1.
        normalize: whether each grid is rescaled so that its darkest pixel is black and its brightest white.

    Raises:
        TypeError, ValueError: a number below 1; when fit starts, a generator that needs labels, does not make images,
            or has fewer than two latent dimensions.
    """

    __repr__ = in_one_line

    def __init__(
        self,
        interpolate_epoch_interval: int = 20,
        range_start: int = -5,
        range_end: int = 5,
        steps: int = 11,
        num_samples: int = 2,
        normalize: bool = True,
    ) -> None:
        at_least_one(interpolate_epoch_interval=interpolate_epoch_interval, steps=steps, num_samples=num_samples)
        super().__init__(interpolate_epoch_interval, range_start, range_end, steps, num_samples, normalize)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Raise ValueError if the generator needs labels, does not make images or has a single latent dimension."""
        assert isinstance(pl_module, LitGAN)
        name, latent_dim = type(pl_module.generator).__name__, pl_module.latent_dim
        if latent_dim < 2:
            raise LitGANError(
                f"LatentDimInterpolator walks two dimensions of z and latent_dim={latent_dim}: leave it out"
            )
        if len(pl_module.label_counts) or needs_labels(pl_module.generator):
            raise LitGANError(f"LatentDimInterpolator has no labels, and {name} needs them: take SampleGrid")
        with torch.no_grad(), evaluating(pl_module):
            shape = pl_module(torch.zeros(1, latent_dim, device=pl_module.device)).shape[1:]
        if len(shape) != 3:
            raise LitGANError(f"LatentDimInterpolator shows images, and {name} makes samples of shape {tuple(shape)}")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save and log a grid after each ``interpolate_epoch_interval``-th epoch."""
        assert isinstance(pl_module, LitGAN)
        folder = run_folder(trainer)  # on every process, since it is broadcast
        due = (trainer.current_epoch + 1) % self.interpolate_epoch_interval == 0
        if not due or not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        with evaluating(pl_module):  # bolts would leave all networks in training mode, also the averaged generator
            images = torch.cat(self.interpolate_latent_space(pl_module, pl_module.latent_dim)).float()
        if self.normalize:
            images = 2 * (images - images.min()) / (images.max() - images.min()).clamp_min(1e-5) - 1
        picture, step = grid(images, columns=self.steps), trainer.global_step
        with training_goes_on(trainer, folder / "latent_space"):
            save_png(picture, folder / "latent_space" / f"step-{step:06d}.png")
        caption = f"the first two dimensions of z, {step} generator updates"
        logging.log_picture(trainer, "latent_space", picture, caption, int(pl_module.images_seen))
