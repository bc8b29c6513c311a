"""Files that are whole or not there: written beside their place and renamed, checked when they are read."""

import os
import pickle
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins import TorchCheckpointIO
from lightning_fabric.utilities.cloud_io import get_filesystem
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.utilities.rank_zero import rank_zero_warn

__all__ = ["PlainCheckpointIO", "beside", "checkpoint_folders", "newest_checkpoint", "read_checkpoint"]

_NOT_READ = "nothing was read from it, take another one"


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """Give a path beside ``path`` to write to; synced and renamed to it when all went well, removed when not."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        _sync(partial)
        partial.replace(path)
        _sync(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Have the system write a file, or the names in a folder, to the disk now."""
    if path.is_dir() and os.name == "nt":  # where a folder cannot be opened
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_checkpoint(path: str | Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Return a checkpoint's content; nothing but tensors and plain data is read from it.

    Args:
        path: a file, or the address of one that fsspec can open.
        map_location: device for the tensors.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is truncated or damaged, holds pickled objects, or is no checkpoint.
    """
    files = get_filesystem(path)
    if not files.isfile(str(path)):
        raise FileNotFoundError(f"there is no checkpoint {path}")
    try:
        with files.open(str(path), "rb") as file:
            _check_sums(file)
            checkpoint: Any = torch.load(file, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(f"{path} is truncated, or it holds more than tensors and plain data: {_NOT_READ}") from error
    except Exception as error:  # torch raises whatever comes to it on a damaged file
        raise ValueError(f"{path} is truncated or no checkpoint: {_NOT_READ}") from error
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise ValueError(f"{path} is no checkpoint: {_NOT_READ}")
    return checkpoint


def _check_sums(file: Any) -> None:
    """Raise where a part of the file is not what was written; torch writes check sums and does not look at them."""
    with zipfile.ZipFile(file) as parts:
        damaged = parts.testzip()
    if damaged is not None:
        raise ValueError(f"{damaged} is damaged")
    file.seek(0)


def checkpoint_folders(trainer: Trainer) -> list[Path]:
    """Return where this run and earlier ones of the same logger, or the same folder, keep their checkpoints."""
    named = [Path(c.dirpath) for c in trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint) and c.dirpath]
    runs = [Path(logger.save_dir or trainer.default_root_dir) / str(logger.name) for logger in trainer.loggers]
    return list(dict.fromkeys([*named, *(runs or [Path(trainer.default_root_dir)])]))


def newest_checkpoint(*folders: Path) -> Path | None:
    """Return the newest checkpoint in ``folders`` and below that can be read; those that cannot are named in a warning.

    Args:
        folders: to search; one that is not there holds none.

    Returns:
        its path, or None where there are no checkpoints.

    Raises:
        ValueError: there are some, and none can be read.
    """
    found = {path for folder in folders for path in folder.rglob("*.ckpt") if path.is_file()}
    newest_first = sorted(found, key=lambda p: (p.stat().st_mtime_ns, p.name), reverse=True)
    path = next((path for path in newest_first if _can_be_read(path)), None)
    if found and path is None:
        raise ValueError(f"none of the {len(found)} checkpoints in {folders[0]} can be read: remove them to start anew")
    return path


def _can_be_read(path: Path) -> bool:
    try:
        read_checkpoint(path)
    except ValueError as error:
        rank_zero_warn(f"{str(error).partition(':')[0]}: not resumed from, the one before it is tried")
        return False
    return True


class PlainCheckpointIO(TorchCheckpointIO):
    """Reads nothing but tensors and plain data; writes whole files, and leaves the last good one where it cannot."""

    def __init__(self) -> None:
        super().__init__()
        self._folders: set[str] = set()  # that this object has written into

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write ``checkpoint`` to ``path``.

        Raises:
            OSError: the disk is full, or the folder cannot be written to; what was at ``path`` is still there.
        """
        self._folders.add(_folder(path))
        if "://" in str(path):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with beside(path) as partial, partial.open("wb") as file:
                torch.save(checkpoint, file)
        except (OSError, RuntimeError) as error:  # torch's writer raises the latter
            free = shutil.disk_usage(next(p for p in path.absolute().parents if p.exists())).free / 1e6
            raise OSError(
                f"{path} could not be written, with {free:,.0f} MB free there ({_reason(error)}); what was written "
                "before is untouched: make room, or save elsewhere, and resume from the last checkpoint"
            ) from error

    def remove_checkpoint(self, path: Any) -> None:
        """Remove a checkpoint from a folder that one was written into; ModelCheckpoint takes names from a file."""
        if _folder(path) in self._folders:
            super().remove_checkpoint(path)
        else:
            rank_zero_warn(f"{path} is not removed: it lies outside the folder of this run's checkpoints")

    def load_checkpoint(
        self, path: Any, map_location: Any = lambda storage, _: storage, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Return a checkpoint's content as :func:`read_checkpoint` does, local or remote.

        Raises:
            ValueError: what :func:`read_checkpoint` raises, or ``weights_only=False``.
        """
        if weights_only is False:
            raise ValueError(
                "weights_only=False would run whatever a checkpoint holds: LitGAN's need it not, leave it out"
            )
        return read_checkpoint(path, map_location)


def _folder(path: Any) -> str:
    return str(path).rpartition("/")[0] if "://" in str(path) else str(Path(path).resolve().parent)


def _reason(error: BaseException) -> str:
    """Return the first line of the system's own error, which torch's writer hides behind its own."""
    cause = error
    while not isinstance(cause, OSError) and (cause.__cause__ or cause.__context__):
        cause = cause.__cause__ or cause.__context__  # type: ignore[assignment]
    return str(cause).splitlines()[0]
