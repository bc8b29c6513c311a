"""Files that are whole or not there: written beside their place and renamed."""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from lit_gan._utils.errors import LitGANError

__all__ = ["atomic_folder", "atomic_write", "cache_folder"]


@contextmanager
def atomic_write(path: Path, writer: str = "") -> Iterator[Path]:
    """Give a path beside ``path`` to write to; synced and renamed to it when all went well, removed when not.

    Args:
        path: of the file that is to be.
        writer: tells apart those who may write it at the same time.
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
    """Give an empty folder beside ``path`` to write files to; renamed to it when all went well, removed when not.

    Args:
        path: of the folder that is to be.
        replaceable: names of files; a folder there that holds nothing else is replaced,
        mark: where it holds this one of them, which tells whose it is, or nothing at all.

    Raises:
        ValueError: something else is at ``path``.
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
    """Return the folder of caches: what is given, ``$LIT_GAN_CACHE``, or ``~/.cache/lit_gan``."""
    return Path(given or os.environ.get("LIT_GAN_CACHE") or "~/.cache/lit_gan").expanduser()


def _sync(path: Path) -> None:
    """Have the system write a file, or the names in a folder, to the disk now."""
    if path.is_dir() and os.name == "nt":  # where a folder cannot be opened
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
