"""Wrong uses end in one sentence with both values and the way out, before anything is trained."""

import pytest
import torch
from pytorch_lightning.strategies import DDPStrategy, DeepSpeedStrategy, FSDPStrategy, ModelParallelStrategy
from torch import nn

from lit_gan import LitGAN
from lit_gan.callbacks import SampleGrid
from lit_gan.checks import check_strategy, check_trainer
from lit_gan.inputs import unpack
from lit_gan.labels import label_passing
from lit_gan.losses import NonSaturating
from lit_gan.networks import DCGANDiscriminator, DCGANGenerator, MLPDiscriminator, MLPGenerator
from lit_gan.penalties import R1
from tests.conftest import PlainDiscriminator, PlainGenerator, loader, trainer
from tests.test_module import weights


def gan(generator=None, discriminator=None, **options) -> LitGAN:
    return LitGAN(generator or PlainGenerator(), discriminator or PlainDiscriminator(), **options)


def dcgan(generator_size=16, discriminator_size=16, channels=(1, 1), classes=None) -> LitGAN:
    return LitGAN(
        DCGANGenerator(generator_size, channels[0], 4, classes, width=4),
        DCGANDiscriminator(discriminator_size, channels[1], classes, width=4),
    )


class Bounded(PlainDiscriminator):
    def __init__(self, last):
        super().__init__()
        self.bound = last

    def forward(self, x):
        return self.bound(super().forward(x))


