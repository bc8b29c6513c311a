"""What a discriminator learns of real images beside the game: to make them again from its features."""

from dataclasses import dataclass

from torch import Tensor, nn

from lit_gan._utils.errors import LitGANError
from lit_gan.penalties.base import Penalty, Turn
from lit_gan.schedules import Schedule

__all__ = ["Reconstruction"]


@dataclass(frozen=True)
class Reconstruction(Penalty):
    """Features that hold the image: ``weight`` · Σ_k E[|R_k(x) − T_k(x)|], x real, mean over pixels and channels.

    R_k(x) is what the discriminator's k-th decoder makes of its features of x, T_k(x) the part of x that it should
    make: the pairs that ``discriminator.reconstructions(images)`` returns. x is not augmented, and the discriminator
    looks at it once more: with ``every=2`` the penalty costs half. Where D has batch norm, this look counts in its
    running statistics, so that they lean towards real images.

    Args:
        weight: ≥ 0, or a schedule of it; 1 in the paper.
        every: computed at each ``every``-th discriminator update, times ``every``.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range; before training, a discriminator without ``reconstructions``.

    Reference: Liu et al. 2021, arXiv:2101.04775, equation 2.
    """

    # Deviation: the mean absolute difference; the authors' code has LPIPS, the distance of a VGG's features.
    # Deviation: of images as they are; the authors' code augments them.

    weight: float | Schedule = 1.0
    every: int = 1

    def check(self, generator: nn.Module, discriminator: nn.Module, labels: Tensor | None) -> None:
        """Refuse a discriminator that makes no image again."""
        if not hasattr(discriminator, "reconstructions"):
            raise LitGANError(
                f"Reconstruction: {type(discriminator).__name__} has no reconstructions(images): take "
                "FastGANDiscriminator, or leave the penalty out"
            )

    def __call__(self, turn: Turn) -> Tensor:
        """``weight`` · Σ_k E[|R_k(x) − T_k(x)|]."""
        assert turn.discriminator is not None
        pairs = turn.discriminator.reconstructions(turn.real.detach())  # type: ignore[operator]
        penalty = turn.fake_logits.new_zeros(())
        for made, image in pairs:
            penalty = penalty + (made.to(penalty.dtype) - image).abs().mean()
        return self.weight_in(turn) * penalty
