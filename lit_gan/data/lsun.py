"""Data module of LSUN, millions of pictures of ten classes of scenes."""

import io
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from lit_gan._utils.arguments import at_least_one, each_once, expanded
from lit_gan._utils.errors import LitGANError, LitGANRuntimeError
from lit_gan._utils.extras import optional
from lit_gan._utils.suggestions import choices
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
    """Scenes: 126,227 (``church_outdoor``) to 3,033,042 (``bedroom``) training images and 300 held-out ones per class.

    LSUN's validation set is used for ``"val"`` and ``"test"``: its test set has no labels. Pictures are decoded, cut to
    a square and resized once, into a memory map in the cache folder: 37 GB for all bedrooms at 64 pixels. Before a run
    on several devices, call ``prepare_data`` in one process: decoding takes hours, longer than the others wait.

    Args:
        root: folder that holds ``<class>_train_lmdb/`` and ``<class>_val_lmdb/``; they are not downloaded.
        classes: one, or a list, of ``bedroom``, ``bridge``, ``church_outdoor``, ``classroom``, ``conference_room``,
            ``dining_room``, ``kitchen``, ``living_room``, ``restaurant`` and ``tower``; the label is the index in
            ``classes``.
        image_size: height and width of the images, in pixels.
        batch_size: images per batch.
        images_per_class: number of training images of each class, the first in the order of their keys, which are
            hashes: a random choice that is always the same; None takes all.
        unreadable: ``"refuse"`` raises an error that names the pictures that cannot be decoded; ``"skip"`` leaves
            them out and names them in a warning.
        horizontal_flip: mirror each training image with probability ½.
        num_workers: processes that load batches.
        class_balanced: train on each class equally often.
        cache: folder of the memory maps; ``$LIT_GAN_CACHE`` or ``~/.cache/lit_gan`` if None.

    Raises:
        ImportError: lmdb is not installed; the extra ``lsun`` installs it.
        OSError: the disk has no room for the memory map.
        RuntimeError: the files are missing or damaged; the message says where to put them.
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
                raise LitGANError(f"LSUN has no class {name!r}: take some of {choices(_CLASSES, name)}")
        each_once(classes=self._classes)
        if class_balanced and len(self._classes) < 2:
            raise LitGANError(f"class_balanced=True needs classes and classes={classes!r} is one: name another")
        self.num_classes, self.class_names = len(self._classes), self._classes
        optional("lmdb", "lsun", "LSUN")

    def load(self, split: Split) -> tuple[Tensor, Tensor]:
        """Return the memory map of LSUN's training set or, for ``"val"`` and ``"test"``, of its validation set."""
        return self._map("train" if split == "train" else "val")

    def _classes_are_asked_for(self) -> bool:
        return len(self._classes) > 1 and not self.class_balanced

    def _decode(self, part: Split, fetch: bool) -> tuple[Tensor, Tensor]:
        root = Path(expanded(self.root))
        for name in self._classes:  # check both parts first: decoding one takes hours
            for other in self.parts:
                _open(root / f"{name}_{other}_lmdb").close()
        folders = [root / f"{name}_{part}_lmdb" for name in self._classes]
        limit = self.images_per_class if part == "train" else None
        with ExitStack() as opened:  # a process may open an lmdb database only once: close it after use
            return memory_map(
                lambda: self._pictures(folders, limit, opened),
                key=("LSUN", limit, stamps(folder / "data.mdb" for folder in folders)),
                shape=(3, self.image_size, self.image_size),
                what=", ".join(map(str, folders)),
                cache=self.cache,
                unreadable=self.unreadable,
            )

    def _pictures(self, folders: list[Path], limit: int | None, opened: ExitStack) -> Pictures:
        opened.close()  # the databases of an earlier call
        # Not through torchvision's LSUN: it caches keys in the working folder, and may read those of another root.
        databases = [opened.enter_context(_open(folder)) for folder in folders]
        keys = [(key, label) for label, database in enumerate(databases) for key in _keys(database, limit)]
        keys.sort()  # the keys are hashes: sorting mixes the classes

        def one(number: int) -> np.ndarray:
            key, label = keys[number]
            with databases[label].begin() as transaction:
                content = transaction.get(key)
            return decode(io.BytesIO(content), self.image_size, 3, "center")

        names = [f"{folders[label].name}/{key.decode(errors='replace')}" for key, label in keys]
        return Pictures(names, np.array([label for _, label in keys], dtype=np.int64), one)


def _open(folder: Path) -> Any:
    """Return the opened lmdb database of a folder; raise if it is missing, unreadable or truncated."""
    lmdb = optional("lmdb", "lsun", "LSUN")
    if not (folder / "data.mdb").exists():
        raise LitGANRuntimeError(_by_hand(folder, "has no data.mdb"))
    try:
        database = lmdb.open(str(folder), readonly=True, lock=False, readahead=False, meminit=False)
        size = (database.info()["last_pgno"] + 1) * database.stat()["psize"]
    except lmdb.Error as error:
        raise LitGANRuntimeError(_by_hand(folder, f"cannot be read ({one_line(error)})")) from error
    if size > (there := (folder / "data.mdb").stat().st_size):  # reading past the end would crash the process
        database.close()
        raise LitGANRuntimeError(_by_hand(folder, f"is truncated, {there:,} of {size:,} bytes"))
    return database


def _keys(database: Any, limit: int | None) -> list[bytes]:
    with database.begin() as transaction, transaction.cursor() as cursor:
        return list(islice(cursor.iternext(values=False), limit))


def _by_hand(folder: Path, trouble: str) -> str:
    """Return an error message that says how to download a folder by hand."""
    archive = f"http://dl.yf.io/lsun/scenes/{folder.name}.zip"
    return f"{folder} {trouble}: fetch {archive} and unpack it in {folder.parent}"
