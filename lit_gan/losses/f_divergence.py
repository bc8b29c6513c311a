"""f-GAN, arXiv:1606.00709: the game of any f-divergence."""

from dataclasses import dataclass

from torch import Tensor

from lit_gan.losses.base import AdversarialLoss
from lit_gan.theory import DivergenceName, find_divergence, variational_bound

__all__ = ["FDivergence"]


@dataclass(frozen=True)
class FDivergence(AdversarialLoss):
    """f-GAN: the discriminator maximises a lower bound of D_f(p_data‖p_g), an f-divergence, the generator lowers it.

    With T = critic(logit) and f* the conjugate of f, the discriminator minimises −E[T(x)] + E[f*(T(G(z)))], and the
    generator −E[T(G(z))], its non-saturating loss, or −E[f*(T(G(z)))], its minimax loss.

    Args:
        divergence: of p_data from p_g, a name in ``lit_gan.theory.DIVERGENCES``; ``"gan"`` is the original game. For
            ``"kl"``, ``"reverse_kl"`` and ``"squared_hellinger"``, T or f*(T) is an exponential of the logit, which
            overflows in float32 at logits of about 88 in absolute value.
        minimax: whether the generator minimises its minimax loss instead of the non-saturating one.

    Raises:
        ValueError: an unknown divergence.

    Reference: Nowozin et al. 2016, arXiv:1606.00709, equation 6 and section 3.2.

    Examples:
        >>> import torch
        >>> from lit_gan.losses import FDivergence
        >>> chi2 = FDivergence("pearson")  # T is the logit, f*(t) = t²/4 + t
        >>> round(float(chi2.discriminator(torch.tensor([1.0]), torch.tensor([-1.0]))), 4)  # −1 + (¼ − 1)
        -1.75
    """

    divergence: DivergenceName = "js"
    minimax: bool = False

    def __post_init__(self) -> None:
        """Refuse an unknown divergence."""
        find_divergence(self.divergence)

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return −E[T(x)] + E[f*(T(G(z)))]."""
        return -variational_bound(real, fake, self.divergence)

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """Return −E[T(G(z))], or −E[f*(T(G(z)))] if ``minimax``."""
        chosen = find_divergence(self.divergence)
        return -(chosen.conjugate_of_critic if self.minimax else chosen.critic)(fake).mean()

    def log_ratio(self, logits: Tensor) -> Tensor | None:
        """Return log p_data/p_g at the optimal critic T; None for total variation, whose optimal T is only a sign."""
        chosen = find_divergence(self.divergence)
        return None if chosen.log_ratio is None else chosen.log_ratio(logits)
