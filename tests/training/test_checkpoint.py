"""A checkpoint is complete, safe, and refused in one sentence where it does not fit."""

import functools
import pickle
import sys

import numpy as np
import pytest
import torch
from torch import nn

from lit_gan import LitGAN
from lit_gan._utils.config import Origin, describe, rebuild, summary
from lit_gan.cli import main
from lit_gan.losses import RelativisticPaired
from lit_gan.networks import DCGANDiscriminator, DCGANGenerator, MLPDiscriminator, MLPGenerator
from lit_gan.optim import GANAdam
from lit_gan.penalties import R1, R2, LeCam
from lit_gan.sampling.from_checkpoint import load_generators
from lit_gan.schedules import Cosine
from tests.support.small import PlainDiscriminator, PlainGenerator, loader, trainer

IMAGES = torch.rand(8, 1, 16, 16) * 2 - 1
OPTIONS = {
    "loss": RelativisticPaired(),
    "penalties": {"r1": R1(0.5, every=2), "r2": R2(0.25)},
    "generator_optimizer": functools.partial(torch.optim.RMSprop, lr=0.01),
    "discriminator_optimizer": functools.partial(GANAdam, lr=0.02, betas=(0.0, 0.9)),
    "lr_schedule": Cosine(end=0.1, images=50),
    "d_steps_per_g_step": 2,
    "ema_half_life": 99.0,
    "latent": "uniform",
    "micro_batches": 2,
    "gradient_clip": 3.0,
}


def dcgan(width=4, classes=None, **options) -> LitGAN:
    return LitGAN(
        DCGANGenerator(16, 1, 5, classes, width=width), DCGANDiscriminator(16, 1, classes, width=4), **options
    )


@pytest.fixture
def save(tmp_path):
    def run(model, name="model.ckpt"):
        fitted = trainer(tmp_path)
        fitted.fit(model, loader(IMAGES, torch.arange(8) % 2))
        fitted.save_checkpoint(tmp_path / name)
        return tmp_path / name

    return run


def test_a_model_is_rebuilt_from_its_file_alone(save):
    model = dcgan(classes=2, **OPTIONS)
    again = LitGAN.load_from_checkpoint(save(model))
    assert again.loss == model.loss
    assert again.penalties == model.penalties
    assert again.lr_schedule == model.lr_schedule
    for name in ("d_steps_per_g_step", "ema_half_life", "latent", "latent_dim", "micro_batches", "gradient_clip"):
        assert getattr(again, name) == getattr(model, name)
    for mine, theirs in zip(model.configure_optimizers(), again.configure_optimizers(), strict=True):
        assert type(mine) is type(theirs)
        assert {**mine.defaults, "betas": None} == {**theirs.defaults, "betas": None}
        assert list(mine.defaults.get("betas", ())) == list(theirs.defaults.get("betas", ()))
    assert all(torch.equal(t, again.state_dict()[n]) for n, t in model.state_dict().items())
    assert torch.equal(again.sample(4, seed=1), model.sample(4, seed=1))
    assert again.images_seen == 8


def test_a_file_holds_nothing_but_tensors_and_plain_data(save):
    checkpoint = torch.load(save(dcgan(**OPTIONS)), weights_only=True)
    assert checkpoint["lit_gan"]["loss"] == {"class_path": "lit_gan.losses.RelativisticPaired", "init_args": {}}
    assert any(name.startswith("ema_generator.") for name in checkpoint["state_dict"])


def test_training_goes_on_from_a_checkpoint(save, tmp_path):
    path = save(dcgan(d_steps_per_g_step=2))
    again = dcgan(d_steps_per_g_step=2)
    fitted = trainer(tmp_path, max_epochs=2)
    fitted.fit(again, loader(IMAGES), ckpt_path=path)
    assert (again.images_seen, again.d_steps, fitted.global_step) == (16, 4, 2)


def test_a_resumed_run_says_what_it_had_otherwise(save, tmp_path):
    path = save(dcgan(penalties={"r1": R1(1.0)}, micro_batches=2))
    other = dcgan(penalties={"r1": R1(4.0)}, micro_batches=2, generator_optimizer=functools.partial(GANAdam, lr=0.5))
    said = (
        r"had other arguments: generator_optimizer was GANAdam\(lr=0.0002.* and is GANAdam\(lr=0.5.*; penalties was "
        r"\{'r1': R1\(weight=1.0, every=1\)\} and is \{'r1': R1\(weight=4.0, every=1\)\}\. Weights, counters and"
    )
    fitted = trainer(tmp_path, max_epochs=2)
    with pytest.warns(UserWarning, match=said):
        fitted.fit(other, loader(IMAGES, torch.arange(8) % 2), ckpt_path=path)
    assert fitted.optimizers[0].param_groups[0]["lr"] == 0.0002, "as it says"


