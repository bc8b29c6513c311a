"""Disk cache of metrics' states of real samples: arrays without pickles, in files named by all they depend on."""

import json
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from torch import Tensor

from lit_gan._utils.errors import LitGANError
from lit_gan._utils.files import atomic_write

__all__ = ["States", "read", "write"]

States = dict[str, dict[str, Tensor]]
"""States of metrics: tensors by name of the metric, then by name of the state."""


def read(folder: Path, key: dict[str, Any]) -> States | None:
    """Return the states written under ``key``; None without a file or, after a warning, if it is damaged.

    Args:
        folder: folder of the cache.
        key: all that the states depend on, as plain data.
    """
    path = _path(folder, key)
    if not path.exists():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            if str(arrays["key"]) != _text(key):
                raise LitGANError("it was written for other data")
            names = [name for name in arrays.files if name != "key"]
            states: States = {}
            for name in names:
                metric, _, state = name.partition(" ")
                states.setdefault(metric, {})[state] = torch.from_numpy(arrays[name])
            return states
    except Exception as error:  # numpy and zipfile raise errors of many types on a damaged file
        rank_zero_warn(f"{path} cannot be read ({error}): the reference statistics are computed again")
        return None


def write(folder: Path, key: dict[str, Any], states: States) -> None:
    """Write states under ``key`` atomically, or warn if that fails; several processes may write at once."""
    path = _path(folder, key)
    arrays: dict[str, Any] = {
        f"{metric} {name}": state.numpy() for metric, held in states.items() for name, state in held.items()
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as partial, partial.open("wb") as file:
            np.savez(file, key=np.array(_text(key)), **arrays)
    except OSError as error:
        rank_zero_warn(f"{path} cannot be written ({error.strerror}): reference statistics stay in memory alone")


def _text(key: dict[str, Any]) -> str:
    return json.dumps(key, sort_keys=True)


def _path(folder: Path, key: dict[str, Any]) -> Path:
    return folder / f"reference-{blake2b(_text(key).encode(), digest_size=16).hexdigest()}.npz"
