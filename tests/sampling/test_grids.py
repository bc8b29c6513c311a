"""Pictures of what a generator knows, of generators that show their latents and labels in their pixels."""

import re
from pathlib import Path

import pytest
import torch
from PIL import Image
from pytorch_lightning import LightningDataModule
from torch import nn

from lit_gan import LitGAN
from lit_gan.cli import main
from lit_gan.metrics.evaluation.nearest import NearestImages
from lit_gan.networks import MLPDiscriminator, MLPGenerator, StyleGAN2Generator
from lit_gan.sampling.grids import class_grid, interpolations, morph, rows, truncation_ladder
from lit_gan.sampling.paths import interpolate
from tests.support.small import PlainDiscriminator, loader, trainer
from tests.test_readme import commands


class Showing(nn.Module):
    """Pixels: the latent, over 100, then the label, over 100."""

    latent_dim = 3

    def __init__(self, num_classes=None):
        super().__init__()
        self.scale = nn.Parameter(torch.full((), 0.01))
        self.num_classes = num_classes

    def forward(self, z, labels=None):
        classes = z.new_zeros(len(z)) if labels is None else labels
        return self.scale * torch.cat([z, classes[:, None]], 1).reshape(-1, 1, 2, 2)


def gan(num_classes=None, **options):
    return LitGAN(Showing(num_classes), PlainDiscriminator((1, 2, 2)), **options)


def latents(images):
    return 100 * images.flatten(-3)[..., :3]


def classes(images):
    return (100 * images.flatten(-3)[..., 3]).round().long()


@pytest.mark.parametrize(("latent", "kind"), [("normal", "spherical"), ("uniform", "linear")])
def test_rows_go_from_one_latent_to_another_the_way_that_suits_them(latent, kind):
    images = interpolations(gan(latent=latent), 4, 6, seed=0)
    assert images.shape == (4, 6, 1, 2, 2)
    z = latents(images)
    torch.testing.assert_close(z, interpolate(z[:, 0], z[:, -1], 6, kind), rtol=0, atol=1e-4)
    other = {"spherical": "linear", "linear": "spherical"}[kind]
    asked = latents(interpolations(gan(latent=latent), 4, 6, other, seed=0))
    torch.testing.assert_close(asked[:, [0, -1]], z[:, [0, -1]], rtol=0, atol=1e-4)
    assert (asked[:, 1:-1] - z[:, 1:-1]).abs().max() > 1e-2


def test_one_dimension_has_no_arc():
    model = LitGAN(MLPGenerator(4, 1, latent_dim=1, width=4), PlainDiscriminator())
    assert interpolations(model, 2, 5, seed=0).equal(interpolations(model, 2, 5, "linear", seed=0))
    assert morph(model, 2, 3, seed=0).equal(morph(model, 2, 3, "linear", seed=0))


def test_a_seed_gives_the_same_and_none_gives_others():
    model = gan()
    assert interpolations(model, seed=1).equal(interpolations(model, seed=1))
    assert not interpolations(model).equal(interpolations(model))
    torch.manual_seed(0)
    first = truncation_ladder(model)
    torch.manual_seed(0)
    assert truncation_ladder(model).equal(first)


def test_a_row_is_of_one_class():
    images = interpolations(gan(5), 3, 4, labels=[4, 0, 2], seed=0)
    assert classes(images).tolist() == [[4] * 4, [0] * 4, [2] * 4]
    drawn = classes(interpolations(gan(5), 50, 2, seed=0))
    assert drawn[:, 0].equal(drawn[:, 1])
    assert len(drawn.unique()) == 5
    assert classes(morph(gan(5), 2, 3, labels=1, seed=0)).unique().tolist() == [1]


def test_a_ladder_multiplies_the_same_latents():
    images = truncation_ladder(gan(5), [0.25, 1.0], 6, seed=3)
    assert images.shape == (6, 2, 1, 2, 2)
    torch.testing.assert_close(latents(images)[:, 0], 0.25 * latents(images)[:, 1])
    assert classes(images)[:, 0].equal(classes(images)[:, 1])
    assert images[:, 1].equal(gan(5).sample(6, seed=3))


def test_a_ladder_of_stylegan2_is_its_own_truncation():
    generator = StyleGAN2Generator(16, 1, latent_dim=8, width=4, mapping_depth=2)
    generator.mean_style.normal_()
    model = LitGAN(generator, MLPDiscriminator(16, 1, width=8), ema_half_life=None)
    images = truncation_ladder(model, [0.5, 1.0], 3, seed=0)
    generator.eval()
    z = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(images[:, 0], generator(z, truncation=0.5))
    assert not images[:, 0].equal(images[:, 1])


def test_a_class_grid_has_one_latent_in_a_row_and_one_class_in_a_column():
    images = class_grid(gan(5), 3, seed=0)
    assert images.shape == (3, 5, 1, 2, 2)
    assert classes(images).tolist() == [list(range(5))] * 3
    assert latents(images).equal(latents(images)[:, :1].expand(-1, 5, -1))


def test_a_morph_moves_by_little_and_ends_where_it_began():
    frames = morph(gan(), 5, 24, seed=0)
    assert frames.shape == (96, 5, 1, 2, 2)
    z = latents(frames)
    moves = (z - z.roll(1, 0)).norm(dim=2)
    assert moves.max() < 0.6, "from the last frame to the first as well"
    assert (z - z[0]).norm(dim=2).max(0).values.min() > 1


def test_rows_are_those_of_the_picture():
    picture = rows(torch.tensor([[-1.0, 0, 1], [1, 1, -1]]).reshape(2, 3, 1, 1, 1))
    assert picture[0, 2::3, 2::3].tolist() == [[0, 128, 255], [255, 255, 0]]


