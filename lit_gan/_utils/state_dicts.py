"""Weights: a digest of them, and those of a checkpoint that are not a model's own, refused."""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any

from torch import Tensor, nn

from lit_gan._utils.checkpoint_file import AVERAGE, Section, differences
from lit_gan._utils.config import describe, summary
from lit_gan._utils.errors import LitGANError

__all__ = ["check_weights", "digest_of_weights"]


def check_weights(checkpoint: dict[str, Any], own: Mapping[str, Tensor], part: Callable[[str], Any]) -> None:
    """Refuse a checkpoint's weights that are not those of a model.

    Args:
        checkpoint: of LitGAN, or the parts of it that the model has.
        own: the model's tensors by name.
        part: ``part(name)`` gives a part of the model, ``"generator"`` for instance, to be named.

    Raises:
        ValueError: names both networks and the first tensor that differs.
    """
    saved, described = checkpoint["state_dict"], checkpoint[Section.MODEL]
    differing = differences(saved, own)
    if not differing:
        return
    if all(n.startswith(AVERAGE) for n in differing) and not any(n.startswith(AVERAGE) for n in own.keys() & saved):
        there = "with" if any(n.startswith(AVERAGE) for n in saved) else "without"
        raise LitGANError(
            f"the checkpoint was written {there} an averaged generator, this model has "
            f"{'none' if there == 'with' else 'one'}: set ema_half_life to {described['ema_half_life']}"
        )
    name = next((n for n in differing if not n.startswith(AVERAGE)), next(iter(differing)))
    kind = name.partition(".")[0].replace("penalty_states", "penalties")
    other = "other" if kind == "penalties" else "another"
    raise LitGANError(
        f"the checkpoint is of {other} {kind}, {summary(described.get(kind, kind))}, this model has "
        f"{summary(describe(part(kind)))}: {differing[name]}"
    )


def digest_of_weights(network: nn.Module) -> str:
    """Return what changes when a weight or a buffer of a network does, and not with its device or its precision."""
    whole = blake2b(digest_size=8)
    for name, tensor in sorted(network.state_dict().items()):
        whole.update(f"{name} {tuple(tensor.shape)} ".encode() + tensor.cpu().double().numpy().tobytes())
    return whole.hexdigest()
