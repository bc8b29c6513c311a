"""A generator of one Gaussian, whose density is known in closed form."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lit_gan._utils.arguments import at_least_one, within
from lit_gan._utils.errors import LitGANError
from lit_gan._utils.representation import as_arguments
from lit_gan.networks.layers import LatentInput

__all__ = ["GaussianGenerator"]


class GaussianGenerator(nn.Module):
    """G(z) = μ + σ·z: for normal latents p_g is N(μ, σ²), with μ and σ learned for each coordinate.

    It has one mode: trained on data with two, it shows whether a divergence makes it cover both or settle on one.

    Args:
        features: number of coordinates, and length of z.
        mean: μ before training, one number for all coordinates or one for each.
        std: σ before training, positive, one number for all coordinates or one for each.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: a μ that is not finite, a σ that is not positive, or neither 1 nor ``features`` numbers.

    Reference: Nowozin et al. 2016, arXiv:1606.00709, section 2.5 fits one Gaussian to a mixture in this way.
    """

    extra_repr = as_arguments

    def __init__(
        self, features: int = 1, mean: float | Sequence[float] = 0.0, std: float | Sequence[float] = 1.0
    ) -> None:
        super().__init__()
        at_least_one(features=features)
        self.features, self.latent_dim = features, features
        self.mean, self.std = mean, std
        for name, value in (("mean", mean), ("std", std)):
            if torch.as_tensor(value).numel() not in (1, features):
                raise LitGANError(f"{name}={value} for features={features}: give one number, or one for each")
            for number in torch.as_tensor(value, dtype=torch.float64).flatten().tolist():
                within("(0, ∞)" if name == "std" else "(-∞, ∞)", self, **{name: number})
        self.input = LatentInput(features, None)
        self.mu = nn.Parameter(torch.as_tensor(mean, dtype=torch.float32).expand(features).clone())
        self.log_sigma = nn.Parameter(torch.as_tensor(std, dtype=torch.float32).log().expand(features).clone())

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map latents ``(N, features)`` to points ``(N, features)``."""
        return self.mu + self.log_sigma.exp() * self.input(z, labels)

    @torch.no_grad()
    def log_density(self, x: Tensor) -> Tensor:
        """Return log p_g(x) in nats, ``(N,)`` in float64, of points ``(N, features)``, for normal latents."""
        mu, log_sigma = self.mu.double(), self.log_sigma.double()
        standard = (x.double() - mu) / log_sigma.exp()
        return (-(standard**2) / 2 - log_sigma - math.log(2 * math.pi) / 2).sum(1)
