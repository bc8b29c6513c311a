"""What is decoded once: whole in the cache, or not there."""

from collections import namedtuple

import numpy as np
import pytest

from lit_gan.data.memory_map import Pictures, memory_map

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
        memory_map(source(), "key", SHAPE, "x", str(tmp_path), way_out="throw it away")


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
    with pytest.raises(ValueError, match=r"\.npy or .*\.npz is damaged: remove them, to decode x again"):
        memory_map(source(), "key", SHAPE, "x", str(tmp_path))


def test_a_full_disk_is_said_before_the_work(tmp_path, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage(free=10**9))
    big = lambda: Pictures(range(10**9), np.zeros(1), None)  # noqa: E731
    with pytest.raises(OSError, match=r"x decoded takes 4\.0 GB and .* has 1\.0 GB free: take a smaller image_size"):
        memory_map(big, "key", SHAPE, "x", str(tmp_path))
