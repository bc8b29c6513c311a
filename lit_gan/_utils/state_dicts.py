"""Checks of a checkpoint's weights against a model's, and digests of weights."""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any

from torch import Tensor, nn

from lit_gan._utils.checkpoint_file import AVERAGE, Section, differences
from lit_gan._utils.config import describe, summary
from lit_gan._utils.errors import LitGANError

__all__ = ["check_weights", "digest_of_weights"]


def check_weights(checkpoint: dict[str, Any], own: Mapping[str, Tensor], part: Callable[[str], Any]) -> None:
    """Raise if a checkpoint's weights do not fit a model, by the names and shapes of the tensors.

    Args:
        checkpoint: content of a checkpoint of LitGAN; its ``state_dict`` may be reduced to the parts of the model.
        own: the model's tensors by name.
        part: ``part(name)`` returns the model's part of that name, ``"generator"`` for instance, for error messages.

    Raises:
        ValueError: they do not fit; the message names both networks and the first tensor that differs.
    """
    saved, described = checkpoint["state_dict"], checkpoint[Section.MODEL]
    differing = differences(saved, own)
    if not differing:
        return
    if all(n.startswith(AVERAGE) for n in differing) and not any(n.startswith(AVERAGE) for n in own.keys() & saved):
        there = "with" if any(n.startswith(AVERAGE) for n in saved) else "without"
        raise LitGANError(
            f"the checkpoint was written {there} an averaged generator, this model has "
            f"{'none' if there == 'with' else 'one'}: set ema_half_life to {described.get('ema_half_life')}"
        )
    name = next((n for n in differing if not n.startswith(AVERAGE)), next(iter(differing)))
    kind = name.partition(".")[0].replace("penalty_states", "penalties")
    other = "other" if kind == "penalties" else "another"
    raise LitGANError(
        f"the checkpoint is of {other} {kind}, {summary(described.get(kind, kind))}, this model has "
        f"{summary(describe(part(kind)))}: {differing[name]}"
    )


def digest_of_weights(network: nn.Module) -> str:
    """Return a digest of a network's weights and buffers, 16 hexadecimal digits, the same on any device and dtype."""
    whole = blake2b(digest_size=8)
    for name, tensor in sorted(network.state_dict().items()):
        whole.update(f"{name} {tuple(tensor.shape)} ".encode() + tensor.cpu().double().numpy().tobytes())
    return whole.hexdigest()