@pytest.mark.parametrize("option", ["lr", "schedule", "weight", "half-life"])
def test_numbers_of_numpy_can_be_saved(save, option):
    class Halved(Cosine):
        def __call__(self, images_seen):
            return np.float64(0.5)

    options = {
        "lr": {"generator_optimizer": functools.partial(GANAdam, lr=np.float32(2**-10))},
        "schedule": {"lr_schedule": Halved(end=0.1, images=50)},
        "weight": {"penalties": {"r1": R1(np.float64(0.5))}},
        "half-life": {"ema_half_life": np.float64(50)},
    }[option]
    path = save(dcgan(**options))
    again = LitGAN.load_from_checkpoint(path, **({"lr_schedule": None} if option == "schedule" else {}))
    assert again.ema_half_life == (50 if option == "half-life" else 10_000)
    assert again.penalties == ({"r1": R1(0.5)} if option == "weight" else {})
    if option == "lr":
        assert again.configure_optimizers()[0].defaults["lr"] == 2**-10


def test_a_loaded_model_trains(save, tmp_path):
    again = LitGAN.load_from_checkpoint(save(dcgan(**OPTIONS)))
    trainer(tmp_path).fit(again, loader(IMAGES))
    assert again.images_seen == 16


def test_parts_of_ones_own_must_be_passed(save):
    shape = (1, 16, 16)
    path = save(LitGAN(PlainGenerator(shape), PlainDiscriminator(shape)))
    with pytest.raises(
        ValueError,
        match=r"generator is a tests.support.small.PlainGenerator.*load_from_checkpoint\(path, generator=\.\.\.",
    ):
        LitGAN.load_from_checkpoint(path)
    again = LitGAN.load_from_checkpoint(path, generator=PlainGenerator(shape), discriminator=PlainDiscriminator(shape))
    assert again.sample(1).shape == (1, *shape)


def two_groups(parameters):
    parameters = list(parameters)
    return torch.optim.SGD([{"params": parameters[:1], "lr": 0.1}, {"params": parameters[1:], "lr": 0.2}])


def one_group_of_its_own(parameters):
    return torch.optim.SGD([{"params": list(parameters), "lr": 0.1}], lr=0.2)


def a_part(parameters):
    return torch.optim.SGD(list(parameters)[:2], lr=0.1)


@pytest.mark.filterwarnings("ignore:.*are in no optimizer")
@pytest.mark.parametrize("optimizer", [two_groups, one_group_of_its_own, a_part])
def test_parameter_groups_of_ones_own_must_be_passed(save, optimizer):
    path = save(dcgan(generator_optimizer=optimizer))
    with pytest.raises(ValueError, match=r"load_from_checkpoint\(path, generator_optimizer="):
        LitGAN.load_from_checkpoint(path)
    assert LitGAN.load_from_checkpoint(path, generator_optimizer=optimizer)


class Stronger(LitGAN):
    """A subclass with an argument of its own."""

    def __init__(self, *args, strength=1.0, **options):
        super().__init__(*args, **options)
        self.strength = strength


class Fixed(LitGAN):
    """A subclass that builds its own networks."""

    def __init__(self, width=4):
        super().__init__(DCGANGenerator(16, 1, 5, width=width), DCGANDiscriminator(16, 1, width=width))


def test_subclasses_are_saved_and_loaded(save):
    networks = DCGANGenerator(16, 1, 5, width=4), DCGANDiscriminator(16, 1, width=4)
    assert Stronger.load_from_checkpoint(save(Stronger(*networks, strength=2.0))).strength == 2.0
    path = save(Fixed(width=8))
    assert Fixed.load_from_checkpoint(path, width=8).generator.width == 8
    with pytest.raises(ValueError, match=r"another discriminator"):
        Fixed.load_from_checkpoint(path)


@pytest.mark.filterwarnings("ignore:.*are in no optimizer")
def test_a_sampler_needs_no_more_than_the_generator(save):
    shape = (1, 16, 16)

    class OwnLoss(RelativisticPaired):
        pass

    class OwnSchedule(Cosine):
        pass

    model = LitGAN(
        DCGANGenerator(16, 1, 5, 2, width=4),
        PlainDiscriminator(shape),
        loss=OwnLoss(),
        augment=nn.BatchNorm2d(1),
        latent="uniform",
        ema_half_life=OwnSchedule(start=10.0, end=20.0, images=50),
    )
    sampler = load_generators(save(model))
    assert torch.equal(sampler.sample(3, seed=0), model.sample(3, seed=0))
    assert torch.equal(sampler.sample(3, seed=0, ema=False), model.sample(3, seed=0, ema=False))
    with pytest.raises(ValueError, match=r"generator is a tests.support.small.PlainGenerator.*give it in code"):
        load_generators(save(LitGAN(PlainGenerator(shape), PlainDiscriminator(shape))))


