"""Images and labels of a batch, read from any accepted form and checked."""

from functools import cache
from typing import Any

from pytorch_lightning.utilities.rank_zero import rank_zero_info, rank_zero_warn
from torch import Tensor

from lit_gan._utils.errors import LitGANError, LitGANTypeError
from lit_gan.sampling.conditions import check_label_range, described, read_labels
from lit_gan.training.first_batch import check_first_batch
from lit_gan.training.players import Players

__all__ = ["read_batch", "unpack"]

_KEYS = {"image", "label"}


def unpack(batch: Any) -> tuple[Tensor, Any]:
    """Return ``(images, labels)`` of a batch ``x``, ``(x,)``, ``(x, labels)`` or ``{"image": x, "label": labels}``.

    Labels are None if the batch has none. They are not checked here:
    :func:`lit_gan.sampling.conditions.read_labels` does that, for networks that take labels.
    """
    if isinstance(batch, dict):
        if "image" not in batch:
            raise LitGANError(f'a batch has the keys {sorted(batch)}: lit_gan reads "image" and, optionally, "label"')
        batch = (batch["image"], batch.get("label"))
    if isinstance(batch, Tensor):
        batch = (batch,)
    if isinstance(batch, (tuple, list)) and 1 <= len(batch) <= 2 and isinstance(batch[0], Tensor):
        return batch[0], batch[1] if len(batch) == 2 else None
    raise LitGANTypeError(
        f"a batch is a {type(batch).__name__}: lit_gan takes x, (x,), (x, labels) or a dict with image and label, "
        "x being a tensor"
    )


def read_batch(batch: Any, players: Players, latent_dim: int, first: bool) -> tuple[Tensor, Tensor | None]:
    """Return ``(images, labels)`` of a batch; labels are int64 ``(N,)``, or None if no network takes them.

    Classes that no network takes are ignored, which is logged once; other keys of a dict with a warning.

    Args:
        batch: in one of the forms of :func:`unpack`.
        players: whose networks are given the batch.
        latent_dim: length of z.
        first: whether it is the first batch of its stage, which is checked against the networks.

    Raises:
        TypeError, ValueError: the batch has another form, is empty, holds NaN or infinity, has labels out of range, or
            labels other than classes that no network takes. Values are checked in the first batch, and in every batch
            on the CPU: reading them would stall a GPU.
    """
    images, labels = unpack(batch)
    look = first or images.device.type == "cpu"
    _check_images(images, look)
    if first and isinstance(batch, dict) and batch.keys() - _KEYS:
        rank_zero_warn(f'of a batch\'s keys {list(batch)} lit_gan reads "image" and "label": the others are ignored')
    conditional = [player for player, mode in players.condition_modes.items() if mode != "not at all"]
    if conditional:
        labels = None if labels is None else read_labels(labels, len(images))
    elif labels is not None:
        _check_ignored(labels, len(images), first)
        labels = None
    if look and labels is not None:
        for player in conditional:
            check_label_range(player, getattr(players, player), labels)
    if first:
        check_first_batch(players, latent_dim, images, labels)
    return images, labels


def _check_images(images: Tensor, values: bool) -> None:
    """Refuse an empty batch and, if ``values`` is true, one that holds NaN or infinity."""
    if images.numel() == 0:
        raise LitGANError(f"a batch is empty, of shape {tuple(images.shape)}: look at the data set and its sampler")
    if values and images.is_floating_point() and not images.isfinite().all():
        bad = int((~images.isfinite()).reshape(len(images), -1).any(1).sum())
        raise LitGANError(f"{bad} of {len(images)} images of a batch hold NaN or infinity: look at the data set")


def _check_ignored(labels: Any, n: int, first: bool) -> None:
    """Refuse labels that no network takes, but for classes, whole numbers ``(n,)`` or ``(n, 1)``; log these once.

    Samples of one class alone are as good as of none, and not mentioned. Values are read if ``first`` is true.
    """
    if not isinstance(labels, Tensor) or labels.is_floating_point() or labels.shape not in ((n,), (n, 1)):
        raise LitGANError(
            f"the batches carry {described(labels)} next to {n} images, and no network takes them: give batches of "
            "images alone, or networks whose forward takes labels"
        )
    if first and (labels != labels[0]).any():
        _log_once("the batches carry classes, which no network takes: num_classes= of both networks would use them")


_log_once = cache(rank_zero_info)
