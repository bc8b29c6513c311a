"""Search for the picture files in a folder: each file found is taken, or named with the reason to leave it out."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from pytorch_lightning.utilities.rank_zero import rank_zero_warn

from lit_gan._utils.arguments import expanded
from lit_gan._utils.errors import LitGANError, LitGANOSError, MissingFileError
from lit_gan.data.names import readable, some

__all__ = ["class_folders", "picture_files"]

_SUFFIXES = {
    f".{ending}"
    for ending in "avif bmp gif heic heif jfif jp2 jpeg jpg jxl pgm png ppm tga tif tiff webp".split()  # noqa: SIM905
}
"""Suffixes of picture files. Some formats need a plug-in of Pillow: without it they count as unreadable."""
_OF_THE_SYSTEM = ("__MACOSX", "@eaDir")
"""Names of folders of macOS and of Synology's servers, which hold no pictures of the user's."""


def picture_files(where: str) -> list[Path]:
    """Return the picture files in a folder and its sub-folders, in the order of the hashes of their names.

    The order is as good as random, and the same in each call. Links to folders are followed. A warning counts and names
    the files and folders that are left out: hidden ones, those of other suffixes, broken links.

    Raises:
        FileNotFoundError: the folder is missing, or holds no pictures.
        OSError: a folder that cannot be read.
        ValueError: a link to a folder that holds the link.
    """
    folder = Path(expanded(where))
    if not folder.is_dir():
        more = ", but a file: unpack it if it is an archive, and give the folder" if folder.is_file() else ""
        raise MissingFileError(f"there is no folder {readable(folder)}{more}")
    files, left_out = [], defaultdict(list)
    for path, reason in _search(folder, (folder.resolve(),)):
        if reason:
            left_out[reason].append(path.relative_to(folder).as_posix() + "/" * os.path.isdir(path))  # noqa: PTH112
        else:
            files.append(path)
    said = "; ".join(
        f"{len(names)} {why} ({some(map(readable, names), len(names))})" for why, names in left_out.items()
    )
    if not files:
        endings = ", ".join(sorted(_SUFFIXES))
        raise MissingFileError(f"{readable(folder)} holds no pictures ({endings})" + (said and f", but {said}"))
    if said:
        rank_zero_warn(f"left out of {readable(folder)}: {said}")
    return sorted(files, key=lambda file: _hash(file.relative_to(folder)))


def class_folders(where: str) -> list[str]:
    """Return the names of the sub-folders of a folder in alphabetical order, without those that are left out."""
    return sorted(path.name for path in Path(expanded(where)).iterdir() if path.is_dir() and not _is_hidden(path))


def _search(folder: Path, above: tuple[Path, ...]) -> Iterator[tuple[Path, str]]:
    """Yield each file below a folder and the reason to leave it out, an empty one for a picture.

    The functions of ``os.path`` tell what a path is: Path's own raise an error if one is not allowed to look.

    Args:
        folder: where to search; hidden folders are yielded with their reason, and not searched.
        above: the folder and those that hold it, without links.
    """
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise LitGANOSError(f"{readable(folder)} cannot be read ({error.strerror}): allow it, or move it") from error
    for path in paths:
        if _is_hidden(path):
            yield path, "hidden"
        elif _is_named_as_a_picture(path) and os.path.isfile(path):  # noqa: PTH113
            yield path, ""
        elif os.path.isdir(path):  # noqa: PTH112
            if (place := path.resolve()) in above:
                raise LitGANError(f"{readable(path)} leads back to {readable(place)}, which holds it: remove the link")
            yield from _search(path, (*above, place))
        else:
            yield path, _reason(path)


def _reason(path: Path) -> str:
    """Return the reason to leave out what is neither a picture nor a folder."""
    if not os.path.exists(path):  # noqa: PTH110
        return "broken links" if os.path.islink(path) else "not allowed to be read"  # noqa: PTH114
    return "not files" if _is_named_as_a_picture(path) else "of other endings"


def _is_named_as_a_picture(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".") or path.name in _OF_THE_SYSTEM


def _hash(name: Path) -> bytes:
    return hashlib.sha256(name.as_posix().encode(errors="surrogateescape")).digest()