@pytest.mark.filterwarnings("ignore:.*are in no optimizer")
def test_another_augmentation_is_named(save, tmp_path):
    path = save(dcgan(augment=nn.BatchNorm2d(1)))
    with pytest.raises(ValueError, match=r"another augment, BatchNorm2d\(\).*augment.bias is \(1,\) there and absent"):
        trainer(tmp_path).fit(dcgan(), loader(IMAGES), ckpt_path=path)


def test_other_penalties_with_a_state_are_named(save, tmp_path):
    path = save(dcgan(penalties={"r1": R1(0.5)}))
    said = (
        r"of other penalties, \{'r1': R1\(weight=0.5, every=1\)\}, this model has \{'lecam': LeCam\(weight=0.1.*: penal"
    )
    with pytest.raises(ValueError, match=said):
        trainer(tmp_path).fit(dcgan(penalties={"lecam": LeCam()}), loader(IMAGES), ckpt_path=path)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("way", ["load", "fit", "validate"])
def test_a_truncated_file(save, tmp_path, share, way):
    path = save(dcgan())
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ValueError, match=r"model\.ckpt is truncated"):
        if way == "load":
            LitGAN.load_from_checkpoint(path)
        elif way == "fit":
            trainer(tmp_path).fit(dcgan(), loader(IMAGES), ckpt_path=path)
        else:
            trainer(tmp_path).validate(dcgan(), loader(IMAGES), ckpt_path=path)


@pytest.mark.parametrize("content", [b"", b"\x80", b"abcd", b"\x00\x00\x80\x02", b"PK\x03\x04rest", bytes(range(256))])
def test_a_file_of_anything_else(tmp_path, content):
    (tmp_path / "any.ckpt").write_bytes(content)
    with pytest.raises(ValueError, match=r"any\.ckpt is truncated"):
        LitGAN.load_from_checkpoint(tmp_path / "any.ckpt")


@pytest.mark.parametrize("way", ["load", "fit"])
def test_a_file_of_another_network(save, tmp_path, way):
    path = save(dcgan(width=4))
    other = dcgan(width=8)
    with pytest.raises(ValueError, match=r"another generator, DCGANGenerator\(.*width=4\).*\(.*width=8\): generator"):
        if way == "load":
            LitGAN.load_from_checkpoint(path, generator=other.generator)
        else:
            trainer(tmp_path).fit(other, loader(IMAGES), ckpt_path=path)


def test_a_file_without_an_average(save, tmp_path):
    path = save(dcgan(ema_half_life=None))
    with pytest.raises(
        ValueError, match=r"written without an averaged generator, this model has one: set ema_half_life to None"
    ):
        trainer(tmp_path).fit(dcgan(), loader(IMAGES), ckpt_path=path)


def test_other_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no checkpoint"):
        LitGAN.load_from_checkpoint(tmp_path / "none.ckpt")
    torch.save({"weights": 1}, tmp_path / "other.ckpt")
    with pytest.raises(ValueError, match=r"other.ckpt is no checkpoint"):
        LitGAN.load_from_checkpoint(tmp_path / "other.ckpt")
    torch.save({"state_dict": {}}, tmp_path / "foreign.ckpt")
    with pytest.raises(ValueError, match="a checkpoint, but not of LitGAN"):
        LitGAN.load_from_checkpoint(tmp_path / "foreign.ckpt")


class Hostile:
    ran = False

    def __reduce__(self):
        return (setattr, (Hostile, "ran", True))


def test_a_hostile_pickle_is_not_run(tmp_path):
    torch.save({"lit_gan": Hostile(), "state_dict": {}}, tmp_path / "hostile.ckpt", pickle_module=pickle)
    with pytest.raises(ValueError, match="holds more than tensors and plain data"):
        LitGAN.load_from_checkpoint(tmp_path / "hostile.ckpt")
    assert not Hostile.ran


