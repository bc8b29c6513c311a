"""Pictures of the mathematics: what is drawn is right, and what cannot be drawn is refused at once."""

import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from lit_gan import LitGAN
from lit_gan.callbacks import DensityPlot, SampleGrid, ValuePlot
from lit_gan.callbacks import figures as plots
from lit_gan.callbacks.plots import densities
from lit_gan.data import FashionMNISTSample, GaussianMixture
from lit_gan.losses import RelativisticPaired
from lit_gan.networks import GaussianGenerator, MLPDiscriminator, MLPGenerator, Packed
from lit_gan.optim import GANAdam
from lit_gan.theory import Mixture, js_divergence, optimal_discriminator
from tests.support.small import PlainDiscriminator, PlainGenerator, loader, trainer

BLANK = torch.zeros(3, 4, 4, dtype=torch.uint8)


def mixture(dimensions=2, **options):
    kind = "line" if dimensions == 1 else "ring"
    return GaussianMixture(kind, **{"std": 0.4, "train_size": 1024, "held_out_size": 64, **options})


def game(dimensions=2, **options) -> LitGAN:
    generator = MLPGenerator(features=dimensions, latent_dim=2, width=8)
    return LitGAN(generator, MLPDiscriminator(features=dimensions, width=8), **options)


@pytest.mark.parametrize(("dimensions", "size"), [(1, (840, 480)), (2, (880, 420))])
def test_densities_become_pictures_and_a_movie(tmp_path, dimensions, size):
    plot = DensityPlot(every_n_steps=2, samples=2000)
    trainer(tmp_path, callbacks=[plot], max_steps=4, max_epochs=-1).fit(game(dimensions), mixture(dimensions))
    assert sorted(p.name for p in tmp_path.glob("densities/*")) == ["step-000002.png", "step-000004.png"]
    with Image.open(tmp_path / "densities" / "step-000004.png") as picture:
        assert picture.size == size
    with Image.open(tmp_path / "densities.gif") as movie:
        assert (movie.n_frames, movie.size) == (2, size)


def test_what_is_drawn_is_d_and_the_exact_d(tmp_path, monkeypatch):
    """A discriminator that is D* itself gives two equal maps."""
    drawn = {}
    monkeypatch.setattr("lit_gan.callbacks.plots.draw_maps", lambda maps, *_: drawn.update(maps) or BLANK)
    data, generator = mixture(), GaussianGenerator(2, mean=0.3)

    class Optimal(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(()))

        def forward(self, x):
            return (self.scale * (data.mixture.log_density(x) - generator.log_density(x))).float()

    gan = LitGAN(generator, Optimal(), generator_optimizer=still, discriminator_optimizer=still)
    trainer(tmp_path, callbacks=[DensityPlot(movie=False)], max_steps=1, max_epochs=-1).fit(gan, data)
    learned, exact = drawn.values()
    assert learned.shape == (96, 96)
    assert_close(learned, exact, atol=2e-3, rtol=0)  # at a cell's centre, and averaged over it
    assert exact.max() > 0.7
    assert exact.min() < 0.01


def still(parameters):
    return torch.optim.SGD(parameters, lr=0.0)


@pytest.mark.parametrize("dimensions", [1, 2])
def test_densities_are_cell_averages_of_both_kinds(dimensions):
    generator = GaussianGenerator(dimensions, mean=0.5, std=0.7)
    gan = LitGAN(generator, MLPDiscriminator(features=dimensions))
    same = Mixture([[0.5] * dimensions], 0.7)
    edges = torch.linspace(-4, 4, 41, dtype=torch.float64)
    p_data, exact = densities(gan, same, edges, samples=1)
    assert p_data.shape == exact.shape == (40,) * dimensions
    assert_close(exact, p_data, rtol=0.02, atol=1e-4)  # four points of a cell, and its integral
    gan.latent = "uniform"  # its log_density speaks of normal latents
    assert (densities(gan, same, edges, samples=1000)[1] - exact).abs().max() > 0.05
    gan.latent, generator.log_density = "normal", None
    smooth, counted = densities(gan, same, edges, samples=200_000)
    for p in (smooth, counted):
        assert float(p.sum()) * 0.2**dimensions == pytest.approx(1, abs=1e-3)
    assert float((counted - smooth).abs().sum()) * 0.2**dimensions < 0.03


