"""Base class of feature extractors: uint8 images in, float32 features out, and the protocol of their scores."""

import pickle
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lit_gan._utils.errors import LitGANError
from lit_gan._utils.representation import as_arguments
from lit_gan.extractors.features import fingerprint, full_float32, keeping_types

__all__ = ["Extractor", "Pass", "read_weights"]

Pass = tuple[Tensor, Tensor | None]
"""Features ``(N, D)``, and class logits ``(N, K)`` or None, from one forward pass."""


class Extractor(nn.Module, ABC):
    """A frozen network that maps images to features, always in evaluation mode, without gradients and in float32.

    Neither ``.to(torch.bfloat16)`` nor autocast, TF32 or another default type changes its output. Images pass through
    it ``chunk`` at a time, which bounds the memory.
    """

    name: str
    """Name of the extractor, in the protocol and in :attr:`suffix`."""
    num_features: int | None
    """Number of features D; None until the first images if it was not given."""
    channels: int | None = 3
    """Channels of the images it takes, to which grey ones are repeated; None for any number, unchanged."""
    chunk: int = 64
    """Largest number of images in one forward pass."""
    extra_repr = as_arguments

    @property
    def suffix(self) -> str:
        """Ending of its scores' names, such as ``_lite0``; empty for Inception-v3, by which the FID is defined."""
        return f"_{self.name}"

    @property
    def protocol(self) -> dict[str, Any]:
        """Plain data that two scores must share to be comparable; ``weights`` is a fingerprint."""
        return {"extractor": self.name, **self._protocol(), "weights": fingerprint(self)}

    @abstractmethod
    def _protocol(self) -> dict[str, Any]:
        """Return the protocol's ``layer``, ``input_size`` in pixels, ``resize`` and ``antialias``."""

    @abstractmethod
    def _pass(self, images: Tensor) -> Pass:
        """Return features, and logits or None, of at most ``chunk`` uint8 images with ``channels`` channels."""

    def forward(self, images: Tensor) -> Tensor:
        """Return features, float32 ``(N, D)``.

        Args:
            images: uint8 ``(N, C, H, W)``, on the extractor's device.

        Raises:
            ValueError: images of another type or shape; or the network's output is not ``(N, D)``, or not finite.
        """
        return self.features_and_logits(images)[0]

    @torch.no_grad()
    def features_and_logits(self, images: Tensor) -> Pass:
        """Return features ``(N, D)`` and class logits ``(N, K)``, or None without classes, float32, from one pass.

        Args:
            images: uint8 ``(N, C, H, W)``, on the extractor's device.

        Raises:
            ValueError: as for :meth:`forward`.
        """
        images = self._checked(images)
        with full_float32(images.device.type):
            passes = [self._pass(part) for part in images.split(self.chunk)]
        features, logits = zip(*passes, strict=True)
        return torch.cat(features), torch.cat(logits) if logits[0] is not None else None

    def _checked(self, images: Tensor) -> Tensor:
        if images.dtype != torch.uint8 or images.ndim != 4:
            raise LitGANError(
                f"{type(self).__name__}: images are {images.dtype} of shape {tuple(images.shape)}: give uint8 "
                "(N, C, H, W), as lit_gan.data.images.to_uint8 makes them"
            )
        if self.channels is None or images.shape[1] == self.channels:
            return images
        if images.shape[1] != 1:
            raise LitGANError(
                f"{type(self).__name__}: images have {images.shape[1]} channels: it takes {self.channels}, or grey ones"
            )
        return images.expand(-1, self.channels, -1, -1)

    def train(self, mode: bool = True) -> "Extractor":
        """Stay in evaluation mode, for any ``mode``."""
        return super().train(False)

    def _apply(self, fn: Any, recurse: bool = True) -> "Extractor":
        return super()._apply(keeping_types(fn), recurse)


def read_weights(path: Path) -> Any:
    """Return the tensors in an untrusted file, without unpickling anything else.

    Raises:
        ValueError: the file cannot be read, or holds something else.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise LitGANError(f"{path} cannot be read as weights: {' '.join(str(error).split())[:200]}") from None
