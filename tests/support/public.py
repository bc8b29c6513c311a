"""Every public part of lit_gan, found by name, and its arguments changed from their defaults."""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from types import ModuleType, NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import torch
from torch import nn
from torch.optim import Optimizer

from lit_gan._utils import kinds
from lit_gan._utils.kinds import import_path
from lit_gan.augment import Augmentation, DiffAugment
from lit_gan.data import LSUN, GaussianMixture, HuggingFaceImages, ImageDataModule, ImageFolder
from lit_gan.losses import AdversarialLoss
from lit_gan.metrics import ModeCoverage
from lit_gan.networks import MLPDiscriminator, MLPGenerator, Packed
from lit_gan.optim import OptimizerFactory
from lit_gan.penalties import Consistency, Penalty, Turn
from lit_gan.schedules import Linear, Schedule

_IN_CONFIGS = {"optimizer": OptimizerFactory}  # asked for by another type than their base
_SKIPPED = ("extractor", "logger")  # they download, or are Lightning's
KINDS: dict[ModuleType, Any] = {
    import_module(kind.modules[0]): _IN_CONFIGS.get(name, import_path(kind.base))
    for name, kind in kinds.KINDS.items()
    if name not in _SKIPPED
}
"""Where parts are, and the type by which a config asks for one."""

REQUIRED: dict[type, dict[str, Any]] = {
    Consistency: {"transform": DiffAugment()},
    HuggingFaceImages: {"path": "pictures"},
    ImageFolder: {"folder": "pictures"},
    MLPDiscriminator: {"features": 2},
    MLPGenerator: {"features": 2},
    ModeCoverage: {"data": GaussianMixture()},
    Packed: {"discriminator": MLPDiscriminator(features=4)},
}
"""The arguments that a part cannot do without; an optimizer's parameters are given to it in any case."""

TOGETHER: dict[type, dict[str, Any]] = {
    GaussianMixture: {"kind": "line", "means": [0.0, 1.0]},
    HuggingFaceImages: {"path": "pictures", "levels": (0.0, 4095.0)},
    ImageFolder: {"folder": "pictures", "levels": (0.0, 4095.0)},
    LSUN: {"classes": ["tower", "bedroom"], "class_balanced": True},
    MLPDiscriminator: {"image_size": 4, "channels": 1},
    MLPGenerator: {"image_size": 4, "channels": 1},
}
"""Arguments that are refused one by one, in the place of those required."""

NO_PARTS = (AdversarialLoss, Augmentation, ImageDataModule, OptimizerFactory, Penalty, Schedule, Turn)
"""What is public beside the parts: their bases, a type, and the record that penalties are computed from."""

EXAMPLES: dict[Any, list[Any]] = {
    NoneType: [None],
    bool: [True, False],
    float: [0.25, 0.5, 2.0, 4.0],
    int: [1, 2, 16],
    str: ["another", "Male", "tower"],  # an attribute of CelebA, a class of LSUN
    nn.Module: [MLPDiscriminator(features=4)],
    Schedule: [Linear(0.5, 0.25, 100)],
}


def parts(module: ModuleType) -> list[type]:
    """Return the classes of a module that a user can give to LitGAN, to a Trainer or to the command."""
    found = [getattr(module, name) for name in module.__all__]
    return [cls for cls in found if isinstance(cls, type) and cls not in NO_PARTS]


PARTS = {cls: module for module in KINDS for cls in parts(module)}


def parameters() -> list[nn.Parameter]:
    return [nn.Parameter(torch.zeros(2))]


def made(cls: type, options: dict[str, Any]) -> Any:
    """Return a part with its defaults, but for ``options``; a player's optimizer gets its parameters."""
    return cls(parameters(), **options) if issubclass(cls, Optimizer) else cls(**options)


@cache
def variants(cls: type) -> list[dict[str, Any]]:
    """Return options for a part, in one of which each argument is another than its default."""
    required = REQUIRED.get(cls, {})
    left = [name for name, p in inspect.signature(cls).parameters.items() if p.default is not p.empty]
    found = [TOGETHER[cls]] if cls in TOGETHER else []
    while changed := _changed(cls, [name for name in left if name not in required]):
        found.append({**required, **changed})
        left = [name for name in left if name not in changed]
    return found or [required]


def _changed(cls: type, names: list[str]) -> dict[str, Any]:
    """Return other values than the defaults for as many of the arguments as go together."""
    required, options = REQUIRED.get(cls, {}), {}
    hints, taken = get_type_hints(cls.__init__), inspect.signature(cls).parameters
    for name in names:
        for value in _examples(hints[name]):
            with suppress(TypeError, ValueError):  # out of its range, or at odds with another one
                if value != taken[name].default and made(cls, {**required, **options, name: value}) is not None:
                    options[name] = value
                    break
    return options


def _examples(hint: Any) -> Iterator[Any]:
    """Yield values of a type, those of a union from the last of its members on: None and schedules come first."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        for member in reversed(inner):
            yield from _examples(member)
    elif origin is Literal:
        yield from inner
    elif origin in (list, Sequence):
        yield from ([value] for value in _examples(inner[0]))
    elif origin is tuple:
        yield tuple(next(_examples(member)) for member in inner)
    else:
        yield from EXAMPLES.get(hint, [])