@pytest.mark.parametrize(
    "class_path",
    [
        "os.system",
        "subprocess.Popen",
        "lit_gan",
        "lit_gan.cli.LitGANCLI",
        "lit_gan.gan.torch.nn.Linear",
        "lit_gan.data.images.Image.Image",
        "lit_gan.networks.dcgan.DCGANGenerator",  # its file, which may change: the folder exports it
        "lit_gan.cli.main",
        "lit_gan.no.such.Thing",
        "lit_gan..losses.Hinge",
        "torch.optim.lr_scheduler.StepLR",
        "torch.optimizer.Evil",
        "lit_gan.gan.LitGAN",  # whose arguments name files
        "lit_gan.data.folder.ImageFolder",
        "lit_gan.training.resume.Run",
        "lit_gan.metrics.extractors.InceptionV3",  # which downloads, or opens a file
        "lit_gan.losses.Hinge",
        "torch.optim.SGD",
        "tests.support.small.PlainGenerator",
        7,
        None,
    ],
)
@pytest.mark.parametrize("nested", [False, True])
def test_a_class_path_from_elsewhere_is_not_imported(class_path, nested):
    part = {"class_path": class_path, "init_args": {}}
    outer = {"class_path": "lit_gan.networks.MLPGenerator", "init_args": {"features": part}}
    with pytest.raises(ValueError, match=r"no part of lit_gan.networks or lit_gan.bolts: nothing was imported"):
        rebuild(outer if nested else part, "generator")


EVIL = {"class_path": "evil_part.Evil", "init_args": {}}
ELSEWHERE = {"class_path": "lit_gan.training.checks.nn.Linear", "init_args": {"in_features": 1, "out_features": 1}}


@pytest.mark.parametrize("evil", [EVIL, ELSEWHERE])
@pytest.mark.parametrize(
    "place",
    [
        lambda parts, evil: parts.update(generator=evil),
        lambda parts, evil: parts.update(loss=evil),
        lambda parts, evil: parts.update(augment=evil),
        lambda parts, evil: parts.update(generator_optimizer=evil),
        lambda parts, evil: parts.update(ema_half_life=evil),
        lambda parts, evil: parts.update(latent_dim=[evil]),
        lambda parts, evil: parts["penalties"].update(r1=evil),
        lambda parts, evil: parts["penalties"]["r1"]["init_args"].update(weight={"deep": [[evil]]}),
        lambda parts, evil: parts["lr_schedule"]["init_args"].update(end=evil),
        lambda parts, evil: parts["discriminator"]["init_args"].update(width={"class_path": "x", "init_args": evil}),
        lambda parts, evil: parts["generator"]["init_args"].update(width=evil),
    ],
)
@pytest.mark.parametrize("way", ["code", "command"])
def test_a_doctored_file_imports_nothing(save, tmp_path, monkeypatch, capsys, place, evil, way):
    """The parts are vetted at any depth, whichever way the file is loaded; the command needs the generator alone."""
    path = save(dcgan(**OPTIONS))
    (tmp_path / "evil_part.py").write_text("raise SystemExit('it ran')")
    monkeypatch.syspath_prepend(tmp_path)
    checkpoint = torch.load(path, weights_only=True)
    place(checkpoint["lit_gan"], evil)
    torch.save(checkpoint, path)
    if way == "code":
        with pytest.raises(ValueError, match=r"(nothing was imported|load_from_checkpoint\(path, discriminator=)"):
            LitGAN.load_from_checkpoint(path)
    else:
        monkeypatch.chdir(tmp_path)
        code = 0
        try:
            main(["sample", str(path), "--n=1"])
        except SystemExit as exit:
            code = exit.code
        needed = repr(evil) in repr({n: checkpoint["lit_gan"][n] for n in ("generator", "latent_dim")})
        assert code == (2 if needed else 0)
        assert ("nothing was imported" in capsys.readouterr().err) == needed
    assert "evil_part" not in sys.modules


@pytest.mark.parametrize(
    ("init_args", "message"),
    [
        ({"wrong": 1}, "is no R1 that this version of lit_gan can make: .*'wrong'"),
        ([], "is no R1 .*list"),
        ({"every": 0}, "every"),
    ],
)
def test_arguments_that_do_not_fit_are_said(init_args, message):
    with pytest.raises(ValueError, match=message):
        rebuild({"class_path": "lit_gan.penalties.R1", "init_args": init_args}, "penalties")


def test_a_file_cannot_have_another_one_read(save, tmp_path):
    path = save(dcgan())
    checkpoint = torch.load(path, weights_only=True)
    assert "warm_start" not in checkpoint["lit_gan"]
    checkpoint["lit_gan"]["warm_start"] = str(tmp_path / "other.ckpt")
    torch.save(checkpoint, path)
    assert LitGAN.load_from_checkpoint(path)


