"""LSUN's databases, small ones."""

import sys

import pytest
import torch

from lit_gan.data import LSUN
from lit_gan.data.pictures import decode
from tests.support.layouts import lsun


def scenes(folder, classes="bedroom", **options):
    return LSUN(str(folder), classes, **{"image_size": 8, "batch_size": 2, "cache": str(folder / "cache"), **options})


def test_one_class(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = scenes(lsun(tmp_path))
    module.prepare_data()
    images, labels = module.load("train")
    assert sorted(images[:, 0, 0, 0].tolist()) == list(range(40))
    assert images[:, 0, 0, 0].tolist() != list(range(40)), "by their keys"
    assert labels.unique().tolist() == [0]
    for split in ("val", "test"):
        assert sorted(module.load(split)[0][:, 0, 0, 0].tolist()) == list(range(200, 206))
    assert {p.name for p in tmp_path.iterdir()} == {"bedroom_train_lmdb", "bedroom_val_lmdb", "cache"}, "no other files"


def test_classes_are_mixed_and_numbered_as_they_are_named(tmp_path):
    module = scenes(lsun(tmp_path, ["tower", "bedroom"]), ["tower", "bedroom"], images_per_class=10)
    images, labels = module.load("train")
    assert labels.bincount().tolist() == [10, 10]
    assert torch.equal(images[:, 1, 0, 0].long(), 50 * labels)
    assert labels.diff().count_nonzero() > 3
    again = scenes(tmp_path, ["bedroom"], images_per_class=10).load("train")[0]
    ours = images[labels == 1]
    assert sorted(again[:, 0, 0, 0].tolist()) == sorted(ours[:, 0, 0, 0].tolist()), "the same choice each time"
    assert len(module.load("val")[0]) == 12, "all that are held out"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": "kitchens"}, "LSUN has no class 'kitchens': take some of bedroom, bridge"),
        ({"classes": []}, "LSUN has no class ''"),
        ({"images_per_class": 0}, "images_per_class=0 must be at least 1"),
        ({"unreadable": "ignore"}, "unreadable='ignore' must be"),
        ({"class_balanced": True}, "class_balanced=True needs classes and classes='bedroom' is one"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        LSUN(**options)


def test_what_is_missing_is_said_before_anything_is_decoded(tmp_path):
    lsun(tmp_path)
    (tmp_path / "bedroom_val_lmdb" / "data.mdb").unlink()
    with pytest.raises(RuntimeError, match=r"bedroom_val_lmdb has no data\.mdb: fetch http.*bedroom_val_lmdb\.zip"):
        scenes(tmp_path).prepare_data()
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("share", "message"), [(0.5, r"is truncated, [\d,]+ of [\d,]+ bytes"), (0.001, "cannot be read")]
)
def test_a_torn_database_is_refused(tmp_path, share, message):
    path = lsun(tmp_path) / "bedroom_train_lmdb" / "data.mdb"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(RuntimeError, match=rf"bedroom_train_lmdb {message}.*: fetch http"):
        scenes(tmp_path).prepare_data()


def test_a_broken_picture_is_named_or_left_out(tmp_path):
    lmdb = pytest.importorskip("lmdb")
    with lmdb.open(str(lsun(tmp_path) / "bedroom_train_lmdb")) as database, database.begin(write=True) as writing:
        writing.put(b"broken", b"no picture")
    with pytest.raises(
        ValueError, match=r"1 file of .*bedroom_train_lmdb/broken \(cannot identify.*unreadable=\"skip\""
    ) as refused:  # and kept, as a notebook does
        scenes(tmp_path).prepare_data()
    with pytest.warns(UserWarning, match=r"broken .*left out"):
        images, labels = scenes(tmp_path, unreadable="skip").load("train")
    assert len(images) == len(labels) == 40
    assert refused.tb is not None


def test_lmdb_is_asked_for_by_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(ImportError, match=r'LSUN needs lmdb: pip install "\.\[lsun\]"'):
        LSUN()


def test_a_picture_that_can_be_decoded_later_is_taken(tmp_path, monkeypatch):
    lsun(tmp_path)
    calls = iter(range(1000))

    def once(file, *options):
        if next(calls) == 3:
            raise OSError("the disk")
        return decode(file, *options)

    monkeypatch.setattr("lit_gan.data.lsun.decode", once)
    with pytest.warns(UserWarning, match=r"1 file of .* \(the disk\)"):
        assert len(scenes(tmp_path, unreadable="skip").load("train")[0]) == 39
    assert len(scenes(tmp_path, unreadable="skip").load("train")[0]) == 40
