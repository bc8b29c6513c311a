"""HuggingFaceImages: a column of pictures of a ``datasets`` set, from the hub or from files."""

import io
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lit_gan._utils.errors import LitGANError, LitGANRuntimeError
from lit_gan._utils.extras import optional
from lit_gan.data.base import Split
from lit_gan.data.mapped import MappedSet
from lit_gan.data.memory_map import Pictures, memory_map
from lit_gan.data.official import one_line
from lit_gan.data.pictures import MAX_PIXELS, Crop, Unreadable, check_options, decode

__all__ = ["HuggingFaceImages"]

_WHO = "HuggingFaceImages"
_FORMATS = {".parquet": "parquet", ".arrow": "arrow"}


class HuggingFaceImages(MappedSet):
    """Pictures of a set of the Hugging Face hub, or of files as ``datasets`` keeps them, as square images.

    They are decoded once, into a memory map in the cache folder, and prepared as those of :class:`ImageFolder`.
    No code of a set is run.

    Args:
        path: name on the hub, like ``uoft-cs/cifar10``; a folder of parquet, arrow or picture files; a folder that
            ``save_to_disk`` wrote; or a ``.parquet`` or ``.arrow`` file, whose one split is ``train``.
        column: of the pictures, or of their encoded bytes.
        label_column: of the classes, whole numbers from 0 on; all labels are 0 where it is None.
        split: to train on; a part of it too, like ``train[:10000]``, where ``save_to_disk`` did not write it.
        held_out_split: to validate and test on; a share of ``split`` where it is None. Two parts of one split must not
            overlap.
        held_out: that share, in (0, 1); its rows are chosen at random, the same each time.
        config: which configuration of the set, where it has several.
        revision: commit or tag on the hub; the newest where it is None.
        image_size: height and width of the images, in pixels.
        channels: 3 for colour, 1 for grey.
        batch_size: images per batch.
        crop: ``"center"`` cuts the longer side; ``"none"`` squeezes the picture into a square; a number cuts a square
            of so many pixels out of the centre.
        unreadable: ``"skip"`` leaves out pictures that cannot be decoded and names their rows in a warning;
            ``"refuse"`` raises an error that names them.
        horizontal_flip: mirror each training image with probability ½.
        num_workers: processes that load batches.
        max_pixels: larger pictures count as unreadable, which keeps decompression bombs out; at most twice Pillow's
            own ``Image.MAX_IMAGE_PIXELS``.
        class_balanced: train on each class of ``label_column`` equally often.
        cache: folder of the memory maps; ``$LIT_GAN_CACHE`` or ``~/.cache/lit_gan`` where it is None.

    Raises:
        ImportError: datasets is not there; the extra ``hf`` brings it.
        OSError: the disk has no room for the memory map.
        RuntimeError: the set is missing, or cannot be fetched; says how to get it by hand.
        TypeError: an argument of a wrong type.
        ValueError: an option out of range, a column that is missing or holds something else, ``class_balanced``
            without ``label_column``, or pictures that cannot be read.
    """

    def __init__(
        self,
        path: str,
        column: str = "image",
        label_column: str | None = None,
        split: str = "train",
        held_out_split: str | None = None,
        held_out: float = 0.1,
        config: str | None = None,
        revision: str | None = None,
        image_size: int = 64,
        channels: int = 3,
        batch_size: int = 64,
        crop: Crop = "center",
        unreadable: Unreadable = "skip",
        horizontal_flip: bool = False,
        num_workers: int = 0,
        max_pixels: int = MAX_PIXELS,
        class_balanced: bool = False,
        cache: str | None = None,
    ) -> None:
        super().__init__(image_size, batch_size, horizontal_flip, num_workers, class_balanced, cache)
        check_options(channels, held_out, max_pixels, crop, unreadable)
        if held_out_split is not None and _within_one(split, held_out_split):
            raise LitGANError(
                f"held_out_split={held_out_split!r} is what is trained on, split={split!r}: name another, or None for "
                "a share of it"
            )
        if class_balanced and label_column is None:
            raise LitGANError("class_balanced=True needs classes and label_column=None gives none: name the column")
        self.path, self.column, self.label_column, self.config, self.revision = (
            path,
            column,
            label_column,
            config,
            revision,
        )
        self.split, self.held_out_split, self.held_out = split, held_out_split, held_out
        self.channels, self.crop, self.unreadable, self.max_pixels = channels, crop, unreadable, max_pixels
        self.parts = ("train",) if held_out_split is None else ("train", "val")
        optional("datasets", "hf", _WHO)

    def load(self, split: Split) -> tuple[Tensor, Tensor]:
        """Return views of the memory map: ``held_out_split``, or the last rows in a random order, for ``"val"``."""
        if self.held_out_split is not None:
            return self._map("train" if split == "train" else "val")
        return self._share(split, self.held_out, self.path)

    def _decode(self, part: Split, fetch: bool) -> tuple[Tensor, Tensor]:
        tables = {"train": self._table(self.split)}
        if self.held_out_split is not None:  # looked at before the first is decoded
            tables["val"] = self._table(self.held_out_split)
        for table in tables.values():
            self._check_columns(table)
        table = tables[part]
        options = self.image_size, self.channels, self.crop, self.max_pixels
        return memory_map(
            lambda: self._pictures(table),
            key=(_WHO, self.path, table._fingerprint, self.column, self.label_column, options),
            shape=(self.channels, self.image_size, self.image_size),
            what=self.path,
            cache=self.cache,
            unreadable=self.unreadable,
        )

    def _table(self, split: str) -> Any:
        try:
            return _load(self.path, split, self.config, self.revision)
        except Exception as error:  # datasets, the hub and pyarrow raise whatever comes to them
            fetch = f"hf download {self.path} --repo-type dataset --local-dir FOLDER"
            way = f"where there is network, run {fetch}, and give the folder as path"
            if Path(self.path).expanduser().exists():
                way = "is it whole, and does it have such a split?"
            raise LitGANRuntimeError(
                f"split {split!r} of {self.path} cannot be had ({one_line(error)}): {way}"
            ) from error

    def _check_columns(self, table: Any) -> None:
        kinds = {name: _kind(feature) for name, feature in table.features.items()}
        for argument, name, kind in (
            ("column", self.column, "pictures"),
            ("label_column", self.label_column, "classes"),
        ):
            if name is not None and kinds.get(name) != kind:
                there = [n for n, k in kinds.items() if k == kind]
                found = f"holds {table.features[name]}" if name in kinds else "is not there"
                raise LitGANError(
                    f"{argument}={name!r} of {self.path} {found}: take one of {kind}, of which there are "
                    f"{', '.join(there) or 'none'}"
                )

    def _pictures(self, table: Any) -> Pictures:
        datasets = optional("datasets", "hf", _WHO)
        n = len(table)
        rows = torch.randperm(n, generator=torch.Generator().manual_seed(0)).tolist()  # the last ones are held out
        labels = [0] * n if self.label_column is None else table.select_columns(self.label_column)[self.label_column][:]
        missing = [row for row, label in enumerate(labels) if label is None or label < 0]
        if missing:
            raise LitGANError(
                f"{len(missing)} rows of {self.path} have no class in {self.label_column!r}, row {missing[0]} first: "
                "leave them out"
            )
        encoded = table.select_columns(self.column).cast_column(self.column, datasets.Image(decode=False))

        def one(number: int) -> np.ndarray:
            row = encoded[rows[number]][self.column]
            file = Path(row["path"]) if row["bytes"] is None else io.BytesIO(row["bytes"])
            return decode(file, self.image_size, self.channels, self.crop, self.max_pixels)

        return Pictures([f"row {row}" for row in rows], np.array(labels, dtype=np.int64)[rows], one)


