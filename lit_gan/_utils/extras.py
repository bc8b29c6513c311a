"""Packages that only some parts need: imported when one of these is used."""

from importlib import import_module
from typing import Any

from lit_gan._utils.errors import MissingExtraError

__all__ = ["optional"]


def optional(package: str, extra: str, who: str) -> Any:
    """Return a package that an extra of lit_gan brings.

    Args:
        package: its import name.
        extra: that brings it.
        who: needs it, for the message.

    Raises:
        ImportError: it is not there.
    """
    try:
        return import_module(package)
    except ImportError as error:
        raise MissingExtraError(f'{who} needs {package}: pip install "lit-gan[{extra}]"') from error
