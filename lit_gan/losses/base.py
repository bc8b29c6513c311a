"""The base of every adversarial loss."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

__all__ = ["AdversarialLoss"]


class AdversarialLoss(ABC):
    """A two-player game: one scalar to minimise for the discriminator, one for the generator.

    A game of your own is a frozen dataclass that implements ``discriminator`` and ``generator``; use it from code, or
    from the command as ``--model.loss my_project.losses.MyLoss``.
    """

    needs_real: ClassVar[bool] = False
    """Whether the generator's loss needs the real logits; only then are they computed in the generator's turn."""

    @abstractmethod
    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the discriminator's loss, a scalar to minimise.

        Args:
            real: logits of real images, ``(N,)``.
            fake: logits of generated images, ``(N,)``.
        """

    @abstractmethod
    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """Return the generator's loss, a scalar to minimise.

        Args:
            fake: logits of generated images, ``(N,)``.
            real: logits of real images, ``(N,)``; given if ``needs_real``.
        """

    def log_ratio(self, logits: Tensor) -> Tensor | None:
        """Return log p_data/p_g at the optimal discriminator, of the shape of ``logits``, in nats.

        None if the loss does not determine it; V(G, D) then needs a calibration (:func:`lit_gan.theory.calibrate`).
        """
        return None
