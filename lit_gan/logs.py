"""Logging against generator updates: scalars, pictures, and what a run is made of."""

import platform
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytorch_lightning
import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor

import lit_gan
from lit_gan.distributed import total
from lit_gan.parts import describe

if TYPE_CHECKING:
    from lit_gan.module import LitGAN

__all__ = ["averaged", "due", "hyperparameters", "movie", "picture", "summarise", "write"]


def due(module: LightningModule) -> bool:
    """Tell whether this training step is one of ``log_every_n_steps``."""
    trainer = module.trainer
    every: int = trainer.log_every_n_steps  # type: ignore[attr-defined]
    return every > 0 and (trainer.fit_loop.total_batch_idx + 1) % every == 0


def averaged(module: LightningModule, metrics: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the means of ``metrics`` over all processes; every process must ask, for the same names."""
    if module.trainer.world_size == 1:
        return metrics
    values = torch.stack([metric.float().to(module.device) for metric in metrics.values()])
    means = total(values) / module.trainer.world_size
    return dict(zip(metrics, means, strict=True))


def write(module: "LitGAN", metrics: dict[str, Tensor]) -> None:
    """Give ``metrics`` to callbacks and the bar by Lightning, and to loggers at the number of generator updates.

    During fit Lightning's own way to loggers counts batches; a metric named "step" mends that, and misnames
    checkpoints. The losses stand in the progress bar. ``images_seen`` comes with each record, as another axis.

    Args:
        module: whose trainer is running.
        metrics: scalars by name.
    """
    metrics = {name: metric.to(module.device, torch.float32) for name, metric in metrics.items()}  # NCCL's device
    losses = {name: metric for name, metric in metrics.items() if name.startswith("loss/")}
    others = {name: metric for name, metric in metrics.items() if name not in losses}
    fitting = module.trainer.state.fn == TrainerFn.FITTING
    module.log_dict(losses, prog_bar=True, logger=False)
    module.log_dict(others, logger=False if fitting else None, sync_dist=module.trainer.world_size > 1)
    if not fitting:  # what Lightning logs is also what Trainer.validate prints and returns
        return
    scalars = {name: float(metric) for name, metric in metrics.items()}
    scalars["images_seen"] = float(module._images_seen)
    for logger in module.loggers:
        logger.log_metrics(scalars, step=module.trainer.global_step)
        logger.save()


def hyperparameters(module: LightningModule, arguments: dict[str, Any]) -> None:
    """Give loggers what a run is made of: the model's ``arguments`` as plain data, its data module, its environment."""
    data = getattr(module.trainer, "datamodule", None)
    facts = {"model": arguments, "environment": _environment(module)}
    for logger in module.loggers:
        logger.log_hyperparams(facts if data is None else {**facts, "data": describe(data)})


def _environment(module: LightningModule) -> dict[str, Any]:
    device = module.device
    return {
        "lit_gan": lit_gan.__version__,
        "torch": str(torch.__version__),  # of a class of its own
        "pytorch_lightning": pytorch_lightning.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
        "devices": module.trainer.world_size,
        "precision": str(module.trainer.precision),
    }


def summarise(trainer: Trainer, facts: dict[str, Any]) -> None:
    """Write facts by name into the summary of the run, where a logger keeps one (W&B)."""
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger) and trainer.is_global_zero:
            logger.experiment.summary.update(facts)


def picture(module: "LitGAN", name: str, image: Tensor, caption: str) -> None:
    """Give a uint8 picture ``(C, H, W)`` to each logger that takes pictures, W&B's with its caption."""
    step = module.trainer.global_step
    for logger in module.loggers:
        add_image = getattr(getattr(logger, "experiment", None), "add_image", None)
        pixels = image.permute(1, 2, 0).numpy()
        if isinstance(logger, WandbLogger):
            _give(logger, module, {name: [import_module("wandb").Image(pixels, caption=caption)]})
        elif hasattr(logger, "log_image"):
            logger.log_image(name, [pixels], step)
        elif add_image is not None:
            add_image(name, image, step)


def movie(module: "LitGAN", name: str, path: Path) -> None:
    """Give a GIF to each logger that takes films (W&B)."""
    for logger in module.loggers:
        if isinstance(logger, WandbLogger):
            _give(logger, module, {name: [import_module("wandb").Video(str(path), format="gif")]})


def _give(logger: WandbLogger, module: "LitGAN", media: dict[str, Any]) -> None:
    """Log ``media`` at the images seen by now: W&B would take those of the last scalars."""
    logger.log_metrics({**media, "images_seen": module._images_seen}, step=module.trainer.global_step)
