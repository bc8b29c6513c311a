"""GenerativeMetrics in real runs: when it scores, what it logs and keeps, on one process and on two."""

import json
import warnings
from functools import partial
from pathlib import Path

import pytest
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from torch import nn

from lit_gan import LitGAN
from lit_gan.callbacks import GenerativeMetrics
from lit_gan.data import FashionMNISTSample, GaussianMixture
from lit_gan.networks import DCGANDiscriminator, DCGANGenerator, MLPDiscriminator, MLPGenerator
from tests.support.processes import on_ranks
from tests.support.small import PlainDiscriminator, PlainGenerator, loader, trainer

IMAGES = torch.randint(0, 256, (120, 1, 4, 4), generator=torch.Generator().manual_seed(0)).byte()


class Tiny(nn.Module):
    """An extractor that needs no file."""

    def __init__(self, features=5):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(16, features, generator=torch.Generator().manual_seed(0)))

    def forward(self, images):
        return torch.tanh((images.flatten(1).float() / 127.5 - 1) @ self.weight)


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("LIT_GAN_CACHE", str(tmp_path / "cache"))


def gan(**options) -> LitGAN:
    torch.manual_seed(0)
    return LitGAN(PlainGenerator(), PlainDiscriminator(), **options)


def scoring(**options) -> GenerativeMetrics:
    return GenerativeMetrics(**{"extractor": Tiny(), "n_fake": 100, **options})


def run(folder, callback, model=None, **options):
    options = {"max_epochs": 2, "logger": CSVLogger(folder), "callbacks": [callback], **options}
    fitted = trainer(folder, **options)
    model = model or gan()
    fitted.fit(model, loader(IMAGES, batch_size=20), loader(IMAGES[:40], batch_size=20))
    return fitted, model


def stored(fitted):
    return json.loads((Path(fitted.log_dir) / "scores.json").read_text())


def test_each_validation_is_scored_logged_and_stored_with_its_protocol(tmp_path):
    callback = scoring(metrics=["fid", "precision_recall"], seed=3)
    fitted, _ = run(tmp_path, callback, num_sanity_val_steps=2)
    entries = stored(fitted)
    assert [entry["step"] for entry in entries] == [6, 12], "and not the sanity check"
    assert [entry["images_seen"] for entry in entries] == [120, 240]
    assert set(entries[0]["scores"]) == {"fid_Tiny", "precision_Tiny", "recall_Tiny"}
    protocol = entries[0]["protocol"]
    assert (protocol["n_real"], protocol["n_fake"], protocol["split"], protocol["ema"]) == (120, 100, "train", True)
    assert protocol["metrics"]["fid"]["class"].endswith("Tiny")
    assert len(protocol["data"]) == 32, "a digest of the real images"
    assert float(fitted.callback_metrics["val/fid_Tiny"]) == pytest.approx(entries[-1]["scores"]["fid_Tiny"], rel=1e-6)
    logged = (Path(fitted.log_dir) / "metrics.csv").read_text()
    assert "val/precision_Tiny" in logged
    assert "evaluation" in (Path(fitted.log_dir) / "hparams.yaml").read_text()


def test_a_checkpoint_can_be_chosen_by_a_score_and_holds_nothing_of_the_extractor(tmp_path):
    best = ModelCheckpoint(tmp_path, monitor="val/fid_Tiny", filename="best")
    run(tmp_path, None, callbacks=[scoring(), best], enable_checkpointing=True)
    assert best.best_model_score is not None
    state = torch.load(best.best_model_path, weights_only=True)
    assert not [name for name in state["state_dict"] if name == "weight" or "extractor" in name]
    assert LitGAN.load_from_checkpoint(
        best.best_model_path, generator=PlainGenerator(), discriminator=PlainDiscriminator()
    )


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({"every_n_steps": 4}, [4, 8, 12]),
        ({"every_n_images": 100}, [5, 10]),
        ({"every_n_images": 10}, list(range(1, 13))),
    ],
)
def test_it_scores_by_steps_or_by_images_as_well(tmp_path, options, steps):
    fitted, _ = run(tmp_path, scoring(**options))
    assert [entry["step"] for entry in stored(fitted)] == steps
    assert all(entry["stage"] == "val" for entry in stored(fitted))


def test_scoring_leaves_training_as_it_was(tmp_path):
    def weights(callbacks):
        torch.manual_seed(1)
        _, model = run(tmp_path, None, callbacks=callbacks)
        return torch.cat([p.flatten() for p in model.state_dict().values()])

    without = weights([])
    assert torch.equal(weights([scoring(every_n_steps=1)]), without)
    assert torch.equal(weights([scoring()]), without)


