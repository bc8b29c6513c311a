"""DiffAugment, arXiv:2006.10738: the same random changes of real and generated images."""

from torch import Tensor

from lit_gan._utils.errors import LitGANError
from lit_gan.augment.base import Augmentation
from lit_gan.augment.changes import contrasted, cut, saturated, translated, uniform

__all__ = ["DiffAugment"]


class DiffAugment(Augmentation):
    """DiffAugment, for training on few images: random colour, translation and cutout.

    Colour: brightness x + b, b ~ U(−½, ½); saturation, each pixel's distance from its mean over the channels times
    U(0, 2); contrast, the distance from the image's mean times U(½, 1½). Translation: by up to an eighth of the size,
    with 0 for the pixels that are uncovered. Cutout: a square of half the size set to 0, its centre anywhere in the
    image.

    Args:
        color: whether colours change.
        translation: whether images move.
        cutout: whether squares are cut.

    Raises:
        ValueError: all three are off.

    Reference: Zhao et al. 2020, arXiv:2006.10738, section 3.2 and appendix A.

    Examples:
        >>> import torch
        >>> from lit_gan.augment import DiffAugment
        >>> images = DiffAugment(color=False)(torch.ones(4, 3, 8, 8))  # uncovered and cut pixels are 0
        >>> images.shape, images.unique().tolist()
        (torch.Size([4, 3, 8, 8]), [0.0, 1.0])
    """

    def __init__(self, color: bool = True, translation: bool = True, cutout: bool = True) -> None:
        super().__init__()
        if not (color or translation or cutout):
            raise LitGANError("DiffAugment: color, translation and cutout are all off: leave the augmentation out")
        self.color, self.translation, self.cutout = color, translation, cutout

    def forward(self, images: Tensor) -> Tensor:
        """Return changed images, of the same shape."""
        if self.color:
            images = images + uniform(images, -0.5, 0.5)
            images = contrasted(saturated(images, uniform(images, 0, 2)), uniform(images, 0.5, 1.5))
        if self.translation:
            images = translated(images)
        return cut(images) if self.cutout else images
