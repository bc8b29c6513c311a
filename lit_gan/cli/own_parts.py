"""Import of a user's own parts from the current folder: only modules that the command line names, and what they import.

The current folder may be a stranger's. If it were in ``sys.path``, its ``json.py`` could be imported in place of
Python's, and its ``safetensors.py`` if none is installed.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

__all__ = ["own_parts"]

_FIRST_OF_A_PATH = re.compile(r"(?<![\w./-])[^\W\d]\w*(?=\.[^\W\d])")
"""``own`` in ``--model.loss=own.Loss``; neither ``model`` nor a part of ``runs/own.ckpt``."""


@contextmanager
def own_parts(arguments: Sequence[str]) -> Iterator[None]:
    """Make modules of the current folder importable within the context if ``arguments`` name them.

    Installed modules of the same names come first. A config may name any class, and is code: if one is given, the whole
    folder is searched.
    """
    folder = str(Path.cwd())
    finder = _Finder(folder, set(_FIRST_OF_A_PATH.findall(" ".join(arguments))))
    if any(argument.startswith("--config") or argument.endswith((".yaml", ".yml")) for argument in arguments):
        finder.trust()
    sys.meta_path.append(finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Finder(MetaPathFinder):
    """Finder of the modules ``names`` in ``folder``; once one is found, what it imports is searched there as well."""

    def __init__(self, folder: str, names: set[str]) -> None:
        self.folder, self.names = folder, names

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a named module lies, or None."""
        spec = PathFinder.find_spec(fullname, [self.folder]) if fullname in self.names else None
        if spec is not None:
            self.trust()
        return spec

    def trust(self) -> None:
        """Search the whole folder from now on, after all others."""
        if self.folder not in sys.path:
            sys.path.append(self.folder)
