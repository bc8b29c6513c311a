"""Class labels as the condition of a network: how its ``forward`` takes them, and which ones to sample."""

import inspect
from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lit_gan._utils.errors import LitGANError, LitGANTypeError

__all__ = [
    "ConditionMode",
    "call_with_condition",
    "check_label_range",
    "condition_mode",
    "described",
    "forward_parameters",
    "needs_labels",
    "number_of_classes",
    "read_labels",
    "sample_labels",
]

ConditionMode = Literal["by keyword", "second", "not at all"]


def condition_mode(network: nn.Module) -> ConditionMode:
    """Return how ``network`` takes labels: by the keyword ``labels``, as a second required argument, or not at all.

    A network whose ``num_classes`` is None takes no labels, even if its ``forward`` has an argument for them.
    """
    if getattr(network, "num_classes", 0) is None:
        return "not at all"
    parameters = forward_parameters(network)
    if any(p.name == "labels" and p.kind is not p.POSITIONAL_ONLY for p in parameters[1:]):
        return "by keyword"
    return "second" if sum(_is_required(p) for p in parameters) > 1 else "not at all"


def call_with_condition(
    network: nn.Module, mode: ConditionMode, x: Tensor, labels: Tensor | None, **options: Any
) -> Tensor:
    """Return ``network(x, **options)``, with ``labels`` passed as ``mode`` (of :func:`condition_mode`) says."""
    if mode == "not at all":
        return network(x, **options)
    return network(x, labels=labels, **options) if mode == "by keyword" else network(x, labels, **options)


def forward_parameters(network: nn.Module) -> list[inspect.Parameter]:
    """Return the parameters of ``network.forward``, for a compiled network those of the network that was compiled."""
    forward = getattr(network, "_orig_mod", network).forward
    return list(inspect.signature(forward).parameters.values())


def needs_labels(network: nn.Module) -> bool:
    """Return whether ``network`` cannot be called without labels."""
    return condition_mode(network) != "not at all" and any(map(_is_required, forward_parameters(network)[1:]))


def number_of_classes(generator: nn.Module) -> int:
    """Return the ``num_classes`` of a generator, or 0 if it takes no labels or has no ``num_classes``."""
    classes: int | None = getattr(generator, "num_classes", None)
    return 0 if classes is None or condition_mode(generator) == "not at all" else classes


def _is_required(parameter: inspect.Parameter) -> bool:
    positional = (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    return parameter.kind in positional and parameter.default is parameter.empty


def read_labels(labels: Any, n: int) -> Tensor:
    """Return ``labels`` as int64 ``(n,)``.

    Raises:
        ValueError: ``labels`` is not a tensor of one integer for each of ``n`` images.
    """
    if not isinstance(labels, Tensor) or labels.is_floating_point() or labels.shape != (n,):
        raise LitGANError(
            f"labels are {described(labels)}: give one class for each image, a tensor of integers of shape ({n},)"
        )
    return labels.long()


def described(labels: Any) -> str:
    """Return the dtype and the shape of a tensor, or the type of anything else, for an error."""
    return f"{labels.dtype} {tuple(labels.shape)}" if isinstance(labels, Tensor) else f"a {type(labels).__name__}"


def sample_labels(
    n: int, labels: Tensor | Iterable[int] | int | None, counts: Tensor, rng: torch.Generator | None
) -> Tensor:
    """Return ``n`` labels, int64 ``(n,)``, for samples of a conditional generator.

    Args:
        n: number of labels.
        labels: one class for each sample, one for all, or None to draw classes with frequencies as in ``counts``.
        counts: images seen of each class, ``(num_classes,)``, all equally frequent if all are 0; empty if the number of
            classes is not known.
        rng: draws the classes; None draws from torch's global random state.

    Raises:
        TypeError: labels that are not whole numbers.
        ValueError: a wrong number of labels, a class that does not exist, or neither labels nor counts.
    """
    if labels is None:
        if not len(counts):
            raise LitGANError("the generator takes labels and has no num_classes to draw them from: pass labels")
        weights = counts.float() if counts.any() else torch.ones(len(counts))
        return torch.multinomial(weights, n, replacement=True, generator=rng)
    classes = _classes(labels)
    classes = classes.expand(n) if classes.ndim == 0 else classes
    if len(classes) != n:
        raise LitGANError(f"{len(classes)} labels for {n} samples: give one, or one for each")
    if len(counts) and not 0 <= int(classes.min()) <= int(classes.max()) < len(counts):
        raise LitGANError(f"labels {classes.unique().tolist()} must lie in [0, {len(counts) - 1}]")
    return classes


def _classes(labels: Any) -> Tensor:
    """Return one label ``()`` or several ``(N,)`` as int64; raise a TypeError if they are not whole numbers."""
    try:
        classes = torch.as_tensor(labels)
    except (TypeError, ValueError, RuntimeError):
        classes = torch.empty(0)
    if classes.is_floating_point() or classes.ndim > 1:
        raise LitGANTypeError(f"labels={labels!r}: give a whole number, or one for each sample")
    return classes.long()


def check_label_range(player: str, network: nn.Module, labels: Tensor) -> None:
    """Refuse labels that a network does not have classes for; one without ``num_classes`` takes any.

    Args:
        player: named in the error.
        network: conditional on classes.
        labels: int64 ``(N,)``; reading them makes a GPU wait.

    Raises:
        ValueError: a label outside [0, ``num_classes`` − 1].
    """
    classes = getattr(network, "num_classes", None)
    if classes is None:
        return
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise LitGANError(
            f"labels lie in [{low}, {high}], the {player} has num_classes={classes}: "
            f"labels must lie in [0, {classes - 1}]"
        )
