"""lit_gan.bolts against the real package. test_bolts.py runs this file in a process of its own: it imports pl_bolts."""

from lit_gan import bolts  # makes pl_bolts importable

# isort: split
import copy
import pickle
import re
import sys
from pathlib import Path

import numpy
import pl_bolts
import pytest
import torch
from jsonargparse import ArgumentParser
from PIL import Image
from pl_bolts.callbacks import LatentDimInterpolator as BoltsInterpolator
from pl_bolts.datamodules import CIFAR10DataModule, FashionMNISTDataModule, MNISTDataModule
from pl_bolts.models.gans import DCGAN as BoltsDCGAN
from pl_bolts.models.gans import GAN as BoltsGAN
from pl_bolts.models.gans.basic import components as basic
from pl_bolts.models.gans.dcgan import components as dcgan
from torch import nn
from torch.testing import assert_close
from torchvision.transforms import Compose, PILToTensor, Resize

from lit_gan import LitGAN
from lit_gan._utils.config import describe, rebuild
from lit_gan.callbacks import SampleGrid
from lit_gan.data.images import to_uint8
from lit_gan.networks import MLPGenerator
from lit_gan.penalties import R1
from tests import test_conformance
from tests.callbacks.test_samples import Board
from tests.support import public
from tests.support.layouts import cifar, idx_set
from tests.support.small import PlainDiscriminator, PlainGenerator, loader, trainer

NETWORKS = {
    bolts.Generator: (basic.Generator, {"latent_dim": 5, "img_shape": (2, 3, 4), "hidden_dim": 8}),
    bolts.Discriminator: (basic.Discriminator, {"img_shape": (2, 3, 4), "hidden_dim": 8}),
    bolts.DCGANGenerator: (dcgan.DCGANGenerator, {"latent_dim": 5, "feature_maps": 2, "image_channels": 3}),
    bolts.DCGANDiscriminator: (dcgan.DCGANDiscriminator, {"feature_maps": 2, "image_channels": 3}),
}
GANS = {
    bolts.GAN: (BoltsGAN, {"input_channels": 1, "input_height": 5, "input_width": 6, "latent_dim": 3}),
    bolts.DCGAN: (BoltsDCGAN, {"feature_maps_gen": 2, "feature_maps_disc": 2, "image_channels": 1, "latent_dim": 3}),
}
ADAM = ("lr", "betas", "eps", "weight_decay")
SIZES = {bolts.GAN: (1, 5, 6), bolts.DCGAN: (1, 64, 64)}
public.KINDS[bolts] = nn.Module
public.PARTS |= dict.fromkeys(NETWORKS, bolts)
public.REQUIRED |= {ours: options for ours, (_, options) in NETWORKS.items()}

networks = pytest.mark.parametrize("ours", NETWORKS)
gans = pytest.mark.parametrize("ours", GANS)


def pair(ours):
    """Return bolts' network in float64, and ours with its weights."""
    theirs, options = NETWORKS[ours]
    torch.manual_seed(0)
    theirs, mine = theirs(**options).double(), ours(**options).double()
    mine.load_state_dict(theirs.state_dict())
    return theirs, mine


