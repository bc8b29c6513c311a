"""Pictures decoded once into a memory map: sets larger than memory are read as they are used."""

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
_VERSION = 2  # of the cache: raise it when decoding changes


@dataclass(frozen=True)
class Pictures:
    """Pictures that can be decoded one at a time, by several threads.

    Args:
        names: of each, for messages.
        targets: whole numbers ``(N, ...)`` that belong to them.
        decode: returns the picture of a number in [0, N), uint8 ``(C, H, W)``; whatever it raises is reported.
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
    """Return pictures, uint8 ``(N, C, H, W)``, and their targets from the cache, decoding them where it has them not.

    Args:
        source: opens the pictures; not called where the cache has them.
        key: what the result depends on; its ``repr`` names the files in the cache.
        shape: (C, H, W) of each.
        what: where the pictures are from, for messages.
        cache: folder of the memory maps; ``$LIT_GAN_CACHE`` or ``~/.cache/lit_gan`` where it is None.
        unreadable: ``"skip"`` leaves out what cannot be decoded and says so; ``"refuse"`` raises.
        way_out: what to do about refused ones, for the message.

    Raises:
        ValueError: there is no picture, none that can be read, one that cannot and is refused, or a damaged cache.
        OSError: the disk has no room for them, or the cache can be no folder.
    """
    folder = cache_folder(cache)
    name = hashlib.sha256(repr((_VERSION, shape, key)).encode()).hexdigest()[:32]
    path, notes = folder / f"{name}.npy", folder / f"{name}.npz"
    if not (path.exists() and notes.exists()):
        _write(source(), path, notes, shape, what, None if unreadable == "skip" else way_out)
    try:
        # Copy on write: torch wants a writable array, and the cache must not change.
        images = torch.from_numpy(np.load(path, mmap_mode="c"))
        with notes.open("rb") as file, np.load(file) as arrays:
            targets, skipped = torch.from_numpy(arrays["targets"]), dict(arrays["skipped"].tolist())
    except Exception as error:  # numpy and zipfile raise whatever comes to them on a damaged file
        raise LitGANError(f"{path} or {notes.name} is damaged: remove them, to decode {what} again") from error
    if skipped and unreadable == "refuse":
        raise LitGANError(_unread(skipped, what, way_out))
    if skipped:
        warnings.warn(_unread(skipped, what, "they are left out"), stacklevel=2)
    return images, targets


def stamps(files: Iterable[Path]) -> list[tuple[str, int, int]]:
    """Return what of the files changes when their content does, for a key."""
    return [(str(file), s.st_size, s.st_mtime_ns) for file in files for s in (file.stat(),)]


def _write(pictures: Pictures, path: Path, notes: Path, shape: Shape, what: str, refused: str | None) -> None:
    """Write the images, then what belongs to them: the second file says that the first is whole.

    ``refused`` is what to do about pictures that cannot be read; None leaves them out.
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
    with atomic_write(path, f".{os.getpid()}") as partial, partial.open("wb") as file:
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
    with atomic_write(notes, f".{os.getpid()}") as partial, partial.open("wb") as file:
        targets = np.delete(pictures.targets, list(skipped), axis=0)
        np.savez(file, targets=targets, skipped=np.array(list(named.items()), dtype=np.str_).reshape(-1, 2))


def _decoded(pictures: Pictures) -> Iterator[np.ndarray | str]:
    def one(number: int) -> np.ndarray | str:
        try:
            return pictures.decode(number)
        except Exception as error:  # decoders raise whatever comes to them on broken files
            return str(error) or type(error).__name__

    numbers = range(len(pictures.names))
    with ThreadPoolExecutor(os.cpu_count()) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on odd files and large ones: our own limit counts
        for start in range(0, len(numbers), 256):  # some at a time: map would hold every result
            yield from pool.map(one, numbers[start : start + 256])


def _check_room(needed: int, folder: Path, what: str) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise LitGANOSError(
            f"{what} decoded takes {needed / 1e9:,.1f} GB and {folder} has {free / 1e9:,.1f} GB free: take a smaller "
            "image_size, or set cache= (or LIT_GAN_CACHE) to a folder on a larger disk"
        )


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    """Write the header of a uint8 .npy file; numpy pads it, so that it keeps its length for fewer rows."""
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})


def _unread(skipped: dict[str, str], what: str, way_out: str) -> str:
    """Return a sentence that names the first ones."""
    files = "1 file" if len(skipped) == 1 else f"{len(skipped)} files"
    return f"{files} of {what} cannot be read: {_some(skipped)}; {way_out}"


def _some(skipped: dict[str, str], most: int = 10) -> str:
    named = [f"{name} ({why})" for name, why in list(skipped.items())[:most]]
    return ", ".join(named) + (f", and {len(skipped) - most} more" if len(skipped) > most else "")
