"""Reference statistics on disk: whole, without pickles, and of what they say they are."""

import numpy as np
import pytest
import torch

from lit_gan._utils.files import cache_folder
from lit_gan.metrics.evaluation.cache import read, write
from tests.support.processes import on_ranks

KEY = {"extractor": "x", "n": 3}
STATES = {"fid": {"real": torch.arange(6.0).double().reshape(3, 2)}, "kid": {"real_features": torch.ones(2, 2)}}


def same(states) -> bool:
    return states is not None and all(
        torch.equal(states[m][n], t) and states[m][n].dtype == t.dtype
        for m, held in STATES.items()
        for n, t in held.items()
    )


def test_what_was_written_is_read(tmp_path):
    assert read(tmp_path, KEY) is None
    write(tmp_path, KEY, STATES)
    assert same(read(tmp_path, KEY))
    assert read(tmp_path, {**KEY, "n": 4}) is None
    assert not list(tmp_path.glob("*.partial"))


def test_nothing_is_pickled(tmp_path):
    write(tmp_path, KEY, STATES)
    (file,) = tmp_path.iterdir()
    with np.load(file, allow_pickle=False) as arrays:
        assert sorted(arrays.files) == ["fid real", "key", "kid real_features"]


@pytest.mark.parametrize("damage", ["cut", "foreign", "empty", "pickled"])
def test_a_damaged_or_foreign_file_is_none_after_a_warning(tmp_path, damage):
    write(tmp_path, KEY, STATES)
    (file,) = tmp_path.iterdir()
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:100])
    elif damage == "empty":
        file.write_bytes(b"")
    elif damage == "pickled":
        np.savez(file, key=np.array(KEY, dtype=object))
    else:
        write(tmp_path / "other", {"n": 5}, STATES)
        (other,) = (tmp_path / "other").iterdir()
        file.write_bytes(other.read_bytes())
    with pytest.warns(UserWarning, match="cannot be read .*: the reference statistics are computed again"):
        assert read(tmp_path, KEY) is None
    write(tmp_path, KEY, STATES)
    assert same(read(tmp_path, KEY))


def write_and_read(folder):
    for _ in range(20):
        write(folder, KEY, STATES)
        assert same(read(folder, KEY))
    return True


def test_two_processes_may_write_at_once(tmp_path):
    assert on_ranks(write_and_read, tmp_path) == [True, True]
    assert len(list(tmp_path.iterdir())) == 1


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("LIT_GAN_CACHE", str(tmp_path))
    assert cache_folder(None) == tmp_path
    assert cache_folder("here").name == "here"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder("~/x") == tmp_path / "x"
