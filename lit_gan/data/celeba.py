"""Data module of CelebA, faces of famous people with forty binary attributes each."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision import datasets

from lit_gan._utils.arguments import at_least_one, each_once, expanded
from lit_gan._utils.errors import LitGANError
from lit_gan._utils.suggestions import choices
from lit_gan.data.base import Split
from lit_gan.data.mapped import MappedSet
from lit_gan.data.memory_map import Pictures, memory_map, stamps
from lit_gan.data.official import Source
from lit_gan.data.pictures import decode

__all__ = ["CelebA"]

_TABLES = [
    "identity_CelebA.txt",
    "list_attr_celeba.txt",
    "list_bbox_celeba.txt",
    "list_eval_partition.txt",
    "list_landmarks_align_celeba.txt",
]
_SOURCE = Source(
    datasets.CelebA,
    f"img_align_celeba/, unpacked, and {', '.join(_TABLES)}",
    "celeba",
    "http://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
)
_SPLITS = {"train": "train", "val": "valid", "test": "test"}
_NAMES = """
5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose Black_Hair Blond_Hair Blurry
Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee Gray_Hair Heavy_Makeup High_Cheekbones Male
Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks
Sideburns Smiling Straight_Hair Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace
Wearing_Necktie Young
"""
ATTRIBUTES = tuple(_NAMES.split())
"""Names of the forty attributes, in the order of ``list_attr_celeba.txt``."""


class CelebA(MappedSet):
    """Aligned faces: 162,770 training, 19,867 held-out and 19,962 test images, with no person in two of the splits.

    Images are decoded, cropped and resized once, into a memory map in the cache folder.

    Args:
        root: folder that holds, or will hold, ``celeba/`` with ``img_align_celeba/`` and five tables.
        image_size: height and width of the images, in pixels.
        batch_size: images per batch.
        crop: side of the square that is cut out of the centre of the 178×218 pictures before they are resized, in
            [1, 178] pixels. 178 is the whole width; 148, 140 and 108 are common too. Scores of different crops are not
            comparable.
        attributes: attributes that make the labels: one gives 2 classes, 1 if the picture has it; a list of k gives
            2^k classes, the binary number of the k attributes, the first one its highest digit; None labels all
            images 0. The names are those of the table, like ``Male``, ``Smiling`` or ``Eyeglasses``.
        horizontal_flip: mirror each training image with probability ½.
        num_workers: processes that load batches.
        download: fetch the files if they are missing; needs gdown, and Google Drive often denies access.
        class_balanced: train on each class of ``attributes`` equally often.
        cache: folder of the memory maps; ``$LIT_GAN_CACHE`` or ``~/.cache/lit_gan`` if None.

    Raises:
        OSError: the disk has no room for the memory map.
        RuntimeError: the files are missing or damaged and cannot be downloaded; the message says where to put them.
        TypeError: an argument of a wrong type.
        ValueError: an unknown attribute, an argument out of range, ``class_balanced`` without ``attributes``, or
            pictures that cannot be read.

    Reference: Liu et al. 2015, arXiv:1411.7766.
    """

    channels = 3

    def __init__(
        self,
        root: str = "data",
        image_size: int = 64,
        batch_size: int = 64,
        crop: int = 178,
        attributes: str | list[str] | None = None,
        horizontal_flip: bool = True,
        num_workers: int = 0,
        download: bool = True,
        class_balanced: bool = False,
        cache: str | None = None,
    ) -> None:
        super().__init__(image_size, batch_size, horizontal_flip, num_workers, class_balanced, cache)
        at_least_one(crop=crop)
        if crop > 178:
            raise LitGANError(f"crop={crop} must lie in [1, 178], the width of the pictures")
        self.root, self.crop, self.attributes, self.download = root, crop, attributes, download
        self._asked = [attributes] if isinstance(attributes, str) else list(attributes or ())
        for name in self._asked:
            if name not in ATTRIBUTES:
                raise LitGANError(f"CelebA has no attribute {name!r}: take some of {choices(ATTRIBUTES, name)}")
        each_once(attributes=self._asked)
        if class_balanced and not self._asked:
            raise LitGANError("class_balanced=True needs classes and attributes=None gives none: name an attribute")
        self.num_classes = 2 ** len(self._asked)

    def load(self, split: Split) -> tuple[Tensor, Tensor]:
        """Return the images of an official split, a memory map, and the classes made from ``attributes``."""
        images, has = self._map(split)
        labels = torch.zeros(len(images), dtype=torch.int64)
        for name in self._asked:
            labels = 2 * labels + has[:, ATTRIBUTES.index(name)]
        return images, labels

    def _classes_are_asked_for(self) -> bool:
        return bool(self._asked) and not self.class_balanced

    def _decode(self, part: Split, fetch: bool) -> tuple[Tensor, Tensor]:
        folder = Path(expanded(self.root)) / _SOURCE.folder
        faces = folder / "img_align_celeba"
        files = [faces, *(folder / table for table in _TABLES)]

        def opened() -> Any:
            return _SOURCE.open("CelebA", self.root, fetch and self.download, split=_SPLITS[part])

        if not all(file.exists() for file in files):
            opened()
        return memory_map(
            lambda: self._pictures(opened(), faces),
            key=("CelebA", part, self.crop, stamps(files)),
            shape=(3, self.image_size, self.image_size),
            what=str(faces),
            cache=self.cache,
            way_out="unpack img_align_celeba.zip there again",
        )

    def _pictures(self, data: Any, faces: Path) -> Pictures:
        return Pictures(
            data.filename,
            data.attr.numpy().astype(np.int8),
            lambda number: decode(faces / data.filename[number], self.image_size, 3, self.crop),
        )
