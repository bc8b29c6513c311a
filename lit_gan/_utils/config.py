"""A model's parts as plain data, ``{class_path, init_args}``: how a checkpoint is rebuilt without pickled objects.

Only classes of lit_gan and of torch.optim are ever imported from a file, those for each argument from the modules that
its parts live in. Parts of the user's own are named in the file, and must be passed when it is loaded.
"""

import inspect
import re
from collections.abc import Callable, Iterable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import nn
from torch.optim import Optimizer

from lit_gan._utils.errors import LitGANError
from lit_gan._utils.kinds import allowed_kinds, import_path
from lit_gan._utils.moved import current_path

__all__ = ["Origin", "describe", "describe_data", "describe_optimizer", "rebuild", "summary"]

_TRUSTED = ("lit_gan.", "torch.optim.")
_MACHINE = ("cache", "download", "folder", "num_workers", "path", "root")  # of a data module: what is not of the data


class Origin(NamedTuple):
    """Where a description is from, for errors."""

    file: str = "the checkpoint"
    load: str = "LitGAN.load_from_checkpoint(path, {}=...)"
    """How a part that is not rebuilt from there is given in code; ``{}`` stands for its name."""


def describe(value: Any) -> Any:
    """Return ``value`` as plain data: a part becomes ``{"class_path": ..., "init_args": {...}}``.

    ``init_args`` are read from the part's attributes of the same names. They are None for a part that cannot be
    rebuilt from a file: one that is not lit_gan's or torch.optim's.
    """
    if isinstance(value, np.generic):  # numpy's numbers, which a checkpoint would not give back
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [describe(v) for v in value]
    if isinstance(value, dict):
        return {k: describe(v) for k, v in value.items()}
    path = _class_path(type(value))
    names = list(inspect.signature(type(value)).parameters) if path.startswith(_TRUSTED) else []
    known = path.startswith(_TRUSTED) and all(hasattr(value, name) for name in names)
    return {
        "class_path": path,
        "init_args": {name: describe(getattr(value, name)) for name in names} if known else None,
    }


def describe_optimizer(
    factory: Callable[[Iterable[nn.Parameter]], Optimizer], parameters: Iterable[nn.Parameter]
) -> Any:
    """Return the optimizer that ``factory`` makes as plain data; its arguments are the defaults it holds."""
    parameters = list(parameters)
    optimizer = factory(parameters)
    path = _class_path(type(optimizer))
    if not path.startswith(_TRUSTED) or not _is_ordinary(optimizer, parameters):
        return {"class_path": path, "init_args": None}
    names = inspect.signature(type(optimizer)).parameters
    return {
        "class_path": path,
        "init_args": {name: describe(v) for name, v in optimizer.defaults.items() if name in names},
    }


def _is_ordinary(optimizer: Optimizer, parameters: Iterable[nn.Parameter]) -> bool:
    """Tell whether an optimizer trains all that can be trained by its defaults; ``fused`` is GANAdam's own choice."""
    group, *others = optimizer.param_groups
    whole = {id(p) for p in parameters if p.requires_grad} <= {id(p) for p in group["params"]}
    same = all(group[name] == value for name, value in optimizer.defaults.items() if name != "fused")
    return whole and same and not others


def describe_data(data: Any) -> Any:
    """Return a data module as :func:`describe` does, without what it says of the machine: folders, caches and workers.

    A set of a hub keeps its name there; a module of the user's own is its class path alone. None stays None.
    """
    plain = describe(data)
    if plain is not None and plain["init_args"] is not None:
        arguments = plain["init_args"].items()
        plain["init_args"] = {k: v for k, v in arguments if k not in _MACHINE or (k == "path" and _is_on_a_hub(v))}
    return plain


def _is_on_a_hub(path: Any) -> bool:
    named = isinstance(path, str) and re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", path) is not None
    return named and not Path(path).exists()