def noise(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_bolts_is_there_and_the_rest_as_it_was():
    assert pl_bolts.__version__ == "0.7.0"
    assert not {"object", "int", "float"} & set(vars(numpy))
    assert (numpy.bool is bool) == (numpy.__version__ < "2")
    assert "pytorch_lightning.utilities.apply_func" not in sys.modules


def test_bolts_itself_misses_none_of_the_names_it_loses():
    files = Path(pl_bolts.__file__).parent.rglob("*.py")
    used = {name for file in files for name in re.findall(r"\b(?:np|numpy)\.(\w+)", file.read_text())}
    assert "linspace" in used
    assert not {"object", "int", "float"} & used


# Networks


def test_generators_are_bolts_in_latents_of_two_dimensions():
    z = noise(4, 5)
    theirs, ours = pair(bolts.Generator)
    assert torch.equal(ours(z), theirs(z))
    theirs, ours = pair(bolts.DCGANGenerator)
    assert torch.equal(ours(z), theirs(z[:, :, None, None]))
    assert ours(z).shape == (4, 3, 64, 64)
    assert ours(100 * z).abs().max() <= 1


@pytest.mark.parametrize("scale", [1, 1e4])
def test_logits_are_what_the_sigmoid_of_dcgan_was_given(scale):
    theirs, ours = pair(bolts.DCGANDiscriminator)
    x, before = scale * noise(4, 3, 64, 64), []
    theirs.disc[-1][-1].register_forward_hook(lambda module, given, result: before.append(given[0]))
    probabilities = theirs(x)
    assert torch.equal(ours(x), before[0].flatten())
    assert_close(ours(x).sigmoid(), probabilities)


@pytest.mark.parametrize("scale", [1, 1e7])
def test_logits_are_what_the_sigmoid_of_gan_was_given(scale):
    theirs, ours = pair(bolts.Discriminator)
    x, before = scale * noise(4, 2, 3, 4), []
    theirs.fc4.register_forward_hook(lambda module, given, result: before.append(result))
    with torch.random.fork_rng():
        theirs(x)
    assert torch.equal(ours(x), before[0].flatten())  # the same dropout from the same random state
    if scale > 1:
        assert set(theirs(x).flatten().tolist()) & {0.0, 1.0}, "the sigmoid has lost what the logits keep"


def test_dropout_is_of_training_alone():
    theirs, ours = pair(bolts.Discriminator)
    x = noise(4, 2, 3, 4)
    assert not torch.equal(ours(x), ours(x))
    assert not torch.equal(theirs.eval()(x), theirs(x))
    assert torch.equal(ours.eval()(x), ours(x))


@networks
def test_is_a_part_like_any_other(ours):
    test_conformance.test_is_made_with_its_defaults_and_tells_its_arguments(ours)
    test_conformance.test_each_argument_has_been_changed(ours)
    test_conformance.test_comes_back_from_a_checkpoint(ours)
    test_conformance.test_is_copied_and_pickled(ours)
    test_conformance.test_its_docstring_claims_and_explains(ours)
    assert describe(ours(**NETWORKS[ours][1]))["class_path"] == f"lit_gan.bolts.{ours.__name__}"


@networks
def test_refuses_nonsense(ours, monkeypatch):
    options = NETWORKS[ours][1]
    test_conformance.test_its_docstring_says_what_is_refused(ours, monkeypatch)
    for name in options:
        with pytest.raises((TypeError, ValueError), match=f"{name}.*"):
            ours(**{**options, name: (1, 0, 1) if name == "img_shape" else 0})
    if "img_shape" in options:
        with pytest.raises(ValueError, match=r"img_shape=\(3, 4\): give three numbers, \(C, H, W\)"):
            ours(**{**options, "img_shape": (3, 4)})


@networks
def test_comes_back_from_a_config(ours):
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--part", type=nn.Module)
    given = {"class_path": f"lit_gan.bolts.{ours.__name__}", "init_args": NETWORKS[ours][1]}
    part = parser.instantiate_classes(parser.parse_object({"part": given})).part
    assert repr(part) == repr(ours(**NETWORKS[ours][1]))


# Both GANs


@gans
def test_starts_with_the_weights_of_bolts(ours):
    theirs, mine = (started(cls, GANS[ours][1]).state_dict() for cls in (GANS[ours][0], ours))
    assert theirs
    assert [name for name, weights in theirs.items() if not torch.equal(weights, mine[name])] == []


def started(cls, options):
    torch.manual_seed(0)
    return cls(**options)


@gans
def test_has_the_arguments_of_bolts(ours):
    theirs, options = GANS[ours]
    needed = {name: value for name, value in options.items() if name.startswith("input_")}
    kept, mine = theirs(**needed), ours(**needed)
    assert dict(mine.hparams) == dict(kept.hparams)
    for optimizer in (*mine.configure_optimizers(), *kept.configure_optimizers()[0]):
        assert isinstance(optimizer, torch.optim.Adam)
        beta1 = 0.9 if ours is bolts.GAN else 0.5
        assert [optimizer.defaults[name] for name in ADAM] == [0.0002, (beta1, 0.999), 1e-8, 0]
    with pytest.raises(TypeError, match="gpus"):
        ours(**needed, gpus=1)


@gans
def test_the_losses_are_those_of_bolts(ours):
    """Their own code's, on the same weights, latents and dropout: by value and by gradient."""
    theirs, mine = (started(cls, GANS[ours][1]) for cls in (GANS[ours][0], ours))
    real = noise(6, *SIZES[ours]).float().tanh()
    if ours is bolts.GAN:
        losses = theirs.discriminator_loss, theirs.generator_loss
    else:
        losses = theirs._get_disc_loss, theirs._get_gen_loss
    for player, loss in zip(("discriminator", "generator"), losses, strict=True):
        torch.manual_seed(0)
        expected = loss(real)
        torch.manual_seed(0)
        real_logits = mine.logits(real) if player == "discriminator" else None
        fake_logits = mine.logits(mine(torch.randn(6, mine.latent_dim)))
        found = mine.loss.discriminator(real_logits, fake_logits) if player == "discriminator" else None
        found = mine.loss.generator(fake_logits) if found is None else found
        assert_close(found, expected)
        gradients = [
            torch.autograd.grad(value, list(getattr(model, player).parameters()))
            for value, model in ((found, mine), (expected, theirs))
        ]
        assert_close(*gradients, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("game", ["GAN", "DCGAN"])
def test_trains_on_bolts_data_with_its_callback(game, tmp_path):
    data = FashionMNISTDataModule(
        str(idx_set(tmp_path, "FashionMNIST")), normalize=True, batch_size=8, pin_memory=False
    )
    if game == "DCGAN":
        data.train_transforms = data.val_transforms = Compose([Resize(64), PILToTensor()])
        gan = bolts.DCGAN(feature_maps_gen=2, feature_maps_disc=2, latent_dim=3)
    else:
        gan = bolts.GAN(*data.dims, latent_dim=3)
    watching = [SampleGrid(n=4), bolts.LatentDimInterpolator(1, steps=3)]
    fitted = trainer(tmp_path, max_epochs=2, callbacks=watching)
    fitted.fit(gan, datamodule=data)
    assert gan.images_seen == 2 * 48
    assert fitted.global_step == 2 * 6
    assert "val/value" in fitted.callback_metrics
    written = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png"))
    assert written == ["latent_space/step-000006.png", "latent_space/step-000012.png", "samples/step-000012.png"]
    fitted.save_checkpoint(tmp_path / "last.ckpt")
    for cls in (type(gan), LitGAN):
        again = cls.load_from_checkpoint(tmp_path / "last.ckpt")
        assert type(again) is cls
        assert torch.equal(again.sample(3, seed=0), gan.sample(3, seed=0))
        assert torch.equal(again.eval().logits(gan.sample(3, seed=0)), gan.eval().logits(gan.sample(3, seed=0)))
    assert dict(type(gan).load_from_checkpoint(tmp_path / "last.ckpt").hparams) == dict(gan.hparams)
    other = bolts.DCGAN if game == "GAN" else bolts.GAN
    with pytest.raises(ValueError, match=rf"is of neither lit_gan's {other.__name__} nor bolts': it holds no "):
        other.load_from_checkpoint(tmp_path / "last.ckpt")


def test_its_networks_play_any_game(tmp_path):
    gan = LitGAN(bolts.Generator(3, (1, 4, 4)), bolts.Discriminator((1, 4, 4)), penalties={"r1": R1()})
    trainer(tmp_path).fit(gan, loader(noise(8, 1, 4, 4).float().tanh()))
    assert gan.images_seen == 8


# Checkpoints of bolts


@pytest.fixture
def old(tmp_path):
    """Write a checkpoint of bolts' GAN or DCGAN, as Lightning does; return it and its path."""

    def write(ours, **options):
        model = GANS[ours][0](**{**GANS[ours][1], **options})
        writer = trainer(tmp_path)
        writer.strategy.connect(model)
        writer.save_checkpoint(tmp_path / "old.ckpt")
        return model, tmp_path / "old.ckpt"

    return write


@gans
def test_a_trained_gan_comes_along(ours, old):
    theirs, path = old(ours, learning_rate=0.125, gpus=1)
    gan = ours.load_from_checkpoint(path)
    z = noise(4, 3).float()
    for generator in (gan.generator, gan.ema_generator):
        assert torch.equal(generator.eval()(z), theirs.eval()(z))
    names = [name for name in theirs.state_dict() if name.startswith("discriminator.")]
    assert names
    assert all(torch.equal(gan.state_dict()[name], theirs.state_dict()[name]) for name in names)
    assert gan.learning_rate == 0.125
    assert ours.load_from_checkpoint(path, learning_rate=0.5).learning_rate == 0.5


def test_another_ones_checkpoint_is_refused(old, tmp_path):
    _, path = old(bolts.DCGAN)
    with pytest.raises(ValueError, match=r"is of neither lit_gan's GAN nor bolts': it holds no input_channels"):
        bolts.GAN.load_from_checkpoint(path)
    with pytest.raises(TypeError, match="image_size"):
        bolts.DCGAN.load_from_checkpoint(path, image_size=32)
    with pytest.raises(ValueError, match="but not of LitGAN"):
        LitGAN.load_from_checkpoint(path)
    with pytest.raises(ValueError, match=r"of another generator.*gen\.0\.0\.weight is \(3, 16, 4, 4\) there and \(7, "):
        bolts.DCGAN.load_from_checkpoint(path, latent_dim=7)


def test_no_class_of_bolts_is_made_from_a_file():
    for path in ("pl_bolts.models.gans.dcgan.components.DCGANGenerator", "lit_gan.bolts.networks.dcgan.DCGANGenerator"):
        with pytest.raises(ValueError, match="no part of lit_gan"):
            rebuild({"class_path": path, "init_args": NETWORKS[bolts.DCGANGenerator][1]}, "generator")


# Data


@pytest.fixture
def data(tmp_path, any_checksum):
    """Make each of bolts' data modules, of small files."""
    idx_set(tmp_path, "FashionMNIST"), idx_set(tmp_path, "MNIST"), cifar(tmp_path)
    return lambda cls, **options: cls(str(tmp_path), batch_size=8, pin_memory=False, **options)


@pytest.mark.parametrize("cls", [FashionMNISTDataModule, MNISTDataModule, CIFAR10DataModule])
def test_data_in_another_range_is_refused(cls, data, tmp_path):
    gan = bolts.GAN(*cls.dims)
    with pytest.raises(ValueError, match=r"probably in \[0, 1\], lit_gan needs \[-1, 1\]: give uint8, or scale them"):
        trainer(tmp_path).fit(gan, datamodule=data(cls))
    if cls is CIFAR10DataModule:
        with pytest.raises(ValueError, match=r"float images lie in \[-1\.\d+, .*lit_gan needs \[-1, 1\]: give uint8"):
            trainer(tmp_path).fit(gan, datamodule=data(cls, normalize=True))
    assert gan.images_seen == 0


@pytest.mark.parametrize("cls", [FashionMNISTDataModule, MNISTDataModule, CIFAR10DataModule])
@pytest.mark.parametrize("normalize", [False, True])
def test_the_way_out_gives_the_pixels_of_the_files(cls, normalize, data, tmp_path):
    module = data(cls, normalize=normalize, shuffle=False)
    if cls is CIFAR10DataModule or not normalize:
        module.train_transforms = module.val_transforms = PILToTensor()
    seen = []

    class Looking(LitGAN):
        def _read(self, batch):
            real, labels = super()._read(batch)
            seen.append((real, batch[1]))
            return real, labels

    gan = Looking(PlainGenerator(cls.dims), PlainDiscriminator(cls.dims))
    trainer(tmp_path, limit_val_batches=0).fit(gan, datamodule=module)
    pixels = to_uint8(torch.cat([real for real, _ in seen]))[:, 0, -1, 0]  # image i is of value i
    labels = torch.cat([labels for _, labels in seen])
    assert sorted(pixels.tolist()) == sorted(module.dataset_train.indices)
    assert torch.equal(pixels % 10, labels)


# The callback


class Marking(nn.Module):
    """Makes images of the first two dimensions of z, and notes in which mode."""

    def __init__(self, latent_dim=3):
        super().__init__()
        self.latent_dim, self.scale, self.modes = latent_dim, nn.Parameter(torch.tensor(0.1)), set()

    def forward(self, z):
        self.modes.add(self.training)
        return (self.scale * z[:, :2, None, None]).repeat(1, 1, 2, 2)[:, :1] + 0 * z.sum()


def test_the_grid_walks_the_first_two_dimensions(tmp_path):
    board = Board()
    frozen = {"generator_optimizer": lambda p: torch.optim.SGD(p, lr=0.0)}
    gan = LitGAN(Marking(), PlainDiscriminator((1, 2, 2)), **frozen)
    modes = []

    class Looking(bolts.LatentDimInterpolator):
        def on_train_epoch_end(self, trainer, pl_module):
            pl_module.generator.modes.clear()
            before = [m.training for m in pl_module.modules()]
            super().on_train_epoch_end(trainer, pl_module)
            modes.append(([m.training for m in pl_module.modules()] == before, set(pl_module.generator.modes)))

    callback = Looking(2, steps=5, normalize=False)
    trainer(tmp_path, max_epochs=4, logger=board, callbacks=[callback]).fit(
        gan, loader(noise(8, 1, 2, 2).float().tanh())
    )
    assert modes == [(True, set()), (True, {False})] * 2, "in evaluation mode, and each module back in its own"
    assert [image[::2] for image in board.images] == [("latent_space", 4), ("latent_space", 8)]
    with Image.open(next(tmp_path.rglob("step-000004.png"))) as image:
        picture = torch.as_tensor(numpy.array(image))
    rows = picture[2::4, 2::4].float()  # places of two pixels, two between them
    expected = to_uint8(0.1 * torch.linspace(-5, 5, 5)).float()
    assert_close(rows, expected[:, None].expand(5, 5), atol=1, rtol=0)


@pytest.mark.parametrize("normalize", [True, False])
def test_contrast(normalize, tmp_path):
    gan = LitGAN(Marking(), PlainDiscriminator((1, 2, 2)))
    board = Board()
    board.add_image = lambda name, picture, step: board.images.append(picture)
    with torch.no_grad():
        gan.generator.scale.fill_(0.02)
    fitted = trainer(tmp_path, logger=board, callbacks=[bolts.LatentDimInterpolator(1, normalize=normalize)])
    fitted.fit(gan, loader(noise(8, 1, 2, 2).float().tanh()))
    inner = board.images[0][0, 2:-2, 2:-2]
    assert (inner.min() == 0) == normalize


@gans
def test_the_callback_of_bolts_itself_takes_the_gans_here(ours, tmp_path):
    board = Board()
    board.add_image = lambda name, picture, global_step: board.images.append((name, picture.shape, global_step))
    gan = ours(**GANS[ours][1])
    fitted = trainer(tmp_path, logger=board, callbacks=[BoltsInterpolator(1, steps=3)])
    fitted.fit(gan, loader(noise(8, *SIZES[ours]).float().tanh()))
    height, width = (3 * (n + 2) + 2 for n in SIZES[ours][1:])
    assert board.images == [(f"{ours.__name__}_latent_space", (3, height, width), 2)]


@pytest.mark.parametrize(
    ("generator", "says"),
    [
        (lambda: Marking(latent_dim=1), "walks two dimensions of z and latent_dim=1: leave it out"),
        (lambda: PlainGenerator((2,)), r"shows images, and PlainGenerator makes samples of shape \(2,\)"),
        (
            lambda: MLPGenerator(features=2, num_classes=3),
            "has no labels, and MLPGenerator needs them: take SampleGrid",
        ),
    ],
)
def test_what_it_cannot_show_is_refused_before_training(generator, says, tmp_path):
    gan = LitGAN(generator(), PlainDiscriminator((2,)))
    with pytest.raises(ValueError, match=says):
        trainer(tmp_path, callbacks=[bolts.LatentDimInterpolator()]).fit(gan, loader(noise(8, 2).float()))
    assert gan.images_seen == 0


def test_the_callback_shows_itself_and_is_copied():
    callback = bolts.LatentDimInterpolator(3, num_samples=1)
    assert repr(callback).startswith("LatentDimInterpolator(interpolate_epoch_interval=3, range_start=-5")
    assert repr(copy.deepcopy(callback)) == repr(pickle.loads(pickle.dumps(callback))) == repr(callback)
    with pytest.raises(ValueError, match="steps=0 must be at least 1"):
        bolts.LatentDimInterpolator(steps=0)
