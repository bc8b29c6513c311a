"""What a penalty is: a scalar added to one player's loss, computed from the record of its turn."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor, nn

from lit_gan._utils.arguments import at_least_one
from lit_gan._utils.errors import LitGANError, LitGANTypeError
from lit_gan.schedules import Schedule, always_within, value_at

__all__ = ["Penalty", "Player", "Turn"]

Player = Literal["generator", "discriminator"]


@dataclass(frozen=True)
class Turn:
    """The record of one player's turn on one (micro-)batch, from which losses and penalties are computed.

    In the discriminator's turn with a penalty due, ``real`` and ``fake`` are leaves that require a gradient and the
    logits are still attached to them. In the generator's turn ``fake`` is attached to the generator, and, where a
    penalty is due, to ``z``; ``real_logits`` is None unless the game needs it.
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
    images_seen: int = 0
    """Real images that the discriminator was shown so far, for schedules."""
    generator: nn.Module | None = None
    """The generator itself, for penalties on its parts; the one whose turn it is not takes no gradient."""
    discriminator: nn.Module | None = None
    """The discriminator itself, without augmentation."""


class Penalty(ABC):
    """A scalar added to one player's loss.

    A penalty of your own is a frozen dataclass with the fields ``weight`` and ``every`` that implements ``__call__``;
    one with a state is a :class:`torch.nn.Module` beside, whose buffers are saved, resumed and averaged over devices.
    """

    player: Player = "discriminator"
    """Whose loss it is added to; a constant of the class, or a field."""
    weight: float | Schedule
    """The factor of the penalty, ≥ 0, or a schedule of it by images seen."""
    every: int
    """Lazy regularisation: computed at each ``every``-th update of its player and then multiplied by ``every``
    (arXiv:1912.04958, section 3.1)."""

    def __post_init__(self) -> None:
        """Refuse a negative weight, an interval below one, and a player that there is none of."""
        if self.weight is None:
            raise LitGANTypeError(f"{type(self).__name__}: weight=None: leave the penalty out to go without")
        always_within("[0, ∞)", self, weight=self.weight)
        at_least_one(self, every=self.every)
        if self.player not in get_args(Player):
            raise LitGANError(
                f'{type(self).__name__}: player={self.player!r} is neither "discriminator" nor "generator": give each '
                "of them a penalty of its own"
            )

    def weight_in(self, turn: Turn) -> float:
        """Return the factor in ``turn``."""
        return value_at(self.weight, turn.images_seen)

    def check(self, generator: nn.Module, discriminator: nn.Module, labels: Tensor | None) -> None:
        """Refuse, by a ValueError before training, a game that it cannot be computed of; it refuses none by default.

        Args:
            generator: of the game.
            discriminator: of the game.
            labels: of the first batch, int64 ``(N,)``, or None.
        """
        return

    @abstractmethod
    def __call__(self, turn: Turn) -> Tensor:
        """Return the weighted penalty of ``turn``, a scalar; :class:`lit_gan.LitGAN` applies ``every``."""
