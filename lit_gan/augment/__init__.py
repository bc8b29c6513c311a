"""Differentiable augmentations, applied to real images and to fakes before the discriminator."""

from lit_gan.augment.adaptive import AdaptiveAugment
from lit_gan.augment.base import Augmentation
from lit_gan.augment.diff_augment import DiffAugment
from lit_gan.augment.geometry import sampled

__all__ = ["AdaptiveAugment", "Augmentation", "DiffAugment", "sampled"]
