"""NearestNeighbours on generators that make what is known."""

import math
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from PIL import Image
from pytorch_lightning import LightningDataModule
from pytorch_lightning.loggers import CSVLogger
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset, WeightedRandomSampler

from lit_gan import LitGAN
from lit_gan.callbacks import NearestNeighbours
from lit_gan.data import FashionMNISTSample
from lit_gan.metrics.copying import copying_test
from lit_gan.metrics.evaluation import GeneratedSamples, RealSamples
from lit_gan.metrics.evaluation.nearest import NearestImages
from tests.support.processes import on_ranks
from tests.support.small import PlainDiscriminator, PlainGenerator, loader, trainer

RNG = torch.Generator().manual_seed(0)
TRAIN, HELD_OUT = torch.randint(256, (2, 60, 1, 4, 4), generator=RNG, dtype=torch.uint8)


class Copier(nn.Module):
    """Shows training images and nothing else, or, where asked, mirror images of them."""

    latent_dim = 2

    def __init__(self, mirrored=False, images=TRAIN):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.mirrored, self.images = mirrored, images

    def forward(self, z):
        chosen = (torch.special.ndtr(z[:, 0]) * len(self.images)).long().clamp(max=len(self.images) - 1)
        images = self.scale * (self.images[chosen] / 127.5 - 1)
        return images.flip(-1) if self.mirrored else images


def gan(generator):
    still = {f"{player}_optimizer": lambda p: torch.optim.SGD(p, lr=0.0) for player in ("generator", "discriminator")}
    return LitGAN(generator, PlainDiscriminator(), ema_half_life=None, **still)


def fitted(folder, generator, callback, held_out=HELD_OUT, **options):
    run = trainer(folder, callbacks=[callback], **options)
    run.fit(gan(generator), loader(TRAIN, batch_size=20), None if held_out is None else loader(held_out))
    return run


def test_copies_are_found_and_shown(tmp_path, capsys):
    callback = NearestNeighbours(every_n_steps=2, n=3, k=2, tested=60)
    run = fitted(tmp_path, Copier(), callback, logger=CSVLogger(tmp_path, "log"))
    assert callback.test.closer == 1
    assert callback.test.z == pytest.approx(-1800 / math.sqrt(300 * (121 - _tied(60))), rel=1e-6)
    assert run.callback_metrics["neighbours/z"] == pytest.approx(callback.test.z)
    assert run.callback_metrics["neighbours/closer"] == 1
    folder = tmp_path / "log" / "version_0"
    assert "neighbours/z" in (folder / "metrics.csv").read_text().splitlines()[0]
    assert sorted(p.name for p in (folder / "neighbours").iterdir()) == ["step-000002.png", "step-000003.png"]
    with Image.open(folder / "neighbours" / "step-000002.png") as picture:
        assert picture.size == (3 * 6 + 2, 3 * 6 + 2)
        tiles = torch.from_numpy(np.array(picture))[2:, 2:].unfold(0, 4, 6).unfold(1, 4, 6)
    assert tiles[:, 0].equal(tiles[:, 1]), "a copy stands beside what it is of"
    assert not tiles[:, 0].equal(tiles[:, 2])


def _tied(n):
    """Return what n distances of 0 take from the number that σ² is proportional to, among 120."""
    return (n**3 - n) / (120 * 119)


def test_a_run_that_is_over_is_resumed_in_peace(tmp_path):
    fitted(tmp_path, Copier(), NearestNeighbours(tested=60), max_steps=2).save_checkpoint(tmp_path / "end.ckpt")
    callback = NearestNeighbours(tested=60)
    run = trainer(tmp_path, callbacks=[callback], max_steps=2)
    run.fit(gan(Copier()), loader(TRAIN, batch_size=20), loader(HELD_OUT), ckpt_path=tmp_path / "end.ckpt")
    assert callback.test is None


