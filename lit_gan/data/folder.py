"""ImageFolder: any folder of pictures, decoded once into a memory map."""

import hashlib
import json
import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import torch
from PIL import Image, ImageOps
from pytorch_lightning.utilities.rank_zero import rank_zero_info
from torch import Tensor
from tqdm import tqdm

from lit_gan.data.base import ImageDataModule, Split
from lit_gan.files import beside

__all__ = ["ImageFolder", "decode"]

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}
_VERSION = 1  # of the cache: raise it when decoding changes


class ImageFolder(ImageDataModule):
    """Pictures of a folder and its sub-folders, of any size and format, as square images.

    Each picture is turned upright, laid on white where it is transparent, resized so that its shorter side is
    ``image_size``, and cropped. All are decoded once, into a memory map in the cache folder; changing, adding or
    removing a picture, or an option that decoding depends on, decodes again.

    Args:
        folder: where the pictures are.
        image_size: height and width of the images, in pixels.
        channels: 3 for colour, 1 for grey.
        batch_size: images per batch.
        classes: take each sub-folder of ``folder`` as a class, in alphabetical order; all labels are 0 otherwise.
        crop: ``"center"`` cuts the longer side; ``"none"`` squeezes the picture into a square.
        unreadable: ``"skip"`` leaves out files that cannot be decoded and names them in a warning; ``"refuse"``
            raises an error that names them.
        held_out: share of the pictures kept from training, in (0, 1); chosen by their names.
        horizontal_flip: mirror each training image with probability ½.
        num_workers: processes that load batches.
        max_pixels: larger pictures count as unreadable, which keeps decompression bombs out; at most twice Pillow's
            own ``Image.MAX_IMAGE_PIXELS``.
        cache: folder of the memory maps; ``$LIT_GAN_CACHE`` or ``~/.cache/lit_gan`` where it is None.

    Raises:
        FileNotFoundError: the folder is missing, or holds no pictures.
        ValueError: an option out of range, no readable picture, or unreadable ones that are refused.
    """

    def __init__(
        self,
        folder: str,
        image_size: int = 64,
        channels: int = 3,
        batch_size: int = 64,
        classes: bool = False,
        crop: Literal["center", "none"] = "center",
        unreadable: Literal["skip", "refuse"] = "skip",
        held_out: float = 0.1,
        horizontal_flip: bool = False,
        num_workers: int = 0,
        max_pixels: int = 100_000_000,
        cache: str | None = None,
    ) -> None:
        super().__init__(image_size, batch_size, horizontal_flip, num_workers)
        if channels not in (1, 3):
            raise ValueError(f"channels={channels} must be 1 (grey) or 3 (colour)")
        if not 0 < held_out < 1:
            raise ValueError(f"held_out={held_out} must lie between 0 and 1")
        if not 0 < max_pixels <= (most := 2 * (Image.MAX_IMAGE_PIXELS or max_pixels)):
            raise ValueError(f"max_pixels={max_pixels} must lie in [1, {most}]: raise PIL.Image.MAX_IMAGE_PIXELS first")
        self.folder, self.channels, self.classes = folder, channels, classes
        self.size, self.crop, self.unreadable = image_size, crop, unreadable
        self.held_out, self.max_pixels, self.cache = held_out, max_pixels, cache
        self._pictures: tuple[Tensor, Tensor] | None = None

    def prepare_data(self) -> None:
        """Decode the pictures into the cache, where it does not hold them yet; on one process."""
        self._once()

    def load(self, split: Split) -> tuple[Tensor, Tensor]:
        """Return the last ``held_out`` of the pictures for ``"val"`` and ``"test"``, the others for ``"train"``.

        Both are views of the memory map: nothing is read before it is used.
        """
        images, labels = self._once()
        first_held_out = len(images) - round(self.held_out * len(images))
        if not 0 < first_held_out < len(images):
            raise ValueError(
                f"{len(images)} pictures in {self.folder} cannot be split at held_out={self.held_out}: "
                "training and held-out data need one at least"
            )
        part = slice(first_held_out) if split == "train" else slice(first_held_out, None)
        return images[part], labels[part]

    def _once(self) -> tuple[Tensor, Tensor]:
        if self._pictures is None:
            self._pictures = self._open()
        return self._pictures

    def _files(self) -> list[Path]:
        folder = Path(self.folder)
        if not folder.is_dir():
            raise FileNotFoundError(f"there is no folder {folder}")
        files = [p for p in folder.rglob("*") if p.suffix.lower() in _SUFFIXES and p.is_file()]
        if not files:
            raise FileNotFoundError(f"{folder} holds no pictures ({', '.join(sorted(_SUFFIXES))})")
        # In the order of their names' hashes: the last ones, held out, are a random choice that needs no seed.
        return sorted(files, key=lambda p: hashlib.sha256(p.relative_to(folder).as_posix().encode()).digest())

    def _labels(self, files: list[Path]) -> list[int]:
        if not self.classes:
            return [0] * len(files)
        folders = [p.relative_to(self.folder).parts[0] if p.parent != Path(self.folder) else "" for p in files]
        if "" in folders:
            raise ValueError(
                f"classes=True takes each sub-folder of {self.folder} as a class, and {files[folders.index('')].name} "
                "lies in none: move it, or set classes=False"
            )
        names = sorted(set(folders))
        return [names.index(f) for f in folders]

    def _open(self) -> tuple[Tensor, Tensor]:
        files = self._files()
        labels = self._labels(files)
        path = self._cache_path(files)
        if not (path.exists() and path.with_suffix(".json").exists()):
            self._decode_all(files, path)
        skipped: dict[str, str] = json.loads(path.with_suffix(".json").read_text())
        self._report(skipped)
        # Copy on write: torch wants a writable array, and the cache must not change.
        images = torch.from_numpy(np.load(path, mmap_mode="c"))
        kept = [label for file, label in zip(files, labels, strict=True) if str(file) not in skipped]
        return images, torch.tensor(kept)

    def _cache_path(self, files: list[Path]) -> Path:
        cache = self.cache or os.environ.get("LIT_GAN_CACHE") or Path.home() / ".cache" / "lit_gan"
        stats = [(str(f), s.st_size, s.st_mtime_ns) for f in files for s in (f.stat(),)]
        key = repr((_VERSION, self.size, self.channels, self.crop, self.max_pixels, stats))
        return Path(cache) / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npy"

    def _decode_all(self, files: list[Path], path: Path) -> None:
        """Write the images, then the names of what was skipped: the second file says that the first is whole."""
        rank_zero_info(f"Decoding {len(files)} pictures of {self.folder} into {path}, once")
        path.parent.mkdir(parents=True, exist_ok=True)
        skipped: dict[str, str] = {}
        with beside(path, f".{os.getpid()}") as partial:
            shape = (self.channels, self.size, self.size)
            with partial.open("wb") as file:
                _write_header(file, (len(files), *shape))
                for name, image in zip(files, tqdm(self._decoded(files), total=len(files), unit="pic"), strict=True):
                    if isinstance(image, str):
                        skipped[str(name)] = image
                    else:
                        file.write(image.tobytes())
                if len(skipped) == len(files):
                    raise ValueError(f"none of {len(files)} pictures in {self.folder} can be read: {_some(skipped)}")
                file.seek(0)
                _write_header(file, (len(files) - len(skipped), *shape))
        with beside(path.with_suffix(".json"), f".{os.getpid()}") as partial:
            partial.write_text(json.dumps(skipped))

    def _decoded(self, files: list[Path]) -> Iterator[np.ndarray | str]:
        def one(path: Path) -> np.ndarray | str:
            try:
                return decode(path, self.size, self.channels, self.crop, self.max_pixels)
            except Exception as error:  # decoders raise whatever comes to them on broken files
                return str(error) or type(error).__name__

        with ThreadPoolExecutor(os.cpu_count()) as pool, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd files and large ones: our own limit counts
            for start in range(0, len(files), 256):  # some at a time: map would hold every result
                yield from pool.map(one, files[start : start + 256])

    def _report(self, skipped: dict[str, str]) -> None:
        if not skipped:
            return
        message = f"{len(skipped)} files of {self.folder} cannot be read: {_some(skipped)}"
        if self.unreadable == "refuse":
            raise ValueError(f'{message}; remove them, or set unreadable="skip"')
        warnings.warn(f"{message}; they are left out", stacklevel=2)


