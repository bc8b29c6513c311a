"""Adaptive discriminator augmentation, arXiv:2006.06676, whose strength follows the overfitting that it measures."""

import math

import torch
from torch import Tensor

from lit_gan._utils.arguments import at_least_one, within
from lit_gan._utils.dtypes import at_least_float32
from lit_gan.augment.base import Augmentation
from lit_gan.augment.changes import cut, normal, saturated
from lit_gan.augment.geometry import moved, rotation, scaling, shift
from lit_gan.schedules import Schedule, always_within

__all__ = ["AdaptiveAugment"]


class AdaptiveAugment(Augmentation):
    """ADA: flips, quarter turns, shifts, scalings, rotations and colours, each with a probability p that adapts.

    It takes square images.

    r = E[sign D(x)] over augmented real images, where D is a logit, measures how far D overfits, from 0 (not at all)
    to 1 (fully). After each ``every`` images p ← p + sign(r − ``target``) · ``every``/``images``, clipped to [0, 1]. As
    long as p is below about 0.8, the changes do not leak into the samples: the distribution of augmented images
    determines that of the images.

    Args:
        p: initial probability of each change, in [0, 1]; or a schedule of it by images seen, and then p does not adapt.
        target: the value of r to hold, in (0, 1); None keeps p constant.
        images: real images in which p can go from 0 to 1.
        every: real images between two updates of p; 4 batches of 64 in the paper.
        color: probability of the colour changes as a share of p, in [0, 1]; 1 in the paper, ½ in R3GAN, 0 for never.
        cutout: whether a square of half the size is set to 0 in addition, with probability p, as in R3GAN.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range.

    Reference: Karras et al. 2020, arXiv:2006.06676, section 3 and appendix B; R3GAN: arXiv:2501.05441, appendix D.

    Examples:
        >>> import torch
        >>> from lit_gan.augment import AdaptiveAugment
        >>> augment = AdaptiveAugment(images=1000, every=100)
        >>> augment.follow(100, torch.ones(64))  # every real logit is positive: r = 1 is above the target 0.6
        >>> round(float(augment.probability), 4)  # p has gone up by 100/1000
        0.1
    """

    probability: Tensor
    signs: Tensor
    last_move: Tensor

    def __init__(
        self,
        p: float | Schedule = 0.0,
        target: float | None = 0.6,
        images: int = 500_000,
        every: int = 256,
        color: float = 1.0,
        cutout: bool = False,
    ) -> None:
        super().__init__()
        at_least_one(self, images=images, every=every)
        always_within("[0, 1]", self, p=p)
        within("(0, 1)", self, target=target)
        within("[0, 1]", self, color=color)
        start = p(0) if isinstance(p, Schedule) else p
        self.p, self.target, self.images, self.every = p, target, images, every
        self.color, self.cutout = color, cutout
        self.register_buffer("probability", torch.tensor(float(start)))
        self.register_buffer("signs", torch.zeros(2))  # sum and number of the real logits' signs
        self.register_buffer("last_move", torch.zeros((), dtype=torch.int64))  # the images seen when p was last updated

    @torch.no_grad()
    def follow(self, images_seen: int, real_logits: Tensor) -> None:
        """Update p from the signs of the real logits, or set it to the value of its schedule."""
        if isinstance(self.p, Schedule):
            self.probability.fill_(self.p(images_seen))
            return
        if self.target is None:
            return
        self.signs += torch.stack([real_logits.sign().sum(), real_logits.new_full((), len(real_logits))]).to(self.signs)
        images = images_seen - self.last_move  # only tensors: reading a number would make the CPU wait for the GPU
        due = images >= self.every
        move = torch.sign(self.signs[0] / self.signs[1] - self.target) * images / self.images
        self.probability.copy_(torch.where(due, (self.probability + move).clamp(0, 1), self.probability))
        self.signs.mul_(~due)
        self.last_move.add_(due * images)

    def forward(self, images: Tensor) -> Tensor:
        """Return changed images, of the same shape; computed in float32: bfloat16 is too coarse for coordinates."""
        with torch.autocast(images.device.type, enabled=False):
            changed = self._changed(at_least_float32(images))
        return changed.to(images.dtype)

    def _changed(self, images: Tensor) -> Tensor:
        """Return changed images, in the type of ``images``."""
        images = moved(images, self._geometry(images))
        images = self._colored(images) if self.color else images
        return torch.where(self._chosen(images)[:, None, None, None], cut(images), images) if self.cutout else images

    def _chosen(self, images: Tensor, share: float = 1.0) -> Tensor:
        """Draw the images that a change is applied to, with probability ``share`` · p, as booleans ``(N,)``."""
        return torch.rand(len(images), device=images.device) < share * self.probability

    def _geometry(self, images: Tensor) -> Tensor:
        """Return the product of the geometric changes, ``(N, 3, 3)``, from output to input coordinates."""
        n, device = len(images), images.device

        def normal(std: float) -> Tensor:
            """Draw a number from N(0, std²) for each image, ``(N,)``."""
            return torch.randn(n, device=device) * std

        one, quarter = torch.ones(n, device=device), torch.randint(4, (n,), device=device) * (math.pi / 2)
        flip = torch.randint(2, (n,), device=device) * 2 - 1.0
        scale, stretch = (torch.exp2(normal(0.2)) for _ in range(2))
        eighth = torch.rand(2, n, device=device) / 4 - 1 / 8
        changes = [
            scaling(flip, one),
            rotation(quarter),
            shift(2 * eighth[0], 2 * eighth[1]),  # by up to an eighth of the image, which is 2 units wide
            scaling(scale, scale),
            rotation((torch.rand(n, device=device) * 2 - 1) * math.pi),
            scaling(stretch, 1 / stretch),
            shift(normal(0.25), normal(0.25)),
        ]
        whole = torch.eye(3, device=device).expand(n, 3, 3)
        for change in changes:
            whole = whole @ torch.where(self._chosen(images)[:, None, None], change, torch.eye(3, device=device))
        return whole

    def _colored(self, images: Tensor) -> Tensor:
        """Return images with random brightness, contrast, inverted luma and saturation, each change with its chance."""
        # Deviation: no rotation of the hue; one rotation of the image, not two (before and after the stretch).

        def some(changed: Tensor, images: Tensor) -> Tensor:
            """Return ``changed`` for randomly chosen images, and the others as they are."""
            return torch.where(self._chosen(images, self.color)[:, None, None, None], changed, images)

        images = some(images + normal(images, 0.2), images)
        images = some(images * torch.exp2(normal(images, 0.5)), images)
        grey = images.mean(1, keepdim=True)
        images = some(images - 2 * grey * torch.randint_like(grey[:, :, :1, :1], 2), images)
        return some(saturated(images, torch.exp2(normal(images, 1.0))), images)
