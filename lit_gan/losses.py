"""The games that two players can play, side by side, each written like its formula.

Every loss takes unbounded logits of shape ``(N,)`` and returns a scalar *to minimise*, one for each player.
With D(x) = sigmoid(logit), ``softplus(-logit)`` is −log D and ``softplus(logit)`` is −log(1 − D): the forms that
neither overflow nor lose their gradient.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import relu, softplus

from lit_gan._utils.arguments import within
from lit_gan._utils.errors import LitGANError
from lit_gan.theory import DivergenceName, find_divergence, variational_bound

__all__ = [
    "AdversarialLoss",
    "FDivergence",
    "Hinge",
    "LeastSquares",
    "Minimax",
    "NonSaturating",
    "RelativisticAverage",
    "RelativisticPaired",
    "Wasserstein",
]


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
class Hinge(AdversarialLoss):
    """The hinge game: logits beyond the margin cost the discriminator nothing.

    The discriminator minimises E[max(0, 1 − D(x))] + E[max(0, 1 + D(G(z)))], the generator −E[D(G(z))], D a logit.

    Reference: Lim & Ye 2017, arXiv:1705.02894, section 3; Miyato et al. 2018, arXiv:1802.05957, equations 16 and 17.
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """E[max(0, 1 − D(x))] + E[max(0, 1 + D(G(z)))]."""
        return relu(1 - real).mean() + relu(1 + fake).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """−E[D(G(z))]."""
        return -fake.mean()


@dataclass(frozen=True)
class Wasserstein(Hinge):
    """The critic's game: E[D(x)] − E[D(G(z))] is the Wasserstein distance, times D's Lipschitz constant, at the best D.

    The discriminator minimises E[D(G(z))] − E[D(x)], the generator −E[D(G(z))], D unbounded. It must be kept Lipschitz:
    ``WGANGP``, :class:`lit_gan.optim.optimizers.ClippedRMSprop` or spectral norm.

    Reference: Arjovsky et al. 2017, arXiv:1701.07875, equation 2.
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """E[D(G(z))] − E[D(x)]."""
        return fake.mean() - real.mean()


@dataclass(frozen=True)
class LeastSquares(AdversarialLoss):
    """LSGAN: D is pulled to b on data and to a on samples, and the generator pulls it to c there.

    The discriminator minimises ½E[(D(x) − b)²] + ½E[(D(G(z)) − a)²], the generator ½E[(D(G(z)) − c)²], D a logit. With
    b − c = 1 and b − a = 2, as (−1, 1, 0), the generator descends Pearson's χ² of p_data + p_g and 2·p_g.
    The best D = (b·p_data + a·p_g)/(p_data + p_g) lies between a and b, and a trained one often does not, so that
    V(G, D) comes from a calibration.

    Args:
        a: where D is pulled to on samples.
        b: where D is pulled to on data; above ``a``.
        c: where the generator pulls it to; above ``a``.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: b or c that is not above a.

    Reference: Mao et al. 2017, arXiv:1611.04076, equations 2, 5 and 9 (the default, 0-1 coding).
    """

    a: float = 0.0
    b: float = 1.0
    c: float = 1.0

    def __post_init__(self) -> None:
        """Refuse targets that pull the wrong way."""
        within("(-∞, ∞)", self, a=self.a, b=self.b, c=self.c)
        if not (self.b > self.a and self.c > self.a):
            raise LitGANError(
                f"LeastSquares: b={self.b} and c={self.c} must be above a={self.a}, where samples are pulled"
            )

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """½E[(D(x) − b)²] + ½E[(D(G(z)) − a)²]."""
        return ((real - self.b).square().mean() + (fake - self.a).square().mean()) / 2

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """½E[(D(G(z)) − c)²]."""
        return (fake - self.c).square().mean() / 2


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
            raise LitGANError("RelativisticPaired compares pairs: pass the real logits, generator(fake, real)")
        return softplus(real - fake).mean()


@dataclass(frozen=True)
class RelativisticAverage(AdversarialLoss):
    """RaGAN: each logit is judged against the mean logit of the other kind, in the batch at hand.

    With r = D(x) − E[D(G(z))] and f = D(G(z)) − E[D(x)], D a logit, the discriminator minimises
    E[softplus(−r)] + E[softplus(f)], the generator E[softplus(r)] + E[softplus(−f)]. Any offset of the logits cancels.
    The means couple the samples: micro-batches and devices have their own.

    Reference: Jolicoeur-Martineau 2018, arXiv:1807.00734, section 4.3 (RaSGAN).
    """

    needs_real: ClassVar[bool] = True

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """E[softplus(−r)] + E[softplus(f)]."""
        return softplus(fake.mean() - real).mean() + softplus(fake - real.mean()).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """E[softplus(r)] + E[softplus(−f)]."""
        if real is None:
            raise LitGANError(
                "RelativisticAverage compares with real data: pass the real logits, generator(fake, real)"
            )
        return softplus(real - fake.mean()).mean() + softplus(real.mean() - fake).mean()
