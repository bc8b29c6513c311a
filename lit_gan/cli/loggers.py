"""Packages that Lightning's loggers need, looked for before anything is made."""

import re
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import Any

from lit_gan._utils.errors import MissingExtraError
from lit_gan._utils.extras import optional

__all__ = ["check_loggers", "loggers_in"]

_MODULES = {
    "CometLogger": ("comet_ml",),
    "LitLogger": ("litlogger",),
    "MLFlowLogger": ("mlflow",),
    "TensorBoardLogger": ("tensorboard", "tensorboardX"),
    "WandbLogger": ("wandb",),
}
"""Modules of which each logger needs one."""
_EXTRAS = {"TensorBoardLogger": "tensorboard", "WandbLogger": "wandb"}
_NAME = re.compile(r"(?<![\w.])(?:pytorch_lightning\.loggers\.(?:\w+\.)?)?(\w+Logger)\b")


def loggers_in(arguments: Sequence[Any]) -> list[str]:
    """Return the names of Lightning's loggers that are written on a command line."""
    return _NAME.findall(" ".join(map(str, arguments)))


def check_loggers(names: Iterable[str]) -> None:
    """Raise for the first logger whose package is not installed.

    Args:
        names: class names, or import paths; those of other classes pass.

    Raises:
        ImportError: a package is missing; the message names it and how to install it.
    """
    for name in (found for path in names for found in _NAME.findall(path)):
        modules = _MODULES.get(name, ())
        if not modules or any(find_spec(module) is not None for module in modules):
            continue
        if name in _EXTRAS:
            optional(modules[0], _EXTRAS[name], name)
        raise MissingExtraError(f"{name} needs {modules[0]}: pip install {modules[0].replace('_', '-')}")
