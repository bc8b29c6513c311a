"""Descriptions of a model's parts as plain data, ``{class_path, init_args}``, to rebuild them without pickles.

For a description from a file, only classes of lit_gan and torch.optim are imported, and for each argument only from the
modules of its kind of part. A user's own classes are named in the file, and must be passed when it is loaded.
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
# Arguments of a data module that depend on the machine and do not describe the data.
_MACHINE = ("cache", "download", "folder", "num_workers", "path", "root")


class Origin(NamedTuple):
    """The source of a description, named in error messages."""

    file: str = "the checkpoint"
    load: str = "LitGAN.load_from_checkpoint(path, {}=...)"
    """Code that passes a part which is not rebuilt from the file; ``{}`` stands for the argument's name."""


def describe(value: Any) -> Any:
    """Return ``value`` as plain data: a part becomes ``{"class_path": ..., "init_args": {...}}``.

    ``init_args`` are read from the part's attributes of the same names. They are None for a part that cannot be
    rebuilt from a file: one whose class is not in lit_gan or torch.optim, or that lacks such an attribute.
    """
    if isinstance(value, np.generic):  # a weights-only checkpoint cannot hold NumPy's numbers
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
    """Return the optimizer that ``factory`` makes as plain data, with its ``defaults`` as arguments."""
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
    """Return whether an optimizer is defined by its defaults: one group of all trainable parameters uses them.

    The group's ``fused`` may differ, since GANAdam chooses it.
    """
    group, *others = optimizer.param_groups
    whole = {id(p) for p in parameters if p.requires_grad} <= {id(p) for p in group["params"]}
    same = all(group[name] == value for name, value in optimizer.defaults.items() if name != "fused")
    return whole and same and not others


def describe_data(data: Any) -> Any:
    """Return a data module as :func:`describe` does, without arguments that depend on the machine.

    These are folders, caches, downloads and workers. The name of a data set on a hub is kept. Of a user's own data
    module only the class path is kept; None stays None.
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
    """Return the value that :func:`describe` described; an optimizer as a factory that takes the parameters.

    Args:
        value: plain data, from a file that may be malicious.
        name: the argument that the value is for, which decides the allowed classes and is named in errors.
        origin: source of the value, named in errors.

    Raises:
        ValueError: a class path outside the modules of lit_gan and torch.optim that are for this argument, one that
            is not the path of a part, or a part that cannot be made from its arguments.
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
    except Exception as error:  # arguments from a file may raise errors of any type, out of memory among them
        if isinstance(error, ValueError) and not isinstance(error, TypeError):  # its message is clear already
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise LitGANError(
            f"{origin.file}'s {name} is no {cls.__name__} that this version of lit_gan can make: {reason}"
        ) from error


def _with_tuples(init_args: dict[str, Any]) -> dict[str, Any]:
    """Return an optimizer's arguments with lists turned back into tuples, which plain data holds as lists."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in init_args.items()}


def summary(description: Any) -> str:
    """Return a description as code that makes the part, ``DCGANGenerator(image_size=32, ...)`` for instance."""
    if isinstance(description, dict) and "class_path" in description:
        init_args = description["init_args"] or {}
        name = description["class_path"].rpartition(".")[2]
        return f"{name}({', '.join(f'{k}={summary(v)}' for k, v in init_args.items())})"
    if isinstance(description, dict):
        return f"{{{', '.join(f'{name!r}: {summary(part)}' for name, part in description.items())}}}"
    return repr(description)


def _class_path(cls: type) -> str:
    """Return a class's import path; if a lit_gan package exports it, from there, since files may be renamed."""
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
    except ImportError as error:  # lit_gan.bolts raises it with the name of a missing package
        raise LitGANError(f"{origin.file}'s {name} is {path!r}: {error}") from error
    if not _is_part(cls, [kind.base for kind in kinds]) or _class_path(cls) != path:
        raise refusal
    return cls


def _is_part(cls: Any, bases: list[str]) -> bool:
    """Return whether ``cls`` is a subclass of one of ``bases``, and not a LightningModule."""
    if not isinstance(cls, type) or hasattr(cls, "training_step"):
        return False
    return any(issubclass(cls, import_path(base)) for base in bases)