def _load(path: str, split: str, config: str | None, revision: str | None) -> Any:
    datasets = optional("datasets", "hf", _WHO)
    local = Path(path).expanduser()
    if (local / "dataset_dict.json").exists():
        return datasets.load_from_disk(str(local))[split]
    if (local / "state.json").exists():
        table = datasets.load_from_disk(str(local))
        if str(table.split or "train") != split:
            raise LitGANError(f"save_to_disk wrote no split but {table.split or 'train'!s}")
        return table
    if local.suffix in _FORMATS and local.is_file():  # one split, "train" to datasets
        return datasets.load_dataset(_FORMATS[local.suffix], data_files=str(local), split=split)
    return datasets.load_dataset(str(local) if local.exists() else path, config, split=split, revision=revision)


def _kind(feature: Any) -> str:
    """Tell whether a column may hold pictures or classes."""
    name = type(feature).__name__
    dtype = str(getattr(feature, "dtype", ""))
    if name == "Image" or dtype in ("binary", "large_binary"):
        return "pictures"
    return "classes" if name == "ClassLabel" or dtype == "bool" or "int" in dtype else "something else"


def _within_one(split: str, other: str) -> bool:
    """Tell whether two splits share one, or a part of one, as ``train[:100]`` and ``train+extra`` do with ``train``."""
    pairs = product(split.split("+"), other.split("+"))
    return any(a == b or a == b.partition("[")[0] or b == a.partition("[")[0] for a, b in pairs)
