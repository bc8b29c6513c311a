"""Atomic writes of files and folders, through a temporary path that is renamed on success; the cache folder."""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from lit_gan._utils.errors import LitGANError

__all__ = ["atomic_folder", "atomic_write", "cache_folder"]


@contextmanager
def atomic_write(path: Path, writer: str = "") -> Iterator[Path]:
    """Yield a temporary path next to ``path``; sync and rename it to ``path`` on success, remove it on an error.

    Args:
        path: path of the file to write.
        writer: part of the temporary file's name, to be different for each of several processes that may write at once.
    """
    partial = path.with_name(f"{path.name}{writer}.partial")
    try:
        yield partial
        _sync(partial)
        partial.replace(path)
        _sync(path.parent)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path, replaceable: Collection[str], mark: str) -> Iterator[Path]:
    """Yield an empty folder next to ``path``; sync and rename it to ``path`` on success, remove it on an error.

    Args:
        path: path of the folder to write. A folder there is replaced if it is empty, or if it contains ``mark`` and
            no files but ``replaceable``.
        replaceable: names of the files that an earlier folder may contain.
        mark: name of the file, one of ``replaceable``, that identifies a folder of this kind.

    Raises:
        ValueError: there is a file at ``path``, or a folder that is not replaced.
    """
    there = {found.name for found in path.iterdir()} if path.is_dir() else set()
    foreign = bool(there) and (mark not in there or not there <= set(replaceable))
    if foreign or (path.exists() and not path.is_dir()):
        raise LitGANError(f"{path} is there, and is not replaced: name a folder that is not")
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as aside:
        new, old = Path(aside) / "new", Path(aside) / "old"
        new.mkdir()
        yield new
        for written in (*new.iterdir(), new):
            _sync(written)
        if path.exists():
            path.replace(old)
        try:
            new.replace(path)
        except OSError:
            if old.exists():
                old.replace(path)
            raise
        _sync(path.parent)


def cache_folder(given: str | None) -> Path:
    """Return the cache folder: ``given``, else ``$LIT_GAN_CACHE``, else ``~/.cache/lit_gan``."""
    return Path(given or os.environ.get("LIT_GAN_CACHE") or "~/.cache/lit_gan").expanduser()


def _sync(path: Path) -> None:
    """Flush a file, or the list of names in a folder, to the disk."""
    if path.is_dir() and os.name == "nt":  # Windows cannot open a folder
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
