"""Base class of data modules whose images are decoded once into a memory map."""

from abc import abstractmethod

from torch import Tensor

from lit_gan._utils.errors import LitGANError
from lit_gan.data.base import ImageDataModule, Split
from lit_gan.data.names import readable

__all__ = ["MappedSet"]

Map = tuple[Tensor, Tensor]


class MappedSet(ImageDataModule):
    """Data module of images and targets in memory maps, for data sets that are too large for memory or slow to decode.

    There is one memory map for each of ``parts``; several splits may be views of one map.

    Args:
        image_size: height and width of the images, in pixels.
        batch_size: images per batch.
        horizontal_flip: mirror each training image with probability ½.
        num_workers: processes that load batches.
        class_balanced: train on each class equally often.
        cache: folder of the memory maps; ``$LIT_GAN_CACHE`` or ``~/.cache/lit_gan`` if None.
    """

    parts: tuple[Split, ...] = ("train", "val", "test")
    image_size: int

    def __init__(
        self,
        image_size: int,
        batch_size: int,
        horizontal_flip: bool,
        num_workers: int,
        class_balanced: bool,
        cache: str | None,
    ) -> None:
        super().__init__(image_size, batch_size, horizontal_flip, num_workers, class_balanced)
        self.cache = cache
        self._maps: dict[Split, Map] = {}

    def prepare_data(self) -> None:
        """Download missing files if possible, and decode the pictures into the cache, on one process."""
        for part in self.parts:
            self._map(part, fetch=True)

    def _map(self, part: Split, fetch: bool = False) -> Map:
        if part not in self._maps:
            self._maps[part] = self._decode(part, fetch)
        return self._maps[part]

    @abstractmethod
    def _decode(self, part: Split, fetch: bool) -> Map:
        """Return a part's :func:`memory_map`; if its files are missing and ``fetch`` is true, download them first."""

    def _tail(self, split: Split, held_out: int) -> Map:
        """Return the last ``held_out`` images of the training part, or all others if ``split`` is ``"train"``.

        Both are views of the memory map: an image is read from disk when it is used.
        """
        images, targets = self._map("train")
        first = len(images) - held_out
        part = slice(first) if split == "train" else slice(first, None)
        return images[part], targets[part]

    def _share(self, split: Split, held_out: float, where: str) -> Map:
        """Return what :meth:`_tail` returns, for a share of the images in (0, 1); raise if a split is empty."""
        n = len(self._map("train")[0])
        if not 0 < round(held_out * n) < n:
            raise LitGANError(
                f"{n} pictures in {readable(where)} cannot be split at held_out={held_out}: "
                "training and held-out data need one at least"
            )
        return self._tail(split, round(held_out * n))
