"""CustomExtractor: any network that maps images to features, as a feature extractor."""

import copy
from typing import Any

from torch import Tensor, nn

from lit_gan._utils.arguments import at_least_one, instance_of
from lit_gan._utils.errors import LitGANError
from lit_gan.extractors.base import Extractor, Pass
from lit_gan.extractors.features import checked

__all__ = ["CustomExtractor", "OwnExtractor", "as_extractor"]


class CustomExtractor(Extractor):
    """A frozen copy of any network that maps uint8 images to features ``(N, D)``, in evaluation mode and float32.

    Args:
        module: network that takes images unchanged; it does its own resizing and scaling.
        num_features: D; None for ``module.num_features``, or else the number of features of the first images.

    Raises:
        TypeError: ``module`` is not a network, or ``num_features`` not a whole number.
        ValueError: ``num_features`` is below 1.
    """

    channels = None

    def __init__(self, module: nn.Module, num_features: int | None = None) -> None:
        super().__init__()
        instance_of("module", module, nn.Module, "a network that maps uint8 images to features (N, D)")
        at_least_one(num_features=num_features)
        self.name = type(module).__name__
        self.num_features = num_features if num_features is not None else getattr(module, "num_features", None)
        self.module = copy.deepcopy(module).float().requires_grad_(False).eval()

    def _protocol(self) -> dict[str, Any]:
        cls = type(self.module)
        return {
            "class": f"{cls.__module__}.{cls.__qualname__}",
            "layer": "output",
            "input_size": None,
            "resize": "none",
            "antialias": None,
        }

    def _pass(self, images: Tensor) -> Pass:
        features = checked(self.module(images), len(images), self.module)
        if self.num_features not in (None, features.shape[1]):
            raise LitGANError(f"{self.name} gives {features.shape[1]} features, and num_features={self.num_features}")
        self.num_features = features.shape[1]
        return features.float(), None


OwnExtractor = CustomExtractor
"""The name of :class:`CustomExtractor` until version 0.1."""


def as_extractor(module: nn.Module, num_features: int | None = None) -> Extractor:
    """Return an extractor unchanged, and any other network as a :class:`CustomExtractor`.

    Args:
        module: network that maps uint8 images ``(N, C, H, W)`` to features ``(N, D)``.
        num_features: D of a network that is not an extractor, as for :class:`CustomExtractor`.
    """
    return module if isinstance(module, Extractor) else CustomExtractor(module, num_features)
