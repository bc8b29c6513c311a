"""Nearest training images of generated samples, as numbers, as a picture and as a test for copies."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from lit_gan._utils.errors import LitGANError
from lit_gan.data.images import grid, resize
from lit_gan.extractors import as_extractor
from lit_gan.metrics.copying import (
    CopyingTest,
    Nearest,
    copying_test,
    copying_test_with_variety,
    nearest_neighbours,
)
from lit_gan.metrics.evaluation.blocks import BLOCK
from lit_gan.metrics.evaluation.engine import check_alike
from lit_gan.metrics.evaluation.sources import RealSamples, Samples, has_length, has_samples, up_to

__all__ = ["NearestImages", "train_and_held_out"]

_PIXELS = 32  # largest height and width at which pixels are compared


def train_and_held_out(train: Any, held_out: Any, tested: int) -> tuple[RealSamples, RealSamples | None]:
    """Return all training samples, and at most ``tested`` held-out ones; None in their place if there are none.

    Args:
        train: loader of training data, or any iterable of batches with a length.
        held_out: likewise of held-out data, or None.
        tested: largest number of held-out samples, a fixed random choice if there are more.

    Raises:
        ValueError: a loader without a length, which may have no end.
    """
    for loader in (train, held_out):
        if loader is not None and not has_length(loader):
            raise LitGANError(
                "neighbours need data with an end, and these are a stream without a length: give a data set with one "
                "(__len__), or leave neighbours out"
            )
    return RealSamples(train), up_to(held_out, tested) if has_samples(held_out) else None


class NearestImages:
    """A search for the training samples nearest to generated ones, which shows what a generator has memorised.

    Distances are between features, or between pixels of images resized to 32 px if they are larger. The features of
    the training samples are kept in memory; their pixels are read again in each search.

    Args:
        train: the training samples.
        held_out: samples not trained on, about as many as generated ones, for the test; None for no test.
        extractor: any module that maps uint8 images to features; None for pixels.
        mirrored: whether mirror images of training images count as training images, as they do if training mirrors
            them.
        progress: whether to show a progress bar.
    """

    def __init__(
        self,
        train: RealSamples,
        held_out: RealSamples | None = None,
        extractor: nn.Module | None = None,
        mirrored: bool = False,
        progress: bool = False,
    ) -> None:
        self.train, self.held_out, self.mirrored, self.progress = train, held_out, mirrored, progress
        self.extractor = None if extractor is None else as_extractor(extractor)
        self._features: list[Tensor] = []
        self._others: tuple[Tensor, Tensor] | None = None

    def label_counts(self, num_classes: int) -> Tensor:
        """Return the number of held-out samples of each class; of training samples without a test.

        Generated samples whose classes have other frequencies would be nearer or further for that alone.
        """
        return (self.train if self.held_out is None else self.held_out).label_counts(num_classes)

    def check(self, generated: Samples, k: int) -> None:
        """Raise if ``generated`` and ``k`` do not fit the training samples or the extractor.

        Raises:
            ValueError: more neighbours than training samples; generated, training and held-out samples not of one
                shape; samples that the extractor refuses.
        """
        if k > self.train.n:
            raise LitGANError(f"{k} neighbours among {self.train.n} training samples: take fewer")
        check_alike(self.train, generated)
        shapes = [tuple(samples.block(0).shape[1:]) for samples in (self.train, self.held_out or self.train)]
        if shapes[0] != shapes[1]:
            raise LitGANError(
                f"training samples are {shapes[0]} and held-out ones {shapes[1]}: give both the same size"
            )
        self._look(generated.block(0)[:2])

    def search(self, generated: Samples, k: int) -> tuple[Nearest, CopyingTest | None]:
        """Return the ``k`` nearest training samples of each generated one, and the test for copies.

        The test is None without held-out samples.

        Raises:
            ValueError: fewer than ``k`` training samples.
        """
        looked = torch.cat([self._look(block) for block in _blocks(generated)])
        nearest = nearest_neighbours(looked, self._training(), k)
        if self.held_out is None:
            return nearest, None
        if self._others is None:
            others = torch.cat([self._look(block) for block in _blocks(self.held_out)]).to(looked.device)
            self._others = nearest_neighbours(others, self._training()).distances[:, 0].cpu(), others
        of_held_out, others = self._others
        distances = nearest.distances[:, 0].cpu()
        if len(others) < 2:
            return nearest, copying_test(distances, of_held_out)
        return nearest, copying_test_with_variety(distances, of_held_out, looked, others)

    def picture(self, generated: Samples, nearest: Nearest, rows: int) -> Tensor:
        """Return a uint8 picture ``(C, H, W)``: in each row a sample, followed by its nearest training images."""
        shown = torch.cat([generated.block(number).cpu() for number in range(-(-rows // BLOCK))])[:rows]
        found = nearest.numbers[:rows].tolist()
        images = [torch.stack([image, *map(self._image, mine)]) for image, mine in zip(shown, found, strict=True)]
        return grid(torch.cat(images), columns=len(images[0]))

    def _image(self, number: int) -> Tensor:
        mirrored, number = divmod(number, self.train.n)
        image = self.train.block(number // BLOCK)[number % BLOCK].cpu()
        return image.flip(-1) if mirrored else image

    def _training(self) -> Iterable[Tensor]:
        """Return features or pixels of the training samples in blocks, then, if mirrored, of their mirror images."""
        flips = (False, True)[: 1 + self.mirrored]
        blocks = (block.flip(-1) if flip else block for flip in flips for block in _blocks(self.train))
        if self.extractor is None:
            return map(self._look, blocks)
        if not self._features:
            total, hidden = len(flips) * -(-self.train.n // BLOCK), not self.progress
            shown = tqdm(blocks, "training images", total, leave=False, unit_scale=BLOCK, unit="", disable=hidden)
            self._features = [self._look(block).cpu() for block in shown]
        return self._features

    def _look(self, samples: Tensor) -> Tensor:
        """Return the features or pixels of images by which they are compared; points unchanged."""
        if samples.ndim != 4:
            return samples
        if self.extractor is None:
            return resize(samples, _PIXELS) if max(samples.shape[2:]) > _PIXELS else samples
        device = next(self.extractor.parameters(), samples).device
        return self.extractor(samples.to(device))


def _blocks(samples: Samples) -> Iterator[Tensor]:
    return (samples.block(number) for number in range(-(-samples.n // BLOCK)))
