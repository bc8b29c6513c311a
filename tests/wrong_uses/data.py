"""Data modules: options that make no sense, files that are missing, damaged or too few."""

import math
from pathlib import Path

from PIL import Image

from lit_gan import LitGAN
from lit_gan.data import (
    CIFAR10,
    CIFAR100,
    EMNIST,
    KMNIST,
    LSUN,
    MNIST,
    STL10,
    SVHN,
    CelebA,
    FashionMNIST,
    FashionMNISTSample,
    GaussianMixture,
    HuggingFaceImages,
    ImageFolder,
    StackedMNIST,
)
from lit_gan.networks import MLPDiscriminator, MLPGenerator
from tests.support.layouts import cifar, idx_set
from tests.support.small import trainer
from tests.wrong_uses.use import Wrong

OPTIONS = {
    "an unknown mixture": (lambda: GaussianMixture("cube"), ValueError, r"kind='cube' is none of ring, grid, line"),
    "a grid of 8": (
        lambda: GaussianMixture("grid", modes=8),
        ValueError,
        r"modes=8 is no square number: a grid takes 4 or 9",
    ),
    "a ring of no size": (lambda: GaussianMixture(size=0.0), ValueError, r"^size=0.0 must be a number in \(0, ∞\)"),
    "a setting of another mixture": (
        lambda: GaussianMixture("line", "wgan_gp"),
        ValueError,
        r"no setting 'wgan_gp' of a line: take veegan of a ring",
    ),
    "two standard deviations": (
        lambda: GaussianMixture(setting="pacgan", std=0.1),
        ValueError,
        r"setting='pacgan' decides what std=0.1 does as",
    ),
    "two numbers of modes": (
        lambda: GaussianMixture(setting="pacgan", modes=9),
        ValueError,
        r"decides what modes=9 does as well",
    ),
    "means of a ring": (
        lambda: GaussianMixture(means=[1.0, 2.0]),
        ValueError,
        r"means=\[1.0, 2.0\] are places on a line, and kind='ring'",
    ),
    "too few deviations": (lambda: GaussianMixture(std=[0.1, 0.2]), ValueError, r"stds=\[0.1, 0.2\] for 8 modes: give"),
    "no points": (lambda: GaussianMixture(train_size=0), ValueError, r"train_size=0 must be at least 1"),
    "a seed in words": (lambda: GaussianMixture(seed="x"), TypeError, r"^seed='x' must be at least 0"),
    "a batch of nothing": (lambda: CIFAR10(batch_size=0), ValueError, r"^batch_size=0 must be at least 1"),
    "half a batch": (lambda: MNIST(batch_size=8.5), TypeError, r"batch_size=8.5 must be at least 1, a whole number"),
    "fewer workers than none": (lambda: SVHN(num_workers=-1), ValueError, r"num_workers=-1 must be at least 0"),
    "pictures of no size": (lambda: ImageFolder("x", image_size=0), ValueError, r"image_size=0 must be at least 1"),
    "pictures of two colours": (
        lambda: ImageFolder("x", channels=2),
        ValueError,
        r"channels=2 must be 1 \(grey\) or 3",
    ),
    "pictures cut on the left": (
        lambda: ImageFolder("x", crop="left"),
        ValueError,
        r"crop='left' must be \"center\", \"none\" or a number of pix",
    ),
    "everything held out": (
        lambda: ImageFolder("x", held_out=1.0),
        ValueError,
        r"held_out=1.0 must be a number in \(0",
    ),
    "broken pictures ignored": (
        lambda: ImageFolder("x", unreadable="ignore"),
        ValueError,
        r"unreadable='ignore' must be \"skip\" or \"refuse\"",
    ),
    "pictures of no pixels": (lambda: ImageFolder("x", max_pixels=0), ValueError, r"max_pixels=0 must lie in \[1, "),
    "a single level": (lambda: ImageFolder("x", levels=4095), ValueError, r"levels=4095 must be \(black, white\), two"),
    "white below black": (lambda: ImageFolder("x", levels=(9, 1)), ValueError, r"levels=\(9, 1\) must be \(black, wh"),
    "white without an end": (
        lambda: HuggingFaceImages("x", levels=(0, math.inf)),
        ValueError,
        r"levels=\(0, inf\) must be \(black, white\)",
    ),
    "balance without classes": (
        lambda: ImageFolder("x", class_balanced=True),
        ValueError,
        r"class_balanced=True needs classes and classes=False",
    ),
    "balance without attributes": (
        lambda: CelebA(class_balanced=True),
        ValueError,
        r"class_balanced=True needs classes and attributes=None",
    ),
    "balance without a column": (
        lambda: HuggingFaceImages("x", class_balanced=True),
        ValueError,
        r"needs classes and label_column=None gives none",
    ),
    "balance without labels": (
        lambda: STL10(unlabeled=True, class_balanced=True),
        ValueError,
        r"class_balanced=True needs labels and unlabeled",
    ),
    "faces wider than the picture": (
        lambda: CelebA(crop=200),
        ValueError,
        r"crop=200 must lie in \[1, 178\], the width",
    ),
    "half a pixel of a face": (lambda: CelebA(crop=148.0), TypeError, r"crop=148.0"),
    "an attribute twice": (
        lambda: CelebA(attributes=["Male", "Male"]),
        ValueError,
        r"attributes=\['Male', 'Male'\] names one twice",
    ),
    "scenes twice": (lambda: LSUN(classes=["tower", "tower"]), ValueError, r"names one twice: leave it out once"),
    "an unknown attribute": (
        lambda: CelebA(attributes="smiling"),
        ValueError,
        r"CelebA has no attribute 'smiling': take some of 5_o_Clock",
    ),
    "an unknown scene": (
        lambda: LSUN(classes="house"),
        ValueError,
        r"LSUN has no class 'house': take some of bedroom, b",
    ),
    "no pictures of a scene": (lambda: LSUN(images_per_class=0), ValueError, r"images_per_class=0 must be at least 1"),
    "an unknown split": (lambda: EMNIST(split="all"), ValueError, r"split='all' is none of byclass, bymerge"),
    "training data held out": (
        lambda: HuggingFaceImages("x", held_out_split="train"),
        ValueError,
        r"held_out_split='train' is what is trained",
    ),
}


