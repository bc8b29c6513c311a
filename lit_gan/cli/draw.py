"""The work of ``lit-gan sample``: check the options, draw the requested kind of picture, and write it."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from pytorch_lightning import LightningDataModule
from pytorch_lightning.utilities.model_helpers import is_overridden
from torch import Tensor, nn

from lit_gan._utils.arguments import at_least, at_least_one
from lit_gan._utils.devices import best_device
from lit_gan._utils.errors import LitGANError
from lit_gan.cli.asked import several_seeds, with_numbers
from lit_gan.cli.checkpoint_paths import given_generators
from lit_gan.cli.output import check_writable
from lit_gan.data.images import MOVIES, as_pillow, grid, have_a_picture, save_movie, save_png, to_uint8
from lit_gan.metrics.evaluation import GeneratedSamples
from lit_gan.metrics.evaluation.nearest import NearestImages, train_and_held_out
from lit_gan.metrics.evaluation.sources import split_loader
from lit_gan.sampling.from_checkpoint import SavedGenerators
from lit_gan.sampling.grids import class_grid, interpolations, morph, new_seed, rows, truncation_ladder
from lit_gan.sampling.paths import PathKind

__all__ = ["Options", "draw"]

_TESTED = 1000  # least number of samples, and largest of held-out images, in the test for copies
_FRAME_MILLISECONDS = 60


class Options(NamedTuple):
    """The options of ``lit-gan sample``, described in :func:`lit_gan.cli.sample.sample`."""

    checkpoint: str
    n: int | None
    output: str
    seed: Any
    labels: Any
    ema: bool
    truncation: Any
    interpolate: Literal["linear", "spherical", "auto"] | None
    steps: int | None
    neighbours: int | None
    data: LightningDataModule | None
    extractor: nn.Module | None

    @property
    def path(self) -> Path:
        """Path of the output."""
        return Path(self.output)

    @property
    def is_movie(self) -> bool:
        """Whether the output is a movie, by the ending of its name."""
        return self.path.suffix.lower() in MOVIES


def draw(options: Options) -> str:
    """Draw the requested pictures from a checkpoint, write them, and return a description of what was written.

    Raises:
        TypeError: an option of a wrong type.
        ValueError: an option out of range, options that exclude each other, or that this generator does not support.
    """
    options = options._replace(seed=several_seeds(options.seed))
    kind = _kind(options)
    _check_numbers(kind, options)
    _check_neighbours(options)
    one_file = _check_output(options.path, kind)
    saved, class_names = given_generators(options.checkpoint, options.ema)
    options = options._replace(labels=with_numbers(options.labels, _class_names(options) or class_names))
    if kind is not None:
        _check_images(saved, kind, options.labels)
    folder = options.path.parent if one_file else options.path
    check_writable(folder)
    if kind == "neighbours":
        return _draw_neighbours(saved, options)
    return _draw_samples(saved, options) if kind is None else _draw_rows(saved, options, kind)


def _kind(options: Options) -> str | None:
    """Return the kind of picture requested, None for a grid or a folder of samples; raise for more than one kind."""
    kinds = {
        "a movie": options.is_movie,
        "interpolate": options.interpolate is not None and not options.is_movie,
        "labels=all": options.labels == "all",
        "a list for truncation": isinstance(options.truncation, list),
        "neighbours": options.neighbours is not None,
        "several seeds": isinstance(options.seed, list),
    }
    wanted = [name for name, is_wanted in kinds.items() if is_wanted]
    if len(wanted) > 1:
        raise LitGANError(f"{' and '.join(wanted)} are pictures of their own: ask for one of them")
    return wanted[0] if wanted and wanted != ["several seeds"] else None


def _check_numbers(kind: str | None, options: Options) -> None:
    at_least_one(n=options.n, neighbours=options.neighbours)
    steps = options.steps
    if steps is not None and kind not in ("interpolate", "a movie"):
        raise LitGANError(f"steps={steps} are those of an interpolation: give --interpolate, or an --output x.gif")
    at_least(2 if kind == "interpolate" else 1, steps=steps)


def _check_neighbours(options: Options) -> None:
    neighbours, labels, truncation = options.neighbours, options.labels, options.truncation
    names_classes = options.extractor is None and labels != "all" and isinstance(labels, (str, list))
    if neighbours is None and not names_classes and (options.data is not None or options.extractor is not None):
        what = "data" if options.extractor is None else "extractor"
        raise LitGANError(f"{what} is for neighbours: give --neighbours 5, or leave {what} out")
    if neighbours is not None and options.data is None:
        raise LitGANError(f"neighbours={neighbours} are of the training data: give --data")
    if neighbours is not None and (labels is not None or truncation != 1):
        raise LitGANError(
            f"labels={labels} and truncation={truncation}: neighbours are of samples as they come, leave both out"
        )


def _check_output(path: Path, kind: str | None) -> bool:
    """Return whether the output is one file; raise a ValueError if ``path`` does not suit the kind of picture."""
    endings = (".png", *MOVIES)
    one_file = path.suffix.lower() in endings
    if path.name.lower() in endings or (path.suffix and not one_file) or (one_file and path.is_dir()):
        raise LitGANError(
            f"output={str(path)!r} must be a file that ends in .png, for a grid, or in {' or '.join(MOVIES)}, for a "
            "movie, or a folder, for one each"
        )
    if kind is not None and not one_file:
        raise LitGANError(f"output={str(path)!r} is a folder, and {kind} makes one picture: give a file, like x.png")
    return one_file


def _class_names(options: Options) -> Sequence[str]:
    """Return the names of the classes of the data that were given to find them."""
    if options.data is None or options.neighbours is not None:
        return ()
    options.data.prepare_data()
    options.data.setup("fit")
    return getattr(options.data, "class_names", ())


def _check_images(saved: SavedGenerators, kind: str, labels: Any) -> None:
    """Draw one sample, to raise an error early for labels that the generator does not take or if it makes points."""
    first = labels[0] if isinstance(labels, list) and labels else labels if isinstance(labels, int) else None
    shape = tuple(saved.sample(1, first, seed=0).shape[1:])
    if len(shape) != 3:
        raise LitGANError(f"samples of shape {shape} are no images, which {kind} shows: leave it out")


def _check_finite(images: Tensor, checkpoint: str) -> None:
    if not images.isfinite().all():
        raise LitGANError(f"the generator of {checkpoint} makes images of NaN or infinity: take an earlier checkpoint")


def _draw_samples(saved: SavedGenerators, options: Options) -> str:
    """Write samples as one grid, or each to a file of its own; return what was written."""
    images, names = _seeds_samples(saved, options) if isinstance(options.seed, list) else _samples(saved, options)
    _check_finite(images, options.checkpoint)
    one_grid = bool(options.path.suffix)
    if images.ndim != 4 and not (one_grid and have_a_picture(images)):
        raise LitGANError(f"samples of shape {tuple(images.shape[1:])} are no images: use LitGAN.sample in code")
    if one_grid:
        save_png(grid(images), options.path)
    else:
        for image, name in zip(images, names, strict=True):
            save_png(to_uint8(image), options.path / f"{name}.png", sync=False)
    return f"{len(images)} images"


def _samples(saved: SavedGenerators, options: Options) -> tuple[Tensor, list[str]]:
    """Return samples, and a name for the file of each, their number."""
    n, truncation = options.n or 64, options.truncation
    images = saved.sample(n, options.labels, ema=options.ema, seed=options.seed, truncation=truncation)
    return images, [f"{i:06d}" for i in range(n)]


def _seeds_samples(saved: SavedGenerators, options: Options) -> tuple[Tensor, list[str]]:
    """Return the samples of each seed, one if ``n`` is not given, and a name for the file of each."""
    n, labels, seeds = options.n or 1, options.labels, options.seed
    if isinstance(labels, list) and len(labels) != n * len(seeds):
        raise LitGANError(f"{len(labels)} labels for {n * len(seeds)} images: give one, or one for each")
    each = [labels[i * n : (i + 1) * n] if isinstance(labels, list) else labels for i in range(len(seeds))]
    options = options._replace(n=n)
    images = [_samples(saved, options._replace(seed=s, labels=of)) for s, of in zip(seeds, each, strict=True)]
    names = [f"seed{s:04d}" + (f"-{i:02d}" if n > 1 else "") for s in seeds for i in range(n)]
    return torch.cat([of_seed for of_seed, _ in images]), names


def _draw_rows(saved: SavedGenerators, options: Options, kind: str) -> str:
    """Write a picture of rows, or a movie; return what was written."""
    n, steps, labels = options.n, options.steps, options.labels
    way: PathKind | None = None if options.interpolate == "auto" else options.interpolate
    makers: dict[str, Callable[..., Tensor]] = {
        "a movie": partial(morph, n=n or 16, steps=steps or 16, kind=way, labels=labels),
        "interpolate": partial(interpolations, n=n or 8, steps=steps or 8, kind=way, labels=labels),
        "labels=all": partial(class_grid, n=n or 8),
        "a list for truncation": partial(truncation_ladder, n=n or 8, labels=labels),
    }
    images = makers[kind](saved, truncation=options.truncation, ema=options.ema, seed=options.seed)
    _check_finite(images, options.checkpoint)
    if options.is_movie:
        save_movie([as_pillow(grid(frame)) for frame in images], options.path, _FRAME_MILLISECONDS)
    else:
        save_png(rows(images), options.path)
    return f"{images.shape[0]} {'frames' if options.is_movie else 'rows'} of {images.shape[1]} images"


def _draw_neighbours(saved: SavedGenerators, options: Options) -> str:
    """Write samples next to their nearest training images, and print the test for copies; return what was written."""
    n, k, data, extractor = options.n or 8, options.neighbours, options.data, options.extractor
    assert k is not None
    assert data is not None
    data.prepare_data()
    others = split_loader(data, "val") if is_overridden("val_dataloader", data, LightningDataModule) else None
    train, held_out = train_and_held_out(split_loader(data, "train"), others, _TESTED)
    network = None if extractor is None else extractor.to(best_device())
    nearest = NearestImages(train, held_out, network, getattr(data, "horizontal_flip", False), progress=True)
    tested, counts = n if held_out is None else max(n, _TESTED), nearest.label_counts(len(saved.label_counts))
    generated = GeneratedSamples(saved.to(best_device()), tested, new_seed(options.seed), options.ema, counts=counts)
    nearest.check(generated, k)
    found, test = nearest.search(generated, k)
    save_png(nearest.picture(generated, found, n), options.path)
    if held_out is None:
        print(f"Of {train.n} training images, and none held out: no test whether samples are copies")
    else:
        print(f"Of {generated.n} samples, {held_out.n} held-out and {train.n} training images: {test}")
    return f"{n} samples, each beside its {k} nearest training images,"
