"""Classes of the data against those of the networks, before training."""

from pathlib import Path

import pytest
import pytorch_lightning as pl
from PIL import Image

from lit_gan import LitGAN, LitGANError
from lit_gan.data import ImageFolder
from lit_gan.networks import MLPDiscriminator, MLPGenerator
from tests.support.small import trainer


def gan(classes=None, discriminator_classes="as many") -> LitGAN:
    size = {"image_size": 8, "channels": 1, "width": 4}
    of_d = classes if discriminator_classes == "as many" else discriminator_classes
    return LitGAN(MLPGenerator(**size, latent_dim=4, num_classes=classes), MLPDiscriminator(**size, num_classes=of_d))


@pytest.fixture
def folder(tmp_path) -> Path:
    """Three classes of six pictures."""
    for i in range(18):
        path = tmp_path / "pictures" / "abc"[i % 3] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 10 * i).save(path)
    return tmp_path / "pictures"


def fit(model, folder: Path, **options) -> None:
    cache = str(folder.parent / "cache")
    data = ImageFolder(str(folder), 8, 1, **{"batch_size": 4, "classes": True, "cache": cache, **options})
    trainer(folder.parent, max_steps=1, limit_val_batches=1).fit(model, data)


def test_classes_that_no_network_takes_are_said(folder):
    with pytest.warns(UserWarning, match="the data have 3 classes, and neither network takes them: .*num_classes=3"):
        fit(gan(), folder)


def test_classes_of_which_there_are_no_images_are_said(folder):
    with pytest.warns(UserWarning, match="generator has num_classes=5, and there are no training images of 3, 4: they"):
        fit(gan(5, discriminator_classes=None), folder)
    with pytest.warns(UserWarning, match="discriminator has num_classes=5, and there are no training images of 3, 4"):
        fit(gan(None, discriminator_classes=5), folder)
    with pytest.warns(UserWarning, match="has num_classes=3, and there are no training images of 1, 2"):
        fit(gan(3), folder, classes=False)


def test_more_classes_than_a_network_has_are_refused_before_training(folder):
    model = gan(3, discriminator_classes=2)
    with pytest.raises(
        LitGANError, match=r"labels lie in \[0, 2\], the discriminator has num_classes=2: set num_classes=3"
    ):
        fit(model, folder)
    assert model.images_seen == 0


@pytest.mark.parametrize(
    ("classes", "options"), [(3, {}), (None, {"class_balanced": True}), (None, {"classes": False})]
)
def test_classes_that_fit_or_are_used_otherwise_are_not_mentioned(folder, classes, options):
    fit(gan(classes), folder, **options)


def test_other_models_are_not_looked_at(folder):
    data = ImageFolder(str(folder), 8, 1, batch_size=4, classes=True, cache=str(folder.parent / "cache"))
    data.trainer = type("Trainer", (), {"lightning_module": pl.LightningModule()})()
    data.setup("fit")
