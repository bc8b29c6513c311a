"""Feature extractors: uint8 images in, float32 features out, and the protocol that makes a score comparable."""

from lit_gan.metrics.extractors.base import Extractor
from lit_gan.metrics.extractors.inception import InceptionV3
from lit_gan.metrics.extractors.lite import EfficientNetLite0
from lit_gan.metrics.extractors.own import OwnExtractor, as_extractor

__all__ = ["EfficientNetLite0", "Extractor", "InceptionV3", "OwnExtractor", "as_extractor"]
