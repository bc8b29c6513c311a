"""Pictures of more than 8 bits: one range for all of a folder, found or asked for, and said."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lit_gan.data import ImageFolder
from lit_gan.data.pictures import Decoder, decode


def grey(path: Path, low: float, high: float, dtype=np.uint16) -> Path:
    """Write a picture of two values, half and half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.full((8, 8), low, dtype)
    values[:, 4:] = high
    Image.fromarray(values).save(path)
    return path


def colour(path: Path, value: int, channels: int = 3) -> Path:
    """Write a PNG of 16-bit colour, which Pillow cannot: of 2 channels grey and opaque, of 3 colour, of 4 opaque."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    values = np.full((8, 8, channels), value, ">u2")
    if channels in (2, 4):
        values[..., -1] = 65535
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    header = struct.pack(">IIBBBBB", 8, 8, 16, {2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )
    return path


def decoder(*files, levels=None) -> Decoder:
    return Decoder(files, 8, 1, "center", 10**6, levels)


def extremes(image: np.ndarray) -> list[int]:
    return [int(image.min()), int(image.max())]


@pytest.mark.parametrize(
    ("high", "white"), [(200, 255), (256, 1023), (4000, 4095), (4095, 4095), (4096, 16383), (60000, 65535)]
)
def test_levels_are_found_in_all_pictures(tmp_path, high, white):
    dark, bright = grey(tmp_path / "a.png", 0, 100), grey(tmp_path / "b.tif", 0, high)
    of_set = decoder(dark, bright)
    assert extremes(of_set(dark)) == [0, round(100 * 255 / white)]
    assert extremes(of_set(bright)) == [0, round(high * 255 / white)]
    (said,) = of_set.remarks(0)
    assert f"[0, {high}], and levels=(0, {white})" in said


def test_levels_are_asked_for(tmp_path):
    file = grey(tmp_path / "a.png", 1000, 3000)
    asked = decoder(file, levels=(1000, 5000))
    assert extremes(asked(file)) == [0, 128]
    assert asked.remarks(0) == []


@pytest.mark.parametrize("levels", [(1001, 4095), (0, 2999)])
def test_values_outside_are_refused_and_not_wrapped(tmp_path, levels):
    file = grey(tmp_path / "a.png", 1000, 3000)
    with pytest.raises(ValueError, match=r"values in \[1000, 3000\] lie outside levels=\("):
        decoder(file, levels=levels)(file)


@pytest.mark.parametrize(
    ("low", "high", "dtype", "levels"),
    [(-1024, 3071, np.int32, (-1024, 3071)), (0, 70000, np.int32, (0, 70000)), (-0.5, 0.5, np.float32, (-0.5, 0.5))],
)
def test_no_range_is_guessed_of_other_values(tmp_path, low, high, dtype, levels):
    file = grey(tmp_path / "a.tif", low, high, dtype)
    with pytest.raises(ValueError, match=r"no known range: set levels=\(black, white\)"):
        decoder(file)(file)
    assert extremes(decoder(file, levels=levels)(file)) == [0, 255]


def test_not_a_number_is_outside_any_levels(tmp_path):
    file = grey(tmp_path / "a.tif", 0, np.nan, np.float32)
    with pytest.raises(ValueError, match=r"values in \[nan, nan\] lie outside levels=\(0, 1\)"):
        decoder(file, levels=(0, 1))(file)


def test_a_single_picture_has_no_known_range(tmp_path):
    with pytest.raises(ValueError, match="more than 8 bits has no known range: make it one of 8 bits"):
        decode(grey(tmp_path / "a.png", 0, 4000), 8, 1, "center")


@pytest.mark.parametrize("levels", [None, (0, 4095)])
def test_a_file_that_says_its_maximum_is_believed(levels):
    content = b"P5 2 2 4095\n" + np.full((2, 2), 2048, ">u2").tobytes()
    assert extremes(decoder(levels=levels)(io.BytesIO(content))) == [128, 128]


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_of_sixteen_bit_colour_no_more_than_the_upper_bits_are_there(tmp_path, channels):
    bright, dark = colour(tmp_path / "a.png", 65535, channels), colour(tmp_path / "b.png", 4000, channels)
    assert extremes(decoder(bright, dark)(dark)) == [15, 15], "of [0, 65535]"
    with pytest.raises(ValueError, match=r"only the upper 8 bits can be read, and levels=\(0, 4095\)"):
        decoder(dark)(dark)
    with pytest.raises(ValueError, match=r"only the upper 8 bits"):
        decoder(bright, levels=(0, 4095))(bright)


def test_files_that_cannot_be_read_do_not_hide_the_levels_of_others(tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"not a picture")
    file = grey(tmp_path / "a.png", 0, 4000)
    assert extremes(decoder(broken, file)(file)) == [0, 249]


def test_a_folder_says_what_it_found_each_time(tmp_path):
    for i in range(4):
        grey(tmp_path / "pictures" / f"{i}.png", 0, 1000 + 900 * i)
    for _ in range(2):
        data = ImageFolder(str(tmp_path / "pictures"), 8, 1, batch_size=2, held_out=0.5, cache=str(tmp_path / "cache"))
        with pytest.warns(UserWarning, match=r"pictures: values of more than 8 bits lie in \[0, 3700\], and levels="):
            data.setup("fit")
        samples = [*data._splits["train"].samples, *data._splits["val"].samples]
        assert sorted(int(image.max()) for image in samples) == [62, 118, 174, 230]


def test_pictures_outside_the_levels_are_named_and_left_out(tmp_path):
    for i in range(4):
        grey(tmp_path / "pictures" / f"{i}.png", 0, 1000 + 900 * i)
    options = {"levels": (0, 3000), "held_out": 0.4, "batch_size": 1, "cache": str(tmp_path / "cache")}
    with pytest.warns(UserWarning, match=r"1 file of .* cannot be read: .*3\.png \(values in \[0, 3700\] lie outside"):
        ImageFolder(str(tmp_path / "pictures"), 8, 1, **options).setup("fit")
    with pytest.raises(ValueError, match=r"3\.png \(values in \[0, 3700\] lie outside levels=\(0, 3000\)\)"):
        ImageFolder(str(tmp_path / "pictures"), 8, 1, unreadable="refuse", **options).setup("fit")
