"""Checkpoint files: the sections that lit_gan adds to Lightning's, and reading them without executing code."""

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from fsspec.core import url_to_fs
from torch import Tensor

from lit_gan._utils.errors import LitGANError, MissingFileError

__all__ = [
    "AVERAGE",
    "FORMAT",
    "NOT_READ",
    "Section",
    "check_sections",
    "check_whole",
    "differences",
    "read_checkpoint",
]

FORMAT = 1
"""Format number of the checkpoints written now. Format 0, whose files hold no number, is also read."""
AVERAGE = "ema_generator."
"""Prefix of the averaged generator's tensors in a state dict."""
NOT_READ = "nothing was read from it, take another one"
"""End of the error messages for a file that is not read."""


class Section:
    """Keys that lit_gan adds to a checkpoint; their values are plain data."""

    FORMAT = "lit_gan_format"
    """A whole number, :data:`FORMAT`; absent in format 0."""
    MODEL = "lit_gan"
    """Arguments of LitGAN by name."""
    DATA = "lit_gan_data"
    """The data module, without arguments that depend on the machine; absent outside fit."""
    RUN = "lit_gan_run"
    """State for an exact resume: seed, world size, batches of an epoch, random states; absent outside fit."""


def read_checkpoint(path: str | Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Return the content of a checkpoint, of which only tensors and plain data are read.

    Args:
        path: path of the file, or an address that fsspec can open.
        map_location: device of the tensors, as in ``torch.load``.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is truncated or damaged, holds pickled objects, is not a checkpoint, or has a later format.
    """
    check_whole(path)
    with url_to_fs(str(path))[0].open(str(path), "rb") as file:
        try:
            checkpoint: Any = torch.load(file, map_location=map_location, weights_only=True)
        except pickle.UnpicklingError as error:
            raise LitGANError(f"{path} holds more than tensors and plain data: {NOT_READ}") from error
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise LitGANError(f"{path} is no checkpoint: {NOT_READ}")
    number = checkpoint.get(Section.FORMAT, 0)
    if not isinstance(number, int) or number > FORMAT:
        raise LitGANError(f"{path} is of format {number!r}, this lit_gan reads {FORMAT}: take a newer lit_gan")
    return checkpoint


def check_whole(path: str | Path) -> None:
    """Raise if a file is truncated or damaged, by the checksums that torch writes but does not verify on loading.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is truncated or damaged, or was not written by torch.
    """
    files = url_to_fs(str(path))[0]
    if not files.isfile(str(path)):
        raise MissingFileError(f"there is no checkpoint {path}")
    try:
        with files.open(str(path), "rb") as file, zipfile.ZipFile(file) as parts:
            whole = parts.testzip() is None and any(name.endswith("data.pkl") for name in parts.namelist())
    except (OSError, MemoryError):
        raise
    except Exception as error:  # zipfile raises errors of many types on a damaged file
        raise LitGANError(f"{path} is truncated or no checkpoint: {NOT_READ}") from error
    if not whole:
        raise LitGANError(f"{path} is damaged or no checkpoint: {NOT_READ}")


def check_sections(checkpoint: dict[str, Any]) -> None:
    """Raise if a checkpoint was not written by LitGAN, or if its state dict holds more than tensors.

    Raises:
        ValueError: in both cases.
    """
    if not isinstance(checkpoint.get(Section.MODEL), dict):
        raise LitGANError("this is a checkpoint, but not of LitGAN: a Trainer that fits a LitGAN writes one")
    state = checkpoint["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise LitGANError("the checkpoint's state_dict holds more than tensors: nothing was read from it")


def differences(saved: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, str]:
    """Return a text for each tensor that is missing or of another shape in ``saved`` or ``own``, by its name."""
    there, here = ({name: tuple(tensor.shape) for name, tensor in state.items()} for state in (saved, own))
    return {
        name: f"{name} is {there.get(name, 'absent')} there and {here.get(name, 'absent')} here"
        for name in sorted(there.keys() | here.keys())
        if there.get(name) != here.get(name)
    }
