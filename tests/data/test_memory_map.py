"""What is decoded once: whole in the cache, or not there."""

import os
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from lit_gan import LitGANError
from lit_gan.data.memory_map import Pictures, memory_map, stamps

SHAPE = (1, 2, 2)


def source(n=3, broken=()):
    def decode(number):
        if number in broken:
            raise OSError("broken")
        return np.full(SHAPE, number, np.uint8)

    return lambda: Pictures([f"p{i}" for i in range(n)], np.arange(n)[:, None] * [1, 10], decode)


def test_images_keep_what_belongs_to_them(tmp_path):
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"1 file of x cannot be read: p1 \(broken\); they are left out"):
            images, targets = memory_map(source(broken=[1]), "key", SHAPE, "x", str(tmp_path), "skip")
        assert images[:, 0, 0, 0].tolist() == [0, 2]
        assert targets.tolist() == [[0, 0], [2, 20]]
    with pytest.raises(ValueError, match=r"p1 .*; throw it away"):
        memory_map(source(broken=[1]), "key", SHAPE, "x", str(tmp_path), way_out="throw it away")


@pytest.mark.parametrize("unreadable", ["skip", "refuse"])
def test_what_could_not_be_decoded_is_tried_again(tmp_path, unreadable):
    with pytest.warns(UserWarning, match=r"2 files of x cannot be read: p0 \(broken\), p1 \(broken\)"):
        memory_map(source(broken=[0, 1]), "key", SHAPE, "x", str(tmp_path), "skip")
    with pytest.warns(UserWarning, match=r"1 file of x cannot be read: p1 \(broken\)"):
        images, targets = memory_map(source(broken=[1]), "key", SHAPE, "x", str(tmp_path), "skip")
    assert images[:, 0, 0, 0].tolist() == [0, 2]
    images, targets = memory_map(source(), "key", SHAPE, "x", str(tmp_path), unreadable)
    assert images[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert targets.tolist() == [[0, 0], [1, 10], [2, 20]]
    assert len(list(tmp_path.iterdir())) == 2


def test_other_processes_than_the_first_use_what_it_left(tmp_path, monkeypatch):
    with pytest.warns(UserWarning, match="p1"):
        memory_map(source(broken=[1]), "key", SHAPE, "x", str(tmp_path), "skip")
    monkeypatch.setattr("lightning_utilities.core.rank_zero.rank_zero_only.rank", 1)
    assert len(memory_map(source(), "key", SHAPE, "x", str(tmp_path), "skip")[0]) == 2


def test_repeated_pictures_are_counted_and_remarks_are_kept(tmp_path):
    def pictures():
        return Pictures("abcd", np.arange(4), lambda i: np.full(SHAPE, i // 3, np.uint8), lambda n: [f"{n} are again"])

    for _ in range(2):
        with pytest.warns(UserWarning, match="x: 2 are again"):
            memory_map(pictures, "key", SHAPE, "x", str(tmp_path))


def test_stamps_tell_places_apart(tmp_path, monkeypatch):
    found = []
    for project in ("one", "two"):
        (tmp_path / project / "data").mkdir(parents=True)
        (tmp_path / project / "data" / "x.png").touch()
        os.utime(tmp_path / project / "data" / "x.png", ns=(0, 0))
        monkeypatch.chdir(tmp_path / project)
        found += [place for place, *_ in stamps([Path("data/x.png")])]
    assert found == [str((tmp_path / project / "data" / "x.png").resolve()) for project in ("one", "two")]


@pytest.mark.parametrize("change", ["file", "folder"])
def test_stamps_follow_links(tmp_path, change):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").touch()
    link = tmp_path / ("link.png" if change == "file" else "link")
    found = set()
    for name in "ab":
        link.unlink(missing_ok=True)
        link.symlink_to(tmp_path / name / ("x.png" if change == "file" else ""))
        (stamp,) = stamps([link if change == "file" else link / "x.png"])
        found.add(stamp[0])
    assert len(found) == 2


def test_stamps_tell_a_change_of_which_the_time_is_turned_back(tmp_path):
    file = tmp_path / "x.bmp"
    file.write_bytes(b"a")
    before, kept = stamps([file]), file.stat()
    file.write_bytes(b"b")
    os.utime(file, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    after = stamps([file])
    assert before[0][:3] == after[0][:3]
    assert before != after


def test_the_cache_is_where_it_was_said(tmp_path, monkeypatch):
    monkeypatch.setenv("LIT_GAN_CACHE", str(tmp_path / "from the environment"))
    memory_map(source(), "key", SHAPE, "x")
    assert len(list((tmp_path / "from the environment").iterdir())) == 2


def test_another_key_or_shape_is_another_map(tmp_path):
    for key, n in (("a", 3), ("b", 4)):
        assert len(memory_map(source(n), key, SHAPE, "x", str(tmp_path))[0]) == n
    assert len(memory_map(source(9), "a", SHAPE, "x", str(tmp_path))[0]) == 3


@pytest.mark.parametrize(
    ("n", "broken", "message"), [(0, (), "x holds no pictures"), (2, (0, 1), "none of 2 pictures")]
)
def test_nothing_to_read_is_refused(tmp_path, n, broken, message):
    with pytest.raises(ValueError, match=message):
        memory_map(source(n, broken), "key", SHAPE, "x", str(tmp_path), "skip")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_a_damaged_cache_is_named(tmp_path, suffix):
    memory_map(source(), "key", SHAPE, "x", str(tmp_path))
    (file,) = tmp_path.glob(f"*.{suffix}")
    file.write_bytes(file.read_bytes()[:-6])
    with pytest.raises(ValueError, match=r"\.npy or .*\.npz is damaged \(.+\): remove them, to decode x again"):
        memory_map(source(), "key", SHAPE, "x", str(tmp_path))


@pytest.mark.parametrize("change", ["type", "shape", "number", "pixel", "targets"])
def test_another_content_than_was_written_is_refused(tmp_path, change):
    memory_map(source(), "key", SHAPE, "x", str(tmp_path))
    (file,), (notes,) = tmp_path.glob("*.npy"), tmp_path.glob("*.npz")
    images = np.load(file)
    images[1, 0, 1, 1] += 1  # a sum that does not tell would be found out by the others
    changed = {"type": images.view(np.int8), "shape": images.transpose(0, 2, 1, 3), "number": images[:2]}
    if change == "targets":
        with np.load(notes) as arrays:
            np.savez(notes, **{**arrays, "targets": arrays["targets"][:2]})
    else:
        np.save(file, changed.get(change, images))
    with pytest.raises(ValueError, match=r"\.npz is damaged \(.+\): remove them"):
        memory_map(source(), "key", SHAPE, "x", str(tmp_path))


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    def refuse(path, *options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("lit_gan.data.memory_map._write_images", refuse)
    with pytest.raises(OSError, match=rf"{tmp_path} can be no folder .*\(Permission denied\): set cache=") as refused:
        memory_map(source(), "key", SHAPE, "x", str(tmp_path))
    assert isinstance(refused.value, LitGANError)


def test_a_full_disk_is_said_before_the_work(tmp_path, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage(free=10**9))
    big = lambda: Pictures(range(10**9), np.zeros(1), None)  # noqa: E731
    with pytest.raises(OSError, match=r"x decoded takes 4\.0 GB and .* has 1\.0 GB free: take a smaller image_size"):
        memory_map(big, "key", SHAPE, "x", str(tmp_path))
