"""Checkpoint files: the sections that lit_gan adds to Lightning's, and reading them without executing code."""

import pickle
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from fsspec.core import url_to_fs
from torch import Tensor

from lit_gan._utils.arguments import shown
from lit_gan._utils.errors import LitGANError, MissingFileError

__all__ = [
    "AVERAGE",
    "FORMAT",
    "NOT_READ",
    "Section",
    "check_arguments",
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
_ARGUMENTS = {"generator", "discriminator", "latent", "latent_dim", "ema_half_life"}
"""Arguments of LitGAN that the checkpoints of each format hold."""
_COUNTS = {"images_seen", "d_steps", "ema_images_seen", "label_counts"}
"""Tensors of a state dict that hold whole numbers from 0."""
_DEEPEST, _LARGEST = 50, 100_000  # levels and values of a description; counts


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
    checkpoint = _load(path, map_location)
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise LitGANError(f"{path} is no checkpoint: {NOT_READ}")
    number = checkpoint.get(Section.FORMAT, 0)
    if type(number) is not int or not 0 <= number <= FORMAT:
        short = _is_small(number) or number is None or isinstance(number, (float, str))
        said = shown(number) if short else f"a {type(number).__name__}"
        raise LitGANError(f"{path} is of format {said}, this lit_gan reads up to {FORMAT}: take a newer lit_gan")
    return checkpoint


def _load(path: str | Path, map_location: Any) -> Any:
    """Return what ``torch.load`` returns; raise a ValueError if the file is at fault, and not the device."""
    with url_to_fs(str(path))[0].open(str(path), "rb") as file:
        try:
            return torch.load(file, map_location=map_location, weights_only=True)
        except pickle.UnpicklingError as error:
            raise LitGANError(f"{path} holds more than tensors and plain data: {NOT_READ}") from error
        except (OSError, MemoryError):
            raise
        except Exception as error:  # torch raises errors of many types on a doctored file
            if map_location == "cpu":
                raise LitGANError(f"{path} is damaged or no checkpoint: {NOT_READ}") from error
            _load(path, "cpu")
            raise


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
            whole = _is_stored(parts) and parts.testzip() is None
    except (OSError, MemoryError):
        raise
    except Exception as error:  # zipfile raises errors of many types on a damaged file
        raise LitGANError(f"{path} is truncated or no checkpoint: {NOT_READ}") from error
    if not whole:
        raise LitGANError(f"{path} is damaged or no checkpoint: {NOT_READ}")


def _is_stored(parts: zipfile.ZipFile) -> bool:
    """Tell whether an archive can be torch's: nothing is compressed or there twice, so that it is as large as it says.

    A small file that is unpacked to a large one would take all memory.
    """
    members, names = parts.infolist(), parts.namelist()
    size = sum(max(member.file_size, member.compress_size) for member in members)
    stored = all(member.compress_type == zipfile.ZIP_STORED for member in members)
    once = len(set(names)) == len(names) and sum(name.endswith("data.pkl") for name in names) == 1
    return stored and once and size <= parts.start_dir


def check_sections(checkpoint: dict[str, Any]) -> None:
    """Raise if a checkpoint was not written by LitGAN: if its sections are not of the form that LitGAN writes.

    Raises:
        ValueError: the section of the model is missing, a section holds more than descriptions of parts, or the state
            dict more than tensors, or a counter is not a count.
    """
    if not isinstance(checkpoint.get(Section.MODEL), dict):
        raise LitGANError("this is a checkpoint, but not of LitGAN: a Trainer that fits a LitGAN writes one")
    for section in (Section.MODEL, Section.DATA):
        if not _describes(checkpoint.get(section)):
            raise LitGANError(f"the checkpoint's section {section} is no description of parts: {NOT_READ}")
    state = checkpoint["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(n, str) and _is_plain(t) for n, t in state.items()):
        raise LitGANError("the checkpoint's state_dict holds more than tensors: nothing was read from it")
    for name in _COUNTS & state.keys():
        if state[name].dtype != torch.int64 or state[name].numel() > _LARGEST or (state[name] < 0).any():
            raise LitGANError(f"the checkpoint's {name} is no count: {NOT_READ}")


def check_arguments(checkpoint: dict[str, Any], given: Collection[str] = ()) -> None:
    """Raise if the section of the model lacks an argument that LitGAN needs, and that is not ``given``."""
    missing = sorted(_ARGUMENTS - checkpoint[Section.MODEL].keys() - set(given))
    if missing:
        raise LitGANError(f"the checkpoint's section {Section.MODEL} lacks {', '.join(missing)}: {NOT_READ}")


def _is_plain(tensor: Any) -> bool:
    """Tell whether a value is a tensor of real numbers in memory."""
    plain = isinstance(tensor, Tensor) and tensor.layout is torch.strided and tensor.device.type != "meta"
    return plain and not (tensor.is_complex() or tensor.is_quantized)


def _describes(value: Any) -> bool:
    """Tell whether a value has the form of what :func:`lit_gan._utils.config.describe` returns.

    It neither holds itself, nor is so deep or large that going through it would fail or take long.
    """
    waiting = [(value, 0)]
    for _ in range(_LARGEST):
        if not waiting:
            return True
        part, depth = waiting.pop()
        if isinstance(part, (list, tuple, dict)):
            if depth == _DEEPEST or len(part) > _LARGEST or ("class_path" in part and not _is_a_part(part)):
                return False
            inside = [*part.keys(), *part.values()] if isinstance(part, dict) else part
            waiting.extend((inner, depth + 1) for inner in inside)
        elif not (part is None or isinstance(part, (float, str)) or _is_small(part)):
            return False
    return False


def _is_small(value: Any) -> bool:
    return isinstance(value, int) and value.bit_length() <= 64


def _is_a_part(description: Any) -> bool:
    if not isinstance(description, dict):  # a list with that word
        return True
    init_args = description.get("init_args", 0)
    named = isinstance(init_args, dict) and all(isinstance(name, str) for name in init_args)
    return isinstance(description["class_path"], str) and (init_args is None or named)


def differences(saved: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, str]:
    """Return a text for each tensor that is missing or of another shape in ``saved`` or ``own``, by its name."""
    there, here = ({name: tuple(tensor.shape) for name, tensor in state.items()} for state in (saved, own))
    return {
        name: f"{name} is {there.get(name, 'absent')} there and {here.get(name, 'absent')} here"
        for name in sorted(there.keys() | here.keys())
        if there.get(name) != here.get(name)
    }
