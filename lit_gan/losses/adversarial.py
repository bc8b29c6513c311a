"""The games of the literature, each written like its formula."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import relu, softplus

from lit_gan._utils.arguments import within
from lit_gan._utils.errors import LitGANError
from lit_gan.losses.base import AdversarialLoss

__all__ = [
    "Hinge",
    "LeastSquares",
    "Minimax",
    "NonSaturating",
    "RelativisticAverage",
    "RelativisticPaired",
    "Wasserstein",
]


@dataclass(frozen=True)
class Minimax(AdversarialLoss):
    """The game of the original GAN paper, in its saturating form: both players share V(G, D).

    V(G, D) = E[log D(x)] + E[log(1 − D(G(z)))]; the discriminator minimises −V, the generator E[log(1 − D(G(z)))].
    When the discriminator rejects the fakes, the generator's gradient vanishes.

    Reference: Goodfellow et al. 2014, arXiv:1406.2661, equation 1.

    Examples:
        >>> import torch
        >>> from lit_gan.losses import Minimax
        >>> logits = torch.zeros(4)  # D = ½ everywhere
        >>> round(float(Minimax().discriminator(logits, logits)), 4)  # log 4
        1.3863
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return −E[log D(x)] − E[log(1 − D(G(z)))]."""
        return softplus(-real).mean() + softplus(fake).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """Return E[log(1 − D(G(z)))]."""
        return -softplus(fake).mean()

    def log_ratio(self, logits: Tensor) -> Tensor:
        """Return the logits unchanged: D* = p_data/(p_data + p_g) is sigmoid(log p_data/p_g)."""
        return logits


@dataclass(frozen=True)
class NonSaturating(Minimax):
    """The original game with the non-saturating generator loss: strong gradients when the fakes are rejected.

    The discriminator minimises −V(G, D) as in :class:`Minimax`; the generator minimises −E[log D(G(z))].

    Reference: Goodfellow et al. 2014, arXiv:1406.2661, section 3.

    Examples:
        >>> import torch
        >>> from lit_gan.losses import NonSaturating
        >>> round(float(NonSaturating().generator(torch.zeros(4))), 4)  # D = ½: log 2
        0.6931
    """

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """Return −E[log D(G(z))]."""
        return softplus(-fake).mean()


@dataclass(frozen=True)
class Hinge(AdversarialLoss):
    """The hinge game: logits beyond the margin of 1 add nothing to the discriminator's loss.

    The discriminator minimises E[max(0, 1 − D(x))] + E[max(0, 1 + D(G(z)))], the generator −E[D(G(z))]; D is a
    logit.

    Reference: Lim & Ye 2017, arXiv:1705.02894, section 3; Miyato et al. 2018, arXiv:1802.05957, equations 16 and 17.

    Examples:
        >>> import torch
        >>> from lit_gan.losses import Hinge
        >>> round(float(Hinge().discriminator(torch.tensor([2.0]), torch.tensor([0.5]))), 4)  # 0 + 1.5
        1.5
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return E[max(0, 1 − D(x))] + E[max(0, 1 + D(G(z)))]."""
        return relu(1 - real).mean() + relu(1 + fake).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """Return −E[D(G(z))]."""
        return -fake.mean()


@dataclass(frozen=True)
class Wasserstein(Hinge):
    """The WGAN game: at the best D, E[D(x)] − E[D(G(z))] is the Wasserstein distance times D's Lipschitz constant.

    The discriminator minimises E[D(G(z))] − E[D(x)], the generator −E[D(G(z))], D unbounded. Keep D Lipschitz with
    ``WGANGP``, :class:`lit_gan.optim.optimizers.ClippedRMSprop` or spectral norm.

    Reference: Arjovsky et al. 2017, arXiv:1701.07875, equation 2.

    Examples:
        >>> import torch
        >>> from lit_gan.losses import Wasserstein
        >>> round(float(Wasserstein().discriminator(torch.tensor([3.0]), torch.tensor([1.0]))), 4)  # 1 − 3
        -2.0
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return E[D(G(z))] − E[D(x)]."""
        return fake.mean() - real.mean()


@dataclass(frozen=True)
class LeastSquares(AdversarialLoss):
    """LSGAN: D is fitted to b on real images and to a on fakes, and the generator moves D on fakes towards c.

    The discriminator minimises ½E[(D(x) − b)²] + ½E[(D(G(z)) − a)²], the generator ½E[(D(G(z)) − c)²]; D is a logit.
    With b − c = 1 and b − a = 2, as for (a, b, c) = (−1, 1, 0), the generator lowers Pearson's χ² of p_data + p_g and
    2·p_g. The best D = (b·p_data + a·p_g)/(p_data + p_g) lies between a and b; a trained D often does not, so V(G, D)
    needs a calibration.

    Args:
        a: the discriminator's target on fakes.
        b: the discriminator's target on real images; above ``a``.
        c: the generator's target on fakes; above ``a``.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument that is not finite, or b or c that is not above a.

    Reference: Mao et al. 2017, arXiv:1611.04076, equations 2, 5 and 9 (the default, 0-1 coding).

    Examples:
        >>> import torch
        >>> from lit_gan.losses import LeastSquares
        >>> logits = torch.full((4,), 0.5)
        >>> round(float(LeastSquares().discriminator(logits, logits)), 4)  # ½·0.5² + ½·0.5²
        0.25
    """

    a: float = 0.0
    b: float = 1.0
    c: float = 1.0

    def __post_init__(self) -> None:
        """Refuse targets that are not finite, and b or c that is not above a."""
        within("(-∞, ∞)", self, a=self.a, b=self.b, c=self.c)
        if not (self.b > self.a and self.c > self.a):
            raise LitGANError(
                f"LeastSquares: b={self.b} and c={self.c} must be above a={self.a}, where samples are pulled"
            )

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return ½E[(D(x) − b)²] + ½E[(D(G(z)) − a)²]."""
        return ((real - self.b).square().mean() + (fake - self.a).square().mean()) / 2

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """Return ½E[(D(G(z)) − c)²]."""
        return (fake - self.c).square().mean() / 2


