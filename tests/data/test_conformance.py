"""Every data module keeps the same promises: a new one needs a line in ``make`` and no more."""

import inspect
import struct
from pathlib import Path

import pytest
import torch
from PIL import Image

from lit_gan import LitGAN, data
from lit_gan.data import ImageDataModule
from lit_gan.data.base import TensorDataModule
from lit_gan.networks import DCGANDiscriminator, DCGANGenerator, MLPDiscriminator, MLPGenerator
from tests.conftest import trainer

MODULES = [name for name in data.__all__ if name != "ImageDataModule"]
OF_IMAGES = [name for name in MODULES if issubclass(getattr(data, name), ImageDataModule)]


def write_idx(path: Path, array: torch.Tensor) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.to(torch.uint8).numpy().tobytes())


def fashion_mnist(root: Path, train: int = 60) -> Path:
    """Write files laid out as torchvision unpacks the real ones, image i of value i, 5 of them to test on."""
    for prefix, n in (("train", train), ("t10k", 5)):
        raw = root / "FashionMNIST" / "raw"
        write_idx(raw / f"{prefix}-images-idx3-ubyte", torch.arange(n)[:, None, None].expand(n, 28, 28))
        write_idx(raw / f"{prefix}-labels-idx1-ubyte", torch.arange(n) % 10)
    return root


def pictures(root: Path) -> Path:
    """Write forty small pictures of noise into two sub-folders."""
    for i in range(40):
        path = root / "pictures" / str(i % 2) / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((20, 24), 60).convert("RGB").save(path)
    return root / "pictures"


def make(name: str, folder: Path, **options) -> TensorDataModule:
    own = {
        "GaussianMixture": lambda: {"train_size": 40, "held_out_size": 9},
        "FashionMNIST": lambda: {"root": str(fashion_mnist(folder)), "download": False},
        "ImageFolder": lambda: {"folder": str(pictures(folder)), "cache": str(folder / "cache"), "channels": 1},
    }.get(name, dict)()
    size = {"image_size": 16} if name in OF_IMAGES else {}
    return getattr(data, name)(batch_size=8, **size, **own, **options)


@pytest.mark.parametrize("name", MODULES)
class TestEveryDataModule:
    def test_gives_batches_with_labels(self, name, tmp_path):
        module = make(name, tmp_path)
        module.prepare_data()
        module.setup()
        loaders = module.train_dataloader(), module.val_dataloader(), module.test_dataloader()
        for loader in (*loaders, module.predict_dataloader()):
            samples, labels = next(iter(loader))
            shape, dtype = ((1, 16, 16), torch.uint8) if name in OF_IMAGES else ((2,), torch.float32)
            assert samples.shape == (len(samples), *shape)
            assert (samples.dtype, labels.dtype) == (dtype, torch.int64)
            assert labels.shape == (len(samples),)
        assert len(next(iter(loaders[0]))[0]) == 8

    def test_holds_data_out_the_same_each_time(self, name, tmp_path):
        first, second = (make(name, tmp_path) for _ in range(2))
        for module in (first, second):
            module.prepare_data()
            module.setup()
        train, val = ({x.numpy().tobytes() for x in first._splits[s].samples} for s in ("train", "val"))
        assert val
        assert not train & val
        assert torch.equal(first._splits["val"].samples, second._splits["val"].samples)

    def test_trains_a_gan(self, name, tmp_path):
        if name in OF_IMAGES:
            gan = LitGAN(DCGANGenerator(16, 1, 4, width=4), DCGANDiscriminator(16, 1, width=4))
            module = make(name, tmp_path, horizontal_flip=True)
        else:
            gan = LitGAN(MLPGenerator(features=2, latent_dim=2), MLPDiscriminator(features=2))
            module = make(name, tmp_path)
        fitted = trainer(tmp_path, limit_train_batches=2, limit_val_batches=1, num_sanity_val_steps=1)
        fitted.fit(gan, module)
        assert gan.images_seen == 16
        assert gan.sample(2).isfinite().all()

    def test_is_documented(self, name, tmp_path):
        cls = getattr(data, name)
        for argument in inspect.signature(cls).parameters:
            assert f"        {argument}:" in cls.__doc__
