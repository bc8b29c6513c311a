"""Stateful penalties, which keep moving averages over past turns as buffers of a module."""

import math

import torch
from torch import Tensor, nn

from lit_gan._utils.arguments import within
from lit_gan._utils.dtypes import at_least_float32
from lit_gan._utils.representation import as_arguments
from lit_gan.penalties.base import Penalty, Turn
from lit_gan.schedules import Schedule

__all__ = ["LeCam", "PathLength"]


class _MovingAveragePenalty(nn.Module, Penalty):
    """A penalty with moving averages α ← decay·α + (1 − decay)·(the turn's mean); the first turn sets them."""

    def __init__(self, weight: float | Schedule, every: int, decay: float, averages: int) -> None:
        super().__init__()
        self.weight, self.every, self.decay = weight, every, decay
        self.__post_init__()
        within("[0, 1)", self, decay=decay)
        self.register_buffer("averages", torch.zeros(averages))
        self.register_buffer("turns", torch.zeros(()))

    averages: Tensor
    turns: Tensor

    @torch.no_grad()
    def _update_averages(self, *means: Tensor) -> None:
        """Move the averages towards the means of this turn, scalars."""
        now = torch.stack([mean.detach().to(self.averages) for mean in means])
        self.averages.copy_(torch.where(self.turns > 0, now.lerp(self.averages, self.decay), now))
        self.turns += 1

    __call__ = nn.Module.__call__  # which calls forward
    extra_repr = as_arguments


class LeCam(_MovingAveragePenalty):
    """LeCam regularisation, for training on few images: ``weight`` · (E[(D(x) − α_F)²] + E[(D(G(z)) − α_R)²]).

    D is a logit, and α_R and α_F are moving averages of D(x) and of D(G(z)): each logit is pulled to the average of the
    other kind.

    Args:
        weight: λ, ≥ 0, or a schedule of it; 0.01 to 0.3 in the paper.
        every: computed at each ``every``-th discriminator update, times ``every``.
        decay: of the averages for each turn, in [0, 1).

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range.

    Reference: Tseng et al. 2021, arXiv:2104.03310, equation 3.

    Examples:
        >>> import torch
        >>> from lit_gan.penalties import LeCam, Turn
        >>> x, real, fake = torch.zeros(4, 2), torch.full((4,), 1.0), torch.full((4,), -2.0)
        >>> turn = Turn(x, x, x, None, real, fake, torch.nn.Identity())
        >>> round(LeCam(weight=0.1)(turn).item(), 4)  # first turn, α_R = 1 and α_F = −2: 0.1·(3² + 3²)
        1.8
    """

    def __init__(self, weight: float | Schedule = 0.1, every: int = 1, decay: float = 0.99) -> None:
        super().__init__(weight, every, decay, averages=2)

    def forward(self, turn: Turn) -> Tensor:
        """Return ``weight`` · (E[(D(x) − α_F)²] + E[(D(G(z)) − α_R)²])."""
        assert turn.real_logits is not None
        real, fake = turn.real_logits, turn.fake_logits
        self._update_averages(real.mean(), fake.mean())
        alpha_real, alpha_fake = self.averages.clone()
        return self.weight_in(turn) * ((real - alpha_fake).square().mean() + (fake - alpha_real).square().mean())


class PathLength(_MovingAveragePenalty):
    """StyleGAN2's path length regularisation of the generator: ``weight`` · E[(‖Jᵀy‖ − a)²], where y is normal noise.

    It makes steps of equal length in w change the image by equal amounts. J = ∂G/∂w at the styles w if the generator
    has ``styles(z, labels)``, which returns w ``(N, layers, D)``, and ``synthesize(w)``, which returns images; then
    ‖Jᵀy‖² is a sum over D and a mean over layers, and half of the batch is generated again. For any other generator
    J = ∂G/∂z, on the turn's own images. y ~ N(0, I)/√(pixels of an image), and a is the moving average of ‖Jᵀy‖.

    Args:
        weight: ≥ 0, or a schedule of it. 2 is the paper's γ = ln 2/(r²(ln r − ln 2)) for r × r pixels: here ‖Jᵀy‖²
            is a mean over the 2·(ln r − ln 2)/ln 2 layers, and y has 1/r² of the paper's variance.
        every: computed at each ``every``-th generator update, times ``every``; 4 in the paper.
        decay: of the average for each computed turn, in [0, 1); 0.99 in the paper.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range.

    Reference: Karras et al. 2019, arXiv:1912.04958, equation 4 and appendix B. Half of the batch: the authors' code.

    Examples:
        >>> from lit_gan import LitGAN
        >>> from lit_gan.networks import MLPDiscriminator, MLPGenerator
        >>> from lit_gan.penalties import PathLength
        >>> networks = MLPGenerator(features=2), MLPDiscriminator(features=2)
        >>> LitGAN(*networks, penalties={"path": PathLength(weight=1)}).penalties["path"]
        PathLength(weight=1, every=4, decay=0.99)
    """

    # Deviation: a starts at the first turn's mean, like the averages of LeCam, and not at 0.

    player = "generator"

    def __init__(self, weight: float | Schedule = 2.0, every: int = 4, decay: float = 0.99) -> None:
        super().__init__(weight, every, decay, averages=1)

    def forward(self, turn: Turn) -> Tensor:
        """Return ``weight`` · E[(‖Jᵀy‖ − a)²]."""
        images, at = _images_and_inputs(turn)
        images = at_least_float32(images)
        y = torch.randn_like(images) / images[0, 0].numel() ** 0.5
        (gradient,) = torch.autograd.grad((images * y).sum(), at, create_graph=True)
        lengths = torch.linalg.vector_norm(gradient.flatten(1), dim=1) / math.sqrt(at[0, ..., 0].numel())
        self._update_averages(lengths.mean())
        return self.weight_in(turn) * (lengths - self.averages[0].clone()).square().mean()


def _images_and_inputs(turn: Turn) -> tuple[Tensor, Tensor]:
    """Return images and the input of J = ∂images/∂input: styles ``(N, layers, D)`` if G has them, else ``turn.z``."""
    styles, synthesize = (getattr(turn.generator, name, None) for name in ("styles", "synthesize"))
    if styles is None or synthesize is None:
        return turn.fake, turn.z
    half = -(-len(turn.z) // 2)
    w = styles(turn.z[:half], None if turn.labels is None else turn.labels[:half])
    return synthesize(w), w