@pytest.mark.parametrize("setting", ["veegan", "wgan_gp"])
@pytest.mark.parametrize("kind", ["ring", "grid"])
def test_a_perfect_generator_of_narrow_modes_has_d_star_one_half(kind, setting):
    """The published modes are narrower than the cells: both densities must be treated alike."""
    data = GaussianMixture(kind, setting)

    class Perfect(MLPGenerator):
        def forward(self, z, labels=None):
            return data.mixture.sample(len(z), torch.Generator().manual_seed(int(z[0, 0] * 1e6) % 1000))[0]

    gan = LitGAN(Perfect(features=2, latent_dim=2), MLPDiscriminator(features=2))
    low, high = float(data.mixture.means.min()) - 0.5, float(data.mixture.means.max()) + 0.5
    edges = torch.linspace(low, high, 97, dtype=torch.float64)
    p_data, p_g = densities(gan, data.mixture, edges, samples=200_000)
    cell = float(edges[1] - edges[0]) ** 2
    error = (optimal_discriminator(p_data, p_g) - 0.5).abs()
    assert float((p_data * error).sum() * cell) < 0.02
    assert float(js_divergence(p_data, p_g, cell)) < 0.003


def test_narrow_modes_are_drawn_all_the_same(tmp_path):
    plot = DensityPlot(samples=1000, movie=False)
    trainer(tmp_path, callbacks=[plot], max_steps=1, max_epochs=-1).fit(
        game(), GaussianMixture("ring", "veegan", batch_size=8)
    )
    assert len(list(tmp_path.glob("densities/*.png"))) == 1


def test_a_movie_shows_its_own_run_and_goes_on_after_a_resume(tmp_path):
    for steps in (6, 2):
        plot = DensityPlot(every_n_steps=2, samples=500)
        fitted = trainer(tmp_path, callbacks=[plot], max_steps=steps, max_epochs=-1)
        fitted.fit(game(), mixture())
        assert [Path(frame).stem for frame in plot._frames] == [f"step-{i:06d}" for i in range(2, steps + 1, 2)]
    fitted.save_checkpoint(tmp_path / "last.ckpt")
    plot = DensityPlot(every_n_steps=2, samples=500)
    resumed = trainer(tmp_path, callbacks=[plot], max_steps=4, max_epochs=-1)
    resumed.fit(game(), mixture(), ckpt_path=tmp_path / "last.ckpt")
    assert [Path(frame).stem for frame in plot._frames] == ["step-000002", "step-000004"]


def test_a_conditional_discriminator_is_refused_before_training(tmp_path):
    gan = LitGAN(MLPGenerator(features=2, latent_dim=2), MLPDiscriminator(features=2, num_classes=8))
    with pytest.raises(ValueError, match=r"MLPDiscriminator is conditional, D\(x \| y\): leave it out"):
        trainer(tmp_path, callbacks=[DensityPlot()]).fit(gan, mixture())


def test_packs_are_refused_before_training(tmp_path):
    gan = LitGAN(MLPGenerator(features=2, latent_dim=2), Packed(MLPDiscriminator(features=4), 2))
    with pytest.raises(ValueError, match="Packed judges 2 points together: leave it out"):
        trainer(tmp_path, callbacks=[DensityPlot()]).fit(gan, mixture())
    assert gan.images_seen == 0


def test_validating_needs_no_density(tmp_path):
    trainer(tmp_path, callbacks=[DensityPlot()]).validate(game(), loader(torch.rand(8, 2)), verbose=False)


