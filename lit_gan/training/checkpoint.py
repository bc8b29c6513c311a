"""The model in a checkpoint: its arguments as plain data, from which it is rebuilt, and its weights, checked to fit."""

import inspect
import re
from collections.abc import Iterable
from functools import partial
from typing import Any

from pytorch_lightning import Callback
from torch import Tensor, nn
from torch.optim import Optimizer

from lit_gan._utils.arguments import shown
from lit_gan._utils.checkpoint_file import AVERAGE, NOT_READ, Section, check_arguments, check_sections
from lit_gan._utils.config import describe, describe_optimizer, rebuild
from lit_gan._utils.errors import LitGANError
from lit_gan._utils.representation import argument_names
from lit_gan._utils.state_dicts import check_weights

__all__ = [
    "check_optimizer_states",
    "check_restored",
    "check_state",
    "match_callback_states",
    "model_arguments",
    "saved_arguments",
    "take_weights",
]

_OF_PARAMETERS_SHAPE = {"exp_avg", "exp_avg_sq", "exp_inf", "max_exp_avg_sq", "momentum_buffer", "square_avg", "sum"}
_NOT_SAVED = "warm_start"  # the checkpoint holds the weights; a path in it would make loading read a second file


def model_arguments(model: nn.Module, base: type) -> dict[str, Any]:
    """Return the arguments of ``model`` by name as plain data, from which it can be rebuilt.

    Args:
        model: a LitGAN or a subclass, whose own arguments are included if they are attributes of the same name.
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
    """Return the arguments for ``cls`` rebuilt from a checkpoint; those in ``given`` replace them."""
    check_sections(checkpoint)
    check_arguments(checkpoint, given)
    parameters = inspect.signature(cls).parameters.values()
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters)
    known = checkpoint[Section.MODEL].keys() if takes_all else argument_names(cls)
    names = [name for name in checkpoint[Section.MODEL] if name in known and name not in (*given, _NOT_SAVED)]
    return {**{name: rebuild(checkpoint[Section.MODEL][name], name) for name in names}, **given}


def take_weights(model: nn.Module, checkpoint: dict[str, Any]) -> None:
    """Load the networks of a checkpoint into ``model`` and nothing else: counters and optimizers start anew.

    Args:
        model: with the same networks; its averaged generator starts at the checkpoint's, or else at its generator.
        checkpoint: content of a checkpoint.

    Raises:
        ValueError: the weights do not fit (:func:`check_state`).
    """
    check_sections(checkpoint)
    saved = checkpoint["state_dict"]
    generator = {name.removeprefix("generator."): t for name, t in saved.items() if name.startswith("generator.")}
    state = {AVERAGE + name: tensor for name, tensor in generator.items()} if model.ema_generator is not None else {}
    players = ("generator.", "discriminator.")
    state |= {name: tensor for name, tensor in saved.items() if name.startswith(players) or name in state}
    state |= {name: t for name, t in model.state_dict().items() if not name.startswith((*players, AVERAGE))}
    check_state(model, {**checkpoint, "state_dict": state})
    model.load_state_dict(state)


def check_optimizer_states(checkpoint: dict[str, Any]) -> None:
    """Refuse a checkpoint to resume from that does not hold the states of two optimizers.

    Raises:
        ValueError: there are others or none, or they are not as torch writes them.
    """
    states = checkpoint.get("optimizer_states")
    found = states if isinstance(states, list) else []
    if len(found) != 2 or not all(isinstance(s, dict) and s.keys() == {"state", "param_groups"} for s in found):
        raise LitGANError(
            f"the checkpoint holds no states of two optimizers (optimizer_states={shown(states)}): it cannot be "
            "resumed, take another one, or warm_start, which reads the networks alone"
        )


def check_restored(optimizers: Iterable[Optimizer]) -> None:
    """Refuse optimizers whose restored averages are not of their parameters' shapes: a fused update would read beyond.

    Raises:
        ValueError: the first that does not fit, with both shapes.
    """
    for optimizer in optimizers:
        for parameter, state in optimizer.state.items():
            for name, value in state.items():
                if name not in _OF_PARAMETERS_SHAPE or value is None:
                    continue
                if not isinstance(value, Tensor) or value.shape != parameter.shape:
                    raise LitGANError(
                        f"{name}={shown(value)} in the checkpoint's optimizer_states is of a parameter of shape "
                        f"{tuple(parameter.shape)}: take another one, or warm_start, which reads the networks alone"
                    )


def check_state(model: nn.Module, checkpoint: dict[str, Any]) -> None:
    """Refuse a checkpoint whose weights are not those of ``model``, naming both networks.

    Raises:
        ValueError: a tensor's name or shape differs, or the checkpoint is not of LitGAN.
    """
    check_sections(checkpoint)
    check_weights(checkpoint, model.state_dict(), partial(getattr, model))


def match_callback_states(states: dict[str, Any], callbacks: Iterable[Callback]) -> None:
    """Move states of callbacks in a checkpoint to the keys of the run's callbacks, so that Lightning restores them.

    Keys hold arguments (:class:`lit_gan.callbacks.of_a_gan.GANCallback`), which may have changed, or in earlier
    versions the class alone. Of a class, states and callbacks without a partner are matched in order.

    Args:
        states: by key; changed in place.
        callbacks: of the run; those without arguments in their keys are left alone.

    Raises:
        ValueError: ``states`` is not a dict of dicts.
    """
    if not isinstance(states, dict) or not all(isinstance(k, str) and isinstance(s, dict) for k, s in states.items()):
        raise LitGANError(f"the checkpoint's callbacks are not states by name, {shown(states)}: {NOT_READ}")
    keys = [callback.state_key for callback in callbacks]
    for key in [key for key in keys if key not in states]:
        name, bracket, _ = key.partition("(")
        others = [other for other in states if other not in keys and re.split("[({]", other)[0] == name]
        if bracket and others:
            states[key] = states.pop(others[0])
