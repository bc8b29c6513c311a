"""What is shown during training and written by predict."""

import os
from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger, Logger

from lit_gan import LitGAN
from lit_gan.callbacks import Interpolation, SampleGrid, SampleWriter
from lit_gan.data.images import save_png
from lit_gan.networks import MLPDiscriminator, MLPGenerator
from lit_gan.optim import GANAdam
from lit_gan.sampling.grids import interpolations, rows
from tests.support.small import PlainDiscriminator, PlainGenerator, loader, trainer

DATA = torch.rand(24, 1, 4, 4) * 2 - 1


def names(folder):
    return sorted(p.name for p in folder.glob("**/samples/*.png"))


@pytest.mark.parametrize(
    ("k", "written"), [(1, ["000002", "000004", "000006"]), (2, ["000002", "000003"]), (9, ["000000"])]
)
def test_grids_come_with_generator_updates_and_at_the_end(tmp_path, k, written):
    gan = LitGAN(PlainGenerator(), PlainDiscriminator(), d_steps_per_g_step=k)
    trainer(tmp_path, callbacks=[SampleGrid(every_n_steps=2, n=9)]).fit(gan, loader(DATA))
    assert names(tmp_path) == [f"step-{w}.png" for w in written]
    with Image.open(tmp_path / "samples" / f"step-{written[0]}.png") as picture:
        assert picture.size == (3 * 6 + 2, 3 * 6 + 2)


def test_a_second_run_is_shown_as_well(tmp_path):
    grid = SampleGrid()
    for name in "ab":
        gan = LitGAN(PlainGenerator(), PlainDiscriminator())
        trainer(tmp_path, default_root_dir=tmp_path / name, callbacks=[grid]).fit(gan, loader(DATA))
        assert (tmp_path / name / "samples" / "step-000006.png").exists()


class ByLabel(PlainGenerator):
    """Conditional, and silent about how many classes there are: the first batch shows which."""

    def forward(self, z, labels):
        return super().forward(z + labels[:, None])


