"""FastGAN's reconstruction loss for the discriminator (Liu et al. 2021, arXiv:2101.04775)."""

from dataclasses import dataclass

from torch import Tensor, nn

from lit_gan._utils.errors import LitGANError
from lit_gan.penalties.base import Penalty, Turn
from lit_gan.schedules import Schedule

__all__ = ["Reconstruction"]


@dataclass(frozen=True)
class Reconstruction(Penalty):
    """FastGAN's loss of reconstructing real images from D's features: ``weight`` · Σ_k E[|R_k(x) − T_k(x)|], x real.

    R_k(x) is the output of the discriminator's k-th decoder, which sees D's features of x, and T_k(x) the part of x
    that it should reconstruct; ``discriminator.reconstructions(images)`` returns these pairs. The mean is over images,
    channels and pixels. x is not augmented, and takes another forward pass of the discriminator; ``every=2`` halves
    this cost. If D has batch norm, this pass updates its running statistics, which are then biased towards real images.

    Args:
        weight: ≥ 0, or a schedule of it; 1 in the paper.
        every: computed at each ``every``-th discriminator update, times ``every``.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range; before training, a discriminator without ``reconstructions``.

    Reference: Liu et al. 2021, arXiv:2101.04775, equation 2.

    Examples:
        >>> import torch
        >>> from lit_gan.penalties import Reconstruction, Turn
        >>> x, D = torch.ones(4, 3, 8, 8), torch.nn.Module()
        >>> D.reconstructions = lambda images: [(images / 4, images)]  # one decoder, which is off by ¾ everywhere
        >>> turn = Turn(x, x, torch.zeros(4, 2), None, None, torch.zeros(4), D, discriminator=D)
        >>> round(Reconstruction()(turn).item(), 4)
        0.75
    """

    # Deviation: the mean absolute difference; the authors' code has LPIPS, a distance of VGG features.
    # Deviation: of images without augmentation; the authors' code augments them.

    weight: float | Schedule = 1.0
    every: int = 1

    def check(self, generator: nn.Module, discriminator: nn.Module, labels: Tensor | None) -> None:
        """Refuse a discriminator without a method ``reconstructions``."""
        if not hasattr(discriminator, "reconstructions"):
            raise LitGANError(
                f"Reconstruction: {type(discriminator).__name__} has no reconstructions(images): take "
                "FastGANDiscriminator, or leave the penalty out"
            )

    def __call__(self, turn: Turn) -> Tensor:
        """Return ``weight`` · Σ_k E[|R_k(x) − T_k(x)|]."""
        assert turn.discriminator is not None
        pairs = turn.discriminator.reconstructions(turn.real.detach())  # type: ignore[operator]
        penalty = turn.fake_logits.new_zeros(())
        for made, image in pairs:
            penalty = penalty + (made.to(penalty.dtype) - image).abs().mean()
        return self.weight_in(turn) * penalty
