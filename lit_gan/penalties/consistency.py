"""Penalties on how the discriminator judges what hardly differs: transformed images."""

from dataclasses import dataclass

from torch import Tensor, nn

from lit_gan.penalties.base import Penalty, Turn
from lit_gan.schedules import Schedule

__all__ = ["Consistency"]


@dataclass(frozen=True)
class Consistency(Penalty):
    """The same judgement before and after a transform T that keeps the meaning: CR and bCR.

    ``weight`` · E[(D(x) − D(T(x)))²] + ``fake_weight`` · E[(D(G(z)) − D(T(G(z))))²], D a logit. With ``fake_weight`` 0,
    CR; with both, balanced consistency regularisation, bCR.

    Args:
        transform: T, images to images, random: flips and shifts for instance.
        weight: of the real images, ≥ 0, or a schedule of it; 10 in both papers.
        fake_weight: of the generated images, ≥ 0; 10 in bCR.
        every: computed at each ``every``-th discriminator update, times ``every``.

    Raises:
        ValueError: an argument out of range.

    Reference: Zhang et al. 2019, arXiv:1910.12027, equation 3; Zhao et al. 2020, arXiv:2002.04724, algorithm 1.
    """

    transform: nn.Module
    weight: float | Schedule = 10.0
    fake_weight: float = 0.0
    every: int = 1

    def __post_init__(self) -> None:
        """Refuse a negative weight."""
        super().__post_init__()
        if not self.fake_weight >= 0:
            raise ValueError(f"Consistency: fake_weight={self.fake_weight} must not be negative")

    def __call__(self, turn: Turn) -> Tensor:
        """``weight`` · E[(D(x) − D(T(x)))²] + ``fake_weight`` · E[(D(G(z)) − D(T(G(z))))²]."""
        assert turn.real_logits is not None
        penalty = self.weight_in(turn) * self._change(turn, turn.real, turn.real_logits)
        return (
            penalty + self.fake_weight * self._change(turn, turn.fake, turn.fake_logits)
            if self.fake_weight
            else penalty
        )

    def _change(self, turn: Turn, images: Tensor, logits: Tensor) -> Tensor:
        return (logits - turn.network(self.transform(images), turn.labels)).square().mean()
