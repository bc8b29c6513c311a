"""Cache of decoded pictures in memory-mapped files, for data sets larger than memory."""

import hashlib
import os
import shutil
import warnings
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache as remember
from math import prod
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import torch
from pytorch_lightning.utilities.rank_zero import rank_zero_info, rank_zero_only, rank_zero_warn
from torch import Tensor
from tqdm import tqdm

from lit_gan._utils.errors import LitGANError, LitGANOSError
from lit_gan._utils.files import atomic_write, cache_folder
from lit_gan.data.names import readable, some
from lit_gan.data.official import one_line
from lit_gan.data.pictures import Unreadable

__all__ = ["Pictures", "memory_map", "stamps"]

Shape = tuple[int, int, int]
_VERSION = 3  # of the cache's content: increase it if decoding changes


@dataclass(frozen=True)
class Pictures:
    """Pictures to be decoded one at a time, by several threads.

    Args:
        names: name of each picture, for messages.
        targets: whole numbers ``(N, ...)`` that belong to the pictures, such as labels.
        decode: function of an index in [0, N) that returns that picture, uint8 ``(C, H, W)``; if it raises an error,
            the picture counts as unreadable.
        remarks: function that is called when all are decoded, with the number of pictures that repeat another one;
            returns sentences to warn of whenever the pictures are used.
    """

    names: Sequence[str]
    targets: np.ndarray
    decode: Callable[[int], np.ndarray]
    remarks: Callable[[int], list[str]] = lambda repeats: []


class _Map(NamedTuple):
    """The content of the cache for one set of pictures."""

    images: np.ndarray
    targets: np.ndarray
    skipped: dict[str, str]
    """Unreadable pictures by name, with their errors."""
    remarks: list[str]


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

    Pictures that could not be decoded are tried again, and all are decoded again if one of them can be read now. The
    cache is checked by its CRC-32, which takes less than a second for a GB.

    Args:
        source: function that opens the pictures; not called if all of them are in the cache.
        key: everything that the result depends on; the files in the cache are named by a hash of its ``repr``.
        shape: (C, H, W) of each decoded picture.
        what: origin of the pictures, for messages.
        cache: folder of the memory maps; ``$LIT_GAN_CACHE`` or ``~/.cache/lit_gan`` if None.
        unreadable: ``"skip"`` leaves out pictures that cannot be decoded, with a warning; ``"refuse"`` raises an error.
        way_out: advice at the end of that error's message.

    Raises:
        ValueError: no pictures, none that can be read, an unreadable one with ``"refuse"``, or a damaged cache.
        OSError: the disk has no room for the pictures, or the cache folder cannot be written.
    """
    what, refused = readable(what), None if unreadable == "skip" else way_out
    name = hashlib.sha256(repr((_VERSION, shape, key)).encode()).hexdigest()[:32]
    path = cache_folder(cache) / f"{name}.npy"
    found = _read(path, shape, what) if _is_there(path) else None
    if found is None or (found.skipped and _one_can_be_read(source(), found.skipped)):
        _write(source(), path, shape, what, refused)
        found = _read(path, shape, what)
    if found.skipped and refused is not None:
        raise LitGANError(_unread(found.skipped, what, refused))
    if found.skipped:
        rank_zero_warn(_unread(found.skipped, what, "they are left out"))
    for remark in found.remarks:
        rank_zero_warn(f"{what}: {remark}")
    return torch.from_numpy(found.images), torch.from_numpy(found.targets)


def stamps(files: Iterable[Path]) -> list[tuple[str, int, int, int]]:
    """Return place, size and times of modification and of change of each file, for a ``key`` that changes with them.

    The place is an absolute path without links. The times are in ns; that of change cannot be set as one likes.
    """
    resolved = remember(Path.resolve)  # a file's folder is that of many
    places = ((f, f.resolve() if f.is_symlink() else resolved(f.parent) / f.name) for f in files)
    return [(str(place), s.st_size, s.st_mtime_ns, s.st_ctime_ns) for f, place in places for s in (f.stat(),)]


def _notes(path: Path) -> Path:
    """Return the path of the file that belongs to a memory map; it exists only if the map is complete."""
    return path.with_suffix(".npz")


def _is_there(path: Path) -> bool:
    return all(os.access(file, os.R_OK) for file in (path, _notes(path)))


def _read(path: Path, shape: Shape, what: str) -> _Map:
    """Return the cache's content; refuse one of another type, shape, number or sum than was written."""
    try:
        with _notes(path).open("rb") as file, np.load(file) as arrays:
            targets, skipped, remarks, crc = (arrays[name] for name in ("targets", "skipped", "remarks", "crc"))
        images = np.load(path, mmap_mode="c")  # copy on write: torch expects a writable array
        if images.dtype != np.uint8 or images.shape != (len(targets), *shape):
            raise LitGANError(f"it holds {images.dtype} {images.shape}")
        if zlib.crc32(np.load(path, mmap_mode="r")) != crc:
            raise LitGANError("its content has changed")
    except Exception as error:  # numpy and zipfile raise errors of many types on damaged files
        raise LitGANError(
            f"{path} or {_notes(path).name} is damaged ({one_line(error)}): remove them, to decode {what} again"
        ) from error
    return _Map(images, targets, dict(skipped.tolist()), remarks.tolist())