def test_the_average_is_scored_where_there_is_one(tmp_path):
    averaged, raw = scoring(), scoring(ema=False)
    for callback in (averaged, raw):
        run(tmp_path, callback, max_epochs=1)
    assert averaged.report.protocol["ema"]
    assert not raw.report.protocol["ema"]
    assert averaged.report.scores != raw.report.scores
    alone = scoring()
    run(tmp_path, alone, model=gan(ema_half_life=None), max_epochs=1)
    assert not alone.report.protocol["ema"]


def test_validate_and_test_score_as_fit_does(tmp_path):
    data = FashionMNISTSample(image_size=8, batch_size=500)

    class Flat(Tiny):
        def forward(self, images):
            return super().forward(images[:, :, 2:6, 2:6])

    torch.manual_seed(0)
    model = LitGAN(DCGANGenerator(8, 1, 4, width=4), DCGANDiscriminator(8, 1, width=4))
    callback = scoring(extractor=Flat(), n_real=300, floor=True, sets=2)
    fitted = trainer(tmp_path, callbacks=[callback], logger=CSVLogger(tmp_path), limit_train_batches=2)
    fitted.fit(model, data)
    in_fit = callback.report
    assert set(in_fit.floor) == set(in_fit.spread) == {"fid_Flat"}
    (validated,) = trainer(tmp_path, callbacks=[callback]).validate(model, data, verbose=False)
    assert validated["val/fid_Flat"] == pytest.approx(in_fit.scores["fid_Flat"], rel=1e-6)
    alone = trainer(tmp_path / "alone", callbacks=[callback], default_root_dir=tmp_path / "alone")
    (tested,) = alone.test(model, data, verbose=False)
    (entry,) = json.loads((tmp_path / "alone" / "scores.json").read_text())
    assert (entry["stage"], entry["step"]) == ("test", 2), "that of the run, not of the Trainer that tests"
    assert tested["test/fid_Flat"] == pytest.approx(in_fit.scores["fid_Flat"], rel=1e-6)


def test_conditional_generators_and_points(tmp_path):
    model = LitGAN(DCGANGenerator(8, 1, 4, 10, 4), DCGANDiscriminator(8, 1, 10, 4))
    callback = GenerativeMetrics(["two_sample"], n_fake=60, n_real=60)
    fitted = trainer(tmp_path, callbacks=[callback], limit_train_batches=1, limit_val_batches=1)
    fitted.fit(model, FashionMNISTSample(image_size=8))
    assert 0 <= callback.report.scores["two_sample/accuracy"] <= 1
    points = GenerativeMetrics(["fid", "mode_coverage"], n_fake=300)
    fitted = trainer(tmp_path, callbacks=[points], limit_train_batches=1, limit_val_batches=1)
    fitted.fit(
        LitGAN(MLPGenerator(features=2, latent_dim=2), MLPDiscriminator(features=2)), GaussianMixture(train_size=999)
    )
    assert {"fid", "mode_coverage/modes/veegan"} <= set(points.report.scores)


def scores_on_ranks(folder, world_size):
    """Fit on each process, with a model that does not change; return the scores."""
    still = partial(torch.optim.SGD, lr=0.0)
    model = gan(generator_optimizer=still, discriminator_optimizer=still)
    callback = scoring(metrics=["fid", "kid", "precision_recall"], n_fake=700, n_real=110)
    strategy = "ddp" if world_size > 1 else "auto"
    fitted = trainer(folder, callbacks=[callback], devices=world_size, strategy=strategy, limit_train_batches=2)
    data = loader(IMAGES, batch_size=10)
    warnings.filterwarnings("ignore", ".*will save all extracted.*")
    fitted.fit(model, data, loader(IMAGES[:20], batch_size=10))
    return callback.report.scores, {k: float(v) for k, v in fitted.callback_metrics.items() if "Tiny" in k}


def test_two_processes_score_as_one(tmp_path):
    ((alone, _),) = on_ranks(scores_on_ranks, tmp_path / "one", 1, world_size=1)
    (first, logged), (second, also_logged) = on_ranks(scores_on_ranks, tmp_path / "two", 2)
    assert first == second
    assert logged == also_logged
    assert first == pytest.approx(alone, rel=1e-6)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_fake": 3}, ValueError, "n_fake=3 must be at least 10"),
        ({"split": "dev"}, ValueError, "split='dev' is none of"),
        ({"every_n_steps": 1, "every_n_images": 1}, ValueError, "every_n_steps=1 and every_n_images=1: give one"),
        ({"metrics": "fid"}, TypeError, r"metrics='fid': give a list, \['fid'\]"),
        ({"every_n_steps": 0}, ValueError, "every_n_steps=0 must be at least 1"),
    ],
)
def test_options_that_make_no_sense(options, error, message):
    with pytest.raises(error, match=message):
        scoring(**options)


