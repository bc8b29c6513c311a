"""FolderSamples: the pictures of a folder as samples to score."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from lit_gan._utils.errors import LitGANError
from lit_gan.data.names import readable
from lit_gan.data.picture_files import picture_files
from lit_gan.data.pictures import decode
from lit_gan.metrics.evaluation.blocks import BLOCK

__all__ = ["FolderSamples"]


class FolderSamples:
    """The pictures of a folder, unchanged or resized to ``image_size``, read block by block.

    Args:
        folder: path of the folder, which is searched with its sub-folders.
        image_size: height and width in pixels to resize to; None to keep the size, which all pictures must share.
        channels: 1 or 3.

    Raises:
        FileNotFoundError: the folder is missing, or holds no pictures.
        ValueError: a picture that cannot be read; at a block, without ``image_size``, one that is not square or is of
            another size than the first.
    """

    def __init__(self, folder: str, image_size: int | None = None, channels: int = 3) -> None:
        self._files = picture_files(folder)
        self.n, self.image_size, self.channels = len(self._files), image_size, channels
        self._size = _size(self._files[0])

    def block(self, number: int) -> Tensor:
        """Return the pictures of block ``number``, uint8 ``(N, C, H, W)``."""
        files = self._files[number * BLOCK : (number + 1) * BLOCK]
        if self.image_size is None:
            self._check_sizes(files)
        size = self.image_size or self._size[0]
        return torch.stack([self._decoded(file, size) for file in files])

    def _decoded(self, file: Path, size: int) -> Tensor:
        with _named(file):
            return torch.from_numpy(decode(file, size, self.channels, "center").copy())

    def _check_sizes(self, files: list[Path]) -> None:
        for file in files:
            width, height = _size(file)
            if (width, height) != self._size or width != height:
                sizes = " and ".join(f"{w}×{h}" for w, h in dict.fromkeys([self._size, (width, height)]))
                where = readable(file.parent)
                raise LitGANError(f"{where} holds pictures of {sizes} pixels: give image_size= to resize them")


def _size(file: Path) -> tuple[int, int]:
    """Return the width and height of a picture."""
    with _named(file), Image.open(file) as picture:
        return picture.size


@contextmanager
def _named(file: Path) -> Iterator[None]:
    """Raise any error of a block as a ValueError that names the file."""
    try:
        yield
    except Exception as error:  # decoders raise errors of many types on broken files
        raise LitGANError(f"{readable(file)} cannot be read ({error}): remove it") from error