@rank_zero_only
def _one_can_be_read(pictures: Pictures, skipped: dict[str, str]) -> bool:
    """Tell whether one of the ``skipped`` pictures can be decoded now; None on all processes but the first.

    The others use what the first one left in the cache, so that all have the same pictures.
    """
    numbers = [number for number, name in enumerate(pictures.names) if name in skipped]
    return any(not isinstance(image, str) for image in _decoded(pictures, numbers))


def _write(pictures: Pictures, path: Path, shape: Shape, what: str, refused: str | None) -> None:
    """Write the decoded images to ``path``, then all that belongs to them to its notes.

    ``refused`` is the advice in the error for unreadable pictures; None leaves them out.
    """
    n = len(pictures.names)
    if not n:
        raise LitGANError(f"{what} holds no pictures: is it whole?")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _check_room(n * prod(shape), path.parent, what)
        rank_zero_info(f"Decoding {n} pictures of {what} into {path}, once")
        with atomic_write(path) as partial, partial.open("wb") as file:
            skipped, crc, repeats = _write_images(file, pictures, shape)
            named = {pictures.names[number]: why for number, why in skipped.items()}
            if len(skipped) == n:
                raise LitGANError(f"none of {n} pictures in {what} can be read: {_some(named)}")
            if skipped and refused is not None:
                raise LitGANError(_unread(named, what, refused))
            _notes(path).unlink(missing_ok=True)
        with atomic_write(_notes(path)) as partial, partial.open("wb") as file:
            np.savez(
                file,
                targets=np.delete(pictures.targets, list(skipped), axis=0),
                skipped=np.array(list(named.items()), dtype=np.str_).reshape(-1, 2),
                remarks=np.array(pictures.remarks(repeats), dtype=np.str_),
                crc=np.array(crc, dtype=np.uint32),
            )
    except OSError as error:
        if isinstance(error, LitGANError):
            raise
        raise LitGANOSError(
            f"{path.parent} can be no folder for decoded pictures ({error.strerror or error}): set cache="
        ) from error


def _write_images(file: BinaryIO, pictures: Pictures, shape: Shape) -> tuple[dict[int, str], int, int]:
    """Write the images that can be decoded as .npy.

    Returns:
        The errors of the others by number; the CRC-32 of the pixels; how many images repeat an earlier one.
    """
    n = len(pictures.names)
    skipped: dict[int, str] = {}
    crc, hashes = 0, array("q")
    _write_header(file, (n, *shape))
    for number, image in enumerate(tqdm(_decoded(pictures, range(n)), total=n, unit="pic")):
        if isinstance(image, str):
            skipped[number] = image
        else:
            content = image.tobytes()
            file.write(content)
            crc = zlib.crc32(content, crc)
            hashes.append(hash(content))
    file.seek(0)
    _write_header(file, (n - len(skipped), *shape))
    return skipped, crc, len(hashes) - len(np.unique(hashes))


def _decoded(pictures: Pictures, numbers: Sequence[int]) -> Iterator[np.ndarray | str]:
    """Yield the decoded pictures of these numbers in order, or the text of the error if one cannot be decoded."""

    def one(number: int) -> np.ndarray | str:
        try:
            return pictures.decode(number)
        except Exception as error:  # decoders raise errors of many types on damaged files
            return str(error) or type(error).__name__

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


def _some(skipped: dict[str, str]) -> str:
    """Return the first ten names, each with its error, and the number of the others."""
    return some((readable(f"{name} ({why})") for name, why in skipped.items()), len(skipped))
