"""Columns of pictures of ``datasets`` sets, as files."""

import re
import sys

import numpy as np
import pytest
from PIL import Image

from lit_gan.data import HuggingFaceImages
from tests.support.layouts import hugging_face, parquet

datasets = pytest.importorskip("datasets", reason="datasets, of the extra hf, is not installed")


def module(path, **options):
    cache = {"image_size": 8, "batch_size": 2, "cache": str(path.parent / "cache")}
    return HuggingFaceImages(str(path), **{**cache, **options})


def reds(data, split):
    return data.load(split)[0][:, 0, 0, 0].tolist()


def test_pictures_labels_and_splits(tmp_path):
    data = module(parquet(tmp_path), label_column="label")
    data.prepare_data()
    images, labels = data.load("train")
    assert images.shape == (36, 3, 8, 8)
    assert labels.tolist() == [red % 2 for red in reds(data, "train")]
    assert sorted(reds(data, "train") + reds(data, "val")) == list(range(40))
    assert reds(data, "val") == reds(data, "test")
    assert set(reds(data, "val")) < set(reds(module(tmp_path / "hf", held_out=0.5), "val"))


@pytest.mark.parametrize("form", ["folder", "file", "arrow", "disk", "disk of splits", "pictures", "grey"])
def test_files_of_many_forms(tmp_path, form):
    path, options = tmp_path / "set", {}
    if form in ("folder", "file", "grey"):
        path = parquet(tmp_path)
        if form == "file":
            (path,) = path.glob("*.parquet")
        options = {"channels": 1} if form == "grey" else {}
    elif form == "disk of splits":
        datasets.DatasetDict(train=hugging_face(4), other=hugging_face()).save_to_disk(path)
        options = {"split": "other"}
    elif form == "pictures":
        for i in range(40):
            (path / str(i % 2)).mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (9, 9), (i, 0, 0)).save(path / str(i % 2) / f"{i}.png")
    else:
        hugging_face().save_to_disk(path)
        if form == "arrow":
            (path,) = path.glob("*.arrow")
    data = module(path, **options)
    assert sorted(reds(data, "train") + reds(data, "val")) == list(range(40))
    assert data.load("val")[0].shape[1] == data.channels


def test_a_part_of_a_split(tmp_path):
    data = module(parquet(tmp_path), split="train[:20]", held_out_split="train[30:]", label_column="width", crop="none")
    assert sorted(reds(data, "train")) == list(range(20))
    assert sorted(reds(data, "val")) == list(range(30, 40))
    assert data.load("val")[1].unique().tolist() == [24]


@pytest.mark.parametrize(
    ("split", "held_out", "rows"),
    [("train[:30]", "train[20:]", "20 to 29"), ("train[:50%]", "train[-25:]", "15 to 19"), ("all", "test", "0 to 4")],
)
def test_parts_that_overlap_are_refused(tmp_path, split, held_out, rows):
    hugging_face(5).to_parquet(parquet(tmp_path) / "test-00000-of-00001.parquet")
    with pytest.raises(ValueError, match=f"rows {rows} of .* are in split='{re.escape(split)}' and held_out_split="):
        module(tmp_path / "hf", split=split, held_out_split=held_out).setup("fit")
    assert not (tmp_path / "cache").exists(), "before anything is decoded"


def test_splits_on_disk_may_come_from_one(tmp_path):
    hugging_face().train_test_split(8, shuffle=False).save_to_disk(tmp_path / "set")
    data = module(tmp_path / "set", held_out_split="test")
    assert sorted(reds(data, "val")) == list(range(32, 40))


def test_deep_pictures_of_both_splits_share_their_levels(tmp_path):
    for split, value in (("train", 300), ("test", 3901)):
        for i in range(2):
            (tmp_path / "set" / split).mkdir(parents=True, exist_ok=True)
            deep = np.full((9, 9), value + 99 * i, np.uint16)
            Image.fromarray(deep).save(tmp_path / "set" / split / f"{i}.png")
    data = module(tmp_path / "set", held_out_split="test")
    with pytest.warns(UserWarning, match=r"lie in \[0, 4000\], and levels=\(0, 4095\)"):
        assert sorted(reds(data, "train")) == [19, 25]
    with pytest.warns(UserWarning, match=r"levels=\(0, 4095\)"):
        assert sorted(reds(data, "val")) == [243, 249]
    asked = module(tmp_path / "set", held_out_split="test", levels=(300, 4000))
    assert sorted(reds(asked, "train")) == [0, 7]


def test_one_file_is_not_held_out_from_itself(tmp_path):
    (file,) = parquet(tmp_path).glob("*.parquet")
    with pytest.raises(RuntimeError, match=r"split 'test' of .* cannot be had"):
        module(file, held_out_split="test").prepare_data()


