"""Table of modules that earlier versions had under other import paths, and the finder that still imports them."""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["MOVED", "current_path", "install"]

MOVED: dict[str, tuple[str, ...]] = {
    "lit_gan.evaluation": ("lit_gan.metrics.evaluation",),
    "lit_gan.exploring": ("lit_gan.sampling.grids",),
    "lit_gan.export": ("lit_gan.cli.export", "lit_gan.sampling.export"),
    "lit_gan.images": ("lit_gan.data.images",),
    "lit_gan.latents": ("lit_gan.sampling.paths",),
    "lit_gan.module": ("lit_gan.gan",),
    "lit_gan.plots": ("lit_gan.callbacks.figures",),
    "lit_gan.verdict": ("lit_gan.callbacks.verdict",),
}
"""Modules that contain the names now, by the module of an earlier version that contained them."""


def install() -> None:
    """Make the old modules of :data:`MOVED` importable; called when lit_gan is imported."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())


def current_path(path: str) -> str:
    """Return the present import path of a class, for instance ``lit_gan.gan.LitGAN`` for ``lit_gan.module.LitGAN``."""
    module, _, name = path.rpartition(".")
    return next((f"{place}.{name}" for place in MOVED.get(module, ()) if hasattr(import_module(place), name)), path)


class _Finder(MetaPathFinder):
    """Finder of moved modules, which Python asks only if there is not a file of that name."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, _Alias()) if fullname in MOVED else None


class _Alias(Loader):
    """Loader of a module whose names are looked up in the modules that contain them now."""

    def exec_module(self, module: ModuleType) -> None:
        places = MOVED[module.__name__]

        def find(name: str) -> Any:
            for place in places:
                if hasattr(now := import_module(place), name):
                    return getattr(now, name)
            raise AttributeError(f"module {module.__name__!r}, now {' and '.join(places)}, has no {name!r}")

        vars(module)["__getattr__"] = find
