"""Checkpoints on disk: whole or not there, and nothing but tensors and plain data."""

import os
import pickle
import re
import shutil
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins import TorchCheckpointIO
from lightning_fabric.utilities.cloud_io import get_filesystem
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.utilities.rank_zero import rank_zero_warn

from lit_gan.files import beside

__all__ = ["PlainCheckpointIO", "checkpoint_folders", "newest_checkpoint", "read_checkpoint"]

_NOT_READ = "nothing was read from it, take another one"


def read_checkpoint(path: str | Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Return a checkpoint's content; nothing but tensors and plain data is read from it.

    Args:
        path: a file, or the address of one that fsspec can open.
        map_location: device for the tensors.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is truncated or damaged, holds pickled objects, or is no checkpoint.
    """
    check_whole(path)
    with get_filesystem(path).open(str(path), "rb") as file:
        try:
            checkpoint: Any = torch.load(file, map_location=map_location, weights_only=True)
        except pickle.UnpicklingError as error:
            raise ValueError(f"{path} holds more than tensors and plain data: {_NOT_READ}") from error
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise ValueError(f"{path} is no checkpoint: {_NOT_READ}")
    return checkpoint


def check_whole(path: str | Path) -> None:
    """Refuse a file that is not what was written; torch writes check sums, and does not look at them.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is truncated or damaged, or was not written by torch.
    """
    files = get_filesystem(path)
    if not files.isfile(str(path)):
        raise FileNotFoundError(f"there is no checkpoint {path}")
    try:
        with files.open(str(path), "rb") as file, zipfile.ZipFile(file) as parts:
            whole = parts.testzip() is None and any(name.endswith("data.pkl") for name in parts.namelist())
    except (OSError, MemoryError):
        raise
    except Exception as error:  # zipfile raises whatever comes to it on a damaged file
        raise ValueError(f"{path} is truncated or no checkpoint: {_NOT_READ}") from error
    if not whole:
        raise ValueError(f"{path} is damaged or no checkpoint: {_NOT_READ}")


def checkpoint_folders(trainer: Trainer) -> list[str]:
    """Return where this run and earlier ones of the same logger, or the same folder, keep their checkpoints."""
    named = [str(c.dirpath) for c in trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint) and c.dirpath]
    runs = [f"{logger.save_dir or trainer.default_root_dir}/{logger.name}" for logger in trainer.loggers]
    folders = [*named, *(runs or [f"{trainer.default_root_dir}/checkpoints"])]
    return list(dict.fromkeys(f if "://" in f else os.path.normpath(f) for f in folders))


def newest_checkpoint(*folders: str | Path) -> str | None:
    """Return the newest whole checkpoint in ``folders`` and below; those that are not whole are named in a warning.

    Args:
        folders: to search, local ones or addresses that fsspec can open; one that is not there holds none.

    Returns:
        its path, or None where there are no checkpoints.

    Raises:
        ValueError: there are some, and none is whole.
    """
    found = {path: when for folder in folders for path, when in _checkpoints(str(folder))}
    newest_first = sorted(found, key=lambda path: (found[path], path), reverse=True)
    path = next((path for path in newest_first if _is_whole(path)), None)
    if found and path is None:
        places = ", ".join(map(str, folders))
        raise ValueError(f"none of the {len(found)} checkpoints in {places} can be read: remove them to start anew")
    return path


def _checkpoints(folder: str) -> Iterator[tuple[str, Any]]:
    """Yield the checkpoints in ``folder`` and when each was written."""
    files = get_filesystem(folder)
    for path in files.find(folder):
        if path.endswith(".ckpt"):
            yield files.unstrip_protocol(path) if "://" in folder else path, files.modified(path)


def _is_whole(path: str) -> bool:
    try:
        check_whole(path)
    except ValueError as error:
        rank_zero_warn(f"{str(error).partition(f': {_NOT_READ}')[0]}: not resumed from, the one before it is tried")
        return False
    return True


class PlainCheckpointIO(TorchCheckpointIO):
    """Reads nothing but tensors and plain data; writes whole files, and leaves the last good one where it cannot."""

    def __init__(self) -> None:
        super().__init__()
        self.strict = True  # while a LitGAN is at work
        self._folders: set[str] = set()  # that this object has written into

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write ``checkpoint`` to ``path``.

        Raises:
            OSError: the disk is full, or the folder cannot be written to; what was at ``path`` is still there.
            TypeError: it holds more than tensors and plain data, so that it could not be read again.
        """
        self._folders.add(_folder(path))
        if "://" in str(path):
            buffer = BytesIO()
            torch.save(checkpoint, buffer)
            buffer.seek(0)
            _check_plain(buffer)
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with beside(path) as partial:
                with partial.open("wb") as file:
                    torch.save(checkpoint, file)
                _check_plain(partial)
        except (OSError, RuntimeError) as error:  # torch's writer raises the latter
            if (reason := _reason(error)) is None:
                raise
            free = shutil.disk_usage(next(p for p in path.absolute().parents if p.exists())).free / 1e6
            raise OSError(
                f"{path} could not be written, with {free:,.0f} MB free there ({reason}); what was written "
                "before is untouched: make room, or save elsewhere, and resume from the last checkpoint"
            ) from error

    def remove_checkpoint(self, path: Any) -> None:
        """Remove a checkpoint from a folder that one was written into; ModelCheckpoint takes names from a file."""
        is_checkpoint = str(path).endswith(".ckpt") and not get_filesystem(path).isdir(str(path))
        if is_checkpoint and _folder(path) in self._folders:
            super().remove_checkpoint(path)
        else:
            rank_zero_warn(f"{path} is not removed: it is no checkpoint in the folder of this run")

    def load_checkpoint(
        self, path: Any, map_location: Any = lambda storage, _: storage, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Return a checkpoint's content as :func:`read_checkpoint` does, local or remote.

        Raises:
            ValueError: what :func:`read_checkpoint` raises, or ``weights_only=False``.
        """
        if weights_only is False and not self.strict:
            return super().load_checkpoint(path, map_location, weights_only)
        if weights_only is False:
            raise ValueError(
                "weights_only=False would run whatever a checkpoint holds: LitGAN's need it not, leave it out"
            )
        return read_checkpoint(path, map_location)


def _check_plain(file: Path | BytesIO) -> None:
    """Refuse what :func:`read_checkpoint` would refuse; no tensor of a file is read, nor brought back to a GPU."""
    try:
        torch.load(file, map_location="cpu", weights_only=True, mmap=isinstance(file, Path))
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+)", str(error))
        raise TypeError(
            f"the checkpoint would hold {found[1] if found else 'an object'}, which is not read back from a file: let "
            "the state_dict of callbacks and data modules be tensors and plain data"
        ) from error


def _folder(path: Any) -> str:
    return str(path).rpartition("/")[0] if "://" in str(path) else str(Path(path).resolve().parent)


def _reason(error: BaseException) -> str | None:
    """Return the first line of the system's own error, which torch's writer hides behind its own; None without one."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    return None if cause is None else str(cause).splitlines()[0]
