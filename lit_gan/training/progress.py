"""Counters of a run: images seen, turns of the discriminator, images of each class."""

from collections.abc import Mapping

import torch
from torch import Tensor

from lit_gan.training.distributed import all_reduce_sum

__all__ = ["COUNTERS", "Progress"]

COUNTERS = ("images_seen", "d_steps", "ema_images_seen")
"""The names of a model's buffers that hold the counters, int64 scalars."""


class Progress:
    """The counters of a run, as Python numbers (reading a buffer would stall a GPU) and in a model's buffers.

    The numbers count a turn of the discriminator when it begins, the buffers when it is done: a checkpoint that is
    written in the middle of a turn, because of an error, does not count it.

    Args:
        buffers: the model's, by the names in :data:`COUNTERS`, and ``label_counts``, int64 ``(num_classes,)``. They are
            read once and written at each batch.
        world_size: number of processes.
        d_steps_per_g_step: turns of the discriminator for each turn of the generator.
    """

    def __init__(self, buffers: Mapping[str, Tensor], world_size: int, d_steps_per_g_step: int) -> None:
        self._buffers, self._world_size, self._k = buffers, world_size, d_steps_per_g_step
        self.images_seen, self.d_steps, self.ema_images_seen = (int(buffers[name]) for name in COUNTERS)
        self._new_labels = torch.zeros_like(buffers["label_counts"])

    @property
    def generator_is_due(self) -> bool:
        """Whether the generator's turn follows this one of the discriminator."""
        return self.d_steps % self._k == 0

    def begin_turn(self, images: int) -> None:
        """Count a turn of the discriminator, and its ``images`` on this and each other process, in the numbers."""
        self.images_seen += images * self._world_size
        self.d_steps += 1

    def end_turn(self, labels: Tensor | None) -> None:
        """Write the numbers into the buffers, and count the classes of the turn's images."""
        for name in COUNTERS[:2]:
            self._buffers[name].fill_(getattr(self, name))
        if labels is not None and len(self._new_labels):
            self._new_labels.index_add_(0, labels, torch.ones_like(labels))
            if self._world_size == 1:
                self.count_labels()

    def count_labels(self) -> None:
        """Add the labels counted since the last call to ``label_counts``, over all processes; each must call this."""
        if len(self._new_labels):
            self._buffers["label_counts"].add_(all_reduce_sum(self._new_labels))
            self._new_labels.zero_()

    def is_due(self, player: str, every: int) -> bool:
        """Tell whether this turn of a player is an ``every``-th one, the first included."""
        update = self.d_steps - 1 if player == "discriminator" else self.d_steps // self._k - 1
        return update % every == 0

    def count_average(self) -> int:
        """Return the images seen since the averaged generator's last update, and mark it as updated now."""
        images, self.ema_images_seen = self.images_seen - self.ema_images_seen, self.images_seen
        self._buffers["ema_images_seen"].fill_(self.images_seen)
        return images
