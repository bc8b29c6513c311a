"""lit_gan: GANs on PyTorch Lightning, with the mathematics of the original paper executable.

Importing lit_gan imports neither torch nor Lightning: each of its names is imported when it is first used.
"""

import os
import sys

if (
    sys.argv[:1] == ["-m"]
    and sys.orig_argv[-len(sys.argv)].removeprefix("-m").partition(".")[0] == "lit_gan"
    and sys.path[0] == os.getcwd()  # noqa: PTH109  (pathlib would be imported from there)
):  # python -m lit_gan: the current folder is first, and its files would be imported in place of installed modules
    del sys.path[0]

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from lit_gan._utils.moved import install
from lit_gan._utils.version import __version__

if TYPE_CHECKING:
    from lit_gan._utils.errors import LitGANError as LitGANError
    from lit_gan.gan import LitGAN as LitGAN
    from lit_gan.sampling.export import load_generator as load_generator

__all__ = ["LitGAN", "LitGANError", "__version__", "load_generator"]

_MODULE_OF = {
    "LitGAN": "lit_gan.gan",
    "LitGANError": "lit_gan._utils.errors",
    "load_generator": "lit_gan.sampling.export",
}

install()


def __getattr__(name: str) -> Any:
    """Import a public name, or a subpackage like ``lit_gan.networks``, when it is first used."""
    if name in _MODULE_OF:
        found = getattr(import_module(_MODULE_OF[name]), name)
    elif not name.startswith("_") and find_spec(f"lit_gan.{name}") is not None:
        found = import_module(f"lit_gan.{name}")
    else:
        raise AttributeError(f"module 'lit_gan' has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Return the public names, for tab completion."""
    return sorted({*globals(), *__all__})
