"""Data module of a Hugging Face data set with a column of pictures, from the hub or from files."""

import io
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from lit_gan._utils.arguments import expanded
from lit_gan._utils.errors import LitGANError, LitGANRuntimeError
from lit_gan._utils.extras import optional
from lit_gan.data.base import Split
from lit_gan.data.deep import Levels
from lit_gan.data.mapped import MappedSet
from lit_gan.data.memory_map import Pictures, memory_map
from lit_gan.data.official import one_line
from lit_gan.data.pictures import MAX_PIXELS, Crop, Decoder, Unreadable, check_options

__all__ = ["HuggingFaceImages"]

_WHO = "HuggingFaceImages"
_FORMATS = {".parquet": "parquet", ".arrow": "arrow"}


class HuggingFaceImages(MappedSet):
    """Pictures of a data set on the Hugging Face hub, or of files that ``datasets`` reads, as square images.

    They are decoded once, into a memory map in the cache folder, and made square as those of :class:`ImageFolder`.
    Code that comes with a data set is not run.

    Args:
        path: name on the hub, like ``uoft-cs/cifar10``; a folder of parquet, arrow or picture files; a folder that
            ``save_to_disk`` wrote; or a ``.parquet`` or ``.arrow`` file, whose only split is ``train``.
        column: name of the column of pictures, or of their encoded bytes.
        label_column: name of the column of classes, whole numbers from 0 on; if None, all labels are 0.
        split: name of the split to train on, or a part of it, like ``train[:10000]``; a part is not possible if
            ``save_to_disk`` wrote the folder.
        held_out_split: name of the split to validate and test on; if None, a share of ``split`` is held out. Two parts
            of one split must not overlap.
        held_out: the share of ``split`` to hold out if ``held_out_split`` is None, in (0, 1); its rows are chosen at
            random, the same each time.
        config: name of the data set's configuration, if it has several.
        revision: commit or tag on the hub; the newest if None.
        image_size: height and width of the images, in pixels.
        channels: 3 for colour, 1 for grey.
        batch_size: images per batch.
        crop: ``"center"`` cuts the longer side; ``"none"`` squeezes the picture into a square; a number cuts a square
            of that side, in pixels, out of the centre.
        unreadable: ``"skip"`` leaves out pictures that cannot be decoded and names their rows in a warning;
            ``"refuse"`` raises an error that names them.
        horizontal_flip: mirror each training image with probability ½.
        num_workers: processes that load batches.
        max_pixels: pixels of a picture above which it counts as unreadable, against decompression bombs; at most twice
            Pillow's own ``Image.MAX_IMAGE_PIXELS``.
        class_balanced: train on each class of ``label_column`` equally often.
        cache: folder of the memory maps; ``$LIT_GAN_CACHE`` or ``~/.cache/lit_gan`` if None.
        levels: (black, white), the values that become 0 and 255 in pictures of more than 8 bits; if None they are found
            in all pictures of ``split`` and ``held_out_split``, as those of :class:`ImageFolder`.

    Raises:
        ImportError: datasets is not installed; the extra ``hf`` installs it.
        OSError: the disk has no room for the memory map.
        RuntimeError: the data set is missing, or cannot be fetched; the message says how to get it by hand.
        TypeError: an argument of a wrong type.
        ValueError: an option out of range, a column that is missing or of another type, ``class_balanced``
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
        levels: Levels | None = None,
    ) -> None:
        super().__init__(image_size, batch_size, horizontal_flip, num_workers, class_balanced, cache)
        check_options(channels, held_out, max_pixels, crop, unreadable, levels)
        if held_out_split is not None and _within_one(split, held_out_split):
            raise LitGANError(
                f"held_out_split={held_out_split!r} is what is trained on, split={split!r}: name another, or None for "
                "a share of it"
            )
        if class_balanced and label_column is None:
            raise LitGANError("class_balanced=True needs classes and label_column=None gives none: name the column")
        self.path, self.column, self.label_column = path, column, label_column
        self.config, self.revision = config, revision
        self.split, self.held_out_split, self.held_out = split, held_out_split, held_out
        self.channels, self.crop, self.unreadable, self.max_pixels = channels, crop, unreadable, max_pixels
        self.levels = levels
        self.parts = ("train",) if held_out_split is None else ("train", "val")
        optional("datasets", "hf", _WHO)

    def load(self, split: Split) -> tuple[Tensor, Tensor]:
        """Return views of the memory map: ``held_out_split``, or the last rows in a random order, for ``"val"``."""
        if self.held_out_split is not None:
            return self._map("train" if split == "train" else "val")
        return self._share(split, self.held_out, self.path)

    def _classes_are_asked_for(self) -> bool:
        return self.label_column is not None and not self.class_balanced

    def _decode(self, part: Split, fetch: bool) -> tuple[Tensor, Tensor]:
        tables = {"train": self._table(self.split)}
        if self.held_out_split is not None:  # check both splits before decoding one
            tables["val"] = self._table(self.held_out_split)
            self._check_apart(**tables)
        for table in tables.values():
            self._check_columns(table)
        if self.label_column is not None:
            self.class_names = getattr(tables[part].features[self.label_column], "names", ())
        options = self.image_size, self.channels, self.crop, self.max_pixels, self.levels
        prints = [table._fingerprint for table in (tables[part], *tables.values())]
        return memory_map(
            lambda: self._pictures(tables[part], Decoder(self._files(*tables.values()), *options)),
            key=(_WHO, _local(self.path) or self.path, prints, self.column, self.label_column, options),
            shape=(self.channels, self.image_size, self.image_size),
            what=self.path,
            cache=self.cache,
            unreadable=self.unreadable,
        )

    def _table(self, split: str) -> Any:
        try:
            return _load(self.path, split, self.config, self.revision)
        except Exception as error:  # datasets, the hub and pyarrow raise errors of many types
            fetch = f"hf download {self.path} --repo-type dataset --local-dir FOLDER"
            way = f"where there is network, run {fetch}, and give the folder as path"
            if Path(expanded(self.path)).exists():
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

    def _check_apart(self, train: Any, val: Any) -> None:
        """Refuse parts of one split that have rows in common; the splits of a set saved to disk are tables apart."""
        if _is_saved(self.path):
            return
        for (name, first, end), (other, other_first, other_end) in product(_rows(train), _rows(val)):
            if name == other and first < other_end and other_first < end:
                raise LitGANError(
                    f"rows {max(first, other_first)} to {min(end, other_end) - 1} of {name!r} are in "
                    f"split={self.split!r} and held_out_split={self.held_out_split!r}: hold out others"
                )

    def _files(self, *tables: Any) -> Iterator[Path | BinaryIO]:
        """Yield the encoded pictures of all rows of the tables."""
        for table in tables:
            yield from map(self._file_of(table), range(len(table)))

    def _file_of(self, table: Any) -> Callable[[int], Path | BinaryIO]:
        """Return a function of a row's number that returns the row's encoded picture."""
        image = optional("datasets", "hf", _WHO).Image(decode=False)
        encoded = table.select_columns(self.column).cast_column(self.column, image)

        def one(number: int) -> Path | BinaryIO:
            row = encoded[number][self.column]
            return Path(row["path"]) if row["bytes"] is None else io.BytesIO(row["bytes"])

        return one

    def _pictures(self, table: Any, decoder: Decoder) -> Pictures:
        n = len(table)
        rows = torch.randperm(n, generator=torch.Generator().manual_seed(0)).tolist()  # the last ones are held out
        labels = [0] * n if self.label_column is None else table.select_columns(self.label_column)[self.label_column][:]
        missing = [row for row, label in enumerate(labels) if label is None or label < 0]
        if missing:
            raise LitGANError(
                f"{len(missing)} rows of {self.path} have no class in {self.label_column!r}, row {missing[0]} first: "
                "leave them out"
            )
        file_of = self._file_of(table)
        return Pictures(
            [f"row {row}" for row in rows],
            np.array(labels, dtype=np.int64)[rows],
            lambda number: decoder(file_of(rows[number])),
            decoder.remarks,
        )


def _local(path: str) -> Path | None:
    """Return an absolute path without links if it is there, and None for a name on the hub."""
    local = Path(expanded(path))
    return local.resolve() if local.exists() else None


def _is_saved(path: str) -> bool:
    """Tell whether ``save_to_disk`` wrote a folder."""
    local = Path(expanded(path))
    return (local / "dataset_dict.json").exists() or (local / "state.json").exists()


def _load(path: str, split: str, config: str | None, revision: str | None) -> Any:
    datasets = optional("datasets", "hf", _WHO)
    local = _local(path)
    if _is_saved(path):
        table = datasets.load_from_disk(str(local))
        if isinstance(table, datasets.DatasetDict):
            return table[split]
        if str(table.split or "train") != split:
            raise LitGANError(f"save_to_disk wrote no split but {table.split or 'train'!s}")
        return table
    if local is not None and local.suffix in _FORMATS and local.is_file():  # datasets calls its only split "train"
        return datasets.load_dataset(_FORMATS[local.suffix], data_files=str(local), split=split)
    return datasets.load_dataset(str(local or path), config, split=split, revision=revision)


def _rows(table: Any) -> list[tuple[str, int, int]]:
    """Return the parts that make up a table that ``load_dataset`` returned: split, first row, row after the last."""
    sizes = {name: split.num_examples for name, split in (table.info.splits or {}).items()}
    instruction = optional("datasets", "hf", _WHO).ReadInstruction.from_spec(str(table.split))
    return [(part.splitname, part.from_, part.to) for part in instruction.to_absolute(sizes)] if sizes else []


def _kind(feature: Any) -> str:
    """Return ``"pictures"``, ``"classes"`` or ``"something else"``, which a column of this type may hold."""
    name = type(feature).__name__
    dtype = str(getattr(feature, "dtype", ""))
    if name == "Image" or dtype in ("binary", "large_binary"):
        return "pictures"
    return "classes" if name == "ClassLabel" or dtype == "bool" or "int" in dtype else "something else"


def _within_one(split: str, other: str) -> bool:
    """Tell whether two splits name the same split, or one of them a part of the other.

    ``train[:100]`` and ``train+extra`` do with ``train``; parts that overlap are found when the data are loaded.
    """
    pairs = product(split.split("+"), other.split("+"))
    return any(a == b or a == b.partition("[")[0] or b == a.partition("[")[0] for a, b in pairs)
