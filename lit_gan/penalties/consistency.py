"""Penalties on how the discriminator judges what hardly differs: transformed images."""

from dataclasses import dataclass

from torch import Tensor, nn

from lit_gan._utils.arguments import instance_of, within
from lit_gan._utils.errors import LitGANError
from lit_gan.augment import AdaptiveAugment
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
        TypeError: a transform that is no Module.
        ValueError: a negative weight, or an AdaptiveAugment that would wait to be told how the game goes.

    Reference: Zhang et al. 2019, arXiv:1910.12027, equation 3; Zhao et al. 2020, arXiv:2002.04724, algorithm 1.
    """

    transform: nn.Module
    weight: float | Schedule = 10.0
    fake_weight: float = 0.0
    every: int = 1

    def __post_init__(self) -> None:
        """Refuse a transform that is none, one that waits to be told how the game goes, and a negative weight."""
        super().__post_init__()
        instance_of("Consistency: transform", self.transform, nn.Module, "DiffAugment()")
        within("[0, ∞)", self, fake_weight=self.fake_weight)
        adaptive = [m for m in self.transform.modules() if isinstance(m, AdaptiveAugment)]
        waiting = [m for m in adaptive if m.target is not None or isinstance(m.p, Schedule)]
        if waiting:
            raise LitGANError(
                "Consistency: nothing tells AdaptiveAugment here how the game goes, and its p would stay at "
                f"{float(waiting[0].probability):g}: give AdaptiveAugment(p=0.5, target=None), or DiffAugment()"
            )

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
