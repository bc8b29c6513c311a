"""Atomic writes of files and folders, through a temporary path that is renamed on success; the cache folder."""

import errno
import os
import platform
import re
import secrets
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from lit_gan._utils.arguments import expanded
from lit_gan._utils.errors import LitGANError, LitGANRuntimeError

__all__ = ["atomic_folder", "atomic_write", "cache_folder"]

_PARTIAL = re.compile(r"\.(?P<place>\w+)-(?P<process>[1-9]\d{0,8})-[0-9a-f]{8}\.partial")
"""End of the name of a file or folder that is being written: host, process and random digits."""
_DAY = 86_400  # seconds after which a partial file is left over, whoever wrote it


@contextmanager
def atomic_write(path: Path, sync: bool = True) -> Iterator[Path]:
    """Yield an empty file next to ``path``; rename it to ``path`` on success, remove it on an error.

    Several processes may write to one path: each has a file of its own, ``<name>.<host>-<process>-….partial``, which is
    created anew, so that no link is followed.

    Args:
        path: path of the file to write.
        sync: whether to flush the file to the disk before it is renamed, and to remove first what ended processes left
            in its folder. False is faster for many small files, which a power failure may then leave empty.
    """
    if sync:
        _remove_leftovers(path.parent)
    partial = _partial(path)
    os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    try:
        yield partial
        if sync:
            _sync(partial)
        partial.replace(path)
        if sync:
            _sync(path.parent)
    except OSError as error:
        _name(error, path)
        raise
    finally:
        _remove(partial)


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
    _remove_leftovers(path.parent)
    aside = _partial(path)
    new = aside / "new"
    aside.mkdir()
    new.mkdir()
    try:
        yield new
        for written in (*new.iterdir(), new):
            _sync(written)
        _exchange(new, path, aside)
        _sync(path.parent)
    except OSError as error:
        _name(error, path)
        raise
    finally:
        if path.exists() or not _holds_the_old(aside):
            _remove(aside)


def _name(error: OSError, path: Path) -> None:
    """Let an error of the operating system name ``path``, in place of the partial file or of none."""
    if error.errno is not None:
        error.filename = str(path)


def _exchange(new: Path, path: Path, aside: Path) -> None:
    """Rename ``new`` to ``path``; a folder there, perhaps just written by another process, is moved ``aside`` first."""
    for attempt in count():
        old = aside / f"old-{attempt}"
        with suppress(FileNotFoundError):
            path.replace(old)
        try:
            new.replace(path)
            return
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
                continue
            if old.exists():
                old.replace(path)
            raise


def _partial(path: Path) -> Path:
    """Return a new path next to ``path`` that names this host and process; long names are cut."""
    return path.with_name(f"{path.name[:40]}.{_place()}-{os.getpid()}-{secrets.token_hex(4)}.partial")


def _place() -> str:
    """Return the name of this host and, on Linux, the number of its space of processes: each container has one."""
    space = 0
    with suppress(OSError):
        space = Path("/proc/self/ns/pid").stat().st_ino
    return f"{re.sub(r'[^a-zA-Z0-9]', '_', platform.node())[:40]}_{space}"


def _remove_leftovers(folder: Path) -> None:
    """Remove partial files and folders that processes of this host left in ``folder`` when they were killed.

    Those of other hosts are removed when they are a day old. A folder that still holds what it was to replace is kept.
    """
    with suppress(OSError):  # another process may remove one at this moment
        for found in folder.glob("*.partial"):
            if _is_left_over(found) and not _holds_the_old(found):
                _remove(found)


def _holds_the_old(aside: Path) -> bool:
    return any(aside.glob("old-*"))


def _is_left_over(found: Path) -> bool:
    name = _PARTIAL.search(found.name)
    if name is None:
        return False
    ended = name["place"] == _place() and _has_ended(int(name["process"]))
    return ended or time.time() - found.lstat().st_mtime > _DAY


def _has_ended(process: int) -> bool:
    """Tell whether this host has no process of that number; False if the system does not say so."""
    if os.name == "nt":  # a signal would end it there
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it is another user's
        return False
    return False


def _remove(path: Path) -> None:
    """Remove a file or a folder, if it is there and can be removed; what a link points to is kept."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def cache_folder(given: str | None) -> Path:
    """Return the cache folder: ``given``, else ``$LIT_GAN_CACHE``, else ``~/.cache/lit_gan``.

    Raises:
        RuntimeError: it begins with ``~``, and this user has no home folder.
    """
    try:
        return Path(expanded(given or os.environ.get("LIT_GAN_CACHE") or "~/.cache/lit_gan"))
    except LitGANError as error:
        raise LitGANRuntimeError(f"{error}: set HOME, or LIT_GAN_CACHE, the folder of the cache") from error


def _sync(path: Path) -> None:
    """Flush a file, or the list of names in a folder, to the disk, if its file system knows how to."""
    if path.is_dir() and os.name == "nt":  # Windows cannot open a folder
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
