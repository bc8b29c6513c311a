"""The work of ``lit-gan evaluate``: load real and generated samples, score them, and write the scores."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pytorch_lightning import LightningDataModule
from torch import nn
from torchmetrics import Metric

from lit_gan._utils.arguments import at_least, at_least_one
from lit_gan._utils.devices import best_device
from lit_gan._utils.errors import LitGANError
from lit_gan._utils.files import atomic_write
from lit_gan._utils.state_dicts import digest_of_weights
from lit_gan.cli.checkpoint_paths import given_generators, holds_generators
from lit_gan.cli.output import output_file
from lit_gan.data.pictures import check_options
from lit_gan.metrics.evaluation.engine import Evaluation, Report
from lit_gan.metrics.evaluation.folder_samples import FolderSamples
from lit_gan.metrics.evaluation.scores import scorer_for
from lit_gan.metrics.evaluation.sources import GeneratedSamples, RealSamples, Samples, split_loader, up_to

__all__ = ["Options", "compare", "table"]

_OF_A_CHECKPOINT = ("n_fake", "n_real", "sets", "floor", "split", "ema", "seed")


class Options(NamedTuple):
    """The options of ``lit-gan evaluate``, described in :func:`lit_gan.cli.evaluate.evaluate`."""

    generated: str
    real: str | None = None
    data: LightningDataModule | None = None
    metrics: Sequence[str | Metric] | str = ("fid",)
    extractor: nn.Module | None = None
    n_fake: int | None = None
    n_real: int | None = None
    split: Literal["train", "val", "test"] = "train"
    ema: bool = True
    seed: int = 0
    sets: int = 1
    floor: bool = False
    batch_size: int = 256
    image_size: int | None = None
    channels: int = 3
    output: str = "evaluation.json"
    cache: str | None = None


class _Compared(NamedTuple):
    real: Samples
    floor: Samples | None
    generated: Sequence[Samples]
    describes: dict[str, Any]
    """Further entries of the protocol."""
    about: dict[str, Any]
    """Entries of the output file that identify the generator."""


def compare(options: Options) -> None:
    """Score generated samples against real ones, print a table, and write scores and protocol to a file.

    Raises:
        TypeError: an option of a wrong type.
        ValueError: an option out of range, options that exclude each other, or samples that cannot be compared.
    """
    at_least(10, n_fake=options.n_fake, n_real=options.n_real)
    at_least_one(sets=options.sets, batch_size=options.batch_size, image_size=options.image_size)
    at_least(0, seed=options.seed)
    check_options(options.channels)
    output = output_file(options.output, ".json")
    compared = _folders(options) if _is_of_pictures(options) else _checkpoint(options)
    fewest = (compared.floor or compared.generated[0]).n  # a floor has at most as many as a set
    metrics = options.metrics.split(",") if isinstance(options.metrics, str) else options.metrics
    scorer = scorer_for(metrics, options.extractor, compared.real, fewest, options.data).to(best_device())
    evaluation = Evaluation(scorer, compared.real, compared.describes, options.cache, progress=True)
    report = evaluation.score(compared.generated, compared.floor)
    print(table(report))
    with atomic_write(output) as partial:
        partial.write_text(json.dumps({**compared.about, **report.as_plain()}, indent=1))
    print(f"Wrote scores and protocol to {options.output}")


def _is_of_pictures(options: Options) -> bool:
    """Return whether the samples are pictures: a run's folder is one of pictures if there is a folder of real ones."""
    is_folder = Path(options.generated).is_dir()
    return is_folder and (options.real is not None or not holds_generators(options.generated))


def _folders(options: Options) -> _Compared:
    """Return the samples of two folders; raise a ValueError if there are options that only a checkpoint takes."""
    generated, real = options.generated, options.real
    if real is None or options.data is not None:
        raise LitGANError(f"{generated} is a folder: give --real, the folder to compare it with, and no --data")
    defaults = Options._field_defaults
    if any(getattr(options, name) != defaults[name] for name in _OF_A_CHECKPOINT):
        names = f"{', '.join(_OF_A_CHECKPOINT[:-1])} and {_OF_A_CHECKPOINT[-1]}"
        raise LitGANError(f"{generated} is a folder, of which all is scored: leave out {names}")
    samples = [FolderSamples(folder, options.image_size, options.channels) for folder in (real, generated)]
    return _Compared(samples[0], None, samples[1:], {"split": real, "of": generated}, {})


def _checkpoint(options: Options) -> _Compared:
    """Return real samples and a checkpoint's; raise a ValueError if there are options that only folders take."""
    data = options.data
    if data is None or (options.real, options.image_size, options.channels) != (None, None, 3):
        what = "give --data, the data to compare it with, and none of --real, --image_size and --channels"
        raise LitGANError(f"{options.generated} is no folder of pictures, so a checkpoint: {what}")
    saved, n = given_generators(options.generated, options.ema).saved.to(best_device()), options.n_fake or 10_000
    data.prepare_data()
    real = RealSamples(split_loader(data, options.split), options.n_real)
    floor = up_to(split_loader(data, "val" if options.split == "train" else "train"), n) if options.floor else None
    counts = real.label_counts(len(saved.label_counts))
    seeds = range(options.seed, options.seed + options.sets)
    drawn = [GeneratedSamples(saved, n, seed, options.ema, options.batch_size, counts) for seed in seeds]
    weights = digest_of_weights(drawn[0].network)  # identifies the generator and its state
    averaged = options.ema and saved.ema_generator is not None
    describes = {"split": options.split, "ema": averaged, "seed": options.seed}
    return _Compared(real, floor, drawn, describes, {"images_seen": saved.images_seen, "weights": weights})


def table(report: Report) -> str:
    """Return the text of a table of scores, with their spread and floor if there are any."""
    columns = {"score": report.scores, "±": report.spread, "real against real": report.floor}
    shown = {title: values for title, values in columns.items() if values}
    width = max(map(len, report.scores))
    lines = ["  ".join([" " * width, *(f"{title:>15}" for title in shown)])]
    lines += ["  ".join([f"{n:{width}}", *(f"{values[n]:15.5g}" for values in shown.values())]) for n in report.scores]
    return "\n".join([*lines, report.says])
