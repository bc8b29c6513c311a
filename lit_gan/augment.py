"""Differentiable augmentations, applied to real images and to fakes before the discriminator."""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, pad

from lit_gan._utils.arguments import at_least_one, within
from lit_gan._utils.dtypes import at_least_float32
from lit_gan._utils.errors import LitGANError
from lit_gan._utils.representation import as_arguments
from lit_gan.schedules import Schedule, always_within

__all__ = ["AdaptiveAugment", "Augmentation", "DiffAugment", "sampled"]


class Augmentation(nn.Module, ABC):
    """A differentiable random change of images ``(N, C, H, W)`` in [-1, 1], drawn separately for each image.

    To write one, implement ``forward``. LitGAN's ``augment`` takes any module, and calls :meth:`follow` of each
    Augmentation in it. Draw from torch's random state, which is saved and resumed, and keep a state in buffers.

    Example:
        >>> import torch
        >>> from lit_gan.augment import Augmentation
        >>> class Flip(Augmentation):
        ...     def forward(self, images):
        ...         return torch.where(torch.rand(len(images), 1, 1, 1) < 0.5, images, images.flip(3))
        >>> Flip()(torch.ones(4, 3, 8, 8)).shape
        torch.Size([4, 3, 8, 8])
    """

    extra_repr = as_arguments

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Return changed images, of the same shape."""

    def follow(self, images_seen: int, real_logits: Tensor) -> None:
        """Update the state from one (micro-)batch of a discriminator's turn; by default do nothing.

        Args:
            images_seen: real images that the discriminator was shown so far, over all devices.
            real_logits: of this batch's augmented real images, ``(N,)``.
        """


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

    Example:
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
            images = images + _uniform(images, -0.5, 0.5)
            images = _contrasted(_saturated(images, _uniform(images, 0, 2)), _uniform(images, 0.5, 1.5))
        if self.translation:
            images = _translated(images)
        return _cut(images) if self.cutout else images


def _uniform(images: Tensor, low: float, high: float) -> Tensor:
    """Draw a number from U(low, high) for each image, ``(N, 1, 1, 1)``."""
    return torch.empty(len(images), 1, 1, 1, device=images.device, dtype=images.dtype).uniform_(low, high)


def _normal(images: Tensor, std: float) -> Tensor:
    """Draw a number from N(0, std²) for each image, ``(N, 1, 1, 1)``."""
    return torch.randn(len(images), 1, 1, 1, device=images.device, dtype=images.dtype) * std


def _saturated(images: Tensor, factor: Tensor) -> Tensor:
    """Return images with each pixel's distance from its mean over the channels multiplied by ``factor``."""
    grey = images.mean(1, keepdim=True)
    return grey + (images - grey) * factor


def _contrasted(images: Tensor, factor: Tensor) -> Tensor:
    """Return images with the distance from their mean multiplied by ``factor``."""
    mean = images.mean((1, 2, 3), keepdim=True)
    return mean + (images - mean) * factor


def _integers(images: Tensor, low: int, high: int) -> Tensor:
    """Draw an integer in [low, high] for each image, ``(N, 1)``."""
    return torch.randint(low, high + 1, (len(images), 1), device=images.device)


