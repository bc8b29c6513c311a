"""How a part shows itself: its arguments by name, read from the attributes of the same names."""

import inspect
from typing import Any

from torch import nn

__all__ = ["argument_names", "as_arguments", "in_one_line", "kept_arguments"]


def argument_names(cls: type) -> list[str]:
    """Return the named arguments of a class, without ``*args`` and ``**kwargs``."""
    parameters = inspect.signature(cls).parameters.values()
    return [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def as_arguments(part: object) -> str:
    """Return a part's arguments as in code, ``weight=0.1, every=1``: what a module's ``extra_repr`` is set to.

    Without those that are modules, which the structure of a module shows, and those that the part does not keep.
    """
    kept = kept_arguments(part)
    return ", ".join(f"{name}={value!r}" for name, value in kept.items() if not isinstance(value, nn.Module))


def kept_arguments(part: object, cls: type | None = None) -> dict[str, Any]:
    """Return the arguments that a part keeps as attributes, by name: those of its class, or of a base ``cls``."""
    names = argument_names(type(part) if cls is None else cls)
    return {name: getattr(part, name) for name in names if hasattr(part, name)}


def in_one_line(part: object) -> str:
    """Return a part as in code, ``SampleGrid(n=64, …)``: what ``__repr__`` is set to where there is no structure.

    Modules among its arguments are shown by their names, ``extractor=InceptionV3(…)``.
    """
    shown = {
        n: f"{type(v).__name__}(…)" if isinstance(v, nn.Module) else repr(v) for n, v in kept_arguments(part).items()
    }
    return f"{type(part).__name__}({', '.join(f'{name}={text}' for name, text in shown.items())})"
