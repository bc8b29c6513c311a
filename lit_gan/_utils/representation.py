"""Text representations of parts: their arguments by name, read from the attributes of the same names."""

import inspect
from typing import Any

from torch import nn

__all__ = ["argument_names", "as_arguments", "in_one_line", "kept_arguments"]


def argument_names(cls: type) -> list[str]:
    """Return the names of a class's arguments, without ``*args`` and ``**kwargs``."""
    parameters = inspect.signature(cls).parameters.values()
    return [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def as_arguments(part: object) -> str:
    """Return a part's arguments as in code, ``weight=0.1, every=1``; parts set a module's ``extra_repr`` to this.

    Arguments that are modules are left out, since a module's ``repr`` shows them, and so are those that the part does
    not keep as attributes.
    """
    kept = kept_arguments(part)
    return ", ".join(f"{name}={value!r}" for name, value in kept.items() if not isinstance(value, nn.Module))


def kept_arguments(part: object, cls: type | None = None) -> dict[str, Any]:
    """Return those arguments of a part's class, or of its base ``cls``, that it has as attributes, by name."""
    names = argument_names(type(part) if cls is None else cls)
    return {name: getattr(part, name) for name in names if hasattr(part, name)}


def in_one_line(part: object) -> str:
    """Return a part as in code, ``SampleGrid(n=64, …)``; parts that are not modules set ``__repr__`` to this.

    An argument that is a module is shortened to the name of its class, ``extractor=InceptionV3(…)``.
    """
    shown = {
        n: f"{type(v).__name__}(…)" if isinstance(v, nn.Module) else repr(v) for n, v in kept_arguments(part).items()
    }
    return f"{type(part).__name__}({', '.join(f'{name}={text}' for name, text in shown.items())})"