@dataclass(frozen=True)
class RelativisticPaired(AdversarialLoss):
    """RpGAN: each fake is compared with one real image, and only the difference of their logits matters.

    The discriminator minimises E[softplus(−(D(x) − D(G(z))))], the generator E[softplus(−(D(G(z)) − D(x)))]; D is a
    logit. An offset common to all logits cancels.

    Reference: Jolicoeur-Martineau 2018, arXiv:1807.00734, section 4.1 (RSGAN); with R1 and R2 it is the game of R3GAN,
    arXiv:2501.05441, section 2.

    Examples:
        >>> import torch
        >>> from lit_gan.losses import RelativisticPaired
        >>> logits = torch.full((4,), 5.0)
        >>> round(float(RelativisticPaired().discriminator(logits, logits)), 4)  # log 2
        0.6931
    """

    needs_real: ClassVar[bool] = True

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return E[softplus(−(real − fake))]."""
        return softplus(fake - real).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """Return E[softplus(−(fake − real))]."""
        if real is None:
            raise LitGANError("RelativisticPaired compares pairs: pass the real logits, generator(fake, real)")
        return softplus(real - fake).mean()


@dataclass(frozen=True)
class RelativisticAverage(AdversarialLoss):
    """RaGAN: each logit is compared with the mean logit of the other kind in the same batch.

    With r = D(x) − E[D(G(z))] and f = D(G(z)) − E[D(x)], where D is a logit, the discriminator minimises
    E[softplus(−r)] + E[softplus(f)], the generator E[softplus(r)] + E[softplus(−f)]. An offset common to all logits
    cancels. The means couple the samples of a batch; each micro-batch and each device has its own means.

    Reference: Jolicoeur-Martineau 2018, arXiv:1807.00734, section 4.3 (RaSGAN).

    Examples:
        >>> import torch
        >>> from lit_gan.losses import RelativisticAverage
        >>> logits = torch.full((4,), 5.0)
        >>> round(float(RelativisticAverage().discriminator(logits, logits)), 4)  # 2·log 2
        1.3863
    """

    needs_real: ClassVar[bool] = True

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return E[softplus(−r)] + E[softplus(f)]."""
        return softplus(fake.mean() - real).mean() + softplus(fake - real.mean()).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """Return E[softplus(r)] + E[softplus(−f)]."""
        if real is None:
            raise LitGANError(
                "RelativisticAverage compares with real data: pass the real logits, generator(fake, real)"
            )
        return softplus(real - fake.mean()).mean() + softplus(real.mean() - fake).mean()