def test_a_resumed_run_shows_the_same_classes(tmp_path):
    data = loader(DATA, torch.arange(24) // 4)
    first, second = SampleGrid(n=6), SampleGrid(n=6)
    before = trainer(tmp_path, callbacks=[first], max_steps=3)
    before.fit(LitGAN(ByLabel(), PlainDiscriminator()), data)
    before.save_checkpoint(tmp_path / "last.ckpt")
    after = trainer(tmp_path, callbacks=[second])
    after.fit(LitGAN(ByLabel(), PlainDiscriminator()), data, ckpt_path=tmp_path / "last.ckpt")
    assert second._labels.equal(first._labels)


def test_interpolations_are_of_the_same_pairs_and_go_on_after_a_resume(tmp_path):
    torch.manual_seed(0)
    gan = LitGAN(PlainGenerator(), PlainDiscriminator(), latent="uniform", generator_optimizer=partial(GANAdam, lr=0.1))
    data, first = loader(DATA), Interpolation(every_n_steps=2, n=3, steps=5, seed=7, movie=True)
    before = trainer(tmp_path, callbacks=[first], max_steps=4)
    before.fit(gan, data)
    before.save_checkpoint(tmp_path / "last.ckpt")
    assert first.draw(gan).equal(rows(interpolations(gan, 3, 5, "linear", seed=7)))
    assert first.draw(gan).shape == (1, 3 * 6 + 2, 5 * 6 + 2)
    second = Interpolation(every_n_steps=2, n=3, steps=5, seed=7, movie=True)
    trainer(tmp_path, callbacks=[second]).fit(gan, data, ckpt_path=tmp_path / "last.ckpt")
    pictures = [f"step-00000{i}.png" for i in (2, 4, 6)]
    assert sorted(p.name for p in (tmp_path / "interpolations").iterdir()) == pictures
    with Image.open(tmp_path / "interpolations.gif") as movie:
        assert movie.n_frames == 3


def test_what_is_resumed_in_a_discriminators_turn_is_not_drawn_again(tmp_path):
    data, path = loader(DATA, batch_size=2), tmp_path / "a.ckpt"
    before = trainer(tmp_path, callbacks=[SampleGrid(2, 9, movie=True)], max_steps=2)
    before.fit(LitGAN(PlainGenerator(), PlainDiscriminator(), d_steps_per_g_step=3), data)
    before.save_checkpoint(path)
    log, grid = ImageLogger(), SampleGrid(2, 9, movie=True)
    after = trainer(tmp_path, callbacks=[grid], logger=log)
    with pytest.warns(UserWarning, match="samples.gif leaves out 1 of 2 pictures"):  # in the folder without a logger
        after.fit(LitGAN(PlainGenerator(), PlainDiscriminator(), d_steps_per_g_step=3), data, ckpt_path=path)
    assert [step for _, _, step in log.images] == [4]
    assert [Path(frame).stem for frame in grid._frames] == ["step-000002", "step-000004"]


def test_a_line_of_latents_has_no_arc_and_an_arc_is_refused_before_a_step(tmp_path):
    gan = LitGAN(PlainGenerator(latent_dim=1), PlainDiscriminator())
    with pytest.raises(ValueError, match='kind="spherical" and latents of length 1, which cannot turn: take "linear"'):
        trainer(tmp_path, callbacks=[Interpolation(kind="spherical")]).fit(gan, loader(DATA))
    assert gan.images_seen == 0
    trainer(tmp_path, callbacks=[Interpolation(n=2, steps=3)]).fit(gan, loader(DATA))
    assert len(list((tmp_path / "interpolations").iterdir())) == 1


def test_interpolations_have_a_class_in_each_row_and_none_of_points():
    gan = LitGAN(
        MLPGenerator(4, 1, num_classes=3, latent_dim=2, width=8), MLPDiscriminator(4, 1, num_classes=3, width=8)
    )
    asked = []
    gan.ema_generator.register_forward_pre_hook(lambda _, z, named: asked.append(named["labels"]), with_kwargs=True)
    assert Interpolation(n=4, steps=2).draw(gan).shape == (1, 4 * 6 + 2, 2 * 6 + 2)
    assert asked[0].tolist() == [0, 0, 1, 1, 2, 2, 0, 0]
    with pytest.warns(UserWarning, match=r"Interpolation draws images, and the samples are of shape \(2,\)"):
        assert Interpolation().draw(LitGAN(PlainGenerator((2,)), PlainDiscriminator((2,)))) is None
    for wrong, says in (({"steps": 1}, "steps=1 must be at least 2"), ({"kind": "cubic"}, "kind='cubic' is neither")):
        with pytest.raises(ValueError, match=says):
            Interpolation(**wrong)


def test_grids_lie_in_the_loggers_folder(tmp_path):
    log = CSVLogger(tmp_path, "log")
    trainer(tmp_path, logger=log, callbacks=[SampleGrid()]).fit(
        LitGAN(PlainGenerator(), PlainDiscriminator()), loader(DATA), loader(DATA)
    )
    assert (tmp_path / "log" / "version_0" / "samples" / "step-000006.png").exists()


class Keeper(Logger):
    """A logger that knows no folder of a run, as W&B's and others do not."""

    def __init__(self, folder, version):
        super().__init__()
        self.folder, self.number = str(folder), version

    save_dir = property(lambda self: self.folder)
    name = property(lambda self: "game")
    version = property(lambda self: self.number)

    def log_metrics(self, metrics, step=None):
        """Nothing is kept."""

    log_hyperparams = log_metrics


@pytest.mark.parametrize("version", [3, "abc"])
def test_grids_lie_beside_the_checkpoints_of_a_logger_without_a_folder(tmp_path, version):
    checkpoints = ModelCheckpoint()
    run = trainer(
        tmp_path, logger=Keeper(tmp_path, version), callbacks=[SampleGrid(), checkpoints], enable_checkpointing=True
    )
    run.fit(LitGAN(PlainGenerator(), PlainDiscriminator()), loader(DATA), loader(DATA))
    assert (Path(checkpoints.dirpath).parent / "samples" / "step-000006.png").exists()


class Noisy(PlainGenerator):
    """Draws noise in evaluation mode too."""

    def forward(self, z):
        images = super().forward(z)
        return images + 0.1 * torch.randn_like(images)


@pytest.mark.parametrize("generator", [PlainGenerator, Noisy])
def test_the_latents_are_the_same_and_training_is_undisturbed(tmp_path, generator):
    pictures, finals = [], []
    for callbacks in ([SampleGrid(every_n_steps=1)], []):
        torch.manual_seed(0)
        gan = LitGAN(generator(), PlainDiscriminator(), ema_half_life=None)
        pictures += [c.draw(gan) for c in [*callbacks, *callbacks]]
        torch.manual_seed(1)
        trainer(tmp_path, callbacks=callbacks).fit(gan, loader(DATA))
        finals.append(torch.cat([p.detach().flatten() for p in gan.parameters()]))
    assert generator is Noisy or torch.equal(*pictures)
    assert torch.equal(*finals)


def test_classes_stand_in_columns():
    gan = LitGAN(
        MLPGenerator(4, 1, num_classes=3, latent_dim=2, width=8), MLPDiscriminator(4, 1, num_classes=3, width=8)
    )
    asked = []
    gan.ema_generator.register_forward_pre_hook(lambda _, z, named: asked.append(named["labels"]), with_kwargs=True)
    assert SampleGrid(n=6).draw(gan).shape == (1, 2 * 6 + 2, 3 * 6 + 2)
    assert asked[0].tolist() == [0, 1, 2, 0, 1, 2]


def test_classes_that_are_not_counted_are_those_of_the_first_batch(tmp_path):
    class Conditional(PlainGenerator):
        def forward(self, z, labels):
            self.labels = labels
            return super().forward(z)

    gan = LitGAN(Conditional(), PlainDiscriminator())
    grid = SampleGrid(every_n_steps=3, n=6)
    trainer(tmp_path, callbacks=[grid]).fit(gan, loader(DATA, torch.arange(24)))
    assert gan.ema_generator.labels.tolist() == [0, 1, 2, 3, 0, 1]
    assert len(names(tmp_path)) == 2


def test_points_are_drawn_and_other_vectors_are_not(tmp_path):
    plane = LitGAN(PlainGenerator((2,)), PlainDiscriminator((2,)))
    line = LitGAN(PlainGenerator((1,)), PlainDiscriminator((1,)))
    assert SampleGrid().draw(plane).shape == SampleGrid().draw(line).shape == (1, 256, 256)
    space = LitGAN(PlainGenerator((3,)), PlainDiscriminator((3,)))
    with pytest.warns(UserWarning, match="points of one or two dimensions, not 3"):
        trainer(tmp_path, callbacks=[SampleGrid()]).fit(space, loader(torch.rand(4, 3)))
    assert names(tmp_path) == []


class ImageLogger(Logger):
    """Takes pictures as W&B's logger does."""

    name, version, experiment = "images", 0, None

    def __init__(self):
        super().__init__()
        self.images = []

    def log_image(self, key, images, step=None):
        self.images.append((key, images[0].shape, step))

    def log_metrics(self, metrics, step=None):
        pass

    def log_hyperparams(self, params):
        pass


class Board(ImageLogger):
    """Takes pictures as TensorBoard's logger does."""

    log_image = property()

    @property
    def experiment(self):
        return self

    def add_image(self, key, image, step):
        self.images.append((key, image.shape, step))


@pytest.mark.parametrize(("cls", "shape"), [(ImageLogger, (20, 20, 1)), (Board, (1, 20, 20))])
def test_loggers_that_take_pictures_get_them(tmp_path, cls, shape):
    log = cls()
    gan = LitGAN(PlainGenerator(), PlainDiscriminator())
    trainer(tmp_path, logger=log, callbacks=[SampleGrid(every_n_steps=3, n=9)]).fit(gan, loader(DATA))
    assert log.images == [("samples", shape, 3), ("samples", shape, 6)]
    assert len(names(tmp_path)) == 2


def test_a_fast_dev_run_writes_nothing(tmp_path):
    trainer(tmp_path, fast_dev_run=True, callbacks=[SampleGrid()]).fit(
        LitGAN(PlainGenerator(), PlainDiscriminator()), loader(DATA), loader(DATA)
    )
    assert names(tmp_path) == []


@pytest.mark.parametrize("option", ["every_n_steps", "n"])
def test_options_below_one_are_refused(option):
    with pytest.raises(ValueError, match=f"{option}=0 must be at least 1"):
        SampleGrid(**{option: 0})


def test_points_are_not_written_as_files(tmp_path):
    gan = LitGAN(PlainGenerator((2,)), PlainDiscriminator((2,)))
    with pytest.raises(ValueError, match=r"samples of shape \(2,\) are no images"):
        trainer(tmp_path, callbacks=[SampleWriter()]).predict(gan, loader(torch.rand(4, 2)))


def test_predictions_of_several_loaders_have_a_folder_each(tmp_path):
    loaders = [loader(DATA[:10], batch_size=4), loader(DATA[:6], batch_size=4)]
    gan = LitGAN(PlainGenerator(), PlainDiscriminator())
    trainer(tmp_path, callbacks=[SampleWriter()]).predict(gan, loaders)
    written = sorted(str(p.relative_to(tmp_path / "predictions")) for p in tmp_path.glob("predictions/*/*.png"))
    assert written == [f"{k}/{i:06d}.png" for k, n in ((0, 10), (1, 6)) for i in range(n)]


@pytest.mark.parametrize("folder", [None, "elsewhere"])
def test_predictions_become_files(tmp_path, folder):
    writer = SampleWriter(None if folder is None else str(tmp_path / folder))
    for _ in range(2):
        trainer(tmp_path, callbacks=[writer]).predict(
            LitGAN(PlainGenerator(), PlainDiscriminator()), loader(DATA, batch_size=10)
        )
    files = sorted((tmp_path / (folder or "predictions")).iterdir())
    assert [p.name for p in files] == [f"{i:06d}.png" for i in range(24)]
    with Image.open(files[0]) as picture:
        assert picture.size == (4, 4)


def movie_frames(folder) -> int:
    with Image.open(folder / "samples.gif") as movie:
        return movie.n_frames


@pytest.fixture
def private(tmp_path):
    """A picture of the user's own, and paths to it that a checkpoint may name."""
    path = save_png(torch.zeros(1, 20, 20, dtype=torch.uint8), tmp_path / "home" / "samples" / "step-000001.png")
    run = tmp_path / "run" / "version_1"
    (run / "samples").mkdir(parents=True)
    (run / "samples" / "step-000007.png").symlink_to(path)
    os.mkfifo(run / "samples" / "step-000008.png")
    (tmp_path / "run" / "version_2").symlink_to(tmp_path / "home")
    (tmp_path / "run" / "circle").symlink_to(tmp_path / "run" / "circle")
    within = [run / "samples" / f"step-00000{i}.png" for i in (7, 8, 9)]
    beside = [tmp_path / "run" / name / "samples" / "step-000001.png" for name in ("version_2", "circle", "\0")]
    around = run / "samples" / ".." / ".." / ".." / "home" / "samples" / "step-000001.png"
    return [str(p) for p in (path, *within, *beside, around, "/", "")] + ["é" * 999]


def test_a_checkpoint_cannot_have_other_pictures_shown(tmp_path, private):
    logger, path = CSVLogger(tmp_path, "run", version=1), tmp_path / "a.ckpt"
    grid = SampleGrid(n=4, movie=True)
    grid.state_dict = lambda: {"frames": [*private, 3, None]}
    before = trainer(tmp_path, callbacks=[grid], max_steps=1)
    before.fit(LitGAN(PlainGenerator(), PlainDiscriminator()), loader(DATA))
    before.save_checkpoint(path)
    after = trainer(tmp_path, callbacks=[SampleGrid(n=4, movie=True)], logger=logger)
    with pytest.warns(UserWarning, match=rf"samples\.gif leaves out {len(private)} of {len(private) + 1} pictures"):
        after.fit(LitGAN(PlainGenerator(), PlainDiscriminator()), loader(DATA), ckpt_path=path)
    assert movie_frames(tmp_path / "run" / "version_1") == 1


def test_the_movie_of_a_resumed_run_has_the_pictures_of_its_earlier_versions(tmp_path):
    for version in range(3):
        grid, logger = SampleGrid(every_n_steps=9, movie=True), CSVLogger(tmp_path, "run")
        fitted = trainer(tmp_path, callbacks=[grid], logger=logger, max_steps=2 * version + 2)
        path = tmp_path / "a.ckpt" if version else None
        gan = LitGAN(PlainGenerator(), PlainDiscriminator(), generator_optimizer=partial(GANAdam, lr=0.1))
        fitted.fit(gan, loader(DATA), ckpt_path=path)
        fitted.save_checkpoint(tmp_path / "a.ckpt")
    assert movie_frames(tmp_path / "run" / "version_2") == 3


def test_predictions_that_are_not_finite_are_refused_and_not_written(tmp_path):
    gan = LitGAN(PlainGenerator(), PlainDiscriminator(), ema_half_life=None)
    torch.nn.init.constant_(gan.generator.net[0].bias, torch.nan)
    with pytest.raises(ValueError, match="NaN or infinity"):
        trainer(tmp_path, callbacks=[SampleWriter()]).predict(gan, loader(DATA))
    assert not (tmp_path / "predictions").exists()
