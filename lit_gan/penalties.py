"""What a player pays beside the game: gradient penalties, each a scalar added to that player's loss.

``LitGAN(penalties={"r1": R1(weight=10)})`` takes them by name; the name is the log key, ``penalty/r1``.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

__all__ = ["R1", "R2", "Penalty", "Player", "Turn"]

Player = Literal["generator", "discriminator"]


@dataclass(frozen=True)
class Turn:
    """The record of one player's turn on one (micro-)batch, from which losses and penalties are computed.

    In the discriminator's turn with a penalty due, ``real`` and ``fake`` are leaves that require a gradient and the
    logits are still attached to them. In the generator's turn ``fake`` is attached to the generator, and
    ``real_logits`` is None unless the game needs it.
    """

    real: Tensor
    """Real images, ``(N, C, H, W)`` in [-1, 1], or points, ``(N, D)``."""
    fake: Tensor
    """Generated images, of the shape of ``real``."""
    z: Tensor
    """The latents of ``fake``, ``(N, latent_dim)``."""
    labels: Tensor | None
    """Classes of both, int64 ``(N,)``, or None."""
    real_logits: Tensor | None
    """Discriminator's logits of ``real``, float32 ``(N,)``."""
    fake_logits: Tensor
    """Discriminator's logits of ``fake``, float32 ``(N,)``."""
    network: Callable[[Tensor, Tensor | None], Tensor]
    """The discriminator as the turn used it (augmentation included): ``network(images, labels)`` gives logits."""


class Penalty(ABC):
    """A scalar added to one player's loss.

    A penalty of your own is a frozen dataclass with the fields ``weight`` and ``every`` that implements ``__call__``.
    """

    player: ClassVar[Player] = "discriminator"
    """Whose loss it is added to."""
    weight: float
    """The factor of the penalty, ≥ 0."""
    every: int
    """Lazy regularisation: computed at each ``every``-th update of its player and then multiplied by ``every``
    (arXiv:1912.04958, section 3.1)."""

    def __post_init__(self) -> None:
        """Refuse a negative weight and an interval below one."""
        if not self.weight >= 0:
            raise ValueError(f"{type(self).__name__}: weight={self.weight} must not be negative")
        if self.every < 1:
            raise ValueError(f"{type(self).__name__}: every={self.every} must be at least 1 (1: at each update)")

    @abstractmethod
    def __call__(self, turn: Turn) -> Tensor:
        """Return the weighted penalty of ``turn``, a scalar; :class:`lit_gan.LitGAN` applies ``every``."""


def squared_gradient_norm(logits: Tensor | None, images: Tensor) -> Tensor:
    """Return E‖∇ logit‖², the mean over the batch of the squared norm of each logit's gradient, in float32.

    Args:
        logits: ``(N,)``, attached to ``images``.
        images: ``(N, ...)``, requiring a gradient.
    """
    assert logits is not None
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    if gradient.dtype in (torch.float16, torch.bfloat16):
        gradient = gradient.float()
    return gradient.square().flatten(1).sum(1).mean()


@dataclass(frozen=True)
class R1(Penalty):
    """Zero-centred gradient penalty on real images: ``weight``/2 · E‖∇D(x)‖², D a logit, x real.

    Args:
        weight: γ, ≥ 0; 10 in the paper, and to be chosen for each data set and resolution.
        every: computed at each ``every``-th discriminator update, times ``every``.

    Reference: Mescheder et al. 2018, arXiv:1801.04406, equation 9.
    """

    weight: float = 10.0
    every: int = 1

    def __call__(self, turn: Turn) -> Tensor:
        """``weight``/2 · E‖∇D(x)‖² on ``turn.real``."""
        return self.weight / 2 * squared_gradient_norm(turn.real_logits, turn.real)


@dataclass(frozen=True)
class R2(Penalty):
    """Zero-centred gradient penalty on generated images: ``weight``/2 · E‖∇D(G(z))‖², D a logit.

    Args:
        weight: γ, ≥ 0; R3GAN uses the same value for R1 and R2.
        every: computed at each ``every``-th discriminator update, times ``every``.

    Reference: Mescheder et al. 2018, arXiv:1801.04406, equation 10.
    """

    weight: float = 10.0
    every: int = 1

    def __call__(self, turn: Turn) -> Tensor:
        """``weight``/2 · E‖∇D(G(z))‖² on ``turn.fake``."""
        return self.weight / 2 * squared_gradient_norm(turn.fake_logits, turn.fake)