def test_new_images_are_none(tmp_path):
    other = torch.randint(256, (60, 1, 4, 4), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    callback = NearestNeighbours(tested=60)
    fitted(tmp_path, Copier(images=other), callback)
    assert abs(callback.test.z) < 3
    assert 0.35 < callback.test.closer < 0.65


@pytest.mark.parametrize(("mirrored", "closer"), [(True, 1.0), (False, 0.5)])
def test_mirror_images_are_copies_where_training_mirrors(mirrored, closer):
    train, held_out = (RealSamples(loader(images)) for images in (TRAIN, HELD_OUT))
    memory = NearestImages(train, held_out, mirrored=mirrored)
    generated = GeneratedSamples(gan(Copier(mirrored=True)), 60)
    nearest, test = memory.search(generated, 1)
    assert test.closer == pytest.approx(closer, abs=0.15 * (closer < 1))
    if mirrored:
        assert nearest.distances.count_nonzero() == 0
        assert (nearest.numbers >= 60).all()
        picture = memory.picture(generated, nearest, 4)
        assert picture[:, :, 2:6].equal(picture[:, :, 8:12])


class Means(nn.Module):
    """Four features of an image; counts the images that it sees."""

    seen = 0

    def forward(self, images):
        Means.seen += len(images)
        return images.float().mean(3).flatten(1)


def test_an_extractor_sees_each_training_image_once(tmp_path):
    Means.seen = 0
    callback = NearestNeighbours(every_n_steps=1, tested=20, extractor=Means())
    fitted(tmp_path, Copier(), callback)
    assert callback.test.closer == pytest.approx(1)
    checks, pictures = 2, 3
    assert Means.seen == checks + 60 + 20 + pictures * 20


def test_large_images_are_compared_at_32_pixels(monkeypatch):
    """Where a chessboard of pixels and its grey are the same."""
    board = (torch.arange(64)[:, None] + torch.arange(64)) % 2 * 254
    images = torch.stack([board[None], torch.full((1, 64, 64), 127), torch.zeros(1, 64, 64)]).to(torch.uint8)
    train = RealSamples([images])
    nearest, test = NearestImages(train).search(RealSamples([images[:2]]), 2)
    assert test is None
    assert nearest.distances.max() < 200, "32·32 pixels that differ by rounding"
    assert sorted(nearest.numbers[0].tolist()) == [0, 1]


def test_training_is_undisturbed(tmp_path):
    ends = []
    for callbacks in ([NearestNeighbours(every_n_steps=1)], []):
        torch.manual_seed(0)
        model = LitGAN(PlainGenerator(), PlainDiscriminator())
        trainer(tmp_path, callbacks=callbacks).fit(model, loader(TRAIN), loader(HELD_OUT))
        ends.append(model.sample(2, seed=0))
    assert torch.equal(*ends)


def test_without_held_out_data_it_only_draws(tmp_path):
    callback = NearestNeighbours(tested=20)
    with pytest.warns(UserWarning, match="tests nothing, since there are no held-out data"):
        fitted(tmp_path, Copier(), callback, held_out=None)
    assert callback.test is None
    assert (tmp_path / "neighbours" / "step-000003.png").exists()


def test_points_are_tested_and_not_drawn(tmp_path):
    callback = NearestNeighbours(every_n_steps=1, tested=20)
    points = torch.randn(40, 2, generator=RNG)
    run = trainer(tmp_path, callbacks=[callback])
    run.fit(LitGAN(PlainGenerator((2,)), PlainDiscriminator((2,))), loader(points), loader(points + 1))
    assert 0 <= callback.test.closer <= 1
    assert not (tmp_path / "neighbours").exists()


def test_what_cannot_be_compared_is_refused_before_a_step(tmp_path):
    for callback, says in (
        (NearestNeighbours(k=61), "61 neighbours among 60 training samples"),
        (NearestNeighbours(extractor=nn.Identity()), r"features are uint8 of shape \(2, 1, 4, 4\)"),
    ):
        model = gan(Copier())
        with pytest.raises(ValueError, match=says):
            trainer(tmp_path, callbacks=[callback]).fit(model, loader(TRAIN), loader(HELD_OUT))
        assert model.images_seen == 0
    with pytest.raises(ValueError, match="tested=4 must be at least 8"):
        NearestNeighbours(tested=4)
    with pytest.raises(ValueError, match=r"training samples are \(1, 4, 4\) and held-out ones \(1, 5, 5\)"):
        fitted(tmp_path, Copier(), NearestNeighbours(), torch.zeros(60, 1, 5, 5))


class Stream(IterableDataset):
    """Never ends."""

    def __iter__(self):
        while True:
            yield TRAIN[0]


def test_data_without_an_end_are_refused(tmp_path):
    endless, some = DataLoader(Stream(), 4), loader(TRAIN)
    for train, held_out in ((endless, some), (some, endless)):
        run = trainer(tmp_path, callbacks=[NearestNeighbours()], limit_train_batches=2, limit_val_batches=2)
        with pytest.raises(ValueError, match="neighbours need data with an end, and these are a stream without a len"):
            run.fit(gan(Copier()), train, held_out)


class TrainingAlone(LightningDataModule):
    """Has no held-out data, or none that can be read."""

    def train_dataloader(self):
        return loader(TRAIN, batch_size=20)


class NoneHeldOut(TrainingAlone):
    def val_dataloader(self):
        return loader(TRAIN[:0])


class Unreadable(TrainingAlone):
    def val_dataloader(self):
        raise ValueError("the disk is gone")


@pytest.mark.parametrize("data", [TrainingAlone, NoneHeldOut])
def test_data_modules_without_held_out_data(tmp_path, data):
    callback = NearestNeighbours(tested=20)
    with pytest.warns(UserWarning, match="tests nothing, since there are no held-out data"):
        trainer(tmp_path, callbacks=[callback], limit_val_batches=0).fit(gan(Copier()), data())
    assert (tmp_path / "neighbours" / "step-000003.png").exists()


def test_another_fault_of_held_out_data_is_not_hidden(tmp_path):
    run = trainer(tmp_path, callbacks=[NearestNeighbours()], limit_val_batches=0)
    with pytest.raises(ValueError, match="the disk is gone"):
        run.fit(gan(Copier()), Unreadable())


WIDTHS = torch.tensor([0.02, 0.3])


def of_classes(labels):
    """Return images of two classes, the second of which are further from one another."""
    z = torch.randn(len(labels), 16, generator=RNG)
    return (WIDTHS[labels, None] * z).clamp(-1, 1).reshape(-1, 1, 4, 4)


class Perfect(nn.Module):
    """Draws from the distribution of :func:`of_classes`."""

    latent_dim, num_classes = 16, 2

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, z, labels):
        return (self.scale * WIDTHS[labels, None] * z).clamp(-1, 1).reshape(-1, 1, 4, 4)


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("tested", [True, False])
def test_classes_are_as_frequent_as_among_held_out_data_in_each_picture(tmp_path, balanced, tested):
    """Nine of ten are of the first class, also where training sees both as often."""
    labels = torch.arange(400) % 10 // 9
    images, others = of_classes(labels), of_classes(labels)
    weights = torch.where(labels == 0, 1.0, 9.0) if balanced else torch.ones(400)
    sampler = WeightedRandomSampler(weights, 40, generator=torch.Generator().manual_seed(0))
    train = DataLoader(TensorDataset(images, labels), 10, sampler=sampler)
    callback = NearestNeighbours(every_n_steps=1, n=40, k=1, tested=400)
    with nullcontext() if tested else pytest.warns(UserWarning, match="no held-out data"):
        trainer(tmp_path, callbacks=[callback]).fit(gan(Perfect()), train, loader(others, labels) if tested else None)
    if tested:
        assert abs(callback.test.z) < 2.5
    first, *rest = [path.read_bytes() for path in sorted((tmp_path / "neighbours").iterdir())]
    assert rest == [first] * 3


