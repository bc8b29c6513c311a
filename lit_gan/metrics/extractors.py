"""Feature extractors under their public import path; they are defined in :mod:`lit_gan.extractors`."""

from lit_gan.extractors import (
    CustomExtractor,
    EfficientNetLite0,
    Extractor,
    InceptionV3,
    OwnExtractor,
    as_extractor,
)

__all__ = ["CustomExtractor", "EfficientNetLite0", "Extractor", "InceptionV3", "OwnExtractor", "as_extractor"]
