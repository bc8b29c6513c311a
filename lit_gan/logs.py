"""Logging against generator updates."""

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor

from lit_gan.distributed import total

__all__ = ["averaged", "due", "write"]


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


def write(module: LightningModule, metrics: dict[str, Tensor]) -> None:
    """Give ``metrics`` to callbacks and the bar by Lightning, and to loggers at the number of generator updates.

    During fit Lightning's own way to loggers counts batches; a metric named "step" mends that, and misnames
    checkpoints. The losses stand in the progress bar.

    Args:
        module: whose trainer is running.
        metrics: scalars by name.
    """
    losses = {name: metric.float() for name, metric in metrics.items() if name.startswith("loss/")}
    others = {name: metric.float() for name, metric in metrics.items() if name not in losses}
    fitting = module.trainer.state.fn == TrainerFn.FITTING
    module.log_dict(losses, prog_bar=True, logger=False)
    module.log_dict(others, logger=False if fitting else None, sync_dist=module.trainer.world_size > 1)
    if not fitting:  # what Lightning logs is also what Trainer.validate prints and returns
        return
    scalars = {name: float(metric) for name, metric in metrics.items()}
    for logger in module.loggers:
        logger.log_metrics(scalars, step=module.trainer.global_step)
        logger.save()
