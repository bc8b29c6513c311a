"""A folder of pictures as people have them: of every format, upside down, transparent, broken, hostile."""

import os
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lit_gan.data import ImageFolder
from lit_gan.data.pictures import decode


def picture(path: Path, color="red", size=(20, 10), **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(options.pop("mode", "RGB"), size, color).save(path, **options)
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    root = tmp_path / "pictures"
    for i in range(20):
        picture(root / ("cats" if i % 2 else "dogs") / f"{i:02d}.png", (i, 0, 0))
    return root


def module(folder: Path, **options) -> ImageFolder:
    options = {"image_size": 8, "batch_size": 2, "cache": str(folder.parent / "cache"), **options}
    return ImageFolder(str(folder), **options)


def reds(data: ImageFolder, split: str) -> list[int]:
    return data._splits[split].samples[:, 0, 0, 0].tolist()


def test_pictures_are_split_once_and_for_all(folder):
    data = module(folder)
    data.setup()
    assert len(reds(data, "train")) == 18
    assert sorted(reds(data, "train") + reds(data, "val")) == list(range(20))
    assert reds(data, "val") == reds(data, "test")
    again = module(folder, held_out=0.5)
    again.setup()
    assert set(reds(data, "val")) < set(reds(again, "val")), "a larger share holds the smaller"


def test_sub_folders_are_classes_where_asked(folder):
    data = module(folder, classes=True)
    data.setup("fit")
    assert data._splits["train"].labels.tolist() == [int(r % 2 == 0) for r in reds(data, "train")], "cats, dogs"
    plain = module(folder)
    plain.setup("fit")
    assert plain._splits["train"].labels.unique().tolist() == [0]


def test_a_tilde_is_the_home_folder(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    data = ImageFolder("~/pictures", image_size=8, batch_size=2, classes=True, cache="~/cache")
    data.setup("fit")
    assert len(reds(data, "train")) == 18
    assert list((folder.parent / "cache").iterdir())


def test_a_picture_outside_the_classes_is_named(folder):
    picture(folder / "stray.png")
    with pytest.raises(ValueError, match=r"stray\.png lies in none"):
        module(folder, classes=True).setup("fit")


def test_pictures_are_decoded_once(folder, monkeypatch):
    module(folder).setup("fit")
    monkeypatch.setattr("lit_gan.data.folder.Decoder.__call__", None)
    data = module(folder, held_out=0.3)
    data.prepare_data()
    data.setup()
    assert len(reds(data, "train")) == 14


@pytest.mark.parametrize("change", ["content", "new", "option"])
def test_a_change_decodes_again(folder, change):
    module(folder).setup("fit")
    if change == "content":
        picture(folder / "dogs" / "00.png", (99, 0, 0), size=(30, 30))
    if change == "new":
        picture(folder / "dogs" / "new.png", (99, 0, 0))
    data = module(folder, **({"image_size": 4} if change == "option" else {}))
    data.setup()
    if change == "option":
        assert data._splits["train"].samples.shape[2:] == (4, 4)
    else:
        assert 99 in reds(data, "train") + reds(data, "val")


def test_data_stay_in_the_memory_map(folder):
    data = module(folder)
    data.setup("fit")
    (file,) = (folder.parent / "cache").glob("*.npy")
    images = data._splits["train"].samples
    before = file.read_bytes()
    images[0] = 0
    assert file.read_bytes() == before, "copy on write"
    assert np.load(file, mmap_mode="r").shape == (20, 3, 8, 8)
    assert not list(file.parent.glob("*.partial"))


def test_unreadable_files_are_named_and_skipped_or_refused(folder):
    (folder / "cats" / "broken.jpg").write_bytes(b"not a picture")
    whole = picture(folder / "cats" / "whole.png", size=(300, 300)).read_bytes()
    (folder / "cats" / "half.png").write_bytes(whole[: len(whole) // 2])
    (folder / "cats" / "phone.heic").write_bytes(b"what Pillow reads with a plug-in")
    data = module(folder)
    with pytest.warns(
        UserWarning, match=r"3 files of .* cannot be read: .*(broken\.jpg|half\.png|phone\.heic).*left out"
    ):
        data.setup()
    assert len(data._splits["train"]) + len(data._splits["val"]) == 21
    assert len(data._splits["train"].labels) == len(data._splits["train"].samples)
    with pytest.raises(ValueError, match=r"3 files of .*broken\.jpg.*unreadable=\"skip\""):
        module(folder, unreadable="refuse").setup("fit")


def test_a_decompression_bomb_is_not_decoded(folder):
    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = (50_000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    (folder / "bomb.png").write_bytes(bomb)
    with pytest.warns(UserWarning, match=r"bomb\.png"):
        module(folder).setup("fit")
    with pytest.raises(ValueError, match="20×10 pixels are more than max_pixels=199"):
        decode(picture(folder / "x.png"), 8, 3, "center", max_pixels=199)


def test_pictures_are_turned_upright(tmp_path):
    wide = Image.new("RGB", (20, 10), "black")
    wide.paste((255, 255, 255), (0, 0, 10, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90° clockwise
    wide.save(tmp_path / "x.png", exif=exif)
    upright = decode(tmp_path / "x.png", 8, 1, "none", 10**6)[0]
    assert upright[0].mean() > 250
    assert upright[-1].mean() < 5


def test_transparency_becomes_white(tmp_path):
    path = picture(tmp_path / "x.png", (255, 0, 0, 0), mode="RGBA")
    assert decode(path, 8, 3, "center", 10**6).min() == 255
    opaque = picture(tmp_path / "y.png", (255, 0, 0, 255), mode="RGBA")
    assert decode(opaque, 8, 3, "center", 10**6)[:, 0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_becomes_grey_or_colour(tmp_path, mode, channels):
    path = tmp_path / ("x.tif" if mode == "CMYK" else "x.png")
    Image.new("RGB", (20, 10), "white").convert(mode).save(path)
    decoded = decode(path, 8, channels, "center", 10**6)
    assert decoded.shape == (channels, 8, 8)
    assert decoded.min() > 240


def test_crop_keeps_the_middle_and_none_squeezes(tmp_path):
    striped = Image.new("RGB", (30, 10), "black")
    striped.paste((255, 255, 255), (10, 0, 20, 10))
    striped.save(tmp_path / "x.png")
    assert decode(tmp_path / "x.png", 8, 1, "center", 10**6).min() > 200
    squeezed = decode(tmp_path / "x.png", 9, 1, "none", 10**6)[0, 4]
    assert squeezed[[0, 4, 8]].tolist() == pytest.approx([0, 255, 0], abs=40)


def test_bad_folders_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        module(tmp_path / "nowhere").setup("fit")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="holds no pictures"):
        module(tmp_path / "empty").setup("fit")
    (tmp_path / "empty" / "notes.txt").write_text("hello")
    with pytest.raises(FileNotFoundError, match=r"holds no pictures .*, but 1 of other endings \(notes\.txt\)"):
        module(tmp_path / "empty").setup("fit")
    (tmp_path / "empty" / "notes.txt").rename(tmp_path / "empty" / "x.png")
    with pytest.raises(ValueError, match="none of 1 pictures"):
        module(tmp_path / "empty").setup("fit")
    assert not list((tmp_path / "cache").iterdir()), "nothing half-written"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"held_out": 0.0}, r"held_out=0.0 must be a number in \(0, 1\)"),
        ({"max_pixels": 10**9}, r"max_pixels=1000000000 must lie in \[1, 178956970\]"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ImageFolder("x", **options)


def test_too_few_pictures_to_hold_any_out(tmp_path):
    picture(tmp_path / "few" / "x.png")
    with pytest.raises(ValueError, match=r"1 pictures in .* cannot be split at held_out=0.1"):
        module(tmp_path / "few", batch_size=1).setup("fit")


def test_batches_come_from_the_map(folder):
    data = module(folder, num_workers=0)
    data.setup("fit")
    images, labels = next(iter(data.train_dataloader()))
    assert images.shape == (2, 3, 8, 8)
    assert images.dtype == torch.uint8
    assert labels.dtype == torch.int64


def test_a_name_that_is_not_unicode_is_trained_on_and_named(folder):
    strange = os.fsdecode(b"caf\xe9")
    picture(folder / "cats" / f"{strange}.png", (50, 0, 0))
    picture(folder / strange / "a.png", (51, 0, 0))
    (folder / strange / f"{strange}.jpg").write_bytes(b"not a picture")
    for _ in range(2):
        data = module(folder, classes=True)
        with pytest.warns(UserWarning, match=r"1 file of .* cannot be read: .*caf\\xe9/caf\\xe9\.jpg") as warned:
            data.setup()
        assert str(warned[0].message).encode()
        assert sorted(reds(data, "train") + reds(data, "val")) == [*range(20), 50, 51]
        labels = torch.cat([data._splits[s].labels for s in ("train", "val")]).bincount()
        assert labels.tolist() == [1, 11, 10], "café, cats, dogs"


def test_a_folder_whose_name_is_not_unicode_is_named(tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    for i in range(10):
        picture(folder / f"{i}.png", (i, 0, 0))
    data = module(folder)
    data.setup("fit")
    (folder / "stray.txt").touch()
    with pytest.warns(UserWarning, match=r"left out of .*caf\\xe9: 1 of other endings") as warned:
        module(folder).setup("fit")
    assert str(warned[0].message).encode()


def test_a_linked_folder_is_a_class(folder, tmp_path):
    (folder / "dogs").rename(tmp_path / "elsewhere")
    (folder / "dogs").symlink_to(tmp_path / "elsewhere")
    data = module(folder, classes=True)
    data.setup("fit")
    assert data._splits["train"].labels.tolist() == [int(r % 2 == 0) for r in reds(data, "train")], "cats, dogs"


def test_hidden_folders_are_no_classes(folder):
    picture(folder / ".ipynb_checkpoints" / "a.png")
    data = module(folder, classes=True)
    with pytest.warns(UserWarning, match=r"1 hidden \(\.ipynb_checkpoints/\)"):
        data.setup("fit")
    assert data._splits["train"].labels.unique().tolist() == [0, 1]


def test_a_class_without_pictures_is_refused(folder):
    (folder / "birds" / "notes").mkdir(parents=True)
    with pytest.raises(ValueError, match="birds hold no pictures: put some there, or remove"):
        module(folder, classes=True).setup("fit")
    module(folder).setup("fit")


def test_two_projects_have_their_own_pictures(folder, tmp_path, monkeypatch):
    seen = []
    for project, first in (("one", 0), ("two", 100)):
        for i in range(10):
            path = picture(tmp_path / project / "data" / f"{i}.bmp", (first + i, 0, 0))
            os.utime(path, ns=(0, 0))
        monkeypatch.chdir(tmp_path / project)
        data = module(Path("data"), cache=str(tmp_path / "cache"))
        data.setup("fit")
        seen += sorted(reds(data, "train") + reds(data, "val"))
    assert seen == [*range(10), *range(100, 110)]


def test_a_picture_that_can_be_read_again_is_taken(folder, monkeypatch):
    locked, opened = folder / "cats" / "01.png", Image.open

    def refuse(file, *options):
        if file == locked:
            raise PermissionError(13, "Permission denied")
        return opened(file, *options)

    monkeypatch.setattr(Image, "open", refuse)
    with pytest.warns(UserWarning, match=r"01\.png \(.*Permission denied"):
        module(folder).setup("fit")
    monkeypatch.undo()
    data = module(folder)
    data.setup("fit")
    assert sorted(reds(data, "train") + reds(data, "val")) == list(range(20))


def test_frames_and_repeated_pictures_are_counted(folder):
    first, second = (Image.new("RGB", (8, 8), (c, 0, 0)) for c in (80, 81))
    for name in ("moving.gif", "moving.webp", "stack.tif"):
        first.save(folder / "cats" / name, save_all=True, append_images=[second], lossless=True)
    first.save(folder / "dogs" / "phone.jpg", "MPO", save_all=True, append_images=[second], quality=100)
    with pytest.warns(UserWarning, match="pictures (of several frames|that repeat)") as warned:
        module(folder).setup("fit")
    said = [str(w.message).rpartition("pictures ")[2] for w in warned]
    assert said == [
        "of several frames, of which the first is taken: 3",
        "that repeat another one, perhaps a held-out one: 2",
    ]
