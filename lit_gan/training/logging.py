"""Logging by number of generator updates: scalars, images, GIFs, hyper-parameters; the folder of a run."""

import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import pytorch_lightning
import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.loggers import Logger, WandbLogger
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from torch import Tensor

from lit_gan._utils.config import describe
from lit_gan._utils.version import __version__
from lit_gan.training.distributed import all_reduce_sum
from lit_gan.training.lightning_counts import batches_trained

__all__ = [
    "averaged",
    "is_due",
    "log_facts",
    "log_hyperparameters",
    "log_last_step",
    "log_metrics",
    "log_movie",
    "log_picture",
    "log_step",
    "log_summary",
    "run_folder",
    "training_goes_on",
]

_UNWRITTEN: WeakKeyDictionary[Trainer, set[Path]] = WeakKeyDictionary()
"""Paths that could not be written, of each Trainer that has warned of them."""


@contextmanager
def training_goes_on(trainer: Trainer, path: Path) -> Iterator[None]:
    """Turn an error of the operating system into a warning, once for each ``path``: a full disk must not end training.

    Files that only show how a run goes are written in this context; checkpoints are not.

    Args:
        trainer: of the run.
        path: the file or folder that is written, named in the warning.
    """
    try:
        yield
    except OSError as error:
        warned = _UNWRITTEN.setdefault(trainer, set())
        if path not in warned:
            warned.add(path)
            rank_zero_warn(f"{path} cannot be written ({error.strerror or error}): training goes on without it")


def _tell_loggers(trainer: Trainer, tell: Callable[[Logger], None]) -> None:
    """Call ``tell`` with each logger; one that cannot write does not end training."""
    for logger in trainer.loggers:
        with training_goes_on(trainer, _place(logger)):
            tell(logger)


def _place(logger: Logger) -> Path:
    """Return the folder of a logger, or the name of its class if it has none."""
    return Path(getattr(logger, "log_dir", None) or logger.save_dir or type(logger).__name__)


def _let_fail(trainer: Trainer, logger: Logger) -> None:
    """Keep a logger that cannot write from ending training when Lightning calls it, until it is finalized."""
    save, finalize = logger.save, logger.finalize

    def quietly(call: Callable[..., None], *args: Any) -> None:
        with training_goes_on(trainer, _place(logger)):
            call(*args)

    def end(status: str) -> None:
        for name in ("save", "finalize"):
            vars(logger).pop(name, None)
        quietly(finalize, status)

    vars(logger).update(save=partial(quietly, save), finalize=end)


def is_due(module: LightningModule) -> bool:
    """Tell whether this training step is to be logged, as each ``log_every_n_steps``-th is."""
    trainer = module.trainer
    every: int = trainer.log_every_n_steps  # type: ignore[attr-defined]
    return every > 0 and (batches_trained(trainer) + 1) % every == 0


