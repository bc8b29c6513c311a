"""Atomic, weights-only checkpoint IO with integrity checks, and the search for the newest whole checkpoint."""

import os
import pickle
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from fsspec.core import url_to_fs
from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint, OnExceptionCheckpoint
from pytorch_lightning.strategies import Strategy
from pytorch_lightning.utilities.rank_zero import rank_zero_warn

from lit_gan._utils.checkpoint_file import NOT_READ, check_whole, read_checkpoint
from lit_gan._utils.errors import LitGANError, LitGANOSError, LitGANTypeError, MissingFileError
from lit_gan._utils.files import atomic_write
from lit_gan.training.lightning_compat import writes_pickles

__all__ = [
    "PlainCheckpointIO",
    "checkpoint_folders",
    "newest_checkpoint",
    "replace_checkpoint_io",
    "saves_on_error",
    "strict_checkpoint_io",
]


def checkpoint_folders(trainer: Trainer) -> list[str]:
    """Return the folders with checkpoints of this run, and of earlier ones with the same logger or root folder."""
    named = [str(c.dirpath) for c in trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint) and c.dirpath]
    runs = [f"{logger.save_dir or trainer.default_root_dir}/{logger.name}" for logger in trainer.loggers]
    folders = [*named, *(runs or [f"{trainer.default_root_dir}/checkpoints"])]
    return list(dict.fromkeys(f if "://" in f else os.path.normpath(f) for f in folders))


def newest_checkpoint(*folders: str | Path) -> str | None:
    """Return the newest whole checkpoint in ``folders`` and below; warn of each newer one that is not whole.

    Args:
        folders: to search; local paths or URLs that fsspec can open. A folder that does not exist counts as empty.

    Returns:
        Its path, or None if the folders hold no checkpoints.

    Raises:
        ValueError: the folders hold checkpoints, and none is whole.
    """
    found = {path: when for folder in folders for path, when in _checkpoints(str(folder))}
    newest_first = sorted(found, key=lambda path: (found[path], path), reverse=True)
    try:
        path = next((path for path in newest_first if _is_whole(path)), None)
    except MissingFileError:  # a run has removed it, and written another one
        return newest_checkpoint(*folders)
    if found and path is None:
        places = ", ".join(map(str, folders))
        raise LitGANError(f"none of the {len(found)} checkpoints in {places} can be read: remove them to start anew")
    return path


def _checkpoints(folder: str) -> Iterator[tuple[str, Any]]:
    """Yield the path and the time of modification of each checkpoint in ``folder`` and below."""
    files = url_to_fs(folder)[0]
    for path in files.find(folder):
        if path.endswith(".ckpt"):
            with suppress(FileNotFoundError):  # the run that writes there has removed it
                yield files.unstrip_protocol(path) if "://" in folder else path, files.modified(path)


def _is_whole(path: str) -> bool:
    try:
        check_whole(path)
    except MissingFileError:
        raise
    except ValueError as error:
        rank_zero_warn(f"{str(error).partition(f': {NOT_READ}')[0]}: not resumed from, the one before it is tried")
        return False
    return True


def saves_on_error(trainer: Trainer) -> bool:
    """Tell whether a callback writes a checkpoint if an exception ends the run, perhaps in the middle of a turn."""
    return any(
        isinstance(c, OnExceptionCheckpoint) or getattr(c, "save_on_exception", False)
        for c in trainer.checkpoint_callbacks
    )


def replace_checkpoint_io(strategy: Strategy) -> None:
    """Replace Lightning's default checkpoint plugin by :class:`PlainCheckpointIO`; a plugin of the user's is kept."""
    if writes_pickles(strategy):
        strategy.checkpoint_io = PlainCheckpointIO()
    strict_checkpoint_io(strategy, True)


def strict_checkpoint_io(strategy: Strategy, strict: bool) -> None:
    """Set whether loading with ``weights_only=False`` is refused, as it is while the Trainer runs a LitGAN."""
    if isinstance(strategy.checkpoint_io, PlainCheckpointIO):
        strategy.checkpoint_io.strict = strict


class PlainCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoint plugin restricted to tensors and plain data, with atomic writes of local files.

    If a write fails, the checkpoint that was at the path is kept.
    """

    def __init__(self) -> None:
        super().__init__()
        self.strict = True  # refuse weights_only=False
        self._written: dict[Path, os.stat_result] = {}  # local files that this object has written
        self._folders: set[str] = set()  # folders that it has written into

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write ``checkpoint`` to ``path``.

        Raises:
            OSError: the disk is full, or the folder cannot be written to; the file that was at ``path`` is kept.
            TypeError: ``checkpoint`` holds more than tensors and plain data, so that it could not be read again.
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
            with atomic_write(path) as partial:
                with partial.open("wb") as file:
                    torch.save(checkpoint, file)
                _check_plain(partial)
            self._written[path.resolve()] = path.stat()
        except (OSError, RuntimeError) as error:  # torch's writer raises RuntimeError
            if (reason := _reason(error)) is None:
                raise
            free = shutil.disk_usage(next(p for p in path.absolute().parents if p.exists())).free / 1e6
            raise LitGANOSError(
                f"{path} could not be written, with {free:,.0f} MB free there ({reason}); what was written "
                "before is untouched: make room, or save elsewhere, and resume from the last checkpoint"
            ) from error

    def remove_checkpoint(self, path: Any) -> None:
        """Remove a checkpoint in a folder that this object has written into; warn and keep the file if it is the last.

        ModelCheckpoint restores the paths that it removes from a checkpoint, which could name any file.
        """
        is_checkpoint = str(path).endswith(".ckpt") and not url_to_fs(str(path))[0].isdir(str(path))
        if not is_checkpoint or _folder(path) not in self._folders:
            rank_zero_warn(f"{path} is not removed: it is no checkpoint in the folder of this run")
        elif "://" not in str(path) and not self._has_another(Path(path)):
            rank_zero_warn(f"{path} is not removed: no other checkpoint of this run is whole")
        else:
            super().remove_checkpoint(path)

    def _has_another(self, path: Path) -> bool:
        """Tell whether there is a whole checkpoint of this run but ``path``; one that is as it was written is whole."""
        path = path.resolve()
        if any(_is_as_written(file, stat) for file, stat in self._written.items() if file != path):
            return True
        folders = [Path(folder) for folder in self._folders if "://" not in folder]
        for file in (file for folder in folders for file in folder.glob("*.ckpt") if file.resolve() != path):
            with suppress(ValueError):
                check_whole(file)
                return True
        return False

    def load_checkpoint(
        self, path: Any, map_location: Any = lambda storage, _: storage, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Return the content of a local or remote checkpoint, read by :func:`read_checkpoint`.

        Raises:
            ValueError: :func:`read_checkpoint` refuses the file, or ``weights_only=False`` is refused.
        """
        if weights_only is False and not self.strict:
            return super().load_checkpoint(path, map_location, weights_only)
        if weights_only is False:
            raise LitGANError(
                "weights_only=False would run whatever a checkpoint holds: LitGAN's need it not, leave it out"
            )
        return read_checkpoint(path, map_location)


def _check_plain(file: Path | BytesIO) -> None:
    """Refuse a checkpoint with more than tensors and plain data; tensors of a local file are mapped, not read."""
    try:
        torch.load(file, map_location="cpu", weights_only=True, mmap=isinstance(file, Path))
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+)", str(error))
        raise LitGANTypeError(
            f"the checkpoint would hold {found[1] if found else 'an object'}, which is not read back from a file: let "
            "the state_dict of callbacks and data modules be tensors and plain data"
        ) from error


def _is_as_written(path: Path, stat: os.stat_result) -> bool:
    with suppress(FileNotFoundError):
        now = path.stat()
        return (now.st_size, now.st_mtime_ns) == (stat.st_size, stat.st_mtime_ns)
    return False


def _folder(path: Any) -> str:
    return str(path).rpartition("/")[0] if "://" in str(path) else str(Path(path).resolve().parent)


def _reason(error: BaseException) -> str | None:
    """Return the first line of the OSError that caused ``error`` (torch's writer wraps it), or None without one."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    return None if cause is None else str(cause).splitlines()[0]
