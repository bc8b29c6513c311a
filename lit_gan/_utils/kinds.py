"""Registry of the kinds of parts (networks, losses, penalties, …), and of the modules they are imported from.

A part is identified by its import path. The registry decides which classes may be rebuilt from a checkpoint, which ones
the command line proposes in error messages, and which ones the tests over all parts cover.
"""

from importlib import import_module
from typing import Any, NamedTuple

__all__ = ["KINDS", "KIND_OF_ARGUMENT", "Kind", "allowed_kinds", "import_parts", "import_path", "public_classes"]


class Kind(NamedTuple):
    """A kind of part, such as losses or penalties."""

    base: str
    """Import path of the class that each part of the kind is an instance of."""
    modules: tuple[str, ...]
    """Modules that contain its parts; ``__all__`` of the first one lists the public parts."""
    takes: tuple[str, ...] = ()
    """Kinds of parts that its parts take as arguments."""
    from_files: bool = True
    """Whether its parts may be rebuilt from a checkpoint, which requires that none of them opens a file."""


KINDS: dict[str, Kind] = {
    "network": Kind("torch.nn.Module", ("lit_gan.networks", "lit_gan.bolts")),
    "loss": Kind("lit_gan.losses.AdversarialLoss", ("lit_gan.losses",)),
    "penalty": Kind("lit_gan.penalties.Penalty", ("lit_gan.penalties",), takes=("augmentation", "schedule")),
    "augmentation": Kind("torch.nn.Module", ("lit_gan.augment",), takes=("schedule",)),
    "optimizer": Kind("torch.optim.Optimizer", ("lit_gan.optim", "torch.optim")),
    "schedule": Kind("lit_gan.schedules.Schedule", ("lit_gan.schedules",)),
    "data": Kind("pytorch_lightning.LightningDataModule", ("lit_gan.data",), from_files=False),
    "callback": Kind("pytorch_lightning.Callback", ("lit_gan.callbacks",), from_files=False),
    "metric": Kind("torchmetrics.Metric", ("lit_gan.metrics",), from_files=False),
    "extractor": Kind("torch.nn.Module", ("lit_gan.metrics.extractors",), from_files=False),
    "logger": Kind("lightning_fabric.loggers.Logger", ("pytorch_lightning.loggers",), from_files=False),
}

KIND_OF_ARGUMENT = {
    "generator": "network",
    "discriminator": "network",
    "loss": "loss",
    "penalties": "penalty",
    "augment": "augmentation",
    "generator_optimizer": "optimizer",
    "discriminator_optimizer": "optimizer",
    "ema_half_life": "schedule",
    "lr_schedule": "schedule",
    "beta2_schedule": "schedule",
    "data": "data",
    "callbacks": "callback",
    "logger": "logger",
}
"""Kind of part by the name of an argument of LitGAN, of the Trainer or of the command line."""


def allowed_kinds(argument: str) -> list[Kind]:
    """Return the kinds of parts that a file may name for an argument of LitGAN; all for an argument not known here."""
    name = KIND_OF_ARGUMENT.get(argument)
    names = KINDS if name is None else (name, *KINDS[name].takes)
    return [KINDS[name] for name in names if KINDS[name].from_files]


def import_path(path: str) -> Any:
    """Import and return the object at an import path, ``torch.nn.Module`` for instance."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


def import_parts(*names: str) -> None:
    """Import the parts of the kinds ``names``, because jsonargparse knows short names of imported classes only."""
    for name in names:
        import_module(KINDS[name].modules[0])


def public_classes(kind: Kind) -> list[type]:
    """Return the public classes of a kind: those in ``__all__`` of its first module."""
    module = import_module(kind.modules[0])
    return [found for name in module.__all__ if isinstance(found := getattr(module, name), type)]
