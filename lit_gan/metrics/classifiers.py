"""A small classifier of real against fake samples, vectors or images of any size, and its training."""

import copy

import torch
from torch import Tensor, nn

from lit_gan.data.images import to_float
from lit_gan.networks import MLPDiscriminator
from lit_gan.theory import cross_entropy

__all__ = ["Pair", "classifier_for", "logits_of", "trained"]

Pair = tuple[Tensor, Tensor]
"""Real and fake samples, or their logits, the same number of each."""

_BATCH = 64  # real samples in a batch, and as many fake ones
_LEARNING_RATE = 3e-3  # Adam's


def classifier_for(like: Tensor) -> nn.Module:
    """Return an untrained classifier of samples of the shape of ``like``, on their device.

    Args:
        like: vectors ``(N, D)`` or images ``(N, C, H, W)``.
    """
    if like.ndim == 2:
        return MLPDiscriminator(features=like.shape[1], width=64, depth=2, waves=32).to(like.device)
    channels, *size = like.shape[1:]
    layers: list[nn.Module] = [nn.Conv2d(channels, 8, 3, padding=1), nn.LeakyReLU(0.2)]  # at full size, to see blur
    channels = 8
    while max(size) > 4:
        width = min(2 * channels, 64)
        layers += [nn.Conv2d(channels, width, 3, stride=2, padding=1), nn.LeakyReLU(0.2)]
        channels, size = width, [(side + 1) // 2 for side in size]
    layers += [nn.Flatten(), nn.Linear(channels * size[0] * size[1], 1), nn.Flatten(0)]
    return nn.Sequential(*layers).to(like.device)


def trained(network: nn.Module, training: Pair, validation: Pair, epochs: int) -> nn.Module:
    """Train a classifier, and return it with the weights of its best epoch.

    Args:
        network: the classifier, changed in place.
        training: uint8 or float samples to train on.
        validation: samples that choose the epoch, by the lowest cross-entropy.
        epochs: passes over ``training``.
    """
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
    """Return the network's logits of real and of fake samples, in float64 on the CPU."""
    real, fake = (torch.cat([network(to_float(part)) for part in x.split(512)]).cpu().double() for x in pair)
    return real, fake