def rebuild(value: Any, name: str, origin: Origin = Origin()) -> Any:
    """Return what :func:`describe` described; an optimizer as a factory that takes the parameters.

    Args:
        value: plain data, from a file that may be hostile.
        name: the argument it is for, named in errors.
        origin: where it is from, likewise.

    Raises:
        ValueError: a class path outside the modules of lit_gan and torch.optim that are for this argument, one that
            resolves to anything but a part, or a part that cannot be made.
    """
    if isinstance(value, list):
        return [rebuild(v, name, origin) for v in value]
    if not isinstance(value, dict):
        return value
    if "class_path" not in value:
        return {k: rebuild(v, name, origin) for k, v in value.items()}
    if value.get("init_args") is None:
        raise LitGANError(
            f"{origin.file}'s {name} is a {value['class_path']}, which is not rebuilt from a file: give it in code, "
            f"{origin.load.format(name)}"
        )
    cls = _resolve(value["class_path"], name, origin)
    try:
        init_args = {k: rebuild(v, name, origin) for k, v in value["init_args"].items()}
        return partial(cls, **_with_tuples(init_args)) if issubclass(cls, Optimizer) else cls(**init_args)
    except Exception as error:  # whatever comes to a class that is given anything: torch has no memory for it
        if isinstance(error, ValueError) and not isinstance(error, TypeError):  # says all
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise LitGANError(
            f"{origin.file}'s {name} is no {cls.__name__} that this version of lit_gan can make: {reason}"
        ) from error


def _with_tuples(init_args: dict[str, Any]) -> dict[str, Any]:
    """Return an optimizer's arguments as torch has them: plain data know lists alone."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in init_args.items()}


def summary(description: Any) -> str:
    """Return a description as one would write the part in code: ``DCGANGenerator(image_size=32, ...)``."""
    if isinstance(description, dict) and "class_path" in description:
        init_args = description["init_args"] or {}
        name = description["class_path"].rpartition(".")[2]
        return f"{name}({', '.join(f'{k}={summary(v)}' for k, v in init_args.items())})"
    if isinstance(description, dict):
        return f"{{{', '.join(f'{name!r}: {summary(part)}' for name, part in description.items())}}}"
    return repr(description)


def _class_path(cls: type) -> str:
    """Return where a class is imported from: for lit_gan's the folder that exports it, which outlives its files."""
    folder = cls.__module__.rpartition(".")[0]
    exports = folder.startswith("lit_gan.") and getattr(import_module(folder), cls.__name__, None) is cls
    return f"{folder if exports else cls.__module__}.{cls.__qualname__}"


def _resolve(path: str, name: str, origin: Origin) -> type:
    kinds = allowed_kinds(name)
    places = list(dict.fromkeys(module for kind in kinds for module in kind.modules))
    refusal = LitGANError(
        f"{origin.file}'s {name} is {path!r}, which is no part of {' or '.join(places)}: nothing was "
        f"imported; if you trust it, give it in code, {origin.load.format(name)}"
    )
    known = isinstance(path, str) and path.startswith(tuple(f"{place}." for place in places))
    if not known or not all(part.isidentifier() for part in path.split(".")):
        raise refusal
    try:
        cls = import_path(path := current_path(path))
    except (ModuleNotFoundError, AttributeError):
        raise refusal from None
    except ImportError as error:  # lit_gan.bolts says what it needs
        raise LitGANError(f"{origin.file}'s {name} is {path!r}: {error}") from error
    if not _is_part(cls, [kind.base for kind in kinds]) or _class_path(cls) != path:
        raise refusal
    return cls


def _is_part(cls: Any, bases: list[str]) -> bool:
    """Tell whether ``cls`` is a class of one of the kinds, and not a whole model."""
    if not isinstance(cls, type) or hasattr(cls, "training_step"):
        return False
    return any(issubclass(cls, import_path(base)) for base in bases)
