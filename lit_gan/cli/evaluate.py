"""``lit-gan evaluate``: a checkpoint against a data set, or two folders of pictures against each other."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pytorch_lightning import LightningDataModule
    from torch import nn
    from torchmetrics import Metric

__all__ = ["evaluate"]


def evaluate(
    generated: str,
    real: str | None = None,
    data: "LightningDataModule | None" = None,
    metrics: "Sequence[str | Metric]" = ("fid",),
    extractor: "nn.Module | None" = None,
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
    options = dict(locals())
    from lit_gan.cli.compare import Options, compare

    compare(Options(**options))
