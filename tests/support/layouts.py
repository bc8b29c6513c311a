"""Small files laid out as the real ones are, as torchvision, lmdb and datasets find them; image i is of value i."""

import hashlib
import io
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lit_gan.data.celeba import ATTRIBUTES


def write_idx(path: Path, array: torch.Tensor) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.to(torch.uint8).numpy().tobytes())


def idx_set(root: Path, name: str, train: int = 60, test: int = 9, prefixes=("train", "t10k"), first=0) -> Path:
    """The labels go round, from ``first`` on; the test images' values go on where the training ones' end."""
    for prefix, values in zip(prefixes, (torch.arange(train), torch.arange(train, train + test)), strict=True):
        images = values[:, None, None].repeat(1, 28, 28)
        images[:, 0, 1] = 255  # a corner, by which upright can be told
        write_idx(root / name / "raw" / f"{prefix}-images-idx3-ubyte", images)
        write_idx(root / name / "raw" / f"{prefix}-labels-idx1-ubyte", first + values % 10)
    return root


def emnist(root: Path, split: str = "balanced") -> Path:
    prefixes = f"emnist-{split}-train", f"emnist-{split}-test"
    return idx_set(root, "EMNIST", prefixes=prefixes, first=int(split == "letters"))


def colours(n: int, size: int) -> np.ndarray:
    """Return ``(n, 3, size, size)``: the red of image i is i, its green 100 in the upper half, its blue 7."""
    images = np.full((n, 3, size, size), 7, np.uint8)
    images[:, 0] = np.arange(n)[:, None, None]
    images[:, 1, : size // 2] = 100
    return images


def cifar(root: Path, name: str = "CIFAR10", train: int = 60, test: int = 9) -> Path:
    folder = root / {"CIFAR10": "cifar-10-batches-py", "CIFAR100": "cifar-100-python"}[name]
    folder.mkdir(parents=True)
    images = colours(train + test, 32).reshape(-1, 3 * 32 * 32)
    labels = [i % 10 for i in range(train + test)]
    key = "labels" if name == "CIFAR10" else "fine_labels"
    if name == "CIFAR10":
        parts = {f"data_batch_{i + 1}": range(train * i // 5, train * (i + 1) // 5) for i in range(5)}
        parts["test_batch"] = range(train, train + test)
    else:
        parts = {"train": range(train), "test": range(train, train + test)}
    for file, rows in parts.items():
        (folder / file).write_bytes(pickle.dumps({"data": images[list(rows)], key: [labels[i] for i in rows]}))
    meta, names = ("batches.meta", "label_names") if name == "CIFAR10" else ("meta", "fine_label_names")
    (folder / meta).write_bytes(pickle.dumps({names: [str(i) for i in range(10)]}))
    return root


def svhn(root: Path, train: int = 60, test: int = 9) -> Path:
    io = pytest.importorskip("scipy.io", reason="scipy, which reads SVHN's files, is not installed")
    root.mkdir(exist_ok=True)
    images = colours(train + test, 32).transpose(2, 3, 1, 0)
    labels = 1 + np.arange(9, 9 + train + test, dtype=np.uint8)[:, None] % 10  # the digit 0 is 10
    for part, rows in (("train", slice(train)), ("test", slice(train, None))):
        io.savemat(root / f"{part}_32x32.mat", {"X": images[..., rows], "y": labels[rows]})
    return root


def stl10(root: Path, train: int = 40, unlabeled: int = 60, test: int = 9) -> Path:
    folder = root / "stl10_binary"
    folder.mkdir(parents=True)
    images = colours(train + unlabeled + test, 96).transpose(0, 1, 3, 2)  # column by column
    labels = 1 + np.arange(train + test, dtype=np.uint8) % 10
    images[:train].tofile(folder / "train_X.bin")
    images[train : train + unlabeled].tofile(folder / "unlabeled_X.bin")
    images[train + unlabeled :].tofile(folder / "test_X.bin")
    labels[:train].tofile(folder / "train_y.bin")
    labels[train:].tofile(folder / "test_y.bin")
    return root


def celeba(root: Path, train: int = 24, val: int = 8, test: int = 8) -> Path:
    """Face i, counted from 1, has attribute a where bit a of i is set, and is red in a white frame of 15 pixels."""
    folder = root / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    names = [f"{i + 1:06d}.jpg" for i in range(train + val + test)]
    for i, name in enumerate(names):
        face = Image.new("RGB", (178, 218), "white")
        face.paste((i * 5, 0, 0), (15, 15, 163, 203))
        face.save(folder / "img_align_celeba" / name, quality=95)
    parts = [0] * train + [1] * val + [2] * test

    def table(name: str, header: list[str], rows) -> None:
        lines = [f"{file} {row}" for file, row in zip(names, rows, strict=True)]
        (folder / name).write_text("\n".join([*header, *lines]) + "\n")

    count = str(len(names))
    bits = [" ".join(f"{1 if (i + 1) >> a & 1 else -1:2d}" for a in range(40)) for i in range(len(names))]
    table("list_attr_celeba.txt", [count, " ".join(ATTRIBUTES)], bits)
    table("identity_CelebA.txt", [], range(len(names)))
    table("list_eval_partition.txt", [], parts)
    table("list_bbox_celeba.txt", [count, "image_id x_1 y_1 width height"], ["  95  71 226 313"] * len(names))
    points = " ".join(f"{p}_{c}" for p in ("lefteye", "righteye", "nose", "leftmouth", "rightmouth") for c in "xy")
    table("list_landmarks_align_celeba.txt", [count, points], ["69 109 106 113 77 142 73 152 108 154"] * len(names))
    return root


def lsun(root: Path, classes=("bedroom",), train: int = 40, val: int = 6) -> Path:
    lmdb = pytest.importorskip("lmdb", reason="lmdb, which reads LSUN's files, is not installed")
    for number, name in enumerate(classes):
        for part, n in (("train", train), ("val", val)):
            folder = root / f"{name}_{part}_lmdb"
            folder.mkdir(parents=True)
            with lmdb.open(str(folder), map_size=10_000_000) as database, database.begin(write=True) as writing:
                for i in range(n):
                    content = io.BytesIO()
                    red = i if part == "train" else 200 + i
                    Image.new("RGB", (30, 20), (red, 50 * number, 0)).save(content, "webp", lossless=True)
                    key = hashlib.sha1(f"{name} {part} {i}".encode()).hexdigest().encode()
                    writing.put(key, content.getvalue())
    return root


def hugging_face(n: int = 40):
    """Return a set of pictures of columns ``image``, ``label`` and some more."""
    datasets = pytest.importorskip("datasets", reason="datasets, of the extra hf, is not installed")
    pictures = [Image.fromarray(np.full((20, 24, 3), i, np.uint8)) for i in range(n)]
    features = datasets.Features(
        image=datasets.Image(),
        label=datasets.ClassLabel(names=["even", "odd"]),
        caption=datasets.Value("string"),
        width=datasets.Value("int32"),
    )
    rows = {"image": pictures, "label": [i % 2 for i in range(n)], "caption": ["x"] * n, "width": [24] * n}
    return datasets.Dataset.from_dict(rows, features)


def parquet(root: Path, n: int = 40) -> Path:
    table = hugging_face(n)
    (root / "hf").mkdir(exist_ok=True)
    table.to_parquet(root / "hf" / "train-00000-of-00001.parquet")
    return root / "hf"


def pictures(root: Path) -> Path:
    """Write forty small pictures of noise into two sub-folders."""
    for i in range(40):
        path = root / "pictures" / str(i % 2) / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((20, 24), 60).convert("RGB").save(path)
    return root / "pictures"