class OneNumber(Tiny):
    def forward(self, images):
        return super().forward(images).sum(1)


class Broken(Tiny):
    def forward(self, images):
        return super().forward(images) / 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_real": 121}, "n_real=121 and the data has 120 samples"),
        ({"metrics": ["fidd"]}, "there is no 'fidd'"),
        ({"metrics": ["is"]}, "'is' needs class logits, and Tiny has none"),
        ({"split": "test"}, "split='test' and there are no such data here"),
        ({"extractor": OneNumber()}, r"OneNumber's features are float32 of shape \(2,\) for 2 samples"),
        ({"extractor": Broken()}, "Broken's features are NaN or infinite in 2 of 2 rows"),
    ],
)
def test_what_cannot_be_scored_is_refused_before_a_step(tmp_path, options, message):
    model = gan()
    with pytest.raises(ValueError, match=message):
        run(tmp_path, scoring(**options), model)
    assert model.images_seen == 0


def test_two_that_log_under_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match="two GenerativeMetrics log fid of Tiny, of which loggers would get the mean"):
        run(tmp_path, None, callbacks=[scoring(), scoring(ema=False)])


def test_the_first_validation_is_scored_though_another_time_is_asked_for(tmp_path):
    best = ModelCheckpoint(tmp_path, monitor="val/fid_Tiny")
    fitted, _ = run(tmp_path, None, callbacks=[scoring(every_n_steps=8), best], enable_checkpointing=True)
    assert [entry["step"] for entry in stored(fitted)] == [6, 8]


def test_a_run_without_validation_is_warned_of(tmp_path):
    with pytest.warns(UserWarning, match="scores in validations, and this run has none: set every_n_steps"):
        trainer(tmp_path, callbacks=[scoring()]).fit(gan(), loader(IMAGES, batch_size=20))


def test_a_floor_of_fewer_samples_is_warned_of(tmp_path):
    with pytest.warns(UserWarning, match="the floor has 40 real samples, and n_fake=100: its scores are too high"):
        run(tmp_path, scoring(floor=True))


def test_a_floor_of_few_samples_bounds_the_subsets_of_kid(tmp_path):
    callback = scoring(metrics=["kid"], floor=True)
    with pytest.warns(UserWarning, match="the floor has 40 real samples"):
        run(tmp_path, callback)
    assert callback.report.floor.keys() == callback.report.scores.keys()


def test_other_content_of_the_scores_file_is_kept_aside(tmp_path):
    (tmp_path / "scores.json").write_text('{"mine": 1}')
    with pytest.warns(UserWarning, match=r"holds no list of scores: it is kept as scores\.json\.other"):
        run(tmp_path, scoring(), logger=False)
    assert json.loads((tmp_path / "scores.json.other").read_text()) == {"mine": 1}
    assert len(json.loads((tmp_path / "scores.json").read_text())) == 2


def test_a_validation_alone_needs_its_data_and_says_so_before_it_starts(tmp_path):
    model, seen = gan(), []
    model.discriminator.register_forward_hook(lambda *_: seen.append(1))
    with pytest.raises(
        ValueError, match="split='train' and there are no such data here: give a data module, or another"
    ):
        trainer(tmp_path, callbacks=[scoring()]).validate(model, loader(IMAGES), verbose=False)
    assert not seen
    callback = scoring(split="val")
    trainer(tmp_path, callbacks=[callback]).validate(model, loader(IMAGES), verbose=False)
    assert callback.report.protocol["n_real"] == 120


def test_real_images_that_a_hook_would_scale_are_refused(tmp_path):
    class Scaling(FashionMNISTSample):
        def load(self, split):
            images, labels = super().load(split)
            return images.float() / 255, labels

        def on_after_batch_transfer(self, batch, dataloader_idx):
            return 2 * batch[0] - 1, batch[1]

    model = LitGAN(DCGANGenerator(28, 1, 4, width=4), DCGANDiscriminator(28, 1, width=4))
    with pytest.raises(ValueError, match=r"probably in \[0, 1\], lit_gan needs \[-1, 1\]"):
        trainer(tmp_path, callbacks=[scoring()]).fit(model, Scaling(image_size=None))


def test_a_conditional_generator_needs_labels_to_be_scored(tmp_path):
    model = LitGAN(DCGANGenerator(8, 1, 4, 3, 4), DCGANDiscriminator(8, 1, 3, 4))
    images = torch.randint(0, 256, (40, 1, 8, 8)).byte()
    with pytest.raises(ValueError, match="labels are a NoneType: give one class for each image"):
        trainer(tmp_path, callbacks=[scoring(split="val")]).validate(model, loader(images), verbose=False)
