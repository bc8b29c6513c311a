"""The uint8 path that all data modules share, and the Fashion-MNIST ones."""

import gzip
from pathlib import Path

import pytest
import torch

from lit_gan.data import FashionMNIST, FashionMNISTSample, ImageDataModule
from tests.support.layouts import idx_set
from tests.support.small import PlainDiscriminator, PlainGenerator, trainer


class Numbers(ImageDataModule):
    """Images whose pixels say which they are; the left half is dark."""

    def load(self, split):
        n = {"train": 10, "val": 4, "test": 3}[split]
        images = torch.arange(n, dtype=torch.uint8)[:, None, None, None].repeat(1, 1, 4, 4)
        images[..., :2] = 0
        return images, torch.arange(n)


def test_batches_are_uint8_and_complete_in_training():
    data = Numbers(batch_size=4)
    data.setup("fit")
    batches = list(data.train_dataloader())
    assert [x.shape for x, _ in batches] == [(4, 1, 4, 4)] * 2
    assert all(x.dtype == torch.uint8 and y.dtype == torch.int64 for x, y in batches)
    assert all(torch.equal(x[:, 0, 0, 3].long(), y) for x, y in batches), "labels stay with their images"
    assert [len(x) for x, _ in data.val_dataloader()] == [4]


def test_training_is_shuffled_and_held_out_data_are_not():
    data = Numbers(batch_size=10)
    data.setup("fit")
    torch.manual_seed(0)
    orders = [next(iter(data.train_dataloader()))[1].tolist() for _ in range(2)]
    assert sorted(orders[0]) == list(range(10))
    assert orders[0] != orders[1]
    assert next(iter(data.val_dataloader()))[1].tolist() == [0, 1, 2, 3]


def test_a_batch_is_one_indexing_operation():
    data = Numbers(batch_size=5)
    data.setup("fit")
    dataset = data._splits["train"]
    dataset.__class__ = type("Counting", (type(dataset),), {"__getitem__": None})
    assert len(list(data.train_dataloader())) == 2, "no sample was asked for alone"


def test_workers_give_the_same_batches():
    data = Numbers(batch_size=4, num_workers=2)
    data.setup("validate")
    assert next(iter(data.val_dataloader()))[1].tolist() == [0, 1, 2, 3]


def test_images_are_mirrored_in_training_alone(tmp_path):
    from lit_gan import LitGAN

    seen = {"train": [], "val": []}

    class Watched(Numbers):
        def on_after_batch_transfer(self, batch, dataloader_idx):
            images, labels = super().on_after_batch_transfer(batch, dataloader_idx)
            seen["train" if self.trainer.training else "val"].append(images[:, 0, 0, 0] > 0)
            return images, labels

    torch.manual_seed(0)
    data = Watched(batch_size=10, horizontal_flip=True)
    trainer(tmp_path, max_epochs=8).fit(LitGAN(PlainGenerator(), PlainDiscriminator()), data)
    mirrored = torch.cat(seen["train"]).float().mean()
    assert 0.3 < mirrored < 0.6, "image 0 is black: 0.45 expected"
    assert not torch.cat(seen["val"]).any()


@pytest.mark.parametrize(("name", "value"), [("image_size", 0), ("batch_size", -1)])
def test_sizes_below_one_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name}={value} must be at least 1"):
        Numbers(**{name: value})


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(ValueError, match="10 training samples, fewer than batch_size=11"):
        Numbers(batch_size=11).setup("fit")


def test_the_sample_is_balanced_real_and_small():
    data = FashionMNISTSample(image_size=28)
    data.setup()
    train, val = data._splits["train"], data._splits["val"]
    assert train.samples.shape == (9000, 1, 28, 28)
    assert val.samples.shape == (1000, 1, 28, 28)
    assert train.labels.bincount().tolist() == [900] * 10
    assert val.labels.bincount().tolist() == [100] * 10
    assert 70 < train.samples.float().mean() < 75  # Fashion-MNIST's mean is 72.9
    flat = {x.numpy().tobytes() for x in train.samples}
    assert not any(x.numpy().tobytes() in flat for x in val.samples), "held out"
    folder = Path(__file__).parents[2] / "lit_gan" / "data"
    assert (folder / "fashion_mnist_sample.npy.xz").stat().st_size <= 4_000_000
    assert "MIT License" in (folder / "FASHION_MNIST.md").read_text()


def test_the_sample_is_resized():
    data = FashionMNISTSample(image_size=16)
    data.setup("validate")
    assert data._splits["val"].samples.shape == (1000, 1, 16, 16)
    assert "train" not in data._splits, "only what the stage needs"


def test_fashion_mnist_splits(tmp_path):
    data = FashionMNIST(str(idx_set(tmp_path, "FashionMNIST", 36)), image_size=28, batch_size=3)
    data.prepare_data()
    data.setup()
    which = {split: images.samples[:, 0, 0, 0].tolist() for split, images in data._splits.items()}
    assert which["val"] == [0, 12, 24]
    assert sorted(which["train"] + which["val"]) == list(range(36))
    assert which["test"] == list(range(36, 45))
    assert data._splits["train"].labels[0] == 1


def test_fashion_mnist_that_cannot_be_fetched_says_where_to_put_it(tmp_path, monkeypatch):
    def unreachable(*args, **kwargs):
        raise RuntimeError("Error downloading train-images-idx3-ubyte.gz")

    monkeypatch.setattr("torchvision.datasets.FashionMNIST.download", unreachable)
    with pytest.raises(RuntimeError, match=r"could not be fetched .*put its four idx files.*FashionMNIST/raw"):
        FashionMNIST(str(tmp_path)).prepare_data()
    with pytest.raises(RuntimeError, match="put its four idx files"):
        FashionMNIST(str(tmp_path), download=False).prepare_data()


DEBIAN = Path("/usr/share/datasets/fashion-mnist")


@pytest.mark.skipif(not DEBIAN.exists(), reason="Debian's dataset-fashion-mnist is not installed")
def test_the_sample_is_what_its_script_says():
    packed = gzip.decompress((DEBIAN / "train-images-idx3-ubyte.gz").read_bytes())[16:]
    images = torch.frombuffer(bytearray(packed), dtype=torch.uint8).reshape(-1, 28, 28)
    labels = torch.frombuffer(
        bytearray(gzip.decompress((DEBIAN / "train-labels-idx1-ubyte.gz").read_bytes())[8:]), dtype=torch.uint8
    )
    data = FashionMNISTSample(image_size=28)
    train, _ = data.load("train")
    for c in range(10):
        assert torch.equal(train[900 * c : 900 * (c + 1), 0], images[labels == c][:900])
