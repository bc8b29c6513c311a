"""The auxiliary classifier's loss of AC-GAN (Odena et al. 2016, arXiv:1610.09585), for either player."""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lit_gan._utils.errors import LitGANError
from lit_gan.penalties.base import Penalty, Player, Turn
from lit_gan.sampling.conditions import condition_mode
from lit_gan.schedules import Schedule

__all__ = ["AuxiliaryClassifier"]


@dataclass(frozen=True)
class AuxiliaryClassifier(Penalty):
    """AC-GAN's classification loss: ``weight`` · E[−log P(C = y | x)], where x is real or G(z), and y its class.

    P(C | x) is the softmax of ``discriminator.classify(images)``. The discriminator's loss has the mean over real
    images plus the mean over fakes, the generator's loss the mean over fakes alone. Each player needs a penalty of its
    own: ``{"ac_d": AuxiliaryClassifier(), "ac_g": AuxiliaryClassifier(player="generator")}``.

    The classifier sees images without augmentation, in a forward pass of its own, which doubles the work of the
    discriminator's turn; ``every=2`` halves this cost.

    Args:
        weight: ≥ 0, or a schedule of it; 1 in the paper.
        every: computed at each ``every``-th update of ``player``, times ``every``.
        player: ``"discriminator"`` or ``"generator"``.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range; before training, a discriminator without a classifier, a generator
            that takes no labels, or batches without labels.

    Reference: Odena et al. 2016, arXiv:1610.09585, section 3, equation 3.

    Examples:
        >>> import torch
        >>> from lit_gan.penalties import AuxiliaryClassifier, Turn
        >>> x, y, D = torch.zeros(4, 3, 8, 8), torch.zeros(4, dtype=torch.int64), torch.nn.Module()
        >>> D.classify = lambda images: torch.zeros(len(images), 10)  # ten classes, all equally likely
        >>> turn = Turn(x, x, torch.zeros(4, 2), y, None, torch.zeros(4), D, discriminator=D)
        >>> round(AuxiliaryClassifier()(turn).item(), 4)  # log 10 for real images, and log 10 for fakes
        4.6052
    """

    weight: float | Schedule = 1.0
    every: int = 1
    player: Player = "discriminator"

    def check(self, generator: nn.Module, discriminator: nn.Module, labels: Tensor | None) -> None:
        """Refuse a discriminator without a classifier, a generator that takes no labels, and data without labels."""
        if not hasattr(discriminator, "classify") or getattr(discriminator, "conditioning", None) == "projection":
            raise LitGANError(
                f"AuxiliaryClassifier: {type(discriminator).__name__} has no classifier: take "
                'DCGANDiscriminator(num_classes=10, conditioning="classifier") for instance'
            )
        if condition_mode(generator) == "not at all":
            raise LitGANError(
                f"AuxiliaryClassifier: {type(generator).__name__} takes no labels, so that its images have no class: "
                "give it num_classes"
            )
        if labels is None:
            raise LitGANError("AuxiliaryClassifier: the batches carry no labels: give batches (images, labels)")

    def __call__(self, turn: Turn) -> Tensor:
        """Return ``weight`` · E[−log P(C = y | x)]."""
        assert turn.discriminator is not None
        assert turn.labels is not None
        penalty = turn.fake_logits.new_zeros(())
        ours = (turn.real.detach(), turn.fake.detach()) if self.player == "discriminator" else (turn.fake,)
        for images in ours:
            classes = turn.discriminator.classify(images)  # type: ignore[operator]
            penalty = penalty + cross_entropy(classes.to(penalty.dtype), turn.labels)
        return self.weight_in(turn) * penalty
