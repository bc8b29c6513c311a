"""What both players pay for classes that cannot be told."""

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
    """Images whose class can be told, as in AC-GAN: ``weight`` · E[−log P(C = y | x)], x real or G(z), y its class.

    P(C | x) is the softmax of ``discriminator.classify(images)``. The discriminator pays for real and for generated
    images, E over x plus E over G(z); the generator for its own. Each player needs a penalty of its own:
    ``{"ac_d": AuxiliaryClassifier(), "ac_g": AuxiliaryClassifier(player="generator")}``.

    The classifier sees images as they are, not augmented, in a pass of its own, which doubles the work of the
    discriminator's turn; with ``every=2`` half of it.

    Args:
        weight: ≥ 0, or a schedule of it; 1 in the paper.
        every: computed at each ``every``-th update of ``player``, times ``every``.
        player: ``"discriminator"`` or ``"generator"``.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range; before training, a discriminator without a classifier, a generator
            that takes no labels, or batches without them.

    Reference: Odena et al. 2016, arXiv:1610.09585, section 3, equation 3.
    """

    weight: float | Schedule = 1.0
    every: int = 1
    player: Player = "discriminator"

    def check(self, generator: nn.Module, discriminator: nn.Module, labels: Tensor | None) -> None:
        """Refuse a discriminator that tells no classes, a generator that takes none, and data without any."""
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
        """``weight`` · E[−log P(C = y | x)]."""
        assert turn.discriminator is not None
        assert turn.labels is not None
        penalty = turn.fake_logits.new_zeros(())
        ours = (turn.real.detach(), turn.fake.detach()) if self.player == "discriminator" else (turn.fake,)
        for images in ours:
            classes = turn.discriminator.classify(images)  # type: ignore[operator]
            penalty = penalty + cross_entropy(classes.to(penalty.dtype), turn.labels)
        return self.weight_in(turn) * penalty
