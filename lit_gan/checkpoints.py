"""Checkpoints: read without pickled objects, and refused in one sentence where they do not fit."""

import inspect
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning_fabric.plugins import TorchCheckpointIO

from lit_gan.parts import describe, describe_optimizer, summary

if TYPE_CHECKING:
    from lit_gan.module import LitGAN

_NOT_READ = "nothing was read from it, take another one"

__all__ = ["PlainCheckpointIO", "check_readable", "check_state", "model_description", "read_checkpoint"]


def model_description(model: "LitGAN") -> dict[str, Any]:
    """Return the arguments of ``model`` by name as plain data, from which the model can be rebuilt."""
    names = inspect.signature(type(model)).parameters
    optimizers = {
        f"{player}_optimizer": describe_optimizer(
            getattr(model, f"{player}_optimizer"), getattr(model, player).parameters()
        )
        for player in ("generator", "discriminator")
    }
    return {name: optimizers[name] if name in optimizers else describe(getattr(model, name)) for name in names}


def read_checkpoint(path: str | Path, map_location: Any = "cpu", mmap: bool = False) -> dict[str, Any]:
    """Return a checkpoint's content; nothing but tensors and plain data is read from it.

    Args:
        path: a file that a Trainer wrote.
        map_location: device for the tensors.
        mmap: leave the tensors in the file until they are used.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is truncated, holds pickled objects, or LitGAN did not write it.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no checkpoint {path}")
    try:
        checkpoint: Any = torch.load(path, map_location=map_location, weights_only=True, mmap=mmap)
    except pickle.UnpicklingError as error:
        raise ValueError(f"{path} is truncated, or it holds more than tensors and plain data: {_NOT_READ}") from error
    except (RuntimeError, EOFError, OSError, KeyError) as error:
        raise ValueError(f"{path} is truncated or no checkpoint: {_NOT_READ}") from error
    if not isinstance(checkpoint, dict) or not {"lit_gan", "state_dict"} <= checkpoint.keys():
        raise ValueError(f"{path} is a checkpoint, but not of LitGAN: a Trainer that fits a LitGAN writes one")
    return checkpoint


def check_readable(path: str | Path) -> None:
    """Raise what :func:`read_checkpoint` raises, without reading the tensors."""
    read_checkpoint(path, mmap=True)


class PlainCheckpointIO(TorchCheckpointIO):
    """Lightning's reader and writer of checkpoints, with one sentence where a file cannot be read."""

    def load_checkpoint(
        self, path: Any, map_location: Any = lambda storage, _: storage, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Return the content of a local checkpoint as :func:`read_checkpoint` does; ``weights_only`` is always on."""
        return read_checkpoint(path, map_location)


def check_state(model: "LitGAN", checkpoint: dict[str, Any]) -> None:
    """Raise ValueError, naming both networks, where the checkpoint's weights are not those of ``model``."""
    own = {name: tuple(t.shape) for name, t in model.state_dict().items()}
    saved = {name: tuple(t.shape) for name, t in checkpoint["state_dict"].items()}
    for part in ("generator", "discriminator", "ema_generator"):
        mine, theirs = ({n: s for n, s in x.items() if n.startswith(part + ".")} for x in (own, saved))
        if mine == theirs:
            continue
        if part == "ema_generator" and not (mine and theirs):
            raise ValueError(
                f"the checkpoint was written {'with' if theirs else 'without'} an averaged generator, this model is "
                f"{'with' if mine else 'without'} one: set ema_half_life {'to a number' if theirs else 'to None'}"
            )
        name = next(n for n in sorted(mine.keys() | theirs.keys()) if mine.get(n) != theirs.get(n))
        held = summary(checkpoint.get("lit_gan", {}).get(part.removeprefix("ema_"), part))
        raise ValueError(
            f"the checkpoint is of another {part}, {held}, this model has "
            f"{summary(describe(getattr(model, part)))}: {name} is {theirs.get(name, 'absent')} there and "
            f"{mine.get(name, 'absent')} here"
        )
