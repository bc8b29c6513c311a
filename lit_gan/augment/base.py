"""The base of every augmentation."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from lit_gan._utils.representation import as_arguments

__all__ = ["Augmentation"]


class Augmentation(nn.Module, ABC):
    """A differentiable random change of images ``(N, C, H, W)`` in [-1, 1], drawn separately for each image.

    To write one, implement ``forward``. LitGAN's ``augment`` takes any module, and calls :meth:`follow` of each
    Augmentation in it. Draw from torch's random state, which is saved and resumed, and keep a state in buffers.

    Examples:
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
