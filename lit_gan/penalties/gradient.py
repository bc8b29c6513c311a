"""Penalties on the norm of the discriminator's gradient with respect to images: R1, R2, WGAN-GP and DRAGAN."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from lit_gan._utils.arguments import positive
from lit_gan._utils.dtypes import at_least_float32
from lit_gan.penalties.base import Penalty, Turn
from lit_gan.schedules import Schedule

__all__ = ["DRAGAN", "R1", "R2", "WGANGP", "squared_gradient_norm"]


def _gradient(logits: Tensor, images: Tensor) -> Tensor:
    """Return each logit's gradient with respect to its image, ``(N, D)``, with a graph, in float32 at least."""
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return at_least_float32(gradient).flatten(1)


def squared_gradient_norm(logits: Tensor | None, images: Tensor) -> Tensor:
    """Return E‖∇ logit‖², the mean of the squared norms of the logits' gradients, in float32 at least.

    Args:
        logits: ``(N,)``, or ``(N/k,)`` for packs of k, computed from ``images``.
        images: ``(N, ...)``, which require a gradient.
    """
    assert logits is not None
    return _gradient(logits, images).square().sum() / len(logits)


@dataclass(frozen=True)
class R1(Penalty):
    """Zero-centred gradient penalty on real images: ``weight``/2 · E‖∇D(x)‖², where D is a logit and x is real.

    Args:
        weight: γ, ≥ 0, or a schedule of it; 10 in the paper; choose it for each data set and resolution.
        every: computed at each ``every``-th discriminator update, times ``every``.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range.

    Reference: Mescheder et al. 2018, arXiv:1801.04406, equation 9.

    Examples:
        >>> import torch
        >>> from lit_gan.penalties import R1, Turn
        >>> x, critic = torch.ones(4, 2, requires_grad=True), lambda x, y: 3 * x[:, 0] + 4 * x[:, 1]  # ‖∇D‖ = 5
        >>> turn = Turn(x, x, torch.zeros(4, 1), None, critic(x, None), critic(x, None), critic)
        >>> round(R1(weight=10)(turn).item(), 4)  # 10/2 · 5²
        125.0
    """

    weight: float | Schedule = 10.0
    every: int = 1

    def __call__(self, turn: Turn) -> Tensor:
        """Return ``weight``/2 · E‖∇D(x)‖² on ``turn.real``."""
        return self.weight_in(turn) / 2 * squared_gradient_norm(turn.real_logits, turn.real)


@dataclass(frozen=True)
class R2(Penalty):
    """Zero-centred gradient penalty on fakes: ``weight``/2 · E‖∇D(G(z))‖², where D is a logit.

    Args:
        weight: γ, ≥ 0, or a schedule of it; R3GAN uses the same value for R1 and R2.
        every: computed at each ``every``-th discriminator update, times ``every``.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range.

    Reference: Mescheder et al. 2018, arXiv:1801.04406, equation 10.

    Examples:
        >>> import torch
        >>> from lit_gan.penalties import R2, Turn
        >>> x, critic = torch.ones(4, 2, requires_grad=True), lambda x, y: 3 * x[:, 0] + 4 * x[:, 1]  # ‖∇D‖ = 5
        >>> turn = Turn(x, x, torch.zeros(4, 1), None, critic(x, None), critic(x, None), critic)
        >>> round(R2(weight=10)(turn).item(), 4)  # 10/2 · 5²
        125.0
    """

    weight: float | Schedule = 10.0
    every: int = 1

    def __call__(self, turn: Turn) -> Tensor:
        """Return ``weight``/2 · E‖∇D(G(z))‖² on ``turn.fake``."""
        return self.weight_in(turn) / 2 * squared_gradient_norm(turn.fake_logits, turn.fake)