def pictures(n: int, suffix: str = ".png", mode: str = "L", folder: str = "pics"):
    """Return what writes n pictures into a folder."""

    def write():
        Path(folder).mkdir(parents=True)
        for i in range(n):
            Image.new(mode, (20, 20), i).save(Path(folder) / f"{i}{suffix}")

    return write


def broken():
    pictures(3)()
    for path in Path("pics").iterdir():
        path.write_bytes(b"not a picture")


def fitted(module, num_classes=None, **options):
    """Return a use that fits a small model on a module."""

    def fit():
        size = {"image_size": 16, "channels": 1, "width": 4, "num_classes": num_classes}
        gan = LitGAN(MLPGenerator(**size, latent_dim=4), MLPDiscriminator(**size))
        trainer(Path.cwd(), max_steps=1, limit_val_batches=1).fit(gan, module(**options))

    return fit


def in_pics(**options):
    return fitted(ImageFolder, **{"folder": "pics", "image_size": 16, "channels": 1, "batch_size": 2, **options})


def missing(module, **options):
    return fitted(module, image_size=16, download=False, **options)


def cut_in_half():
    path = next(path for path in cifar(Path("data")).rglob("data_batch_1"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


FILES = {
    "no folder": Wrong(fitted(ImageFolder, folder="none"), FileNotFoundError, r"there is no folder none"),
    "a file for a folder": Wrong(
        fitted(ImageFolder, folder="x.png"), FileNotFoundError, r"there is no folder x.png", Path("x.png").touch
    ),
    "an empty folder": Wrong(
        in_pics(), FileNotFoundError, r"pics holds no pictures \(.avif, .bmp, .gif, .heic", Path("pics").mkdir
    ),
    "no picture that can be read": Wrong(in_pics(), ValueError, r"none of 3 pictures in pics can be read: ", broken),
    "a picture that cannot be read": Wrong(
        in_pics(unreadable="refuse"),
        ValueError,
        r"1 file of pics cannot be read: .*bad.png",
        lambda: (pictures(8)(), Path("pics/bad.png").write_bytes(b"bad")),
    ),
    "pictures of no known range": Wrong(
        in_pics(), ValueError, r"a picture of floating-point numbers has no known range", pictures(5, ".tif", "F")
    ),
    "one picture": Wrong(
        in_pics(), ValueError, r"1 pictures in pics cannot be split at held_out=0.1: training and held-out", pictures(1)
    ),
    "fewer pictures than a batch": Wrong(
        in_pics(batch_size=64),
        ValueError,
        r"ImageFolder has 18 training samples, fewer than batch_size=64: take a sm",
        pictures(20),
    ),
    "pictures in no class": Wrong(
        in_pics(classes=True),
        ValueError,
        r"classes=True takes each sub-folder of pics as a class, and .*png lies in no",
        pictures(4),
    ),
    "a class without pictures": Wrong(
        in_pics(classes=True),
        ValueError,
        r"classes=True takes each sub-folder of pics as a class, and dogs hold no pictures: put some there",
        lambda: (pictures(4, folder="pics/cats")(), Path("pics/dogs").mkdir()),
    ),
    "a folder linked into itself": Wrong(
        in_pics(),
        ValueError,
        r"pics/again leads back to .*pics, which holds it: remove the link",
        lambda: (pictures(4)(), Path("pics/again").symlink_to(Path("pics").absolute())),
    ),
    "an archive for a folder": Wrong(
        fitted(ImageFolder, folder="x.zip"),
        FileNotFoundError,
        r"there is no folder x.zip, but a file: unpack it",
        Path("x.zip").touch,
    ),
    "pictures out of their levels": Wrong(
        in_pics(unreadable="refuse", levels=(0, 6)),
        ValueError,
        r"1 file of pics cannot be read: .*7.png \(values in \[7, 7\] lie outside levels=\(0, 6\)\)",
        pictures(8, mode="I;16"),
    ),
    "more classes than the networks have": Wrong(
        fitted(FashionMNISTSample, image_size=16, num_classes=3),
        ValueError,
        r"labels lie in \[0, 9\], the generator has num_classes=3: set num_classes=10",
    ),
    "a file for a cache": Wrong(
        in_pics(cache="c"),
        OSError,
        r"c can be no folder for decoded pictures \(File exists\): set cache=",
        lambda: (pictures(8)(), Path("c").touch()),
    ),
    "pictures of another size": Wrong(
        in_pics(image_size=32),
        ValueError,
        r"makes 1×16×16 samples, the data has 1×32×32 images: set image_size=16",
        pictures(20),
    ),
    "pictures of other colours": Wrong(
        in_pics(channels=3),
        ValueError,
        r"makes 1×16×16 samples, the data has 3×16×16 images: set channels=3",
        pictures(20),
    ),
    "more in a batch than there is": Wrong(
        fitted(FashionMNISTSample, batch_size=100_000),
        ValueError,
        r"FashionMNISTSample has 9000 training samples, fewer than batch_size=100000",
    ),
    "CIFAR-10 is not there": Wrong(
        missing(CIFAR10), RuntimeError, r"CIFAR10 is missing .*cifar-10-python.tar.gz .* into"
    ),
    "CIFAR-100 is not there": Wrong(missing(CIFAR100), RuntimeError, r"CIFAR100 is missing or damaged in data"),
    "MNIST is not there": Wrong(missing(MNIST), RuntimeError, r"MNIST is missing .* into data/MNIST/raw, from https"),
    "KMNIST is not there": Wrong(missing(KMNIST), RuntimeError, r"KMNIST is missing or damaged .*data/KMNIST/raw"),
    "EMNIST is not there": Wrong(missing(EMNIST), RuntimeError, r"EMNIST is missing or damaged .*data/EMNIST/raw"),
    "Fashion-MNIST is not there": Wrong(missing(FashionMNIST), RuntimeError, r"FashionMNIST is missing or damaged in"),
    "stacked digits are not there": Wrong(
        missing(StackedMNIST),
        RuntimeError,
        r"MNIST is missing or damaged .*Dataset not found.*train-images-idx3-ubyte, t",
    ),
    "SVHN is not there": Wrong(
        missing(SVHN), RuntimeError, r"SVHN is missing .*put train_32x32.mat and test_32x32.mat"
    ),
    "STL-10 is not there": Wrong(
        missing(STL10), RuntimeError, r"STL10 is missing .*put the files of stl10_binary.tar.gz"
    ),
    "CelebA is not there": Wrong(missing(CelebA), RuntimeError, r"CelebA is missing .*put img_align_celeba/, unpacked"),
    "LSUN is not there": Wrong(
        fitted(LSUN), RuntimeError, r"bedroom_train_lmdb has no data.mdb: fetch http://dl.yf.io/lsun/scenes/bedroom"
    ),
    "CIFAR-10 is cut in half": Wrong(
        fitted(CIFAR10, image_size=16, download=False),
        RuntimeError,
        r"CIFAR10 is missing or damaged .*data_batch_1, …",
        cut_in_half,
    ),
    "digits of another size": Wrong(
        fitted(MNIST, root="files", image_size=28, download=False, batch_size=2),
        ValueError,
        r"the generator \(MLPGenerator\) makes 1×16×16 samples, the data has 1×28×28",
        lambda: idx_set(Path("files"), "MNIST"),
    ),
    "points in space": Wrong(
        lambda: trainer(Path.cwd()).fit(
            LitGAN(MLPGenerator(features=3), MLPDiscriminator(features=3)), GaussianMixture(train_size=999)
        ),
        ValueError,
        r"makes 3 samples, the data has 2 vectors: give a generator of 2 vectors",
    ),
}

CASES = {name: Wrong(*wrong) for name, wrong in OPTIONS.items()} | FILES