def averaged(module: LightningModule, metrics: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the means of ``metrics`` over all processes; every process must call this with the same names."""
    if module.trainer.world_size == 1:
        return metrics
    values = torch.stack([metric.float().to(module.device) for metric in metrics.values()])
    means = all_reduce_sum(values) / module.trainer.world_size
    return dict(zip(metrics, means, strict=True))


def log_step(module: LightningModule, metrics: dict[str, Tensor], images_seen: int) -> None:
    """Log the metrics of a training step, averaged over all processes, with the images seen."""
    seen = torch.tensor(images_seen, device=module.device)
    log_metrics(module, {**averaged(module, metrics), "images_seen": seen}, images_seen)


def log_last_step(module: LightningModule, metrics: dict[str, Tensor]) -> None:
    """Give callbacks the metrics of an epoch's last step, averaged over all processes, to monitor; not to loggers.

    An epoch may be shorter than ``log_every_n_steps``, and would have none.
    """
    if metrics and not module.trainer.barebones:
        metrics = {name: metric.to(module.device, torch.float32) for name, metric in metrics.items()}
        module.log_dict(averaged(module, metrics), logger=False)


def log_metrics(module: LightningModule, metrics: dict[str, Tensor], images_seen: int) -> None:
    """Log ``metrics`` for callbacks and the progress bar, and to loggers at the number of generator updates.

    During fit, Lightning itself would give loggers the number of batches; a metric named "step" corrects that, but
    misnames checkpoints. The progress bar shows losses. ``images_seen`` is added to each record, as another axis.
    ``Trainer(barebones=True)`` logs nothing.

    Args:
        module: attached to a running Trainer.
        metrics: scalars by name.
        images_seen: real images that the discriminator was shown so far, over all devices.
    """
    if module.trainer.barebones:
        return
    metrics = {name: metric.to(module.device, torch.float32) for name, metric in metrics.items()}  # for NCCL
    losses = {name: metric for name, metric in metrics.items() if name.startswith("loss/")}
    others = {name: metric for name, metric in metrics.items() if name not in losses}
    fitting = module.trainer.state.fn == TrainerFn.FITTING
    module.log_dict(losses, prog_bar=True, logger=False)
    module.log_dict(others, logger=False if fitting else None, sync_dist=module.trainer.world_size > 1)
    if not fitting:  # Lightning has logged them: Trainer.validate prints and returns the same
        return
    scalars = {name: float(metric) for name, metric in metrics.items()}
    scalars["images_seen"] = float(images_seen)

    def tell(logger: Logger) -> None:
        logger.log_metrics(scalars, step=module.trainer.global_step)
        logger.save()

    _tell_loggers(module.trainer, tell)


def log_hyperparameters(module: LightningModule, arguments: dict[str, Any]) -> None:
    """Log the model's ``arguments`` (plain data), its data module and the environment as hyper-parameters."""
    data = getattr(module.trainer, "datamodule", None)
    facts = {"model": arguments, "environment": _environment(module)}
    for logger in module.trainer.loggers:
        _let_fail(module.trainer, logger)
    log_facts(module.trainer, facts if data is None else {**facts, "data": describe(data)})


def log_facts(trainer: Trainer, facts: dict[str, Any]) -> None:
    """Log ``facts``, plain data by name, as hyper-parameters."""
    _tell_loggers(trainer, lambda logger: logger.log_hyperparams(facts))


def _environment(module: LightningModule) -> dict[str, Any]:
    device = module.device
    return {
        "lit_gan": __version__,
        "torch": str(torch.__version__),  # TorchVersion is a subclass of str
        "pytorch_lightning": pytorch_lightning.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
        "devices": module.trainer.world_size,
        "precision": str(module.trainer.precision),
    }


def log_summary(trainer: Trainer, facts: dict[str, Any]) -> None:
    """Write ``facts``, by name, into the summary of the run, if a logger keeps one (W&B)."""

    def tell(logger: Logger) -> None:
        if isinstance(logger, WandbLogger) and trainer.is_global_zero:
            logger.experiment.summary.update(facts)

    _tell_loggers(trainer, tell)


def log_picture(trainer: Trainer, name: str, image: Tensor, caption: str, images_seen: int) -> None:
    """Log a uint8 image ``(C, H, W)`` to each logger that takes images; W&B also gets the caption."""
    step, pixels = trainer.global_step, image.permute(1, 2, 0).numpy()

    def tell(logger: Any) -> None:
        add_image = getattr(getattr(logger, "experiment", None), "add_image", None)
        if isinstance(logger, WandbLogger):
            _log_media(logger, step, {name: [import_module("wandb").Image(pixels, caption=caption)]}, images_seen)
        elif hasattr(logger, "log_image"):
            logger.log_image(name, [pixels], step)
        elif add_image is not None:
            add_image(name, image, step)

    _tell_loggers(trainer, tell)


def log_movie(trainer: Trainer, name: str, path: Path, images_seen: int) -> None:
    """Log a GIF to each logger that takes videos (W&B)."""

    def tell(logger: Logger) -> None:
        if isinstance(logger, WandbLogger):
            video = import_module("wandb").Video(str(path), format="gif")
            _log_media(logger, trainer.global_step, {name: [video]}, images_seen)

    _tell_loggers(trainer, tell)


def _log_media(logger: WandbLogger, step: int, media: dict[str, Any], images_seen: int) -> None:
    """Log ``media`` with the images seen so far; without them W&B would take those of the last scalars."""
    logger.log_metrics({**media, "images_seen": images_seen}, step=step)


def run_folder(trainer: Trainer) -> Path:
    """Return the folder of the run, which holds its checkpoints; every process must call this.

    It is not ``Trainer.log_dir``, which all runs share if the logger has no folder for each, W&B's for instance.
    """
    return Path(trainer.strategy.broadcast(str(_folder_here(trainer))))


def _folder_here(trainer: Trainer) -> Path:
    root = Path(trainer.default_root_dir)
    if not trainer.loggers:
        return root
    logger = trainer.loggers[0]
    if isinstance(own := getattr(logger, "log_dir", None), str):
        return Path(own)
    version = logger.version if isinstance(logger.version, str) else f"version_{logger.version}"  # as ModelCheckpoint
    return Path(logger.save_dir or root, str(logger.name), version)
