"""The import of ``pl_bolts`` on Lightning 2, with its changes to other modules undone."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

import lightning_utilities.core.apply_func
import numpy

from lit_gan._utils.errors import MissingExtraError

__all__: list[str] = []

_VERSION = "0.7.0"


def _import_bolts() -> None:
    """Import ``pl_bolts``, delete the names it adds to numpy and silence its UnderReviewWarning."""
    _check_version()
    with _lightning_1_module(), warnings.catch_warnings(record=True):
        warnings.simplefilter("ignore")
        bolts = import_module("pl_bolts")
        import_module("pl_bolts.models.gans")
    for name, builtin in (("object", object), ("int", int), ("float", float)):
        if vars(numpy).get(name) is builtin:  # set by bolts, which itself uses only numpy.bool, which numpy 2 has
            delattr(numpy, name)
    warnings.filterwarnings("ignore", category=bolts.utils.stability.UnderReviewWarning)


def _check_version() -> None:
    """Raise MissingExtraError if lightning-bolts is not installed in the supported version."""
    try:
        found = version("lightning-bolts")
    except PackageNotFoundError:
        found = "none"
    if found != _VERSION:
        raise MissingExtraError(
            f"lit_gan.bolts needs lightning-bolts {_VERSION} and there is {found}: "
            f"pip install --no-deps lightning-bolts=={_VERSION}"
        )


@contextmanager
def _lightning_1_module() -> Iterator[None]:
    """Make a Lightning 1 module that bolts imports, now part of lightning_utilities, importable in the context."""
    name = "pytorch_lightning.utilities.apply_func"
    sys.modules[name] = lightning_utilities.core.apply_func
    try:
        yield
    finally:
        del sys.modules[name]


_import_bolts()
