"""The kinds of parts that a game is made of, and where they are imported from: the only registry.

A part is known by its import path. What may be rebuilt from a file, what the command offers in its sentences, and what
the tests over all parts go through is read from here.
"""

from importlib import import_module
from typing import Any, NamedTuple

__all__ = ["KINDS", "KIND_OF_ARGUMENT", "Kind", "allowed_kinds", "import_parts", "import_path", "public_classes"]


class Kind(NamedTuple):
    """One kind of part."""

    base: str
    """Import path of the class that each part of the kind is an instance of."""
    modules: tuple[str, ...]
    """Where its parts are; ``__all__`` of the first one lists the public ones."""
    takes: tuple[str, ...] = ()
    """Kinds of parts that are arguments of its parts."""
    from_files: bool = True
    """Whether its parts may be rebuilt from a checkpoint: none of them opens a file."""


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
"""By the name of an argument of LitGAN, of a Trainer or of the command."""


def allowed_kinds(argument: str) -> list[Kind]:
    """Return the kinds that a file may name for an argument of LitGAN; of a subclass's own argument all kinds."""
    name = KIND_OF_ARGUMENT.get(argument)
    names = KINDS if name is None else (name, *KINDS[name].takes)
    return [KINDS[name] for name in names if KINDS[name].from_files]


def import_path(path: str) -> Any:
    """Return what an import path names, ``torch.nn.Module`` for instance."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


def import_parts(*names: str) -> None:
    """Import the parts of some kinds: jsonargparse knows the short names of imported classes alone."""
    for name in names:
        import_module(KINDS[name].modules[0])


def public_classes(kind: Kind) -> list[type]:
    """Return the classes that a kind's first module lists."""
    module = import_module(kind.modules[0])
    return [found for name in module.__all__ if isinstance(found := getattr(module, name), type)]
