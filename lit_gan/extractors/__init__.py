"""Feature extractors, which map uint8 images to float32 features, and the protocol that makes scores comparable."""

from lit_gan.extractors.base import Extractor
from lit_gan.extractors.custom import CustomExtractor, OwnExtractor, as_extractor
from lit_gan.extractors.efficientnet import EfficientNetLite0
from lit_gan.extractors.inception import InceptionV3

__all__ = ["CustomExtractor", "EfficientNetLite0", "Extractor", "InceptionV3", "OwnExtractor", "as_extractor"]
