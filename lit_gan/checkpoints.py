"""Checkpoints: read without pickled objects, and refused in one sentence where they do not fit."""

import inspect
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning_fabric.plugins import TorchCheckpointIO
from lightning_fabric.utilities.cloud_io import get_filesystem

from lit_gan.parts import describe, describe_optimizer, rebuild, summary

if TYPE_CHECKING:
    from lit_gan.module import LitGAN

__all__ = [
    "PlainCheckpointIO",
    "check_state",
    "load_sampler",
    "model_arguments",
    "read_checkpoint",
    "saved_arguments",
]

_NOT_READ = "nothing was read from it, take another one"


def _argument_names(cls: type) -> list[str]:
    """Return the named arguments of a class, without ``*args`` and ``**kwargs``."""
    parameters = inspect.signature(cls).parameters.values()
    return [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def model_arguments(model: "LitGAN", base: type) -> dict[str, Any]:
    """Return the arguments of ``model`` by name as plain data, from which it can be rebuilt.

    Args:
        model: perhaps of a subclass of ``base``, whose own arguments are kept where they are attributes.
        base: LitGAN.
    """
    own = [name for name in _argument_names(type(model)) if hasattr(model, name)]
    arguments = {name: describe(getattr(model, name)) for name in dict.fromkeys([*_argument_names(base), *own])}
    for player in ("generator", "discriminator"):
        factory, network = getattr(model, f"{player}_optimizer"), getattr(model, player)
        arguments[f"{player}_optimizer"] = describe_optimizer(factory, network.parameters())
    return arguments


def saved_arguments(cls: type, checkpoint: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments for ``cls`` that a checkpoint holds, rebuilt, and ``given`` ones in their place."""
    _check_ours(checkpoint)
    parameters = inspect.signature(cls).parameters.values()
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters)
    known = checkpoint["lit_gan"].keys() if takes_all else _argument_names(cls)
    saved = {name: value for name, value in checkpoint["lit_gan"].items() if name in known and name not in given}
    return {**{name: rebuild(value, name) for name, value in saved.items()}, **given}


def load_sampler(path: str | Path, cls: type["LitGAN"]) -> "LitGAN":
    """Return a LitGAN that can sample and nothing else: of the file's parts only the generator is rebuilt.

    Args:
        path: of a checkpoint.
        cls: LitGAN.

    Raises:
        ValueError: what :func:`read_checkpoint` and :func:`check_state` refuse, or a generator that is not lit_gan's.
    """
    checkpoint = read_checkpoint(path)
    _check_ours(checkpoint)
    needed = ("generator", "latent_dim", "latent", "ema_half_life")
    arguments = {name: rebuild(checkpoint["lit_gan"][name], name) for name in needed}
    model = cls(discriminator=torch.nn.Identity(), **arguments)
    checkpoint["state_dict"] = {
        name: tensor
        for name, tensor in checkpoint["state_dict"].items()
        if not name.startswith(("discriminator.", "augment.", "penalties."))
    }
    check_state(model, checkpoint)
    model.load_state_dict(checkpoint["state_dict"])
    return model


def read_checkpoint(path: str | Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Return a checkpoint's content; nothing but tensors and plain data is read from it.

    Args:
        path: a file, or the address of one that fsspec can open.
        map_location: device for the tensors.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is truncated, holds pickled objects, or is no checkpoint.
    """
    files = get_filesystem(path)
    if not files.isfile(str(path)):
        raise FileNotFoundError(f"there is no checkpoint {path}")
    try:
        with files.open(str(path), "rb") as file:
            checkpoint: Any = torch.load(file, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(f"{path} is truncated, or it holds more than tensors and plain data: {_NOT_READ}") from error
    except Exception as error:  # torch raises whatever comes to it on a damaged file
        raise ValueError(f"{path} is truncated or no checkpoint: {_NOT_READ}") from error
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise ValueError(f"{path} is no checkpoint: {_NOT_READ}")
    return checkpoint


def _check_ours(checkpoint: dict[str, Any]) -> None:
    if "lit_gan" not in checkpoint:
        raise ValueError("this is a checkpoint, but not of LitGAN: a Trainer that fits a LitGAN writes one")


class PlainCheckpointIO(TorchCheckpointIO):
    """Lightning's reader and writer of checkpoints, with one sentence where a file cannot be read."""

    def load_checkpoint(
        self, path: Any, map_location: Any = lambda storage, _: storage, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Return a checkpoint's content as :func:`read_checkpoint` does, unless ``weights_only`` is False."""
        if weights_only is False:
            return super().load_checkpoint(path, map_location, weights_only)
        return read_checkpoint(path, map_location)


def check_state(model: "LitGAN", checkpoint: dict[str, Any]) -> None:
    """Raise ValueError, naming both networks, where the checkpoint's weights are not those of ``model``."""
    _check_ours(checkpoint)
    own = {name: tuple(t.shape) for name, t in model.state_dict().items()}
    saved = {name: tuple(t.shape) for name, t in checkpoint["state_dict"].items()}
    differing = [name for name in sorted(own.keys() | saved.keys()) if own.get(name) != saved.get(name)]
    if not differing:
        return
    average = "ema_generator."
    if all(n.startswith(average) for n in differing) and not any(n.startswith(average) for n in own.keys() & saved):
        there = "with" if any(n.startswith(average) for n in saved) else "without"
        raise ValueError(
            f"the checkpoint was written {there} an averaged generator, this model has "
            f"{'none' if there == 'with' else 'one'}: set ema_half_life to {checkpoint['lit_gan']['ema_half_life']}"
        )
    name = next((n for n in differing if not n.startswith(average)), differing[0])
    part = name.partition(".")[0]
    raise ValueError(
        f"the checkpoint is of another {part}, {summary(checkpoint['lit_gan'].get(part, part))}, this model has "
        f"{summary(describe(getattr(model, part)))}: {name} is {saved.get(name, 'absent')} there and "
        f"{own.get(name, 'absent')} here"
    )
