"""Latents in, images out: what training, validation and sampling share."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn

__all__ = ["LabelPassing", "Latent", "call", "draw_latents", "evaluating", "sample_images", "sample_labels"]

Latent = Literal["normal", "uniform"]
LabelPassing = Literal["by keyword", "second", "not at all"]


def call(network: nn.Module, passing: LabelPassing, x: Tensor, labels: Tensor | None) -> Tensor:
    """Return ``network(x)``, with ``labels`` where and how it takes them (:func:`lit_gan.inputs.label_passing`)."""
    if passing == "not at all":
        return network(x)
    return network(x, labels=labels) if passing == "by keyword" else network(x, labels)


def draw_latents(n: int, latent_dim: int, latent: Latent, like: Tensor, rng: torch.Generator | None = None) -> Tensor:
    """Return latents z ``(n, latent_dim)`` from N(0, 1) or from the uniform distribution on [-1, 1].

    Args:
        n: how many.
        latent_dim: length of each.
        latent: ``"normal"`` or ``"uniform"``.
        like: a tensor of the device and dtype wanted.
        rng: draws on the CPU, so that a seed gives the same latents on every device; None draws from torch's own
            random state on the device.
    """
    device = like.device if rng is None else torch.device("cpu")
    z = torch.empty(n, latent_dim, device=device, dtype=torch.float32)  # whatever the default type is
    z = z.normal_(generator=rng) if latent == "normal" else z.uniform_(-1, 1, generator=rng)
    return z.to(like)


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


@torch.no_grad()
def sample_images(
    generator: nn.Module, passing: LabelPassing, z: Tensor, labels: Tensor | None, batch_size: int
) -> Tensor:
    """Return float32 images of ``generator`` in evaluation mode, ``batch_size`` latents at a time.

    Args:
        generator: called with ``z`` and, as ``passing`` says, with ``labels``.
        passing: how it takes labels.
        z: ``(N, latent_dim)`` on the generator's device.
        labels: ``(N,)`` there too, or None.
        batch_size: bounds the memory.
    """
    with evaluating(generator):
        parts = [
            call(generator, passing, z[i : i + batch_size], None if labels is None else labels[i : i + batch_size])
            for i in range(0, len(z), batch_size)
        ]
        return torch.cat([part.float() for part in parts])


def sample_labels(
    n: int, labels: Tensor | Iterable[int] | int | None, counts: Tensor, rng: torch.Generator | None
) -> Tensor:
    """Return ``n`` classes, int64 ``(n,)``, to sample from a conditional generator.

    Args:
        n: how many.
        labels: one for each, one for all, or None for classes as frequent as ``counts``.
        counts: how often each class was seen, ``(num_classes,)``; empty where the classes are not known.
        rng: of the draw; None for torch's own random state.

    Raises:
        ValueError: a wrong number of labels, a class that is not there, or None and no counts.
    """
    if labels is None:
        if not len(counts):
            raise ValueError("the generator takes labels and has no num_classes to draw them from: pass labels")
        weights = counts.float() if counts.any() else torch.ones(len(counts))
        return torch.multinomial(weights, n, replacement=True, generator=rng)
    labels = torch.as_tensor(labels)
    labels = labels.expand(n) if labels.ndim == 0 else labels
    if len(labels) != n:
        raise ValueError(f"{len(labels)} labels for {n} samples: give one, or one for each")
    if len(counts) and not 0 <= int(labels.min()) <= int(labels.max()) < len(counts):
        raise ValueError(f"labels {labels.unique().tolist()} must lie in [0, {len(counts) - 1}]")
    return labels
