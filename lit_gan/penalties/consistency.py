"""Consistency regularisation: a penalty on how much a transform of the images changes their logits."""

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
    """Consistency regularisation, CR and bCR: images keep their logit under a transform T.

    The penalty is ``weight`` · E[(D(x) − D(T(x)))²] + ``fake_weight`` · E[(D(G(z)) − D(T(G(z))))²]; D is a logit. It is
    CR if ``fake_weight`` is 0, else balanced consistency regularisation (bCR).

    Args:
        transform: T, from images to images, random and harmless to their content: flips and shifts for instance.
        weight: of the term of real images, ≥ 0, or a schedule of it; 10 in both papers.
        fake_weight: of the term of fakes, ≥ 0; 10 in bCR.
        every: computed at each ``every``-th discriminator update, times ``every``.

    Raises:
        TypeError: a transform that is not a Module.
        ValueError: a negative weight, or an AdaptiveAugment whose p should adapt or follow a schedule: only the
            ``augment`` of LitGAN is told the logits and the images seen that this takes.

    Reference: Zhang et al. 2019, arXiv:1910.12027, equation 3; Zhao et al. 2020, arXiv:2002.04724, algorithm 1.

    Examples:
        >>> import torch
        >>> from lit_gan.penalties import Consistency, Turn
        >>> x, critic = torch.full((4, 1), -2.0), lambda images, labels: images.sum(1)
        >>> turn = Turn(x, x, x, None, critic(x, None), critic(x, None), critic)
        >>> round(Consistency(torch.nn.ReLU())(turn).item(), 4)  # the logit goes from −2 to 0: 10·2²
        40.0
    """

    transform: nn.Module
    weight: float | Schedule = 10.0
    fake_weight: float = 0.0
    every: int = 1

    def __post_init__(self) -> None:
        """Refuse a negative weight, a transform that is not a Module, and one whose strength would have to adapt."""
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
        """Return ``weight`` · E[(D(x) − D(T(x)))²] + ``fake_weight`` · E[(D(G(z)) − D(T(G(z))))²]."""
        assert turn.real_logits is not None
        penalty = self.weight_in(turn) * self._change(turn, turn.real, turn.real_logits)
        return (
            penalty + self.fake_weight * self._change(turn, turn.fake, turn.fake_logits)
            if self.fake_weight
            else penalty
        )

    def _change(self, turn: Turn, images: Tensor, logits: Tensor) -> Tensor:
        """Return the mean squared change of the logits under the transform, a scalar."""
        return (logits - turn.network(self.transform(images), turn.labels)).square().mean()
