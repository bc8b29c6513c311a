"""``lit-gan evaluate``: a checkpoint against a data set, or two folders of pictures against each other."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from pytorch_lightning import LightningDataModule
from torch import nn
from torchmetrics import Metric

from lit_gan.arguments import at_least, at_least_one
from lit_gan.checkpoints import load_sampler
from lit_gan.data.pictures import check_options
from lit_gan.evaluation.engine import Evaluation, Report
from lit_gan.evaluation.pictures import FolderSamples
from lit_gan.evaluation.scores import ScoreName, scorer_for
from lit_gan.evaluation.sources import (
    GeneratedSamples,
    RealSamples,
    Samples,
    digest_of_weights,
    split_loader,
    up_to,
)
from lit_gan.files import beside
from lit_gan.module import LitGAN

__all__ = ["device", "evaluate"]


def evaluate(
    generated: str,
    real: str | None = None,
    data: LightningDataModule | None = None,
    metrics: Sequence[ScoreName | Metric] = ("fid",),
    extractor: nn.Module | None = None,
    n_fake: int | None = None,
    n_real: int | None = None,
    split: Literal["train", "val", "test"] = "train",
    ema: bool = True,
    seed: int = 0,
    sets: int = 1,
    floor: bool = False,
    batch_size: int = 256,
    image_size: int | None = None,
    channels: int = 3,
    output: str = "evaluation.json",
    cache: str | None = None,
) -> None:
    """Score a checkpoint against a data set, or a folder of pictures against another one.

    Args:
        generated: a .ckpt file, or a folder of pictures.
        real: a folder of pictures, where generated is one.
        data: a data module, where generated is a checkpoint.
        metrics: names, or metrics of torchmetrics by their import path.
        extractor: of the metrics by name; Inception where it is left out.
        n_fake: generated samples; 10,000 of a checkpoint where it is left out.
        n_real: real samples of the data; all where it is left out.
        split: of the data.
        ema: from the averaged generator, where there is one.
        seed: of the latents.
        sets: of generated samples; the score is their mean, and its standard deviation is printed.
        floor: score other real samples of the data as well.
        batch_size: images at a time in the generator.
        image_size: pictures of folders are resized to; left out where all have one size.
        channels: of the pictures of folders, 1 or 3.
        output: a .json file for the scores and their protocol.
        cache: folder of the real samples' statistics.
    """
    at_least(10, n_fake=n_fake, n_real=n_real)
    at_least_one(sets=sets, batch_size=batch_size, image_size=image_size)
    at_least(0, seed=seed)
    check_options(channels)
    Path(output).parent.mkdir(parents=True, exist_ok=True)  # known to work before anything is scored
    if Path(generated).is_dir():
        if real is None or data is not None:
            raise ValueError(f"{generated} is a folder: give --real, the folder to compare it with, and no --data")
        if (n_fake, n_real, sets, floor, split, ema, seed) != (None, None, 1, False, "train", True, 0):
            raise ValueError(
                f"{generated} is a folder, of which all is scored: leave out n_fake, n_real, sets, floor, split, ema "
                "and seed"
            )
        compared = _folders(generated, real, image_size, channels)
        about: dict[str, Any] = {}
    else:
        if data is None or real is not None or image_size is not None or channels != 3:
            what = "give --data, the data to compare it with, and none of --real, --image_size and --channels"
            raise ValueError(f"{generated} is no folder, so a checkpoint: {what}")
        model = load_sampler(generated, LitGAN).to(device())
        n = n_fake or 10_000
        reference, others = _of_data(data, split, n_real, floor, n)
        counts = reference.label_counts(len(model.label_counts))
        drawn = [GeneratedSamples(model, n, seed + i, ema, batch_size, counts) for i in range(sets)]
        weights = digest_of_weights(drawn[0].network)  # tells of which generator, in which state, the scores are
        about = {"images_seen": int(model.images_seen), "weights": weights}
        describes = {"split": split, "ema": drawn[0].ema, "seed": seed}
        compared = _Compared(reference, others, drawn, describes)
    fewest = (compared.floor or compared.generated[0]).n  # a floor has no more than a set
    scorer = scorer_for(metrics, extractor, compared.real, fewest, data).to(device())
    evaluation = Evaluation(scorer, compared.real, compared.describes, cache, progress=True)
    report = evaluation.score(compared.generated, compared.floor)
    print(table(report))
    with beside(Path(output)) as partial:
        partial.write_text(json.dumps({**about, **report.as_plain()}, indent=1))
    print(f"Wrote scores and protocol to {output}")


class _Compared(NamedTuple):
    real: Samples
    floor: Samples | None
    generated: Sequence[Samples]
    describes: dict[str, Any]


def device() -> torch.device:
    """Return the GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _folders(generated: str, real: str, image_size: int | None, channels: int) -> _Compared:
    samples = [FolderSamples(folder, image_size, channels) for folder in (real, generated)]
    return _Compared(samples[0], None, samples[1:], {"split": real, "of": generated})


def _of_data(
    data: LightningDataModule, split: str, n_real: int | None, floor: bool, n_fake: int
) -> tuple[RealSamples, RealSamples | None]:
    """Return the reference, and the samples of its floor."""
    data.prepare_data()
    reference = RealSamples(split_loader(data, split), n_real)
    return reference, up_to(split_loader(data, "val" if split == "train" else "train"), n_fake) if floor else None


def table(report: Report) -> str:
    """Return scores as lines of a table, with spread and floor where there are some."""
    columns = {"score": report.scores, "±": report.spread, "real against real": report.floor}
    shown = {title: values for title, values in columns.items() if values}
    width = max(map(len, report.scores))
    lines = ["  ".join([" " * width, *(f"{title:>15}" for title in shown)])]
    lines += ["  ".join([f"{n:{width}}", *(f"{values[n]:15.5g}" for values in shown.values())]) for n in report.scores]
    return "\n".join([*lines, report.says])
