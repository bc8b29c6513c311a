"""The ``lit-gan sample`` command: pictures drawn from a checkpoint's generator."""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pytorch_lightning import LightningDataModule
    from torch import nn

__all__ = ["sample"]


def sample(
    checkpoint: str,
    n: int | None = None,
    output: str = "samples.png",
    seed: int | list[int] | str | None = None,
    labels: int | list[int | str] | str | None = None,
    ema: bool = True,
    truncation: float | list[float] = 1.0,
    interpolate: Literal["linear", "spherical", "auto"] | None = None,
    steps: int | None = None,
    neighbours: int | None = None,
    data: "LightningDataModule | None" = None,
    extractor: "nn.Module | None" = None,
) -> None:
    """Draw images from the generator of a checkpoint; no other file of the run is needed.

    Args:
        checkpoint: a .ckpt file that lit-gan fit or a Trainer wrote; the folder of a run, for its newest one; or a
            folder that lit-gan export wrote.
        n: number of images in a grid or a folder (64 if not given), of each of several seeds (1), of rows in any other
            picture (8), or of images in each frame of a movie (16).
        output: a .png file for one picture, a folder for one file per image, or a .gif or .webp file for a movie in
            which images change into one another, in an endless loop.
        seed: the same seed gives the same images; random if not given. Several seeds, a range like 1-10 or a list like
            1,5,20-25, give an image for each; in a folder, the files are named by their seeds.
        labels: classes for a conditional generator, by number or, if the checkpoint or data names them, by name: one
            for all images, a list with one for each image or row, or the word all for a picture with a column for each
            class and a row for each latent. If not given, classes are drawn with their frequencies in the training
            data.
        ema: use the averaged generator, if the checkpoint has one.
        truncation: number in (0, 1]; below 1, images are more typical and less varied. StyleGAN2 moves styles towards
            their average, w̄ + truncation·(w − w̄); the latents of other generators are multiplied by it. A list, like
            [0.3,0.5,0.7,1.0], gives a picture with a column for each value and a row for each latent.
        interpolate: draw rows of images on the path from one latent to another: linear (a straight line), spherical (an
            arc around the origin), or auto (spherical for normal latents, linear for uniform ones). A movie follows
            the path given here, auto if not given.
        steps: number of images in a row of an interpolation (8 if not given), or of frames from one latent to the next
            in a movie (16).
        neighbours: draw each sample next to this number of nearest training images. Also prints a test for copies
            (whether samples are nearer to training images than held-out images are), if the data have a validation
            set.
        data: data module with the training images, by name (CIFAR10) or import path; required for neighbours, and
            for names of classes that the checkpoint does not hold.
        extractor: network in whose features distances to neighbours are measured; pixels if not given.
    """
    options = dict(locals())
    from lit_gan._utils.arguments import expanded
    from lit_gan.cli.draw import Options, draw

    asked = Options(**expanded(options))
    print(f"Wrote {draw(asked)} to {asked.output}")
