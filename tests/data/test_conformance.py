"""Every data module keeps the same promises: a new one needs a line in ``make`` and no more."""

import inspect
from pathlib import Path

import pytest
import torch

from lit_gan import LitGAN, data
from lit_gan.data import ImageDataModule
from lit_gan.data.base import TensorDataModule
from lit_gan.networks import DCGANDiscriminator, DCGANGenerator, MLPDiscriminator, MLPGenerator
from tests.support.layouts import celeba, cifar, emnist, idx_set, lsun, parquet, pictures, stl10, svhn
from tests.support.small import trainer

MODULES = [name for name in data.__all__ if name != "ImageDataModule"]
OF_IMAGES = [name for name in MODULES if issubclass(getattr(data, name), ImageDataModule)]
pytestmark = pytest.mark.usefixtures("any_checksum")


def root(of, *args):
    """Return options that find the files that ``of`` writes, once."""

    def options(folder: Path) -> dict[str, str]:
        if not (folder / "files").exists():
            of(folder / "files", *args)
        return {"root": str(folder / "files")}

    return options


OPTIONS = {
    "CIFAR10": root(cifar),
    "CIFAR100": root(cifar, "CIFAR100"),
    "CelebA": root(celeba),
    "EMNIST": root(emnist),
    "FashionMNIST": root(idx_set, "FashionMNIST"),
    "GaussianMixture": lambda folder: {"train_size": 40, "held_out_size": 9},
    "HuggingFaceImages": lambda folder: {"path": str(parquet(folder))},
    "ImageFolder": lambda folder: {"folder": str(pictures(folder)), "channels": 1},
    "KMNIST": root(idx_set, "KMNIST"),
    "LSUN": root(lsun),
    "MNIST": root(idx_set, "MNIST"),
    "STL10": root(stl10),
    "SVHN": root(svhn),
    "StackedMNIST": lambda folder: {**root(idx_set, "MNIST")(folder), "train_size": 40, "held_out_size": 9},
}
CLASSES = {
    "CelebA": {"attributes": "Arched_Eyebrows"},
    "HuggingFaceImages": {"label_column": "label"},
    "ImageFolder": {"classes": True},
}


def make(name: str, folder: Path, **options) -> TensorDataModule:
    """Return a module on small files; tests that call it take ``any_checksum``."""
    own = OPTIONS.get(name, lambda folder: {})(folder)
    taken = inspect.signature(getattr(data, name)).parameters
    shared = {"image_size": 16, "download": False, "cache": str(folder / "cache"), "batch_size": 8}
    return getattr(data, name)(**{k: v for k, v in shared.items() if k in taken}, **own, **options)


@pytest.mark.parametrize("name", MODULES)
class TestEveryDataModule:
    def test_gives_batches_with_labels(self, name, tmp_path):
        module = make(name, tmp_path)
        module.prepare_data()
        module.setup()
        loaders = module.train_dataloader(), module.val_dataloader(), module.test_dataloader()
        for loader in (*loaders, module.predict_dataloader()):
            samples, labels = next(iter(loader))
            of_images = name in OF_IMAGES
            shape, dtype = ((module.channels, 16, 16), torch.uint8) if of_images else ((2,), torch.float32)
            assert samples.shape == (len(samples), *shape)
            assert (samples.dtype, labels.dtype) == (dtype, torch.int64)
            assert labels.shape == (len(samples),)
        assert len(next(iter(loaders[0]))[0]) == 8

    def test_holds_data_out_the_same_each_time(self, name, tmp_path):
        first, second = (make(name, tmp_path) for _ in range(2))
        for module in (first, second):
            module.prepare_data()
            module.setup()
        train, val, test = ({x.numpy().tobytes() for x in first._splits[s].samples} for s in ("train", "val", "test"))
        assert val
        assert not train & (val | test)
        assert test == val or not test & val, "the test set is another one, or the held-out one"
        assert torch.equal(first._splits["val"].samples, second._splits["val"].samples)

    def test_trains_a_gan(self, name, tmp_path):
        if name in OF_IMAGES:
            module = make(name, tmp_path, horizontal_flip=True)
            channels = module.channels
            gan = LitGAN(DCGANGenerator(16, channels, 4, width=4), DCGANDiscriminator(16, channels, width=4))
        else:
            gan = LitGAN(MLPGenerator(features=2, latent_dim=2), MLPDiscriminator(features=2))
            module = make(name, tmp_path)
        fitted = trainer(tmp_path, limit_train_batches=2, limit_val_batches=1, num_sanity_val_steps=1)
        fitted.fit(gan, module)
        assert gan.images_seen == 16
        assert gan.sample(2).isfinite().all()


@pytest.mark.parametrize("name", OF_IMAGES)
def test_classes_can_be_balanced(name, tmp_path):
    module = (
        make(name, tmp_path, class_balanced=True, **CLASSES.get(name, {})) if name != "LSUN" else two_scenes(tmp_path)
    )
    module.setup("fit")
    drawn = module._splits["train"].labels[list(module.train_dataloader().sampler)]
    classes, counts = drawn.unique(return_counts=True)
    assert len(classes) > 1
    assert counts.max() - counts.min() <= 1


def two_scenes(folder):
    scenes = ["tower", "bedroom"]
    files = str(lsun(folder, scenes))
    return data.LSUN(files, scenes, 16, class_balanced=True, cache=str(folder / "cache"), batch_size=8)


@pytest.mark.parametrize("name", [*CLASSES, "LSUN"])
def test_balance_needs_classes(name, tmp_path):
    with pytest.raises(ValueError, match="class_balanced=True needs classes and"):
        make(name, tmp_path, class_balanced=True)
