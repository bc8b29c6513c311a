"""The file that a command writes, checked before the work whose result it will hold."""

import os
from pathlib import Path

from lit_gan._utils.arguments import expanded
from lit_gan._utils.errors import LitGANError, LitGANOSError

__all__ = ["check_writable", "output_file"]


def output_file(output: str | Path, ending: str) -> Path:
    """Return the path of a file to write, and make its folder.

    Args:
        output: as the user gives it.
        ending: that its name must have, like ``".json"``, in any case.

    Raises:
        OSError: its folder cannot be made, or written to.
        ValueError: another ending, or a folder.
    """
    path = Path(expanded(str(output)))
    if path.suffix.lower() != ending or path.is_dir():
        raise LitGANError(f"output={str(output)!r} must be a file that ends in {ending}")
    check_writable(path.parent)
    return path


def check_writable(folder: Path) -> None:
    """Make a folder, or raise an OSError if that is impossible or if nothing can be written into it."""
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise LitGANOSError(f"{folder} cannot be written to: name another output")
