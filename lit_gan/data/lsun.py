"""LSUN: millions of pictures of ten kinds of scenes."""

import io
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from lit_gan._utils.arguments import at_least_one, each_once
from lit_gan._utils.errors import LitGANError, LitGANRuntimeError
from lit_gan._utils.extras import optional
from lit_gan.data.base import Split
from lit_gan.data.mapped import MappedSet
from lit_gan.data.memory_map import Pictures, memory_map, stamps
from lit_gan.data.official import one_line
from lit_gan.data.pictures import Unreadable, check_options, decode

__all__ = ["LSUN"]

_CLASSES = (
    "bedroom",
    "bridge",
    "church_outdoor",
    "classroom",
    "conference_room",
    "dining_room",
    "kitchen",
    "living_room",
    "restaurant",
    "tower",
)


class LSUN(MappedSet):
    """Scenes: from 126,227 (``church_outdoor``) to 3,033,042 (``bedroom``) images of a class, 300 of each held out.

    The validation set of LSUN is ``"val"`` and ``"test"``: its test set has no labels. Pictures are cut to a square,
    resized and decoded once, into a memory map in the cache folder: 37 GB for all bedrooms at 64 pixels. For several
    devices, let one make it first: decoding takes hours, and the others would give up waiting.

    Args:
        root: folder that holds ``<class>_train_lmdb/`` and ``<class>_val_lmdb/``; there is no download.
        classes: one, or a list, of ``bedroom``, ``bridge``, ``church_outdoor``, ``classroom``, ``conference_room``,
            ``dining_room``, ``kitchen``, ``living_room``, ``restaurant`` and ``tower``; the label is the place in it.
        image_size: height and width of the images, in pixels.
        batch_size: images per batch.
        images_per_class: take the first so many of each class to train on, in the order of their keys, which are
            hashes: a random choice that stays; None for all.
        unreadable: ``"refuse"`` raises an error that names pictures that cannot be decoded; ``"skip"`` leaves them
            out and names them in a warning.
        horizontal_flip: mirror each training image with probability ½.
        num_workers: processes that load batches.
        class_balanced: train on each class equally often.
        cache: folder of the memory maps; ``$LIT_GAN_CACHE`` or ``~/.cache/lit_gan`` where it is None.

    Raises:
        ImportError: lmdb is not there; the extra ``lsun`` brings it.
        OSError: the disk has no room for the memory map.
        RuntimeError: the files are missing or damaged; says where to put them.
        TypeError: an argument of a wrong type.
        ValueError: an unknown class, an argument out of range, ``class_balanced`` with one class, or pictures that
            cannot be read.

    Reference: Yu et al. 2015, arXiv:1506.03365.
    """

    channels = 3
    parts = ("train", "val")

    def __init__(
        self,
        root: str = "data",
        classes: str | list[str] = "bedroom",
        image_size: int = 64,
        batch_size: int = 64,
        images_per_class: int | None = None,
        unreadable: Unreadable = "refuse",
        horizontal_flip: bool = True,
        num_workers: int = 0,
        class_balanced: bool = False,
        cache: str | None = None,
    ) -> None:
        super().__init__(image_size, batch_size, horizontal_flip, num_workers, class_balanced, cache)
        at_least_one(images_per_class=images_per_class)
        check_options(unreadable=unreadable)
        self.root, self.classes, self.images_per_class, self.unreadable = root, classes, images_per_class, unreadable
        self._classes = [classes] if isinstance(classes, str) else list(classes)
        for name in self._classes or [""]:
            if name not in _CLASSES:
                raise LitGANError(f"LSUN has no class {name!r}: take some of {', '.join(_CLASSES)}")
        each_once(classes=self._classes)
        if class_balanced and len(self._classes) < 2:
            raise LitGANError(f"class_balanced=True needs classes and classes={classes!r} is one: name another")
        self.num_classes = len(self._classes)
        optional("lmdb", "lsun", "LSUN")

    def load(self, split: Split) -> tuple[Tensor, Tensor]:
        """Return the memory map of LSUN's training or, for ``"val"`` and ``"test"``, its validation set."""
        return self._map("train" if split == "train" else "val")

    def _decode(self, part: Split, fetch: bool) -> tuple[Tensor, Tensor]:
        root = Path(self.root).expanduser()
        for name in self._classes:  # of both parts: decoding the first takes hours
            for other in self.parts:
                _open(root / f"{name}_{other}_lmdb").close()
        folders = [root / f"{name}_{part}_lmdb" for name in self._classes]
        limit = self.images_per_class if part == "train" else None
        with ExitStack() as opened:  # lmdb opens a database once in a process: none outlives the decoding
            return memory_map(
                lambda: self._pictures(folders, limit, opened),
                key=("LSUN", limit, stamps(folder / "data.mdb" for folder in folders)),
                shape=(3, self.image_size, self.image_size),
                what=", ".join(map(str, folders)),
                cache=self.cache,
                unreadable=self.unreadable,
            )

    def _pictures(self, folders: list[Path], limit: int | None, opened: ExitStack) -> Pictures:
        # Not by torchvision's LSUN: it leaves pickled keys in the working folder, and reads those of another root.
        databases = [opened.enter_context(_open(folder)) for folder in folders]
        keys = [(key, label) for label, database in enumerate(databases) for key in _keys(database, limit)]
        keys.sort()  # hashes: the classes are mixed

        def one(number: int) -> np.ndarray:
            key, label = keys[number]
            with databases[label].begin() as transaction:
                content = transaction.get(key)
            return decode(io.BytesIO(content), self.image_size, 3, "center")

        names = [f"{folders[label].name}/{key.decode(errors='replace')}" for key, label in keys]
        return Pictures(names, np.array([label for _, label in keys], dtype=np.int64), one)


def _open(folder: Path) -> Any:
    """Open a database, once it is clear that it is whole."""
    lmdb = optional("lmdb", "lsun", "LSUN")
    if not (folder / "data.mdb").exists():
        raise LitGANRuntimeError(_by_hand(folder, "has no data.mdb"))
    try:
        database = lmdb.open(str(folder), readonly=True, lock=False, readahead=False, meminit=False)
        size = (database.info()["last_pgno"] + 1) * database.stat()["psize"]
    except lmdb.Error as error:
        raise LitGANRuntimeError(_by_hand(folder, f"cannot be read ({one_line(error)})")) from error
    if size > (there := (folder / "data.mdb").stat().st_size):  # reading past its end would end the process
        database.close()
        raise LitGANRuntimeError(_by_hand(folder, f"is truncated, {there:,} of {size:,} bytes"))
    return database


def _keys(database: Any, limit: int | None) -> list[bytes]:
    with database.begin() as transaction, transaction.cursor() as cursor:
        return list(islice(cursor.iternext(values=False), limit))


def _by_hand(folder: Path, trouble: str) -> str:
    archive = f"http://dl.yf.io/lsun/scenes/{folder.name}.zip"
    return f"{folder} {trouble}: fetch {archive} and unpack it in {folder.parent}"