def _distance_from_one(network: Callable[[Tensor, Tensor | None], Tensor], x: Tensor, labels: Tensor | None) -> Tensor:
    """Return E[(‖∇D(x)‖ − 1)²] in float32 at least; the images of a pack share one logit and one norm."""
    x = x.detach().requires_grad_()
    logits = network(x, labels)
    norms = _gradient(logits, x).square().sum(1)
    if len(norms) != len(logits):
        norms = torch.stack([part.sum() for part in norms.split(-(-len(norms) // len(logits)))])
    return (_root(norms) - 1).square().mean()


def _root(squares: Tensor) -> Tensor:
    """Return √s, with a gradient of 0 at s = 0, where the slope of the root is infinite."""
    return torch.where(squares > 0, torch.where(squares > 0, squares, 1).sqrt(), 0)


@dataclass(frozen=True)
class WGANGP(Penalty):
    """Gradient penalty between real images and fakes: ``weight`` · E[(‖∇D(x̂)‖ − 1)²], x̂ = ε·x + (1 − ε)·G(z).

    D is a logit; ε is uniform on [0, 1], one for each pair of a real image and a fake.

    Args:
        weight: λ, ≥ 0, or a schedule of it; 10 in the paper, 0.1 in the authors' code for points in a plane.
        every: computed at each ``every``-th discriminator update, times ``every``.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range.

    Reference: Gulrajani et al. 2017, arXiv:1704.00028, equation 3.

    Examples:
        >>> import torch
        >>> from lit_gan.penalties import WGANGP, Turn
        >>> x, critic = torch.ones(4, 2, requires_grad=True), lambda x, y: 3 * x[:, 0] + 4 * x[:, 1]  # ‖∇D‖ = 5
        >>> turn = Turn(x, x, torch.zeros(4, 1), None, critic(x, None), critic(x, None), critic)
        >>> round(WGANGP(weight=10)(turn).item(), 4)  # 10·(5 − 1)²
        160.0
    """

    weight: float | Schedule = 10.0
    every: int = 1

    def __call__(self, turn: Turn) -> Tensor:
        """Return ``weight`` · E[(‖∇D(x̂)‖ − 1)²]."""
        real, fake = turn.real.detach(), turn.fake.detach()
        epsilon = torch.rand(len(real), *[1] * (real.ndim - 1), device=real.device, dtype=real.dtype)
        between = epsilon * real + (1 - epsilon) * fake
        return self.weight_in(turn) * _distance_from_one(turn.network, between, turn.labels)


@dataclass(frozen=True)
class DRAGAN(Penalty):
    """Gradient penalty around real images: ``weight`` · E[(‖∇D(x + δ)‖ − 1)²], where D is a logit and δ normal noise.

    Args:
        weight: λ, ≥ 0, or a schedule of it; 10 in the paper.
        every: computed at each ``every``-th discriminator update, times ``every``.
        noise: standard deviation of δ, > 0, in units of the standard deviation of all values of the real batch.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range.

    Reference: Kodali et al. 2017, arXiv:1705.07215, section 2.3.

    Examples:
        >>> import torch
        >>> from lit_gan.penalties import DRAGAN, Turn
        >>> x, critic = torch.ones(4, 2, requires_grad=True), lambda x, y: 3 * x[:, 0] + 4 * x[:, 1]  # ‖∇D‖ = 5
        >>> turn = Turn(x, x, torch.zeros(4, 1), None, critic(x, None), critic(x, None), critic)
        >>> round(DRAGAN(weight=10)(turn).item(), 4)  # 10·(5 − 1)²
        160.0
    """

    weight: float | Schedule = 10.0
    every: int = 1
    noise: float = 0.5

    def __post_init__(self) -> None:
        """Refuse a negative weight, ``every`` below 1, and noise that is not positive."""
        super().__post_init__()
        positive(self, noise=self.noise)

    def __call__(self, turn: Turn) -> Tensor:
        """Return ``weight`` · E[(‖∇D(x + δ)‖ − 1)²]."""
        real = turn.real.detach()
        # Deviation: in units of the batch's standard deviation, as in the authors' code; the paper's is absolute.
        around = real + self.noise * real.std() * torch.randn_like(real)
        return self.weight_in(turn) * _distance_from_one(turn.network, around, turn.labels)
