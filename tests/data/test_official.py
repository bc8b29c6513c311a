"""Sets that torchvision reads: their pixels, labels and splits, on small files laid out as the real ones."""

import inspect
import re
import sys
from urllib.error import URLError

import pytest
import torch

from lit_gan import data
from lit_gan.data import EMNIST, MNIST, STL10, SVHN, CelebA, StackedMNIST
from lit_gan.data.celeba import ATTRIBUTES
from tests.data.test_conformance import OPTIONS, make
from tests.support.layouts import celeba, cifar, emnist, idx_set, stl10, svhn

whole = pytest.mark.usefixtures("any_checksum")
OFFICIAL = [name for name in OPTIONS if "MNIST" in name or name in ("CIFAR10", "CIFAR100", "CelebA", "STL10", "SVHN")]


def loaded(module, split):
    module.prepare_data()
    return module.load(split)


@whole
@pytest.mark.parametrize(("name", "every"), [("CIFAR10", 10), ("CIFAR100", 10), ("SVHN", 12)])
def test_colours_labels_and_splits(tmp_path, name, every):
    module = make(name, tmp_path)
    images, labels = loaded(module, "train")
    values = [i for i in range(60) if i % every]
    assert images[:, 0, 0, 0].tolist() == values, "red"
    assert images[0, :, 0, 0].tolist() == [1, 100, 7], "upright"
    assert images[0, :, -1, 0].tolist() == [1, 7, 7]
    assert labels.tolist() == [i % 10 for i in values]
    assert module.load("val")[0][:, 0, 0, 0].tolist() == list(range(0, 60, every))
    assert module.load("test")[0][:, 0, 0, 0].tolist() == list(range(60, 69))


@whole
@pytest.mark.parametrize(("split", "classes"), [("balanced", 47), ("letters", 26), ("byclass", 62)])
def test_emnist_is_upright_and_counts_from_zero(tmp_path, split, classes):
    module = EMNIST(str(emnist(tmp_path, split)), split, image_size=28, download=False)
    images, labels = loaded(module, "train")
    assert images[0, 0, 1, 0] == 255
    assert images[0, 0, 0, 1] == 1, "the files hold it transposed"
    assert labels[:3].tolist() == [1, 2, 3]
    assert (module.num_classes, int(labels.min())) == (classes, 0)


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="split='upper' is none of byclass, bymerge"):
        EMNIST(split="upper")


def stacked(folder, **options):
    if not (folder / "MNIST").exists():
        idx_set(folder, "MNIST")
    sizes = {"train_size": 500, "held_out_size": 100, "image_size": 28, "download": False}
    return StackedMNIST(str(folder), **{**sizes, **options})


def test_stacked_digits_make_their_number(tmp_path):
    module = stacked(tmp_path)
    digits = {}
    for split, n in (("train", 500), ("val", 100), ("test", 100)):
        images, labels = module.load(split)
        assert images.shape == (n, 3, 28, 28)
        channels = images[:, :, 0, 0].long()
        assert torch.equal(labels, (channels % 10 * torch.tensor([100, 10, 1])).sum(1)), "image i shows i mod 10"
        digits[split] = set(channels.flatten().tolist())
    assert digits["val"] == {0, 12, 24, 36, 48}
    assert not digits["train"] & digits["val"]
    assert digits["test"] == set(range(60, 69))
    assert MNIST.num_classes**3 == StackedMNIST.num_classes


