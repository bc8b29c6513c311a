"""Makes ``pl_bolts`` importable on Lightning 2, and puts back what it changes elsewhere."""

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
    _check_version()
    with _where_it_was(), warnings.catch_warnings(record=True):
        warnings.simplefilter("ignore")
        bolts = import_module("pl_bolts")
        import_module("pl_bolts.models.gans")
    for name, builtin in (("object", object), ("int", int), ("float", float)):
        if vars(numpy).get(name) is builtin:  # bolts put it there, and uses numpy.bool alone, which numpy 2 has
            delattr(numpy, name)
    warnings.filterwarnings("ignore", category=bolts.utils.stability.UnderReviewWarning)


def _check_version() -> None:
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
def _where_it_was() -> Iterator[None]:
    """Let bolts find a module of Lightning 1 that has moved to lightning_utilities since."""
    name = "pytorch_lightning.utilities.apply_func"
    sys.modules[name] = lightning_utilities.core.apply_func
    try:
        yield
    finally:
        del sys.modules[name]


_import_bolts()