def decode(path: Path, size: int, channels: int, crop: str, max_pixels: int) -> np.ndarray:
    """Return one picture as uint8 ``(channels, size, size)``.

    Args:
        path: of the file.
        size: height and width of the result, in pixels.
        channels: 1 or 3.
        crop: ``"center"`` or ``"none"``.
        max_pixels: of the file.

    Raises:
        ValueError: the picture has more than ``max_pixels``.
        OSError: it cannot be decoded.
    """
    with Image.open(path) as image:
        width, height = image.size
        if width * height > max_pixels:
            raise ValueError(f"{width}×{height} pixels are more than max_pixels={max_pixels}")
        mode = "L" if channels == 1 else "RGB"
        image.draft(mode, (2 * size, 2 * size))  # a JPEG is decoded no larger than needed
        upright = _flat(ImageOps.exif_transpose(image)).convert(mode)
    box = (size, size)
    if crop == "center":
        upright = ImageOps.fit(upright, box, Image.Resampling.LANCZOS)
    else:
        upright = upright.resize(box, Image.Resampling.LANCZOS)
    return np.asarray(upright).reshape(size, size, channels).transpose(2, 0, 1)


def _flat(image: Image.Image) -> Image.Image:
    """Lay transparency on white, and bring 16-bit grey to 8 bits, which Pillow's own conversion would clip."""
    if image.mode == "F":
        raise ValueError("a picture of floating-point numbers has no known range")
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return image


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    """Write the header of a uint8 .npy file; numpy pads it, so that it keeps its length for fewer rows."""
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})


def _some(skipped: dict[str, str], most: int = 10) -> str:
    named = [f"{name} ({why})" for name, why in list(skipped.items())[:most]]
    return ", ".join(named) + (f", and {len(skipped) - most} more" if len(skipped) > most else "")
