"""A small classifier of real and generated samples, vectors or images of any size, and its training."""

import copy

import torch
from torch import Tensor, nn

from lit_gan.images import to_float
from lit_gan.networks import MLPDiscriminator
from lit_gan.theory import cross_entropy

__all__ = ["Pair", "classifier_for", "logits_of", "trained"]

Pair = tuple[Tensor, Tensor]
"""Real and fake samples, or their logits, as many of each."""

_BATCH = 64  # of each kind
_LEARNING_RATE = 3e-3


class Waves(nn.Module):
    """x and the sines and cosines of 32 random projections of it, or an MLP could hardly see the shape of narrow modes.

    The projections' wave numbers are normal, of standard deviations from 0.6 to 6 over √D.

    Reference: Tancik et al. 2020, arXiv:2006.10739, section 6 (Gaussian mapping); the range of scales is ours.
    """

    waves: Tensor

    def __init__(self, dimensions: int, projections: int = 32) -> None:
        super().__init__()
        scales = torch.logspace(-1, 0, projections) * 6 / dimensions**0.5
        self.register_buffer("waves", torch.randn(dimensions, projections) * scales)
        self.features = dimensions + 2 * projections

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, D)`` to ``(N, D + 2·projections)``."""
        angles = x @ self.waves
        return torch.cat([x, angles.sin(), angles.cos()], 1)


def classifier_for(like: Tensor) -> nn.Module:
    """Return a network for vectors or images ``like`` these, on their device."""
    if like.ndim == 2:
        waves = Waves(like.shape[1])
        return nn.Sequential(waves, MLPDiscriminator(features=waves.features, width=64, depth=2)).to(like.device)
    channels, *size = like.shape[1:]
    layers: list[nn.Module] = [nn.Conv2d(channels, 8, 3, padding=1), nn.LeakyReLU(0.2)]  # at full size: sees blur
    channels = 8
    while max(size) > 4:
        width = min(2 * channels, 64)
        layers += [nn.Conv2d(channels, width, 3, stride=2, padding=1), nn.LeakyReLU(0.2)]
        channels, size = width, [(side + 1) // 2 for side in size]
    layers += [nn.Flatten(), nn.Linear(channels * size[0] * size[1], 1), nn.Flatten(0)]
    return nn.Sequential(*layers).to(like.device)


def trained(network: nn.Module, training: Pair, validation: Pair, epochs: int) -> nn.Module:
    """Train, and go back to the epoch whose cross-entropy on ``validation`` was the lowest."""
    optimizer = torch.optim.Adam(network.parameters(), _LEARNING_RATE)
    n = len(training[0])
    best, lowest = copy.deepcopy(network.state_dict()), float("inf")
    for _ in range(epochs):
        for rows in zip(*(torch.randperm(n).to(x.device).split(_BATCH) for x in training), strict=True):
            batch = torch.cat([x[i] for x, i in zip(training, rows, strict=True)])
            loss = cross_entropy(*network(to_float(batch)).chunk(2))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        score = float(cross_entropy(*logits_of(network, validation)))
        if score < lowest:
            best, lowest = copy.deepcopy(network.state_dict()), score
    network.load_state_dict(best)
    return network


@torch.no_grad()
def logits_of(network: nn.Module, pair: Pair) -> Pair:
    """Return the network's logits of both kinds, in float64 on the CPU."""
    real, fake = (torch.cat([network(to_float(part)) for part in x.split(512)]).double().cpu() for x in pair)
    return real, fake
