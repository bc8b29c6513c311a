"""Import of optional packages, when a part that needs them is used."""

from importlib import import_module
from typing import Any

from lit_gan._utils.errors import MissingExtraError

__all__ = ["optional"]


def optional(package: str, extra: str, who: str) -> Any:
    """Import and return a package that an extra of lit_gan installs.

    Args:
        package: import name of the package.
        extra: name of the extra that installs it.
        who: name of the part that needs it, for the error message.

    Raises:
        ImportError: the package is not installed; the message names the extra.
    """
    try:
        return import_module(package)
    except ImportError as error:
        raise MissingExtraError(f'{who} needs {package}: pip install ".[{extra}]", in a clone of lit_gan') from error