def _translated(images: Tensor) -> Tensor:
    """Return images translated by up to an eighth of their size, each by its own offset, filled with 0."""
    n, _, height, width = images.shape
    down, right = (round(side / 8) for side in (height, width))
    padded = pad(images, (right, right, down, down))
    rows = torch.arange(height, device=images.device) + _integers(images, 0, 2 * down)
    columns = torch.arange(width, device=images.device) + _integers(images, 0, 2 * right)
    which = torch.arange(n, device=images.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[which, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)


def _cut(images: Tensor) -> Tensor:
    """Return images in which a square of half the size is 0, its centre drawn for each image."""
    height, width = images.shape[2:]

    def inside(side: int) -> Tensor:
        """Tell for each row, or column, whether it is in the square, ``(N, side)``."""
        first = _integers(images, 0, side) - side // 4
        place = torch.arange(side, device=images.device)
        return (place >= first) & (place < first + round(side / 2))

    hole = inside(height)[:, None, :, None] & inside(width)[:, None, None, :]
    return torch.where(hole, 0, images)


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

    Example:
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
        images = _moved(images, self._geometry(images))
        images = self._colored(images) if self.color else images
        return torch.where(self._chosen(images)[:, None, None, None], _cut(images), images) if self.cutout else images

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
            _scaling(flip, one),
            _rotation(quarter),
            _shift(2 * eighth[0], 2 * eighth[1]),  # by up to an eighth of the image, which is 2 units wide
            _scaling(scale, scale),
            _rotation((torch.rand(n, device=device) * 2 - 1) * math.pi),
            _scaling(stretch, 1 / stretch),
            _shift(normal(0.25), normal(0.25)),
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

        images = some(images + _normal(images, 0.2), images)
        images = some(images * torch.exp2(_normal(images, 0.5)), images)
        grey = images.mean(1, keepdim=True)
        images = some(images - 2 * grey * torch.randint_like(grey[:, :, :1, :1], 2), images)
        return some(_saturated(images, torch.exp2(_normal(images, 1.0))), images)


def _matrices(rows: list[list[Tensor]]) -> Tensor:
    """Return matrices ``(N, rows, columns)`` from their entries, ``(N,)`` each."""
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def _scaling(x: Tensor, y: Tensor) -> Tensor:
    """Return matrices ``(N, 3, 3)`` that multiply coordinates by x and y, ``(N,)`` each."""
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return _matrices([[x, zero, zero], [zero, y, zero], [zero, zero, one]])


def _rotation(angle: Tensor) -> Tensor:
    """Return matrices ``(N, 3, 3)`` that rotate coordinates by angles in radians, ``(N,)``."""
    zero, one = torch.zeros_like(angle), torch.ones_like(angle)
    cos, sin = angle.cos(), angle.sin()
    return _matrices([[cos, -sin, zero], [sin, cos, zero], [zero, zero, one]])


def _shift(x: Tensor, y: Tensor) -> Tensor:
    """Return matrices ``(N, 3, 3)`` that add x and y, ``(N,)`` each, to coordinates."""
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return _matrices([[one, zero, x], [zero, one, y], [zero, zero, one]])


def _moved(images: Tensor, geometry: Tensor) -> Tensor:
    """Return images resampled through ``geometry``, ``(N, 3, 3)``, from output to input coordinates."""
    # Deviation: bilinear between pixels and mirrored at the border; the paper first upsamples with a wavelet filter.
    return sampled(images, affine_grid(geometry[:, :2].to(images), list(images.shape), align_corners=False))


def sampled(images: Tensor, grid: Tensor) -> Tensor:
    """Sample images at the coordinates ``grid``, bilinear between pixels, mirrored at the border.

    It can be differentiated twice, which a gradient penalty through an augmentation needs; torch's ``grid_sample`` can
    be only once.

    Args:
        images: ``(N, C, H, W)``.
        grid: x and y, ``(N, H', W', 2)``; −1 and 1 are the outer edges of the image.

    Returns:
        ``(N, C, H', W')``.
    """
    height, width = images.shape[2:]
    (left, right, x), (upper, lower, y) = _neighbours(grid[..., 0], width), _neighbours(grid[..., 1], height)
    pixels = images.flatten(2)

    def at(row: Tensor, column: Tensor) -> Tensor:
        """Return the pixels at rows and columns ``(N, H', W')``, ``(N, C, H', W')``."""
        place = (row * width + column).flatten(1)[:, None].expand(-1, images.shape[1], -1)
        return pixels.gather(2, place).unflatten(2, grid.shape[1:3])

    x, y = x[:, None], y[:, None]
    above, below = (at(row, left) * (1 - x) + at(row, right) * x for row in (upper, lower))
    return above * (1 - y) + below * y


def _neighbours(place: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the pixels on both sides of a coordinate, and its distance from the first one in pixels, in [0, 1)."""
    distance = torch.remainder((place + 1) * size / 2, 2 * size)
    pixel = (torch.minimum(distance, 2 * size - distance) - 0.5).clamp(0, size - 1)
    first = pixel.detach().floor().long()
    return first, (first + 1).clamp_max(size - 1), pixel - first