def on_rank(folder):
    callback = NearestNeighbours(every_n_steps=1, tested=20)
    run = fitted(folder, PlainGenerator(), callback, devices=2, strategy="ddp")
    return callback.test, {k: float(v) for k, v in run.callback_metrics.items() if "neighbours" in k}


@pytest.mark.slow
def test_two_processes_log_what_the_first_one_sees(tmp_path):
    (test, logged), (none, also_logged) = on_ranks(on_rank, tmp_path)
    assert none is None
    assert logged == also_logged == pytest.approx({"neighbours/closer": test.closer, "neighbours/z": test.z}, rel=1e-6)
    assert (tmp_path / "neighbours" / "step-000001.png").exists()


def test_real_images_of_a_data_module(tmp_path):
    """Held-out garments are as near to the training data as other held-out garments, and far nearer than noise."""
    data = FashionMNISTSample(image_size=8)
    data.setup("fit")
    train, held_out = RealSamples(data.train_dataloader()), RealSamples(data.val_dataloader(), 400)
    order = [held_out.block(0), held_out.block(1)]
    mine, others = torch.cat(order)[::2], torch.cat(order)[1::2]
    memory = NearestImages(train)
    distances = [memory.search(RealSamples([part]), 1)[0].distances[:, 0] for part in (mine, others)]
    assert abs(copying_test(*distances).z) < 3
    noise = torch.randint(256, mine.shape, generator=RNG, dtype=torch.uint8)
    far = memory.search(RealSamples([noise]), 1)[0].distances[:, 0]
    assert copying_test(far, distances[0]).closer < 0.01
