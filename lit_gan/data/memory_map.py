"""Cache of decoded pictures in memory-mapped files, for data sets larger than memory."""

import hashlib
import os
import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from pytorch_lightning.utilities.rank_zero import rank_zero_info
from torch import Tensor
from tqdm import tqdm

from lit_gan._utils.errors import LitGANError, LitGANOSError
from lit_gan._utils.files import atomic_write, cache_folder
from lit_gan.data.pictures import Unreadable

__all__ = ["Pictures", "memory_map", "stamps"]

Shape = tuple[int, int, int]
_VERSION = 2  # of the cache's content: increase it if decoding changes


@dataclass(frozen=True)
class Pictures:
    """Pictures to be decoded one at a time, by several threads.

    Args:
        names: name of each picture, for messages.
        targets: whole numbers ``(N, ...)`` that belong to the pictures, such as labels.
        decode: function of an index in [0, N) that returns that picture, uint8 ``(C, H, W)``; if it raises an error,
            the picture counts as unreadable.
    """

    names: Sequence[str]
    targets: np.ndarray
    decode: Callable[[int], np.ndarray]


def memory_map(
    source: Callable[[], Pictures],
    key: object,
    shape: Shape,
    what: str,
    cache: str | None = None,
    unreadable: Unreadable = "refuse",
    way_out: str = 'remove them, or set unreadable="skip"',
) -> tuple[Tensor, Tensor]:
    """Return pictures, uint8 ``(N, C, H, W)``, and their targets from the cache; decode them into it if missing.

    Args:
        source: function that opens the pictures; not called if they are in the cache.
        key: everything that the result depends on; the files in the cache are named by a hash of its ``repr``.
        shape: (C, H, W) of each decoded picture.
        what: origin of the pictures, for messages.
        cache: folder of the memory maps; ``$LIT_GAN_CACHE`` or ``~/.cache/lit_gan`` if None.
        unreadable: ``"skip"`` leaves out pictures that cannot be decoded, with a warning; ``"refuse"`` raises an error.
        way_out: advice at the end of that error's message.

    Raises:
        ValueError: no pictures, none that can be read, an unreadable one with ``"refuse"``, or a damaged cache.
        OSError: the disk has no room for the pictures, or the cache folder cannot be created.
    """
    folder = cache_folder(cache)
    name = hashlib.sha256(repr((_VERSION, shape, key)).encode()).hexdigest()[:32]
    path, notes = folder / f"{name}.npy", folder / f"{name}.npz"
    if not (path.exists() and notes.exists()):
        _write(source(), path, notes, shape, what, None if unreadable == "skip" else way_out)
    try:
        # Copy on write: torch expects a writable array, and the file must not change.
        images = torch.from_numpy(np.load(path, mmap_mode="c"))
        with notes.open("rb") as file, np.load(file) as arrays:
            targets, skipped = torch.from_numpy(arrays["targets"]), dict(arrays["skipped"].tolist())
    except Exception as error:  # numpy and zipfile raise errors of many types on damaged files
        raise LitGANError(f"{path} or {notes.name} is damaged: remove them, to decode {what} again") from error
    if skipped and unreadable == "refuse":
        raise LitGANError(_unread(skipped, what, way_out))
    if skipped:
        warnings.warn(_unread(skipped, what, "they are left out"), stacklevel=2)
    return images, targets


def stamps(files: Iterable[Path]) -> list[tuple[str, int, int]]:
    """Return path, size in bytes and modification time in ns of each file, for a ``key`` that changes with them."""
    return [(str(file), s.st_size, s.st_mtime_ns) for file in files for s in (file.stat(),)]


def _write(pictures: Pictures, path: Path, notes: Path, shape: Shape, what: str, refused: str | None) -> None:
    """Write the decoded images to ``path``, then their targets and the unreadable pictures' names to ``notes``.

    ``notes`` exists only if ``path`` is complete. ``refused`` is the advice in the error for unreadable pictures; None
    leaves them out.
    """
    n = len(pictures.names)
    if not n:
        raise LitGANError(f"{what} holds no pictures: is it whole?")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LitGANOSError(
            f"{path.parent} can be no folder for decoded pictures ({error.strerror}): set cache="
        ) from error
    _check_room(n * prod(shape), path.parent, what)
    rank_zero_info(f"Decoding {n} pictures of {what} into {path}, once")
    skipped: dict[int, str] = {}
    with atomic_write(path) as partial, partial.open("wb") as file:
        _write_header(file, (n, *shape))
        for number, image in enumerate(tqdm(_decoded(pictures), total=n, unit="pic")):
            if isinstance(image, str):
                skipped[number] = image
            else:
                file.write(image.tobytes())
        named = {pictures.names[number]: why for number, why in skipped.items()}
        if len(skipped) == n:
            raise LitGANError(f"none of {n} pictures in {what} can be read: {_some(named)}")
        if skipped and refused is not None:
            raise LitGANError(_unread(named, what, refused))
        file.seek(0)
        _write_header(file, (n - len(skipped), *shape))
    with atomic_write(notes) as partial, partial.open("wb") as file:
        targets = np.delete(pictures.targets, list(skipped), axis=0)
        np.savez(file, targets=targets, skipped=np.array(list(named.items()), dtype=np.str_).reshape(-1, 2))


def _decoded(pictures: Pictures) -> Iterator[np.ndarray | str]:
    """Yield each decoded picture in order, or the text of the error if it cannot be decoded."""

    def one(number: int) -> np.ndarray | str:
        try:
            return pictures.decode(number)
        except Exception as error:  # decoders raise errors of many types on damaged files
            return str(error) or type(error).__name__

    numbers = range(len(pictures.names))
    with ThreadPoolExecutor(os.cpu_count()) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, on odd and large files: max_pixels is the limit
        for start in range(0, len(numbers), 256):  # in pieces: map would hold all results in memory
            yield from pool.map(one, numbers[start : start + 256])


def _check_room(needed: int, folder: Path, what: str) -> None:
    """Raise OSError if the disk of ``folder`` has fewer than ``needed`` bytes free."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise LitGANOSError(
            f"{what} decoded takes {needed / 1e9:,.1f} GB and {folder} has {free / 1e9:,.1f} GB free: take a smaller "
            "image_size, or set cache= (or LIT_GAN_CACHE) to a folder on a larger disk"
        )


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    """Write the header of a uint8 .npy file; numpy pads it, so that its length is the same for fewer rows."""
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})


def _unread(skipped: dict[str, str], what: str, way_out: str) -> str:
    """Return a message that counts the unreadable pictures and names the first ten."""
    files = "1 file" if len(skipped) == 1 else f"{len(skipped)} files"
    return f"{files} of {what} cannot be read: {_some(skipped)}; {way_out}"


def _some(skipped: dict[str, str], most: int = 10) -> str:
    """Return the first ``most`` names, each with its error, and the number of the others."""
    named = [f"{name} ({why})" for name, why in list(skipped.items())[:most]]
    return ", ".join(named) + (f", and {len(skipped) - most} more" if len(skipped) > most else "")
