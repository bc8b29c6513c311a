"""The games that two players can play, side by side, each written like its formula.

Every loss takes unbounded logits of shape ``(N,)`` and returns a scalar *to minimise*, one for each player.
With D(x) = sigmoid(logit), ``softplus(-logit)`` is −log D and ``softplus(logit)`` is −log(1 − D): the forms that
neither overflow nor lose their gradient.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import softplus

from lit_gan.theory import DivergenceName, find_divergence, variational_bound

__all__ = ["AdversarialLoss", "FDivergence", "Minimax", "NonSaturating", "RelativisticPaired"]


class AdversarialLoss(ABC):
    """A two-player game: one scalar to minimise for the discriminator, one for the generator.

    A game of your own is a frozen dataclass that implements ``discriminator`` and ``generator``; use it from code, or
    from the command as ``--model.loss my_project.losses.MyLoss``.
    """

    needs_real: ClassVar[bool] = False
    """Whether the generator's loss reads the real logits. They are computed for its turn only then."""

    @abstractmethod
    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return what the discriminator minimises, a scalar.

        Args:
            real: logits of real images, ``(N,)``.
            fake: logits of generated images, ``(N,)``.
        """

    @abstractmethod
    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """Return what the generator minimises, a scalar.

        Args:
            fake: logits of generated images, ``(N,)``.
            real: logits of real images, ``(N,)``; given where ``needs_real``.
        """

    def log_ratio(self, logits: Tensor) -> Tensor | None:
        """Return log p_data/p_g at the optimal discriminator, of the shape of ``logits``, in nats.

        None where the game does not fix it; V(G, D) then needs a calibration (:func:`lit_gan.theory.calibrate`).
        """
        return None


@dataclass(frozen=True)
class Minimax(AdversarialLoss):
    """The game of the original paper, in its saturating form: both players share V(G, D).

    V(G, D) = E[log D(x)] + E[log(1 − D(G(z)))]; the discriminator minimises −V, the generator E[log(1 − D(G(z)))].
    Where the discriminator rejects the fakes the generator's gradient vanishes.

    Reference: Goodfellow et al. 2014, arXiv:1406.2661, equation 1.
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """−E[log D(x)] − E[log(1 − D(G(z)))]."""
        return softplus(-real).mean() + softplus(fake).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """E[log(1 − D(G(z)))]."""
        return -softplus(fake).mean()

    def log_ratio(self, logits: Tensor) -> Tensor:
        """The logit itself: D* = p_data/(p_data + p_g) is sigmoid(log p_data/p_g)."""
        return logits


@dataclass(frozen=True)
class NonSaturating(Minimax):
    """The original game with the generator's practical objective: strong gradients where the fakes are rejected.

    The discriminator minimises −V(G, D) as in :class:`Minimax`; the generator minimises −E[log D(G(z))].

    Reference: Goodfellow et al. 2014, arXiv:1406.2661, section 3.
    """

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """−E[log D(G(z))]."""
        return softplus(-fake).mean()


@dataclass(frozen=True)
class FDivergence(AdversarialLoss):
    """f-GAN: the discriminator bounds an f-divergence of data and samples from below, the generator lowers it.

    With T = critic(logit) and f* the conjugate of f, the discriminator minimises −E[T(x)] + E[f*(T(G(z)))], and the
    generator −E[T(G(z))], the practical objective, or −E[f*(T(G(z)))], the minimax one.

    Args:
        divergence: of p_data from p_g, a name in ``lit_gan.theory.DIVERGENCES``; ``"gan"`` is the original game. The
            critics of ``"kl"``, ``"reverse_kl"`` and ``"squared_hellinger"`` are exponentials, infinite beyond logits
            of 88 in float32.
        minimax: whether the generator plays the minimax game instead of the practical one.

    Raises:
        ValueError: a divergence that is not known.

    Reference: Nowozin et al. 2016, arXiv:1606.00709, equation 6 and section 3.2.
    """

    divergence: DivergenceName = "js"
    minimax: bool = False

    def __post_init__(self) -> None:
        """Refuse an unknown divergence."""
        find_divergence(self.divergence)

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """−E[T(x)] + E[f*(T(G(z)))]."""
        return -variational_bound(real, fake, self.divergence)

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """−E[T(G(z))], or −E[f*(T(G(z)))] in the minimax game."""
        chosen = find_divergence(self.divergence)
        return -(chosen.conjugate_of_critic if self.minimax else chosen.critic)(fake).mean()

    def log_ratio(self, logits: Tensor) -> Tensor | None:
        """Return log p_data/p_g where the critic is optimal; None for total variation, whose critic is a mere sign."""
        chosen = find_divergence(self.divergence)
        return None if chosen.log_ratio is None else chosen.log_ratio(logits)


@dataclass(frozen=True)
class RelativisticPaired(AdversarialLoss):
    """RpGAN: each fake is judged against one real image, so no logit has a meaning alone.

    The discriminator minimises E[softplus(−(D(x) − D(G(z))))], the generator E[softplus(−(D(G(z)) − D(x)))], with
    D a logit. Any offset of the logits cancels.

    Reference: Jolicoeur-Martineau 2018, arXiv:1807.00734, section 4.1 (RSGAN); with R1 and R2 it is the game of R3GAN,
    arXiv:2501.05441, section 2.
    """

    needs_real: ClassVar[bool] = True

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """E[softplus(−(real − fake))]."""
        return softplus(fake - real).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """E[softplus(−(fake − real))]."""
        if real is None:
            raise ValueError("RelativisticPaired compares pairs: pass the real logits, generator(fake, real)")
        return softplus(real - fake).mean()
