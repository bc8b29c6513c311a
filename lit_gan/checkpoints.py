"""What a checkpoint holds of a model: plain data to rebuild it from, and weights, refused where they do not fit."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lit_gan.checkpoint_files import read_checkpoint
from lit_gan.parts import Source, describe, describe_optimizer, rebuild, summary
from lit_gan.representation import argument_names

if TYPE_CHECKING:
    from lit_gan.module import LitGAN

__all__ = [
    "check_state",
    "differences",
    "load_sampler",
    "model_arguments",
    "sampler_of",
    "saved_arguments",
    "take_weights",
]

_NOT_SAVED = "warm_start"  # the weights are in the file; a name in it would have another one read


def model_arguments(model: "LitGAN", base: type) -> dict[str, Any]:
    """Return the arguments of ``model`` by name as plain data, from which it can be rebuilt.

    Args:
        model: perhaps of a subclass of ``base``, whose own arguments are kept where they are attributes.
        base: LitGAN.
    """
    own = [name for name in argument_names(type(model)) if hasattr(model, name)]
    names = [name for name in dict.fromkeys([*argument_names(base), *own]) if name != _NOT_SAVED]
    arguments = {name: describe(getattr(model, name)) for name in names}
    for player in ("generator", "discriminator"):
        factory, network = getattr(model, f"{player}_optimizer"), getattr(model, player)
        arguments[f"{player}_optimizer"] = describe_optimizer(factory, network.parameters())
    return arguments


def saved_arguments(cls: type, checkpoint: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments for ``cls`` that a checkpoint holds, rebuilt, and ``given`` ones in their place."""
    _check_ours(checkpoint)
    parameters = inspect.signature(cls).parameters.values()
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters)
    known = checkpoint["lit_gan"].keys() if takes_all else argument_names(cls)
    names = [name for name in checkpoint["lit_gan"] if name in known and name not in (*given, _NOT_SAVED)]
    return {**{name: rebuild(checkpoint["lit_gan"][name], name) for name in names}, **given}


def load_sampler(path: str | Path, cls: type["LitGAN"]) -> "LitGAN":
    """Return a LitGAN that can sample and nothing else: of the file's parts only the generator is rebuilt.

    Args:
        path: of a checkpoint.
        cls: LitGAN.

    Raises:
        ValueError: what :func:`read_checkpoint` and :func:`check_state` refuse, or a generator that is not lit_gan's.
    """
    return sampler_of(read_checkpoint(path), cls)


def sampler_of(
    checkpoint: dict[str, Any], cls: type["LitGAN"], generator: nn.Module | None = None, source: Source = Source()
) -> "LitGAN":
    """Return the LitGAN of :func:`load_sampler` for the content of a checkpoint, which is left as it is.

    Args:
        checkpoint: what was read.
        cls: LitGAN.
        generator: in the place of the file's, a network like it, which is given the weights.
        source: where the checkpoint is from, for errors.

    Raises:
        ValueError: what :func:`load_sampler` raises.
    """
    _check_ours(checkpoint)
    arguments: dict[str, Any] = {} if generator is None else {"generator": generator}
    for name in ("generator", "latent_dim", "latent"):
        if name not in arguments:
            arguments[name] = rebuild(checkpoint["lit_gan"][name], name, source)
    if checkpoint["lit_gan"]["ema_half_life"] is None:  # else how long it is does not matter: nothing is trained
        arguments["ema_half_life"] = None
    model = cls(discriminator=nn.Identity(), **arguments)
    others = ("discriminator.", "augment.", "penalty_states.")
    state = {name: tensor for name, tensor in checkpoint["state_dict"].items() if not name.startswith(others)}
    check_state(model, {**checkpoint, "state_dict": state})
    model.load_state_dict(state)
    return model


def take_weights(model: "LitGAN", checkpoint: dict[str, Any]) -> None:
    """Give ``model`` the networks of a checkpoint and nothing else of it: counters and optimizers start anew.

    Args:
        model: of the same networks; its average starts at the file's, or at the file's generator.
        checkpoint: what was read.

    Raises:
        ValueError: what :func:`check_state` refuses.
    """
    _check_ours(checkpoint)
    saved, average = checkpoint["state_dict"], "ema_generator."
    generator = {name.removeprefix("generator."): t for name, t in saved.items() if name.startswith("generator.")}
    state = {average + name: tensor for name, tensor in generator.items()} if model.ema_generator is not None else {}
    players = ("generator.", "discriminator.")
    state |= {name: tensor for name, tensor in saved.items() if name.startswith(players) or name in state}
    state |= {name: t for name, t in model.state_dict().items() if not name.startswith((*players, average))}
    check_state(model, {**checkpoint, "state_dict": state})
    model.load_state_dict(state)


def _check_ours(checkpoint: dict[str, Any]) -> None:
    if not isinstance(checkpoint.get("lit_gan"), dict):
        raise ValueError("this is a checkpoint, but not of LitGAN: a Trainer that fits a LitGAN writes one")
    state = checkpoint["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
        raise ValueError("the checkpoint's state_dict holds more than tensors: nothing was read from it")


def check_state(model: "LitGAN", checkpoint: dict[str, Any]) -> None:
    """Raise ValueError, naming both networks, where the checkpoint's weights are not those of ``model``."""
    _check_ours(checkpoint)
    own, saved = model.state_dict(), checkpoint["state_dict"]
    differing = differences(saved, own)
    if not differing:
        return
    average = "ema_generator."
    if all(n.startswith(average) for n in differing) and not any(n.startswith(average) for n in own.keys() & saved):
        there = "with" if any(n.startswith(average) for n in saved) else "without"
        raise ValueError(
            f"the checkpoint was written {there} an averaged generator, this model has "
            f"{'none' if there == 'with' else 'one'}: set ema_half_life to {checkpoint['lit_gan']['ema_half_life']}"
        )
    name = next((n for n in differing if not n.startswith(average)), next(iter(differing)))
    part = name.partition(".")[0].replace("penalty_states", "penalties")
    other, there = "other" if part == "penalties" else "another", summary(checkpoint["lit_gan"].get(part, part))
    raise ValueError(
        f"the checkpoint is of {other} {part}, {there}, this model has "
        f"{summary(describe(getattr(model, part)))}: {differing[name]}"
    )


def differences(saved: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, str]:
    """Return what tells the saved tensors from a model's own, by name: the shape there and here."""
    there, here = ({name: tuple(tensor.shape) for name, tensor in state.items()} for state in (saved, own))
    return {
        name: f"{name} is {there.get(name, 'absent')} there and {here.get(name, 'absent')} here"
        for name in sorted(there.keys() | here.keys())
        if there.get(name) != here.get(name)
    }