class TakesImages(nn.Module):
    """A discriminator of another author's that fails in torch's depths."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(99, 1)

    def forward(self, x):
        return self.layer(x.flatten(1))


class TakesMaps(PlainGenerator):
    def forward(self, z):
        return nn.functional.conv_transpose2d(z, torch.zeros(3, 1, 4, 4))


class Pairs(PlainGenerator):
    def forward(self, z):
        return super().forward(z), z


class Clamped(nn.Module):
    def forward(self, x):
        return torch.sigmoid(x).clamp(1e-6, 1)


class Twice(nn.Module):
    def forward(self, x):
        return x, x


GOOD = torch.linspace(-1, 1, 128).reshape(8, 1, 4, 4)
IMAGES_16 = torch.rand(8, 1, 16, 16) * 2 - 1
NAN, INFINITE = GOOD.clone(), GOOD.clone()
NAN[1, 0, 2, 2], INFINITE[5:7] = torch.nan, torch.inf
LABELS = torch.tensor([0, 1, 2, 3] * 2)

CASES = {
    "size of the generator": (
        lambda: dcgan(generator_size=32),
        (IMAGES_16,),
        r"makes 1×32×32 samples, the data has 1×16×16 images: set image_size=32 on the data or 16 on the generator",
    ),
    "size of the discriminator": (
        lambda: dcgan(discriminator_size=32),
        (IMAGES_16,),
        r"DCGANDiscriminator takes 1×32×32 inputs, it was given 1×16×16",
    ),
    "channels of the generator": (
        lambda: dcgan(channels=(3, 3)),
        (IMAGES_16,),
        r"makes 3×16×16 samples, the data has 1×16×16 images: set channels=1",
    ),
    "channels of the discriminator": (
        lambda: dcgan(channels=(1, 3)),
        (IMAGES_16,),
        r"takes 3×16×16 inputs, it was given 1×16×16",
    ),
    "vectors for images": (
        lambda: LitGAN(MLPGenerator(features=2), MLPDiscriminator(features=2)),
        (GOOD,),
        r"makes 2 samples, the data has 1×4×4 images: give a generator of 1×4×4 images",
    ),
    "a discriminator of other inputs": (
        lambda: gan(discriminator=TakesImages()),
        (GOOD,),
        r"TakesImages\) cannot take 1×4×4 samples.*shapes cannot be multiplied",
    ),
    "a generator of other latents": (
        lambda: gan(TakesMaps()),
        (GOOD,),
        r"TakesMaps\) cannot take latents of shape \(2, 3\): its forward must take \(N, latent_dim\)",
    ),
    "images in [0, 1]": (
        lambda: gan(),
        (GOOD / 2 + 0.5,),
        r"\[0, 1\], so probably in \[0, 1\], lit_gan needs \[-1, 1\].*2 \* x - 1",
    ),
    "float images in [0, 255]": (
        lambda: gan(),
        ((GOOD / 2 + 0.5) * 255,),
        r"lie in \[.*, 2\d\d\.?\d*\], lit_gan needs \[-1, 1\]: .*x / 127.5 - 1",
    ),
    "a sigmoid": (
        lambda: gan(discriminator=Bounded(nn.Sigmoid())),
        (GOOD,),
        r"Bounded\) ends in a sigmoid: it must return unbounded logits",
    ),
    "a sigmoid, then a view": (
        lambda: gan(discriminator=Bounded(nn.Sequential(nn.Sigmoid(), nn.Flatten(0)))),
        (GOOD,),
        r"ends in a sigmoid",
    ),
    "a tanh": (lambda: gan(discriminator=Bounded(nn.Tanh())), (GOOD,), r"ends in a tanh"),
    "two logits for an image": (
        lambda: gan(discriminator=Bounded(nn.Linear(1, 2))),
        (GOOD,),
        r"returns logits of shape \(2, 2\) for 2 images: it must return logits \(N,\) or \(N, 1\)",
    ),
    "an empty batch": (lambda: gan(), (torch.zeros(1, 0, 4, 4),), r"a batch is empty, of shape \(1, 0, 4, 4\)"),
    "NaN": (lambda: gan(), (NAN,), r"1 of 8 images of a batch hold NaN or infinity"),
    "infinity": (lambda: gan(), (INFINITE,), r"2 of 8 images of a batch hold NaN or infinity"),
    "integers": (lambda: gan(), (GOOD.long(),), r"images are torch.int64: lit_gan takes uint8"),
    "no labels": (lambda: dcgan(classes=4), (IMAGES_16,), r"generator is conditional and the batches carry no labels"),
    "a label too many": (
        lambda: dcgan(classes=3),
        (IMAGES_16, LABELS),
        r"labels lie in \[0, 3\], the generator has num_classes=3: labels must lie in \[0, 2\]",
    ),
    "three tensors": (lambda: gan(), (GOOD, LABELS, LABELS), r"a batch is a list: lit_gan takes x, \(x,\)"),
    "labels that are numbers": (
        lambda: dcgan(classes=4),
        (IMAGES_16, LABELS.float()),
        r"labels are torch.float32 \(8,\): give one class for each image, a tensor of integers of shape \(8,\)",
    ),
    "labels in a column": (lambda: dcgan(classes=4), (IMAGES_16, LABELS[:, None]), r"labels are torch.int64 \(8, 1\)"),
    "other proportions": (
        lambda: gan(),
        (torch.rand(8, 1, 5, 4) * 2 - 1,),
        r"makes 1×4×4 samples, the data has 1×5×4 images: set image_size",
    ),
    "channels last": (
        lambda: gan(),
        (torch.zeros(8, 4, 4, 1, dtype=torch.uint8),),
        r"the data has 4×4×1 images: give images \(N, C, H, W\), x.permute\(0, 3, 1, 2\)",
    ),
    "no channel axis": (
        lambda: gan(),
        (torch.zeros(8, 4, 4, dtype=torch.uint8),),
        r"the data has 4×4 images: give images \(N, C, H, W\), x\[:, None\]",
    ),
    "a clamped sigmoid": (
        lambda: gan(discriminator=Bounded(Clamped())),
        (GOOD,),
        r"ends in a sigmoid",
    ),
    "a generator of pairs": (lambda: gan(Pairs()), (GOOD,), r"generator \(Pairs\) returns a tuple"),
    "a discriminator of pairs": (
        lambda: gan(discriminator=Bounded(Twice())),
        (GOOD,),
        r"discriminator \(Bounded\) returns tuple for 2 images: it must return logits",
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("sanity_steps", [0, 2])
def test_data_and_networks_that_do_not_fit(tmp_path, name, sanity_steps):
    make, tensors, message = CASES[name]
    model = make()
    before = weights(model)
    data = loader(*tensors, batch_size=8)
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        trainer(tmp_path, num_sanity_val_steps=sanity_steps).fit(model, data, data)
    assert "\n" not in str(caught.value)
    assert torch.equal(weights(model), before), "nothing was trained"


def test_a_bad_batch_is_found_later_as_well(tmp_path):
    model = gan()
    with pytest.raises(ValueError, match="1 of 4 images of a batch hold NaN"):
        trainer(tmp_path).fit(model, loader(torch.cat([GOOD, NAN])))
    assert weights(model).isfinite().all()


@pytest.mark.parametrize("scaled", [GOOD / 2 + 0.5, (GOOD / 2 + 0.5) * 255])
def test_training_data_are_looked_at_even_where_validation_comes_first(tmp_path, scaled):
    with pytest.raises(ValueError, match=r"lit_gan needs \[-1, 1\]"):
        trainer(tmp_path, num_sanity_val_steps=2).fit(gan(), loader(scaled), loader(GOOD))


def test_a_label_out_of_range_is_found_later_as_well(tmp_path):
    labels = torch.tensor([0, 1, 2, 0, 1, 2, 7, 0])
    with pytest.raises(ValueError, match=r"labels lie in \[0, 7\], the generator has num_classes=3"):
        trainer(tmp_path).fit(dcgan(classes=3), loader(IMAGES_16, labels))


def test_fewer_labels_than_images(tmp_path):
    data = torch.utils.data.DataLoader([(IMAGES_16, LABELS[:3])], batch_size=None)
    with pytest.raises(ValueError, match=r"labels are torch.int64 \(3,\)"):
        trainer(tmp_path).fit(dcgan(classes=4), data)


def test_labels_that_no_network_takes_are_not_looked_at(tmp_path):
    data = torch.utils.data.DataLoader([{"image": GOOD, "label": ["a"] * 8}], batch_size=None)
    trainer(tmp_path).fit(gan(), data)


def test_a_class_count_means_nothing_where_no_labels_are_taken(tmp_path):
    model = gan()
    model.discriminator.num_classes = 1
    trainer(tmp_path).fit(model, loader(GOOD, LABELS))


def test_one_bright_image_passes(tmp_path):
    trainer(tmp_path).fit(gan(), loader(GOOD / 2 + 0.5, batch_size=1))


def test_another_data_set_is_looked_at_again(tmp_path):
    model = gan()
    trainer(tmp_path).fit(model, loader(GOOD))
    with pytest.raises(ValueError, match=r"lit_gan needs \[-1, 1\]"):
        trainer(tmp_path).fit(model, loader(GOOD + 5))


class OptionalLabels(PlainGenerator):
    def forward(self, z, labels=None):
        assert labels is None
        return super().forward(z)


def test_labels_that_are_optional_may_be_missing(tmp_path):
    model = gan(OptionalLabels())
    trainer(tmp_path, callbacks=[SampleGrid(every_n_steps=1)]).fit(model, loader(GOOD), loader(GOOD))
    assert model.sample(3).shape == (3, 1, 4, 4)
    assert len(trainer(tmp_path).predict(model, loader(GOOD))) == 2


@pytest.mark.parametrize("way", ["validate", "test"])
def test_a_conditional_pair_is_validated_in_inference_mode(tmp_path, way):
    model = dcgan(classes=4)
    (metrics,) = getattr(trainer(tmp_path), way)(model, loader(IMAGES_16, LABELS), verbose=False)
    assert {"val", "test"} & {name.split("/")[0] for name in metrics}


def test_a_compiled_network_still_takes_labels():
    model = dcgan(classes=3)
    assert label_passing(torch.compile(model.generator)) == "by keyword"
    model.generator = torch.compile(model.generator)
    assert model.takes_labels


def test_black_images_and_points_of_any_range_pass(tmp_path):
    trainer(tmp_path).fit(gan(), loader(torch.full((8, 1, 4, 4), -1.0)))
    trainer(tmp_path).fit(gan(PlainGenerator((2,)), PlainDiscriminator((2,))), loader(torch.rand(8, 2) * 100))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"d_steps_per_g_step": 0}, r"d_steps_per_g_step=0 must be at least 1"),
        ({"d_steps_per_g_step": 1.5}, r"d_steps_per_g_step=1.5 must be at least 1, a whole number"),
        ({"micro_batches": 0}, r"micro_batches=0 must be at least 1"),
        ({"ema_half_life": 0}, r"ema_half_life=0 must be positive, or None"),
        ({"gradient_clip": -1.0}, r"gradient_clip=-1.0 must be positive, or None"),
        ({"latent": "gauss"}, r"latent='gauss' is neither \"normal\" nor \"uniform\""),
        ({"latent_dim": 5}, r"latent_dim=5 contradicts PlainGenerator.latent_dim=3"),
    ],
)
def test_arguments_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        gan(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": NonSaturating}, r"loss=<class .*NonSaturating'> is no AdversarialLoss: give an instance of one"),
        ({"loss": "hinge"}, r"loss='hinge' is no AdversarialLoss"),
        ({"penalties": [R1()]}, r"penalties=\[R1.*\] is no dict: .* like {\"r1\": R1\(weight=10\)}"),
        ({"penalties": {"r1": R1}}, r"penalties\['r1'\]=<class .* is no Penalty"),
        ({"augment": lambda x: x}, r"augment=<function .* is no Module"),
        ({"lr_schedule": 0.5}, r"lr_schedule=0.5 is no Schedule"),
        ({"generator_optimizer": 1e-4}, r"generator_optimizer=0.0001 is not a way to make an optimizer"),
        ({"discriminator_optimizer": torch.optim.SGD(nn.Linear(1, 1).parameters())}, r"discriminator_optimizer=SGD"),
        ({"generator": PlainGenerator}, r"generator=<class .* is no Module: .* like DCGANGenerator"),
    ],
)
def test_parts_of_a_wrong_type(options, message):
    with pytest.raises(TypeError, match=message):
        gan(**options)


def test_a_generator_that_cannot_be_averaged():
    generator = PlainGenerator()
    nn.utils.spectral_norm(generator.net[0])
    generator(torch.zeros(1, 3))
    with pytest.raises(ValueError, match=r"PlainGenerator cannot be copied .*parametrizations .*ema_half_life=None"):
        gan(generator)
    assert gan(generator, ema_half_life=None)


def test_a_generator_without_a_latent_dim():
    generator = nn.Linear(3, 2)
    with pytest.raises(ValueError, match=r"Linear has no latent_dim: pass LitGAN\(latent_dim=...\)"):
        LitGAN(generator, nn.Linear(2, 1))
    assert LitGAN(generator, nn.Linear(2, 1), latent_dim=3).sample(4).shape == (4, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gradient_clip_val": 0.5}, r"gradient_clip_val=0.5\).*use LitGAN\(gradient_clip=0.5\)"),
        ({"accumulate_grad_batches": 4}, r"accumulate_grad_batches=4\).*LitGAN\(micro_batches=4\)"),
    ],
)
def test_trainer_options_that_cannot_serve_two_players(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        trainer(tmp_path, **options).fit(gan(), loader(GOOD))


@pytest.mark.parametrize("precision", ["bf16-true", "16-true"])
def test_an_average_in_half_precision_is_refused(tmp_path, precision):
    message = rf"precision='{precision}' rounds .*: take '{precision[:-4]}mixed', or LitGAN\(ema_half_life=None\)"
    with pytest.raises(ValueError, match=message):
        trainer(tmp_path, precision=precision).fit(gan(), loader(GOOD))


@pytest.mark.parametrize("strategy", [object.__new__(DeepSpeedStrategy), FSDPStrategy(), ModelParallelStrategy()])
def test_strategies_for_one_network_are_refused(strategy):
    with pytest.raises(ValueError, match=rf'{type(strategy).__name__} .* a GAN has two .*strategy="ddp"'):
        check_strategy(strategy)


@pytest.mark.parametrize("options", [{"ddp_comm_hook": print}, {"model_averaging_period": 2}])
def test_what_averaging_would_ignore_is_refused(options):
    with pytest.raises(ValueError, match=r"ddp_comm_hook and model_averaging_period would do nothing"):
        check_strategy(DDPStrategy(**options))


@pytest.mark.parametrize("strategy", ["ddp", "ddp_find_unused_parameters_true", "ddp_spawn", "auto"])
def test_plain_strategies_are_taken(tmp_path, strategy):
    check_trainer(trainer(tmp_path, strategy=strategy, devices=1), averages=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, r"n=0 must be at least 1"),
        ({"n": 2, "batch_size": 0}, r"batch_size=0 must be at least 1"),
        ({"n": 2, "truncation": 0.0}, r"truncation=0.0 must lie in \(0, 1\]"),
        ({"n": 2, "labels": 1}, r"PlainGenerator takes no labels"),
    ],
)
def test_sampling_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        gan().sample(**arguments)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (3, r"labels \[3\] must lie in \[0, 2\]"),
        ([0, 2, -1], r"labels \[-1, 0, 2\] must lie in \[0, 2\]"),
        ([0, 1], r"2 labels for 3 samples: give one, or one for each"),
    ],
)
def test_sampling_classes_that_are_not_there(labels, message):
    with pytest.raises(ValueError, match=message):
        dcgan(classes=3).sample(3, labels=labels)


def test_sampling_a_conditional_generator_that_does_not_count_its_classes():
    class Conditional(PlainGenerator):
        def forward(self, z, labels):
            return super().forward(z) * labels.sign()[:, None, None, None]

    with pytest.raises(ValueError, match="no num_classes to draw them from: pass labels"):
        gan(Conditional()).sample(2)
    assert gan(Conditional()).sample(2, labels=0).abs().max() == 0


def test_batches_that_cannot_be_read():
    with pytest.raises(ValueError, match=r"\['x', 'y'\]: lit_gan reads \"image\""):
        unpack({"x": 1, "y": 2})
    with pytest.raises(TypeError, match="a batch is a int"):
        unpack(3)


def test_whether_a_network_takes_labels():
    def network(forward):
        return type("Net", (nn.Module,), {"forward": forward})()

    assert label_passing(network(lambda self, z, labels=None: z)) == "by keyword"
    assert label_passing(network(lambda self, z, *, labels: z)) == "by keyword"
    assert label_passing(network(lambda self, z, y: z)) == "second"
    assert label_passing(network(lambda self, z: z)) == "not at all"
    assert label_passing(network(lambda self, z, noise=None, **rest: z)) == "not at all"
    assert label_passing(nn.Sequential()) == "not at all"
    assert label_passing(MLPGenerator(features=2)) == "not at all"
    assert label_passing(MLPGenerator(features=2, num_classes=3)) == "by keyword"
