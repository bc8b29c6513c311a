"""The base class of penalties, and the record of a player's turn from which they are computed."""

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

    In the discriminator's turn, if a penalty is due, ``real`` and ``fake`` are leaves that require a gradient, and the
    graph from them to the logits is kept. In the generator's turn ``fake`` has a graph back to the generator and, if a
    penalty is due, to ``z``; ``real_logits`` is None unless the loss needs it.
    """

    real: Tensor
    """Real images, ``(N, C, H, W)`` in [-1, 1], or points, ``(N, D)``."""
    fake: Tensor
    """Generated images, of the shape of ``real``."""
    z: Tensor
    """The latents of ``fake``, ``(N, latent_dim)``."""
    labels: Tensor | None
    """Classes of ``real`` and of ``fake`` alike, int64 ``(N,)``, or None."""
    real_logits: Tensor | None
    """The discriminator's logits of ``real``, float32 ``(N,)``, or None."""
    fake_logits: Tensor
    """The discriminator's logits of ``fake``, float32 ``(N,)``."""
    network: Callable[[Tensor, Tensor | None], Tensor]
    """The discriminator with augmentation, as this turn used it: ``network(images, labels)`` returns logits."""
    images_seen: int = 0
    """Real images that the discriminator was shown so far, over all devices; for schedules."""
    generator: nn.Module | None = None
    """The generator module, for penalties on its parts; its weights take a gradient only in its own turn."""
    discriminator: nn.Module | None = None
    """The discriminator module, without augmentation; its weights take a gradient only in its own turn."""


class Penalty(ABC):
    """A scalar added to one player's loss.

    To write one, implement ``__call__`` in a frozen dataclass with the fields ``weight`` and ``every``. A penalty with
    a state is a :class:`torch.nn.Module` as well; its buffers are saved, resumed and averaged over devices.
    """

    player: Player = "discriminator"
    """The player whose loss it is added to; a constant of the class, or a field."""
    weight: float | Schedule
    """The factor of the penalty, ≥ 0, or a schedule of it by images seen."""
    every: int
    """Lazy regularisation: computed at each ``every``-th update of its player, and multiplied by ``every``
    (arXiv:1912.04958, section 3.1)."""

    def __post_init__(self) -> None:
        """Check the fields; a dataclass calls this."""
        self.check_fields()

    def check_fields(self) -> None:
        """Refuse a missing field, a negative weight, ``every`` below 1, and an unknown player; LitGAN calls this too.

        Raises:
            TypeError: a field is missing or of a wrong type.
            ValueError: a field is out of its range.
        """
        for name, as_in_code in (("weight", "weight: float = 1.0"), ("every", "every: int = 1")):
            if not hasattr(self, name):
                raise LitGANTypeError(f"{type(self).__name__} has no {name}: give the penalty a field {as_in_code}")
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
        """Return the weight at ``turn``, after its images seen."""
        return value_at(self.weight, turn.images_seen, "[0, ∞)")

    def check(self, generator: nn.Module, discriminator: nn.Module, labels: Tensor | None) -> None:
        """Raise a ValueError before training if the penalty cannot be computed for this game; by default never.

        Args:
            generator: the model's generator.
            discriminator: the model's discriminator.
            labels: of the first batch, int64 ``(N,)``, or None.
        """
        return

    @abstractmethod
    def __call__(self, turn: Turn) -> Tensor:
        """Return the weighted penalty of ``turn``, a scalar; :class:`lit_gan.LitGAN` multiplies it by ``every``."""