def test_the_average_is_shown_where_there_is_one():
    model = gan(ema_half_life=10)
    with torch.no_grad():
        model.ema_generator.scale.fill_(0.02)
    for draw in (interpolations, morph, truncation_ladder):
        torch.testing.assert_close(draw(model, seed=0), 2 * draw(model, seed=0, ema=False))
    half = interpolations(model, seed=0, truncation=0.5)
    torch.testing.assert_close(half, 0.5 * interpolations(model, seed=0))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: interpolations(gan(), 0), "n=0 must be at least 1"),
        (lambda: interpolations(gan(), 1, 1), "steps=1 must be at least 2"),
        (lambda: interpolations(gan(), labels=1), "Showing takes no labels: leave labels out"),
        (lambda: interpolations(gan(), truncation=2), r"truncation=2 must be a number in \(0, 1\]"),
        (lambda: morph(gan(), seed=-1), "seed=-1 must be at least 0"),
        (lambda: truncation_ladder(gan(), []), r"truncation=\[\] names none"),
        (lambda: truncation_ladder(gan(), [1, 0]), "truncation=0 must be a number"),
        (lambda: class_grid(gan()), "Showing has no num_classes, of which a grid would show each"),
    ],
)
def test_what_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()


@pytest.fixture
def conditional(tmp_path, monkeypatch):
    """Return a checkpoint of an untrained generator of three classes, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    model = LitGAN(MLPGenerator(8, 1, latent_dim=4, num_classes=3, width=8), MLPDiscriminator(8, 1, width=8))
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(4)  # so that frames differ, which a movie would make one of
    run = trainer(tmp_path)
    run.strategy.connect(model)
    run.save_checkpoint("a.ckpt", weights_only=True)
    return "a.ckpt"


def size(path):
    with Image.open(path) as picture:
        return picture.size, getattr(picture, "n_frames", 1)


def tiles(columns, rows):
    return (columns * 10 + 2, rows * 10 + 2)


@pytest.mark.parametrize(
    ("options", "output", "expected"),
    [
        (["--interpolate=auto"], "a.png", (tiles(8, 8), 1)),
        (["--interpolate=spherical", "--n=3", "--steps=5", "--labels=[0,1,2]"], "a.png", (tiles(5, 3), 1)),
        (["--truncation=[0.5,0.7,1.0]", "--n=2", "--labels=1"], "a.png", (tiles(3, 2), 1)),
        (["--labels=all", "--truncation=0.5", "--n=2"], "a.PNG", (tiles(3, 2), 1)),
        (["--n=4", "--steps=3"], "a.gif", (tiles(2, 2), 12)),
        (["--n=4", "--steps=3", "--interpolate=linear", "--ema=false"], "a.webp", (tiles(2, 2), 12)),
    ],
)
def test_the_command_draws_them(conditional, capsys, options, output, expected):
    main(["sample", conditional, "--seed=0", f"--output={output}", *options])
    assert size(output) == expected
    assert "images to a." in capsys.readouterr().out


def test_the_command_shows_neighbours_and_says_what_they_mean(conditional, capsys):
    options = ["--neighbours=2", "--n=3", "--data=FashionMNISTSample", "--data.image_size=8", "--output=new/n.png"]
    main(["sample", conditional, *options])
    assert size("new/n.png") == (tiles(3, 3), 1)
    said = capsys.readouterr().out
    assert "Of 1000 samples, 1000 held-out and 9000 training images: samples are nearer to the training data in" in said
    assert "further away than new data would be" in said


class TrainingAlone(LightningDataModule):
    def train_dataloader(self):
        return loader(torch.zeros(40, 1, 8, 8), torch.arange(40) % 3)


class Skewed(TrainingAlone):
    def val_dataloader(self):
        return loader(torch.zeros(40, 1, 8, 8), torch.ones(40, dtype=torch.int64))


def test_the_command_draws_without_a_test_where_nothing_is_held_out(conditional, capsys):
    main(["sample", conditional, "--neighbours=2", "--n=3", f"--data={__name__}.TrainingAlone", "--output=n.png"])
    assert size("n.png") == (tiles(3, 3), 1)
    said = capsys.readouterr().out
    assert "Of 40 training images, and none held out: no test" in said


def test_the_command_draws_classes_as_frequent_as_among_held_out_data(conditional, monkeypatch):
    """And not as in the training data, where a loader may have balanced them."""
    drawn = []
    monkeypatch.setattr(NearestImages, "check", lambda self, generated, k: drawn.append(generated))
    main(["sample", conditional, "--neighbours=2", "--n=3", f"--data={__name__}.Skewed", "--output=n.png"])
    labels = drawn[0]._trained.draw(1000, seed=0)[1]
    assert labels.bincount(minlength=3).tolist() == [0, 1000, 0]


def test_the_commands_of_the_page(conditional, capsys):
    """On small images: what docs/sampling.md says, as it stands there."""
    text = (Path(__file__).parents[2] / "docs" / "sampling.md").read_text()
    assert not re.search(r"^lit-gan .*(?<!\")[\[*?]", text, re.MULTILINE), "shells look for files by such names"
    for arguments in commands(text):
        small = ["--data.image_size=8"] if "--data" in arguments else []
        main([conditional if a == "CKPT" else a for a in arguments] + small)
    pictures = {"samples.png", "between.png", "ladder.png", "classes.png", "morph.gif", "neighbours.png"}
    assert {path.name for path in Path.cwd().iterdir()} == pictures | {conditional, "seeds"}
