"""Latents in, images out: what training, validation and sampling share."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lit_gan.labels import LabelPassing, call, forward_parameters

__all__ = ["Latent", "dealt_latents", "draw_latents", "evaluating", "sample_images", "truncates"]

Latent = Literal["normal", "uniform"]


def draw_latents(n: int, latent_dim: int, latent: Latent, like: Tensor, rng: torch.Generator | None = None) -> Tensor:
    """Return latents z ``(n, latent_dim)`` from N(0, 1) or from the uniform distribution on [-1, 1].

    Args:
        n: how many.
        latent_dim: length of each.
        latent: ``"normal"`` or ``"uniform"``.
        like: a tensor of the device and dtype wanted.
        rng: draws on its own device; one of the CPU gives the same latents on every device. None draws from torch's
            random state on the device of ``like``.
    """
    device = like.device if rng is None else rng.device
    z = torch.empty(n, latent_dim, device=device, dtype=torch.float32)  # whatever the default type is
    z = z.normal_(generator=rng) if latent == "normal" else z.uniform_(-1, 1, generator=rng)
    return z.to(like)


def dealt_latents(
    n: int, latent_dim: int, latent: Latent, like: Tensor, rng: torch.Generator, rank: int, world_size: int
) -> Tensor:
    """Return one process's ``n`` latents of a batch of ``n · world_size``: the rank-th, and each world_size-th after.

    Args:
        n: how many this process wants; as many as each other one.
        latent_dim: length of each.
        latent: ``"normal"`` or ``"uniform"``.
        like: a tensor of the device and dtype wanted.
        rng: in the same state on every process.
        rank: of this process.
        world_size: number of processes.
    """
    return draw_latents(n * world_size, latent_dim, latent, like, rng)[rank::world_size]


@contextmanager
def evaluating(*networks: nn.Module) -> Iterator[None]:
    """Put ``networks`` into evaluation mode, and each of their modules back into its own mode afterwards."""
    modes = [(module, module.training) for network in networks for module in network.modules()]
    for network in networks:
        network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def truncates(generator: nn.Module) -> bool:
    """Tell whether ``generator`` has a truncation of its own: its ``forward`` names ``truncation``."""
    return any(parameter.name == "truncation" for parameter in forward_parameters(generator))


@torch.no_grad()
def sample_images(
    generator: nn.Module,
    passing: LabelPassing,
    z: Tensor,
    labels: Tensor | None,
    batch_size: int,
    truncation: float = 1.0,
) -> Tensor:
    """Return float32 images of ``generator`` in evaluation mode, ``batch_size`` latents at a time.

    Args:
        generator: called with ``z`` and, as ``passing`` says, with ``labels``.
        passing: how it takes labels.
        z: ``(N, latent_dim)`` on the generator's device.
        labels: ``(N,)`` there too, or None.
        batch_size: bounds the memory.
        truncation: passed on to a generator that :func:`truncates`, a factor of ``z`` for any other.
    """
    options: dict[str, Any] = {}
    if truncation != 1:
        z, options = (z, {"truncation": truncation}) if truncates(generator) else (truncation * z, {})
    with evaluating(generator):
        parts = [
            call(generator, passing, z_part, None if labels is None else labels[i : i + batch_size], **options)
            for i, z_part in zip(range(0, len(z), batch_size), z.split(batch_size), strict=True)
        ]
        return torch.cat([part.float() for part in parts])
