"""A checkpoint file: the sections that lit_gan adds to Lightning's, and reading them without running anything."""

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
"""Of what is written now. 0, without a number, came before; both are read."""
AVERAGE = "ema_generator."
"""What the names of the averaged generator's tensors begin with."""
NOT_READ = "nothing was read from it, take another one"


class Section:
    """The keys of a checkpoint that are lit_gan's, all of plain data."""

    FORMAT = "lit_gan_format"
    """A whole number, :data:`FORMAT`; absent from the first format."""
    MODEL = "lit_gan"
    """The arguments of LitGAN by name."""
    DATA = "lit_gan_data"
    """The data module, without what is of the machine; absent outside fit."""
    RUN = "lit_gan_run"
    """What an exact resume needs: seed, world size, batches of an epoch, random states; absent outside fit."""


def read_checkpoint(path: str | Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Return a checkpoint's content; nothing but tensors and plain data is read from it.

    Args:
        path: a file, or the address of one that fsspec can open.
        map_location: device for the tensors.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is truncated or damaged, holds pickled objects, is no checkpoint, or is of a later format.
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
    """Refuse a file that is not what was written; torch writes check sums, and does not look at them.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is truncated or damaged, or was not written by torch.
    """
    files = url_to_fs(str(path))[0]
    if not files.isfile(str(path)):
        raise MissingFileError(f"there is no checkpoint {path}")
    try:
        with files.open(str(path), "rb") as file, zipfile.ZipFile(file) as parts:
            whole = parts.testzip() is None and any(name.endswith("data.pkl") for name in parts.namelist())
    except (OSError, MemoryError):
        raise
    except Exception as error:  # zipfile raises whatever comes to it on a damaged file
        raise LitGANError(f"{path} is truncated or no checkpoint: {NOT_READ}") from error
    if not whole:
        raise LitGANError(f"{path} is damaged or no checkpoint: {NOT_READ}")


def check_sections(checkpoint: dict[str, Any]) -> None:
    """Refuse a checkpoint that is not of LitGAN, or whose weights are more than tensors.

    Raises:
        ValueError: as it says.
    """
    if not isinstance(checkpoint.get(Section.MODEL), dict):
        raise LitGANError("this is a checkpoint, but not of LitGAN: a Trainer that fits a LitGAN writes one")
    state = checkpoint["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise LitGANError("the checkpoint's state_dict holds more than tensors: nothing was read from it")


def differences(saved: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, str]:
    """Return what tells the saved tensors from a model's own, by name: the shape there and here."""
    there, here = ({name: tuple(tensor.shape) for name, tensor in state.items()} for state in (saved, own))
    return {
        name: f"{name} is {there.get(name, 'absent')} there and {here.get(name, 'absent')} here"
        for name in sorted(there.keys() | here.keys())
        if there.get(name) != here.get(name)
    }