def test_stacked_digits_are_the_same_each_time(tmp_path):
    state = torch.get_rng_state()
    first, again, other = (stacked(tmp_path, seed=seed).load("val")[1] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.equal(stacked(tmp_path, held_out_size=500).load("val")[1], stacked(tmp_path).load("train")[1])
    with pytest.raises(ValueError, match="train_size=0 must be at least 1"):
        stacked(tmp_path, train_size=0)


@whole
def test_stl10(tmp_path):
    stl10(tmp_path / "files")
    options = {"root": str(tmp_path / "files"), "image_size": 96, "cache": str(tmp_path / "cache"), "download": False}
    module = STL10(**options)
    images, labels = loaded(module, "train")
    values = [i for i in range(40) if i % 10]
    assert images[:, 0, 0, 0].tolist() == values
    assert images[0, :, 0, -1].tolist() == [1, 100, 7], "the files hold columns"
    assert labels.tolist() == [i % 10 for i in values]
    assert module.load("val")[0][:, 0, 0, 0].tolist() == [0, 10, 20, 30]
    assert module.load("test")[1].tolist() == [i % 10 for i in range(40, 49)]
    unlabeled = STL10(unlabeled=True, **{**options, "image_size": 48})
    images, labels = loaded(unlabeled, "train")
    assert images.shape == (54, 3, 48, 48)
    assert sorted(images[:, 0, 9, 9].tolist()) == [40 + i for i in range(60) if i % 10]
    assert labels.unique().tolist() == [0]
    with pytest.raises(ValueError, match="class_balanced=True needs labels and unlabeled=True has none"):
        STL10(unlabeled=True, class_balanced=True)


@whole
def test_what_is_in_the_cache_is_not_read_again(tmp_path, monkeypatch):
    modules = {name: make(name, tmp_path / name) for name in ("STL10", "CelebA")}
    for module in modules.values():
        module.prepare_data()
    for name in modules:
        monkeypatch.setattr(f"torchvision.datasets.{name}.__init__", None)
        again = type(modules[name])(modules[name].root, 16, cache=modules[name].cache)
        again.prepare_data()
        assert torch.equal(again.load("val")[0], modules[name].load("val")[0])


def faces(folder, **options):
    files = folder / "files"
    if not files.exists():
        celeba(files)
    return CelebA(str(files), image_size=74, cache=str(folder / "cache"), download=False, **options)


@whole
def test_celeba_crops_and_splits(tmp_path):
    module = faces(tmp_path, crop=148)
    for split, reds in (("train", range(24)), ("val", range(24, 32)), ("test", range(32, 40))):
        images, labels = loaded(module, split)
        assert torch.allclose(images.float().mean((2, 3))[:, 0], torch.tensor([5.0 * i for i in reds]), atol=2)
        assert images[:, 1:].max() < 20, "the frame is cut off"
        assert labels.unique().tolist() == [0]
    with_frame, _ = loaded(faces(tmp_path), "train")
    assert with_frame[:, :, 37, :4].min() > 200


@whole
def test_celebas_attributes_are_classes(tmp_path):
    number = torch.arange(1, 25)
    one = faces(tmp_path, attributes="Arched_Eyebrows")
    assert loaded(one, "train")[1].tolist() == (number >> 1 & 1).tolist()
    both = faces(tmp_path, attributes=["Arched_Eyebrows", "5_o_Clock_Shadow"])
    assert loaded(both, "train")[1].tolist() == (number % 4).tolist()
    assert (one.num_classes, both.num_classes, len(ATTRIBUTES)) == (2, 4, 40)
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 3, "one map for any attributes"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attributes": "Smile"}, "CelebA has no attribute 'Smile': take some of 5_o_Clock_Shadow"),
        ({"crop": 218}, r"crop=218 must lie in \[1, 178\]"),
    ],
)
def test_celebas_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        CelebA(**options)


@whole
def test_a_missing_face_is_named_and_nothing_is_kept(tmp_path):
    module = faces(tmp_path)
    (tmp_path / "files" / "celeba" / "img_align_celeba" / "000003.jpg").unlink()
    with pytest.raises(ValueError, match=r"1 file of .* cannot be read: 000003\.jpg .*unpack img_align_celeba\.zip"):
        module.prepare_data()
    assert not list((tmp_path / "cache").iterdir())


# What goes wrong


@pytest.mark.parametrize("name", OFFICIAL)
def test_a_download_that_fails_says_how_to_do_it_by_hand(name, tmp_path, monkeypatch):
    def unreachable(*args, **options):
        raise URLError("no network")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    monkeypatch.setitem(sys.modules, "gdown", None)
    monkeypatch.setitem(OPTIONS, name, lambda folder: {"root": str(folder)})
    module = make(name, tmp_path)
    for module.download in (True, False):
        with pytest.raises(RuntimeError) as refused:
            module.prepare_data()
        (sentence,) = str(refused.value).splitlines()
        reason = "no network|gdown" if module.download else "not found"
        assert re.search(rf"{name} is missing or damaged in .* \(.*({reason}).*\): put .* into {tmp_path}", sentence)
        assert re.search(r", from https?://", sentence)


@pytest.mark.parametrize("name", [n for n in OFFICIAL if "MNIST" not in n])
def test_a_wrong_checksum_is_refused(name, tmp_path):
    with pytest.raises(RuntimeError, match=rf"{name} is missing or damaged in .*not found or corrupted"):
        make(name, tmp_path).prepare_data()


TORN = {
    "CIFAR10": (cifar, "cifar-10-batches-py/data_batch_3"),
    "EMNIST": (emnist, "EMNIST/raw/emnist-balanced-train-images-idx3-ubyte"),
    "MNIST": (lambda root: idx_set(root, "MNIST"), "MNIST/raw/t10k-labels-idx1-ubyte"),
    "STL10": (stl10, "stl10_binary/train_X.bin"),
    "SVHN": (svhn, "train_32x32.mat"),
    "CelebA": (celeba, "celeba/list_attr_celeba.txt"),
}


@whole
@pytest.mark.parametrize("share", [0.0, 0.5])
@pytest.mark.parametrize("name", TORN)
def test_a_torn_file_is_one_sentence(name, share, tmp_path):
    """Where there is no check sum, or a file that is not what it was when it was checked."""
    write, file = TORN[name]
    path = write(tmp_path / "files") / file
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    module = make(name, tmp_path)
    with pytest.raises((RuntimeError, ValueError), match=r"missing or damaged in .*: put|is it whole") as refused:
        module.prepare_data()
    assert len(str(refused.value).splitlines()) == 1
    assert not list(tmp_path.glob("cache/*"))


def test_scipy_is_asked_for_by_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(ImportError, match=r'SVHN needs scipy\.io: pip install "\.\[svhn\]"'):
        SVHN()


@pytest.mark.parametrize("name", [n for n in OPTIONS if n not in ("GaussianMixture", "ImageFolder")])
def test_flips_are_off_by_default_for_what_would_be_something_else(name):
    default = inspect.signature(getattr(data, name)).parameters["horizontal_flip"].default
    assert default is (name in ("CIFAR10", "CIFAR100", "STL10", "CelebA", "LSUN"))
