"""Images and labels of a batch, read from any accepted form and checked."""

from typing import Any

from torch import Tensor

from lit_gan._utils.errors import LitGANError, LitGANTypeError
from lit_gan.sampling.conditions import check_label_range, read_labels
from lit_gan.training.first_batch import check_first_batch
from lit_gan.training.players import Players

__all__ = ["read_batch", "unpack"]


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

    Args:
        batch: in one of the forms of :func:`unpack`.
        players: whose networks are given the batch.
        latent_dim: length of z.
        first: whether it is the first batch of its stage, which is checked against the networks.

    Raises:
        TypeError, ValueError: the batch has another form, is empty, holds NaN or infinity, or has labels out of range.
            Values are checked in the first batch, and in every batch on the CPU: reading them would stall a GPU.
    """
    images, labels = unpack(batch)
    look = first or images.device.type == "cpu"
    _check_images(images, look)
    conditional = [player for player, mode in players.condition_modes.items() if mode != "not at all"]
    labels = read_labels(labels, len(images)) if conditional and labels is not None else None
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
        bad = int((~images.isfinite()).flatten(1).any(1).sum())
        raise LitGANError(f"{bad} of {len(images)} images of a batch hold NaN or infinity: look at the data set")