def test_parts_are_taken_from_where_those_for_an_argument_live():
    """At any depth, and whatever a subclass calls its own arguments: an extractor opens files."""
    extractor = {"class_path": "lit_gan.metrics.extractors.InceptionV3", "init_args": {"weights": "/etc/passwd"}}
    packed = {"class_path": "lit_gan.networks.Packed", "init_args": {"discriminator": extractor}}
    consistent = {"class_path": "lit_gan.penalties.Consistency", "init_args": {"transform": extractor}}
    mine = {"generator": packed, "discriminator": packed, "penalties": {"c": consistent}, "augment": extractor}
    for name, part in {**mine, "loss": extractor, "teacher": [packed], "generator_optimizer": extractor}.items():
        with pytest.raises(
            ValueError, match=rf"{name} is 'lit_gan.metrics.extractors.InceptionV3', .* nothing was imp"
        ):
            rebuild(part, name)
    networks, game = describe(MLPDiscriminator(8, 3)), describe(Cosine())
    for name, part in {"loss": networks, "augment": networks, "discriminator": game, "lr_schedule": networks}.items():
        with pytest.raises(ValueError, match=r"which is no part of lit_gan\.\w+"):
            rebuild(part, name)
        assert type(rebuild(part, "teacher")).__name__ == part["class_path"].rpartition(".")[2]


@pytest.mark.parametrize("width", [10**12, 10**30])
def test_a_network_that_no_memory_holds_is_refused_in_a_sentence(width):
    description = {"class_path": "lit_gan.networks.MLPGenerator", "init_args": {"features": 2, "width": width}}
    says = r"^the folder's generator is no MLPGenerator that this version of lit_gan can make: .+$"
    with pytest.raises(ValueError, match=says) as refused:
        rebuild(description, "generator", Origin("the folder"))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("change", [{"lit_gan": [1]}, {"state_dict": [1]}, {"state_dict": {"a": 1}}])
def test_a_file_of_another_shape(save, change):
    path = save(dcgan())
    torch.save({**torch.load(path, weights_only=True), **change}, path)
    with pytest.raises(ValueError, match=r"(not of LitGAN|holds more than tensors)"):
        LitGAN.load_from_checkpoint(path)


# Warm start


def test_a_warm_start_takes_the_networks_alone(save, tmp_path):
    model = dcgan(**OPTIONS)
    path = save(model)
    warm = dcgan(warm_start=str(path), loss=RelativisticPaired())
    for name, tensor in model.state_dict().items():
        if name.startswith(("generator.", "discriminator.", "ema_generator.")):
            assert tensor.equal(warm.state_dict()[name])
    assert (warm.images_seen, warm.d_steps, warm.ema_images_seen) == (0, 0, 0)
    path.unlink()  # it is not needed again
    fitted = trainer(tmp_path)
    fitted.fit(warm, loader(IMAGES))
    fitted.save_checkpoint(tmp_path / "warm.ckpt")
    assert LitGAN.load_from_checkpoint(tmp_path / "warm.ckpt").images_seen == 8


@pytest.mark.parametrize(("before", "now"), [(None, 50.0), (50.0, None)])
def test_a_warm_start_with_another_average(save, before, now):
    model = dcgan(ema_half_life=before)
    warm = dcgan(ema_half_life=now, warm_start=str(save(model)))
    expected = model.generator if before is None else warm.generator
    average = warm.ema_generator or warm.generator
    for a, b in zip(average.state_dict().values(), expected.state_dict().values(), strict=True):
        assert a.equal(b)


def test_a_warm_start_of_other_networks_is_refused(save, tmp_path):
    with pytest.raises(ValueError, match=r"another generator, DCGANGenerator\(.*width=4\).*width=8"):
        dcgan(width=8, warm_start=str(save(dcgan(width=4))))
    with pytest.raises(FileNotFoundError, match="there is no checkpoint"):
        dcgan(warm_start=str(tmp_path / "none.ckpt"))


@pytest.mark.parametrize(
    "part",
    [
        MLPGenerator(features=2, latent_dim=3),
        MLPDiscriminator(8, 3, num_classes=4),
        R1(0.5),
        Cosine(),
        RelativisticPaired(),
        {"a": [R1(1.0), 2, "three", None, True]},
    ],
)
def test_descriptions_round_trip(part):
    description = describe(part)
    assert describe(rebuild(description, "part")) == description


def test_foreign_parts_are_named_but_not_described():
    assert describe(nn.Linear(2, 3)) == {"class_path": "torch.nn.modules.linear.Linear", "init_args": None}


def test_summary_reads_like_code():
    assert summary(describe(R1(0.5, every=4))) == "R1(weight=0.5, every=4)"
