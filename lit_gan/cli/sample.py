"""``lit-gan sample``: pictures from a checkpoint and nothing else."""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pytorch_lightning import LightningDataModule
    from torch import nn

__all__ = ["sample"]


def sample(
    checkpoint: str,
    n: int | None = None,
    output: str = "samples.png",
    seed: int | None = None,
    labels: int | list[int] | Literal["all"] | None = None,
    ema: bool = True,
    truncation: float | list[float] = 1.0,
    interpolate: Literal["linear", "spherical", "auto"] | None = None,
    steps: int | None = None,
    neighbours: int | None = None,
    data: "LightningDataModule | None" = None,
    extractor: "nn.Module | None" = None,
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
    options = dict(locals())
    from lit_gan.cli.draw import Options, draw

    print(f"Wrote {draw(Options(**options))} to {output}")
