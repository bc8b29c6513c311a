"""What is looked at in a batch and in networks, when, and what passes; the wrong uses are in ``tests/wrong_uses``."""

from functools import cache

import pytest
import torch
from pytorch_lightning.strategies import DDPStrategy, DeepSpeedStrategy, FSDPStrategy, ModelParallelStrategy
from torch import nn

from lit_gan import LitGAN
from lit_gan.callbacks import SampleGrid
from lit_gan.networks import MLPGenerator
from lit_gan.sampling.conditions import condition_mode
from lit_gan.training import batch
from lit_gan.training.batch import unpack
from lit_gan.training.checks import check_trainer
from lit_gan.training.distributed import check_strategy
from tests.support.small import PlainDiscriminator, PlainGenerator, loader, trainer
from tests.test_gan import weights
from tests.wrong_uses.parts import gan
from tests.wrong_uses.training import GOOD, IMAGES_16, LABELS, NAN, dcgan


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


@pytest.mark.parametrize("labels", [["a"] * 8, torch.zeros(8), torch.zeros(4, dtype=torch.int64), {"caption": GOOD}])
def test_labels_that_no_network_takes_are_refused_if_they_are_not_classes(tmp_path, labels):
    data = torch.utils.data.DataLoader([{"image": GOOD, "label": labels}], batch_size=None)
    with pytest.raises(ValueError, match="next to 8 images, and no network takes them"):
        trainer(tmp_path).fit(gan(), data)


def test_a_second_loader_is_not_dropped(tmp_path):
    loaders = [torch.utils.data.DataLoader(GOOD, 8), torch.utils.data.DataLoader(-GOOD, 8)]
    with pytest.raises(ValueError, match=r"torch.float32 \(8, 1, 4, 4\) .* no network takes them"):
        trainer(tmp_path).fit(gan(), loaders)
    with pytest.raises(ValueError, match=r"labels are torch.float32 \(8, 1, 16, 16\)"):
        trainer(tmp_path).fit(dcgan(classes=4), [torch.utils.data.DataLoader(IMAGES_16, 8)] * 2)


@pytest.mark.parametrize("labels", [LABELS, LABELS[:, None], LABELS.int(), LABELS > 1])
def test_classes_that_no_network_takes_are_logged_once(tmp_path, labels, monkeypatch):
    said = []
    monkeypatch.setattr(batch, "_log_once", cache(said.append))
    trainer(tmp_path).fit(gan(), loader(GOOD, torch.zeros_like(labels)))
    assert not said, "one class is none"
    for _ in range(2):
        trainer(tmp_path, num_sanity_val_steps=1).fit(gan(), loader(GOOD, labels), loader(GOOD, labels))
    assert len(said) == 1
    assert "classes, which no network takes" in said[0]


def test_other_keys_of_a_batch_are_named(tmp_path):
    data = torch.utils.data.DataLoader([{"image": GOOD, "label": LABELS, "caption": ["a"] * 8}], batch_size=None)
    with pytest.warns(UserWarning, match=r"keys \['image', 'label', 'caption'\] .* the others are ignored"):
        trainer(tmp_path).fit(gan(), data)


def test_series_of_any_range_pass(tmp_path):
    series = torch.randn(8, 3, 50, generator=torch.Generator().manual_seed(0)) * 9
    model = gan(PlainGenerator((3, 50)), PlainDiscriminator((3, 50)))
    trainer(tmp_path).fit(model, loader(series), loader(series))
    assert model.images_seen == 8
    with pytest.raises(ValueError, match="1 of 4 images of a batch hold NaN"):
        trainer(tmp_path).fit(model, loader(torch.cat([series[:7], series[:1] * torch.nan])))


def test_advice_for_data_that_are_not_square(tmp_path):
    with pytest.raises(ValueError, match=r"1×32×16 images: crop or resize the data to 16×16, or give a generator of"):
        trainer(tmp_path).fit(dcgan(), loader(torch.zeros(8, 1, 32, 16, dtype=torch.uint8)))


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
    assert condition_mode(torch.compile(model.generator)) == "by keyword"
    model.generator = torch.compile(model.generator)
    assert model.takes_labels


def test_black_images_and_points_of_any_range_pass(tmp_path):
    trainer(tmp_path).fit(gan(), loader(torch.full((8, 1, 4, 4), -1.0)))
    trainer(tmp_path).fit(gan(PlainGenerator((2,)), PlainDiscriminator((2,))), loader(torch.rand(8, 2) * 100))


def test_what_cannot_be_averaged_or_says_no_length_is_taken_in_another_way():
    generator = PlainGenerator()
    nn.utils.spectral_norm(generator.net[0])
    generator(torch.zeros(1, 3))
    assert gan(generator, ema_half_life=None)
    assert LitGAN(nn.Linear(3, 2), nn.Linear(2, 1), latent_dim=3).sample(4).shape == (4, 2)


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
    run = trainer(tmp_path, strategy=strategy, devices=1)
    run.strategy.connect(gan())
    check_trainer(run, averages=True)


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

    assert condition_mode(network(lambda self, z, labels=None: z)) == "by keyword"
    assert condition_mode(network(lambda self, z, *, labels: z)) == "by keyword"
    assert condition_mode(network(lambda self, z, y: z)) == "second"
    assert condition_mode(network(lambda self, z: z)) == "not at all"
    assert condition_mode(network(lambda self, z, noise=None, **rest: z)) == "not at all"
    assert condition_mode(nn.Sequential()) == "not at all"
    assert condition_mode(MLPGenerator(features=2)) == "not at all"
    assert condition_mode(MLPGenerator(features=2, num_classes=3)) == "by keyword"
