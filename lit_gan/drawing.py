"""``lit-gan sample``: pictures from a checkpoint and nothing else."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pytorch_lightning import LightningDataModule
from pytorch_lightning.utilities.model_helpers import is_overridden
from torch import Tensor, nn

from lit_gan.arguments import at_least, at_least_one
from lit_gan.checkpoints import load_sampler
from lit_gan.evaluation import GeneratedSamples
from lit_gan.evaluation.command import device
from lit_gan.evaluation.copying import Memory, known_and_held_out
from lit_gan.evaluation.sources import split_loader
from lit_gan.exploring import class_grid, interpolations, morph, new_seed, rows, truncation_ladder
from lit_gan.images import MOVIES, as_pillow, grid, have_a_picture, save_movie, save_png, to_uint8
from lit_gan.latents import PathKind
from lit_gan.module import LitGAN

__all__ = ["sample"]

_TESTED = 1000  # samples, and held-out images, that the test for copies takes
_FRAME = 60  # milliseconds


def sample(
    checkpoint: str,
    n: int | None = None,
    output: str = "samples.png",
    seed: int | None = None,
    labels: int | list[int] | Literal["all"] | None = None,
    ema: bool = True,
    truncation: float | list[float] = 1.0,
    interpolate: PathKind | Literal["auto"] | None = None,
    steps: int | None = None,
    neighbours: int | None = None,
    data: LightningDataModule | None = None,
    extractor: nn.Module | None = None,
) -> None:
    """Draw images from a checkpoint and nothing else.

    Args:
        checkpoint: a .ckpt file that ``lit-gan fit`` or a Trainer wrote.
        n: number of images, 64 where it is left out; of rows, 8, in pictures of several columns; of images in a frame,
            16, of a movie.
        output: a .png file for one picture, a folder for one file for each image, or a .gif or .webp file for a movie
            of images that change into one another and end where they began.
        seed: the same seed gives the same images.
        labels: classes, for a conditional generator: one for all, a list with one for each image or row, or ``all``
            for a column of each class, each row of one latent. As frequent as in the training data where they are left
            out.
        ema: from the averaged generator, where there is one.
        truncation: in (0, 1]: below 1, more typical images and less variety. StyleGAN2 moves styles towards their
            average, w̄ + truncation·(w − w̄); the latents of other generators are multiplied by it. A list, like
            ``[0.3,0.5,0.7,1.0]``, for a column of each, each row of one latent.
        interpolate: rows that go from one latent to another one: ``linear``, ``spherical``, around the origin, or
            ``auto``, the way that suits the generator's latents, spherical where they are normal, linear where they are
            uniform. A movie is ``auto`` where it is left out.
        steps: images in a row of an interpolation, 8 where it is left out; frames from one latent to the next, 16, of a
            movie.
        neighbours: a number of images of the training data that are nearest to each sample, shown beside it; says as
            well whether samples are nearer to them than held-out images are, as copies would be, where the data have
            some.
        data: the training data, for neighbours.
        extractor: of the features in which neighbours are near; pixels where it is left out.
    """
    path, movie = Path(output), Path(output).suffix.lower() in MOVIES
    kind = _kind(
        {
            "a movie": movie,
            "interpolate": interpolate is not None and not movie,
            "labels=all": labels == "all",
            "a list for truncation": isinstance(truncation, list),
            "neighbours": neighbours is not None,
        }
    )
    at_least_one(n=n, neighbours=neighbours)
    at_least(0, seed=seed)
    _check_steps(kind, steps)
    _check_neighbours(neighbours, data, extractor, labels, truncation)
    one_file = _check_output(path, kind)
    model = load_sampler(checkpoint, LitGAN)
    if kind is not None:
        _check_images(model, kind, labels)
    (path.parent if one_file else path).mkdir(parents=True, exist_ok=True)  # known to work before anything is drawn
    options: dict[str, Any] = {"ema": ema, "seed": seed}
    if neighbours is not None and data is not None:
        wrote = _draw_neighbours(model, path, n or 8, neighbours, data, extractor, **options)
    elif kind is None:
        wrote = _draw_samples(model, path, n or 64, labels=labels, truncation=truncation, **options)
    else:
        given: dict[str, Any] = {"labels": labels}
        way = None if interpolate == "auto" else interpolate
        draw: dict[str, Callable[..., Tensor]] = {
            "a movie": partial(morph, n=n or 16, steps=steps or 16, kind=way, **given),
            "interpolate": partial(interpolations, n=n or 8, steps=steps or 8, kind=way, **given),
            "labels=all": partial(class_grid, n=n or 8),
            "a list for truncation": partial(truncation_ladder, n=n or 8, **given),
        }
        images = draw[kind](model, truncation=truncation, **options)
        wrote = f"{images.shape[0]} {'frames' if movie else 'rows'} of {images.shape[1]} images"
        if movie:
            save_movie([as_pillow(grid(frame)) for frame in images], path, _FRAME)
        else:
            save_png(rows(images), path)
    print(f"Wrote {wrote} to {output}")


def _kind(asked: dict[str, bool]) -> str | None:
    """Return the one kind of picture that is asked for; None for a grid of samples, or a folder."""
    kinds = [name for name, is_asked in asked.items() if is_asked]
    if len(kinds) > 1:
        raise ValueError(f"{' and '.join(kinds)} are pictures of their own: ask for one of them")
    return kinds[0] if kinds else None


def _check_steps(kind: str | None, steps: int | None) -> None:
    if steps is not None and kind not in ("interpolate", "a movie"):
        raise ValueError(f"steps={steps} are those of an interpolation: give --interpolate, or an --output x.gif")
    at_least(2 if kind == "interpolate" else 1, steps=steps)


def _check_neighbours(neighbours: int | None, data: object, extractor: object, labels: Any, truncation: Any) -> None:
    if neighbours is None and (data is not None or extractor is not None):
        what = "data" if extractor is None else "extractor"
        raise ValueError(f"{what} is for neighbours: give --neighbours 5, or leave {what} out")
    if neighbours is not None and data is None:
        raise ValueError(f"neighbours={neighbours} are of the training data: give --data")
    if neighbours is not None and (labels is not None or truncation != 1):
        raise ValueError(
            f"labels={labels} and truncation={truncation}: neighbours are of samples as they come, leave both out"
        )


def _check_output(path: Path, kind: str | None) -> bool:
    """Tell whether there will be one file; refuse a path that cannot be it."""
    one_file = path.suffix.lower() in (".png", *MOVIES)
    if (path.suffix and not one_file) or (one_file and path.is_dir()):
        raise ValueError(
            f"output={str(path)!r} must be a file that ends in .png, for a grid, or in {' or '.join(MOVIES)}, for a "
            "movie, or a folder, for one each"
        )
    if kind is not None and not one_file:
        raise ValueError(f"output={str(path)!r} is a folder, and {kind} makes one picture: give a file, like x.png")
    return one_file


def _check_images(model: LitGAN, kind: str, labels: Any) -> None:
    """Refuse a generator of points, and labels that it does not take, with one sample."""
    first = labels[0] if isinstance(labels, list) and labels else labels if isinstance(labels, int) else None
    shape = tuple(model.sample(1, first, seed=0).shape[1:])
    if len(shape) != 3:
        raise ValueError(f"samples of shape {shape} are no images, which {kind} shows: leave it out")


def _draw_samples(model: LitGAN, path: Path, n: int, **options: Any) -> str:
    """Write a grid, or a file for each image."""
    images = model.sample(n, **options)
    one_grid = bool(path.suffix)
    if images.ndim != 4 and not (one_grid and have_a_picture(images)):
        raise ValueError(f"samples of shape {tuple(images.shape[1:])} are no images: use LitGAN.sample in code")
    if one_grid:
        save_png(grid(images), path)
    else:
        for i, image in enumerate(images):
            save_png(to_uint8(image), path / f"{i:06d}.png")
    return f"{n} images"


def _draw_neighbours(
    model: LitGAN,
    path: Path,
    n: int,
    k: int,
    data: LightningDataModule,
    extractor: nn.Module | None,
    ema: bool,
    seed: int | None,
) -> str:
    """Write samples beside their nearest training images, and say whether they are too near."""
    data.prepare_data()
    others = split_loader(data, "val") if is_overridden("val_dataloader", data, LightningDataModule) else None
    train, held_out = known_and_held_out(split_loader(data, "train"), others, _TESTED)
    network = None if extractor is None else extractor.to(device())
    memory = Memory(train, held_out, network, getattr(data, "horizontal_flip", False), progress=True)
    counts = memory.label_counts(len(model.label_counts))
    tested = n if held_out is None else max(n, _TESTED)
    generated = GeneratedSamples(model.to(device()), tested, new_seed(seed), ema, counts=counts)
    memory.check(generated, k)
    nearest, test = memory.recall(generated, k)
    save_png(memory.picture(generated, nearest, n), path)
    if held_out is None:
        print(f"Of {train.n} training images, and none held out: no test whether samples are copies")
    else:
        print(f"Of {generated.n} samples, {held_out.n} held-out and {train.n} training images: {test}")
    return f"{n} samples, each beside its {k} nearest training images,"
