"""Batches of any form, understood or refused in one sentence."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from lit_gan.labels import read_labels
from lit_gan.rehearsal import check_game

if TYPE_CHECKING:
    from lit_gan.module import LitGAN

__all__ = ["read_batch", "split", "unpack"]


def unpack(batch: Any) -> tuple[Tensor, Any]:
    """Return ``(images, labels)`` of a batch ``x``, ``(x,)``, ``(x, labels)`` or ``{"image": x, "label": labels}``.

    Labels are None where there are none, and not looked at: that is :func:`lit_gan.labels.read_labels`'s work, and
    only for networks that take them.
    """
    if isinstance(batch, dict):
        if "image" not in batch:
            raise ValueError(f'a batch has the keys {sorted(batch)}: lit_gan reads "image" and, optionally, "label"')
        batch = (batch["image"], batch.get("label"))
    if isinstance(batch, Tensor):
        batch = (batch,)
    if isinstance(batch, (tuple, list)) and 1 <= len(batch) <= 2 and isinstance(batch[0], Tensor):
        return batch[0], batch[1] if len(batch) == 2 else None
    raise TypeError(
        f"a batch is a {type(batch).__name__}: lit_gan takes x, (x,), (x, labels) or a dict with image and label, "
        "x being a tensor"
    )


def read_batch(model: "LitGAN", batch: Any, first: bool) -> tuple[Tensor, Tensor | None]:
    """Return ``(images, labels)`` of a batch; labels are int64 ``(N,)``, or None where no network takes them.

    Args:
        model: that the batch is for.
        batch: in one of the forms of :func:`unpack`.
        first: of its stage; it is checked against the networks (:func:`lit_gan.rehearsal.check_game`).

    Raises:
        TypeError, ValueError: what is wrong with it. Values are looked at in the first batch, and in each one on the
            CPU: on a GPU a look would stall it.
    """
    images, labels = unpack(batch)
    look = first or images.device.type == "cpu"
    _check_images(images, look)
    conditional = [player for player, passing in model.passing.items() if passing != "not at all"]
    labels = read_labels(labels, len(images)) if conditional and labels is not None else None
    if look and labels is not None:
        for player in conditional:
            _check_label_range(player, getattr(model, player), labels)
    if first:
        check_game(model, images, labels)
    return images, labels


def split(
    parts: int, real: Tensor, labels: Tensor | None, z: Tensor
) -> Iterator[tuple[float, Tensor, Tensor | None, Tensor]]:
    """Yield micro-batches ``(share, real, labels, z)`` of a batch, ``share`` being its part of the whole in (0, 1].

    Args:
        parts: how many; as many as there are images where they are fewer.
        real: images, ``(N, ...)``.
        labels: ``(N,)``, or None.
        z: latents, ``(N, latent_dim)``.
    """
    parts = min(parts, len(real))
    label_parts = [None] * parts if labels is None else labels.tensor_split(parts)
    for part, y, latents in zip(real.tensor_split(parts), label_parts, z.tensor_split(parts), strict=True):
        yield len(part) / len(real), part, y, latents


def _check_images(images: Tensor, values: bool) -> None:
    """Refuse a batch without images and, where ``values`` are looked at, one that holds NaN or infinity."""
    if images.numel() == 0:
        raise ValueError(f"a batch is empty, of shape {tuple(images.shape)}: look at the data set and its sampler")
    if values and images.is_floating_point() and not images.isfinite().all():
        bad = int((~images.isfinite()).flatten(1).any(1).sum())
        raise ValueError(f"{bad} of {len(images)} images of a batch hold NaN or infinity: look at the data set")


def _check_label_range(player: str, network: nn.Module, labels: Tensor) -> None:
    classes = getattr(network, "num_classes", None)
    if classes is None:
        return
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise ValueError(
            f"labels lie in [{low}, {high}], the {player} has num_classes={classes}: "
            f"labels must lie in [0, {classes - 1}]"
        )
