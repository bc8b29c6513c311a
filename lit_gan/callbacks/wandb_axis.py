"""WandbAxis: images seen as the x axis of W&B's charts."""

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.loggers import WandbLogger

from lit_gan._utils.errors import LitGANError
from lit_gan.callbacks.of_a_gan import GANCallback

__all__ = ["WandbAxis"]


class WandbAxis(GANCallback):
    """Callback that makes W&B draw scalars and pictures against images seen, not generator updates, its default.

    Runs of different batch sizes, numbers of devices or discriminator steps can then be compared in one chart.

    Raises:
        ValueError: before training, the Trainer has no ``WandbLogger``.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Define the axis before anything is logged; raise if the Trainer has no ``WandbLogger``."""
        super().setup(trainer, pl_module, stage)
        loggers = [logger for logger in trainer.loggers if isinstance(logger, WandbLogger)]
        if not loggers and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            names = ", ".join(type(logger).__name__ for logger in trainer.loggers) or "none"
            raise LitGANError(f"WandbAxis needs a WandbLogger, and the Trainer's loggers are {names}: add one")
        for logger in loggers if trainer.is_global_zero else []:
            logger.experiment.define_metric("*", step_metric="images_seen", step_sync=True)