def test_a_split_to_hold_out(tmp_path):
    path = tmp_path / "set"
    datasets.DatasetDict(train=hugging_face(9), test=hugging_face(5)).save_to_disk(path)
    data = module(path, held_out_split="test")
    data.prepare_data()
    assert sorted(reds(data, "train")) == list(range(9))
    assert sorted(reds(data, "val")) == sorted(reds(data, "test")) == list(range(5))


def test_decoded_once_and_again_where_the_content_is_another(tmp_path, monkeypatch):
    path = parquet(tmp_path)
    module(path).prepare_data()
    monkeypatch.setattr("lit_gan.data.hugging_face.Decoder.__call__", None)
    data = module(path, held_out=0.2)
    assert len(reds(data, "val")) == 8
    monkeypatch.undo()
    parquet(tmp_path, 30)
    assert len(reds(module(path), "train")) == 27


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"column": "img"}, "column='img' of .* is not there: take one of pictures, of which there are image"),
        ({"column": "caption"}, r"column='caption' of .* holds Value\('string'\): take one of pictures"),
        ({"label_column": "caption"}, "label_column='caption' .* take one of classes, of which there are label, width"),
        ({"held_out": 0.001}, "40 pictures in .* cannot be split at held_out=0.001"),
    ],
)
def test_columns_and_shares_that_are_not_there_are_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        module(parquet(tmp_path), **options).setup("fit")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"held_out": 1.0}, r"held_out=1.0 must be a number in \(0, 1\)"),
        ({"channels": 4}, "channels=4 must be 1"),
        ({"crop": 0}, "crop=0 must be"),
        ({"unreadable": "ignore"}, "unreadable='ignore' must be"),
        ({"max_pixels": 0}, "max_pixels=0 must lie in"),
        ({"held_out_split": "train"}, "held_out_split='train' is what is trained on"),
        ({"held_out_split": "train[:9]"}, r"held_out_split='train\[:9\]' is what is trained on, split='train'"),
        ({"held_out_split": "train", "split": "train[:9]"}, r"is what is trained on, split='train\[:9\]'"),
        ({"class_balanced": True}, "class_balanced=True needs classes and label_column=None"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        HuggingFaceImages("x", **options)


@pytest.mark.parametrize("split", ["validation", "nowhere"])
def test_a_split_that_is_not_there_is_said(tmp_path, split):
    path = parquet(tmp_path)
    data = module(path, **({"held_out_split": split} if split == "validation" else {"split": split}))
    with pytest.raises(
        RuntimeError, match=rf"split '{split}' of .* cannot be had .*{split}.*: is it whole, and does it"
    ):
        data.prepare_data()
    assert not (tmp_path / "cache").exists(), "before anything is decoded"


def test_one_set_on_disk_is_not_held_out_from_itself(tmp_path):
    hugging_face().save_to_disk(tmp_path / "set")
    with pytest.raises(RuntimeError, match=r"split 'test' of .*save_to_disk wrote no split but train"):
        module(tmp_path / "set", held_out_split="test").prepare_data()


def test_a_set_that_cannot_be_fetched_says_how_to_do_it_by_hand(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RuntimeError, match=r"cannot be had .*: where there is network, run hf download some/set"):
        HuggingFaceImages("some/set", cache=str(tmp_path)).prepare_data()


def test_a_torn_file_is_one_sentence(tmp_path):
    (file,) = parquet(tmp_path).glob("*.parquet")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(RuntimeError, match=r"cannot be had .*: is it whole") as refused:
        module(file.parent).prepare_data()
    assert len(str(refused.value).splitlines()) == 1


def test_rows_without_a_class_or_a_picture(tmp_path):
    rows = hugging_face(6).to_list()
    rows[2]["label"] = None
    rows[3]["image"] = {"bytes": b"no picture", "path": None}
    table = datasets.Dataset.from_list(rows, features=hugging_face(1).features)
    table.save_to_disk(tmp_path / "set")
    with pytest.raises(ValueError, match=r"1 rows of .* have no class in 'label', row 2 first: leave them out"):
        module(tmp_path / "set", label_column="label").prepare_data()
    data = module(tmp_path / "set", held_out=0.2)
    with pytest.warns(UserWarning, match=r"1 file of .* cannot be read: row 3 .*left out"):
        data.prepare_data()
    assert sorted(reds(data, "train") + reds(data, "val")) == [0, 1, 2, 4, 5]
    with pytest.raises(ValueError, match=r"row 3 .*unreadable=\"skip\""):
        module(tmp_path / "set", unreadable="refuse").prepare_data()


def test_datasets_is_asked_for_by_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ImportError, match=r'HuggingFaceImages needs datasets: pip install "\.\[hf\]"'):
        HuggingFaceImages("x")
