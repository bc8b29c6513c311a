"""The ``lit-gan evaluate`` command: scores of a checkpoint's generator, or of a folder of pictures."""

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
    metrics: "Sequence[str | Metric] | str" = ("fid",),
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
    """Score a checkpoint's generator against a data set, or a folder of pictures against another folder.

    Args:
        generated: a .ckpt file whose generator is scored, the folder of a run, for its newest one, or a folder that
            lit-gan export wrote; or a folder of pictures, all of which are scored.
        real: folder of real pictures; required for a folder of pictures, and only allowed there.
        data: data module with the real samples, by name (CIFAR10) or import path; required for a checkpoint, and only
            allowed there.
        metrics: names, like fid,kid, or a list of names and of torchmetrics metrics by import path; an unknown name
            prints the known ones.
        extractor: network that computes the features for metrics given by name; Inception-v3 if not given.
        n_fake: number of generated samples in a set, for a checkpoint; 10,000 if not given.
        n_real: number of real samples, for a checkpoint; all of the split if not given.
        split: split of the data that the samples are compared with, for a checkpoint.
        ema: use the averaged generator, if the checkpoint has one.
        seed: seed of the latents of the first set of generated samples; each further set takes the next seed.
        sets: number of sets of generated samples; with several, scores are means over the sets, and their standard
            deviations are printed.
        floor: also score real samples of another split (val if split is train, else train) in place of generated ones,
            as a reference for the scores.
        batch_size: number of images in one forward pass of the generator.
        image_size: height and width in pixels to which pictures of folders are resized; if not given, all pictures must
            be squares of the same size.
        channels: number of colour channels of pictures in folders, 1 or 3.
        output: .json file for the scores and their protocol (all that the scores depend on).
        cache: folder in which statistics of the real samples are kept for the next evaluation; $LIT_GAN_CACHE or
            ~/.cache/lit_gan if not given.
    """
    options = dict(locals())
    from lit_gan._utils.arguments import expanded
    from lit_gan.cli.compare import Options, compare

    compare(Options(**expanded(options)))
