"""Data module of a folder of pictures, decoded once into a memory map."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lit_gan._utils.arguments import expanded
from lit_gan._utils.errors import LitGANError
from lit_gan.data.base import Split
from lit_gan.data.deep import Levels
from lit_gan.data.mapped import MappedSet
from lit_gan.data.memory_map import Pictures, memory_map, stamps
from lit_gan.data.names import readable, some
from lit_gan.data.picture_files import class_folders, picture_files
from lit_gan.data.pictures import MAX_PIXELS, Crop, Decoder, Unreadable, check_options

__all__ = ["ImageFolder"]


class ImageFolder(MappedSet):
    """Pictures of any size in a folder and its sub-folders, as square images.

    Each picture is turned upright, laid on white if it is transparent, resized so that its shorter side is
    ``image_size``, and cropped. All are decoded once, into a memory map in the cache folder. They are decoded again if
    a picture is changed, added or removed, or if an option on which decoding depends is changed.

    Args:
        folder: path of the folder of pictures.
        image_size: height and width of the images, in pixels.
        channels: 3 for colour, 1 for grey.
        batch_size: images per batch.
        classes: take each sub-folder of ``folder`` as a class, in alphabetical order; all labels are 0 otherwise.
        crop: ``"center"`` cuts the longer side; ``"none"`` squeezes the picture into a square; a number cuts a square
            of that side, in pixels, out of the centre, or the largest square if a picture is smaller.
        unreadable: ``"skip"`` leaves out files that cannot be decoded and names them in a warning; ``"refuse"``
            raises an error that names them.
        held_out: share of the pictures that is not trained on, in (0, 1); chosen by the hashes of their names.
        horizontal_flip: mirror each training image with probability ½.
        num_workers: processes that load batches.
        max_pixels: pixels of a file above which it counts as unreadable, against decompression bombs; at most twice
            Pillow's own ``Image.MAX_IMAGE_PIXELS``.
        class_balanced: train on each class equally often; needs ``classes``.
        cache: folder of the memory maps; ``$LIT_GAN_CACHE`` or ``~/.cache/lit_gan`` if None.
        levels: (black, white), the values that become 0 and 255 in pictures of more than 8 bits; those with values
            outside count as unreadable. If None, black is 0, and white the smallest of 255, 1023, 4095, 16383 and
            65535 that no value in the folder exceeds, which a warning says.

    Raises:
        FileNotFoundError: the folder is missing, or holds no pictures.
        TypeError: an argument of a wrong type.
        ValueError: an option out of range, ``class_balanced`` without ``classes``, no readable picture, or
            unreadable ones with ``unreadable="refuse"``.
    """

    parts = ("train",)

    def __init__(
        self,
        folder: str,
        image_size: int = 64,
        channels: int = 3,
        batch_size: int = 64,
        classes: bool = False,
        crop: Crop = "center",
        unreadable: Unreadable = "skip",
        held_out: float = 0.1,
        horizontal_flip: bool = False,
        num_workers: int = 0,
        max_pixels: int = MAX_PIXELS,
        class_balanced: bool = False,
        cache: str | None = None,
        levels: Levels | None = None,
    ) -> None:
        super().__init__(image_size, batch_size, horizontal_flip, num_workers, class_balanced, cache)
        check_options(channels, held_out, max_pixels, crop, unreadable, levels)
        if class_balanced and not classes:
            raise LitGANError("class_balanced=True needs classes and classes=False gives none: set classes=True")
        self.folder, self.channels, self.classes = folder, channels, classes
        self.crop, self.unreadable, self.held_out, self.max_pixels = crop, unreadable, held_out, max_pixels
        self.levels = levels

    def load(self, split: Split) -> tuple[Tensor, Tensor]:
        """Return the last ``held_out`` of the pictures for ``"val"`` and ``"test"``, the others for ``"train"``.

        Both are views of the memory map: an image is read from disk when it is used.
        """
        return self._share(split, self.held_out, self.folder)

    def _classes_are_asked_for(self) -> bool:
        return self.classes and not self.class_balanced

    def _labels(self, files: list[Path]) -> list[int]:
        if not self.classes:
            return [0] * len(files)
        root = Path(expanded(self.folder))
        of_files = [p.relative_to(root).parts[0] if p.parent != root else "" for p in files]
        if "" in of_files:
            stray = files[of_files.index("")].name
            raise LitGANError(
                f"classes=True takes each sub-folder of {readable(root)} as a class, and {readable(stray)} "
                "lies in none: move it, or set classes=False"
            )
        self.class_names = names = class_folders(self.folder)
        if empty := [readable(name) for name in sorted({*names} - {*of_files})]:
            raise LitGANError(
                f"classes=True takes each sub-folder of {readable(root)} as a class, and {some(empty, len(empty))} "
                "hold no pictures: put some there, or remove the folders"
            )
        number = {name: number for number, name in enumerate(names)}
        return [number[name] for name in of_files]

    def _decode(self, part: Split, fetch: bool) -> tuple[Tensor, Tensor]:
        files = picture_files(self.folder)
        labels = torch.tensor(self._labels(files))
        options = self.image_size, self.channels, self.crop, self.max_pixels, self.levels
        images, kept = memory_map(
            lambda: _pictures(files, Decoder(files, *options)),
            key=(options, stamps(files)),
            shape=(self.channels, self.image_size, self.image_size),
            what=self.folder,
            cache=self.cache,
            unreadable=self.unreadable,
        )
        return images, labels[kept]


def _pictures(files: list[Path], decoder: Decoder) -> Pictures:
    return Pictures([*map(str, files)], np.arange(len(files)), lambda i: decoder(files[i]), decoder.remarks)