def test_a_game_without_a_log_ratio_is_drawn_without_its_d(tmp_path, monkeypatch):
    names = []
    monkeypatch.setattr("lit_gan.callbacks.plots.draw_maps", lambda maps, *_: names.extend(maps) or BLANK)
    plot = DensityPlot(samples=1000, movie=False)
    trainer(tmp_path, callbacks=[plot], max_steps=1, max_epochs=-1).fit(game(loss=RelativisticPaired()), mixture())
    assert names == ["D*"]


def test_the_value_is_drawn_over_time(tmp_path):
    plot = ValuePlot(every_n_validations=2)
    fitted = trainer(tmp_path, callbacks=[plot], max_steps=6, max_epochs=-1, val_check_interval=2)
    fitted.fit(game(), mixture(batch_size=128))
    assert [step for step, _ in plot._values] == [2, 4, 6]
    assert plot._values[-1][1] == pytest.approx(float(fitted.callback_metrics["val/value"]))
    assert sorted(p.name for p in tmp_path.glob("value/*")) == ["step-000004.png", "step-000006.png"]
    again = ValuePlot()
    again.load_state_dict(plot.state_dict())
    assert again._values == plot._values


def test_one_value_is_no_curve(tmp_path):
    trainer(tmp_path, callbacks=[ValuePlot()]).fit(
        LitGAN(PlainGenerator(), PlainDiscriminator()), loader(torch.rand(8, 1, 4, 4) * 2 - 1)
    )
    assert not list(tmp_path.glob("value/*"))


def test_a_plot_leaves_training_as_it_was(tmp_path):
    finals = []
    for callbacks in ([DensityPlot(every_n_steps=1, samples=1000, movie=False)], []):
        torch.manual_seed(0)
        gan = game()
        trainer(tmp_path, callbacks=callbacks, max_steps=4, max_epochs=-1).fit(gan, mixture())
        finals.append(gan.sample(4, seed=0))
    assert torch.equal(*finals)


def test_grids_become_a_movie_where_asked(tmp_path):
    grid = SampleGrid(every_n_steps=2, n=4, movie=True)
    gan = LitGAN(PlainGenerator(), PlainDiscriminator(), generator_optimizer=partial(GANAdam, lr=0.1), ema_half_life=1)
    trainer(tmp_path, callbacks=[grid]).fit(gan, loader(torch.rand(24, 1, 4, 4) * 2 - 1))
    with Image.open(tmp_path / "samples.gif") as movie:
        assert movie.n_frames == 3


def test_unknown_densities_are_refused_before_training(tmp_path):
    gan = LitGAN(MLPGenerator(32, 1, width=4), MLPDiscriminator(32, 1, width=4))
    with pytest.raises(ValueError, match="was given FashionMNISTSample: fit a GaussianMixture, or leave it out"):
        trainer(tmp_path, callbacks=[DensityPlot()]).fit(gan, FashionMNISTSample())
    assert gan.images_seen == 0


@pytest.mark.parametrize("callback", [DensityPlot(), ValuePlot()])
def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch, callback):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    gan = game()
    with pytest.raises(ImportError, match=r'pip install "\.\[plots\]"'):
        trainer(tmp_path, callbacks=[callback]).fit(gan, mixture())
    assert gan.images_seen == 0


def test_pictures_are_colour_images_of_eight_bits():
    x = torch.linspace(0, 1, 5)
    for picture in (
        plots.draw_curves(x, {"p": x}, {}, "one"),
        plots.draw_curves(x, {"p": x, "q": x}, {"D": x}, "two", top=2.0),
        plots.draw_maps({"D": torch.rand(4, 4)}, (-1, 1, -1, 1), "map"),
        plots.draw_value([1, 2], [-1.0, -1.3], "value"),
    ):
        assert picture.dtype == torch.uint8
        assert picture.shape[0] == 3
        assert 100 < picture.float().mean() < 255, "neither blank nor black"
