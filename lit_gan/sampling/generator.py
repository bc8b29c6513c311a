"""Latents in, images out: what training, validation and sampling share."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lit_gan._utils.arguments import at_least, at_least_one, within
from lit_gan._utils.errors import LitGANError
from lit_gan._utils.modes import evaluating
from lit_gan.sampling.conditions import (
    ConditionMode,
    call_with_condition,
    condition_mode,
    forward_parameters,
    needs_labels,
    sample_labels,
)

__all__ = [
    "GeneratorSource",
    "Latent",
    "TrainedGenerator",
    "dealt_latents",
    "draw_latents",
    "read_latent_dim",
    "sample_images",
    "truncates",
]

Latent = Literal["normal", "uniform"]


def read_latent_dim(generator: nn.Module, given: int | None) -> int:
    """Return the length of z: what is given, or what the generator says; refused where they contradict."""
    own: int | None = getattr(generator, "latent_dim", None)
    latent_dim = own if given is None else given
    if latent_dim is None:
        raise LitGANError(f"{type(generator).__name__} has no latent_dim: pass LitGAN(latent_dim=...), the length of z")
    if own not in (None, latent_dim):
        raise LitGANError(f"latent_dim={given} contradicts {type(generator).__name__}.latent_dim={own}: leave it out")
    at_least_one(latent_dim=latent_dim)
    return latent_dim


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


def truncates(generator: nn.Module) -> bool:
    """Tell whether ``generator`` has a truncation of its own: its ``forward`` names ``truncation``."""
    return any(parameter.name == "truncation" for parameter in forward_parameters(generator))


@torch.no_grad()
def sample_images(
    generator: nn.Module,
    mode: ConditionMode,
    z: Tensor,
    labels: Tensor | None,
    batch_size: int,
    truncation: float = 1.0,
) -> Tensor:
    """Return float32 images of ``generator`` in evaluation mode, ``batch_size`` latents at a time.

    Args:
        generator: called with ``z`` and, as ``mode`` says, with ``labels``.
        mode: how it takes labels.
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
            call_with_condition(
                generator, mode, z_part, None if labels is None else labels[i : i + batch_size], **options
            )
            for i, z_part in zip(range(0, len(z), batch_size), z.split(batch_size), strict=True)
        ]
        return torch.cat([part.float() for part in parts])


class GeneratorSource(ABC):
    """Draws images from a trained generator that it gives: a LitGAN, or the generators of a checkpoint."""

    @abstractmethod
    def trained_generator(self, ema: bool = True) -> "TrainedGenerator":
        """Return the averaged generator if there is one, or with ``ema=False`` the raw one."""

    def sample(
        self,
        n: int,
        labels: Tensor | Iterable[int] | int | None = None,
        *,
        ema: bool = True,
        seed: int | None = None,
        truncation: float = 1.0,
        batch_size: int = 256,
    ) -> Tensor:
        """Return ``n`` generated images ``(n, C, H, W)`` float32 in [-1, 1], the generator in evaluation mode.

        Args:
            n: how many, ≥ 1.
            labels: one for each, or one for all. A conditional generator without them gets classes as frequent as
                in the data it was trained on.
            ema: of the averaged generator, where there is one.
            seed: the same seed gives the same latents on every device; None draws from torch's random state.
            truncation: ψ in (0, 1]: below 1, more typical images and less variety. Passed on to a generator whose
                ``forward`` names ``truncation``, as StyleGAN2's does; the latents of any other are multiplied by it.
            batch_size: images at a time, which bounds the memory.

        Raises:
            TypeError: an argument of a wrong type.
            ValueError: an argument out of range, or labels for a generator that takes none.
        """
        trained = self.trained_generator(ema)
        return trained.sample(n, labels, seed=seed, truncation=truncation, batch_size=batch_size)


class TrainedGenerator(nn.Module):
    """A generator, and what it takes to draw from it: the kind and length of its latents, how frequent its classes are.

    Args:
        network: ``network(z, labels=None) -> images``.
        latent_dim: length of z.
        latent: ``"normal"`` for N(0, 1), ``"uniform"`` for [-1, 1].
        label_counts: how often each class was seen in training, int64 ``(num_classes,)``; empty where it has none.
    """

    label_counts: Tensor

    def __init__(self, network: nn.Module, latent_dim: int, latent: Latent, label_counts: Tensor) -> None:
        super().__init__()
        self.network, self.latent_dim = network, latent_dim
        self.latent: Latent = latent
        self.condition_mode: ConditionMode = condition_mode(network)
        self.register_buffer("label_counts", label_counts)

    @property
    def conditional(self) -> bool:
        """Whether it is given classes where the caller names none."""
        return len(self.label_counts) > 0 or needs_labels(self.network)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map latents ``(N, latent_dim)`` and, where it takes them, labels ``(N,)`` to images in [-1, 1]."""
        return call_with_condition(self.network, self.condition_mode, z, labels)

    @torch.no_grad()
    def sample(
        self,
        n: int,
        labels: Tensor | Iterable[int] | int | None = None,
        *,
        seed: int | None = None,
        truncation: float = 1.0,
        batch_size: int = 256,
    ) -> Tensor:
        """Return ``n`` images, float32 in [-1, 1], as :meth:`lit_gan.LitGAN.sample` does, whose arguments these are.

        Raises:
            TypeError: an argument of a wrong type.
            ValueError: an argument out of range, or labels for a generator that takes none.
        """
        at_least_one(n=n, batch_size=batch_size)
        within("(0, 1]", truncation=truncation)
        return self.images(*self.draw(n, labels, seed), truncation, batch_size)

    def draw(
        self, n: int, labels: Tensor | Iterable[int] | int | None = None, seed: int | None = None, each: int = 1
    ) -> tuple[Tensor, Tensor | None]:
        """Return latents ``(n·each, latent_dim)`` and, where the network takes them, classes ``(n,)``."""
        at_least(0, seed=seed)
        rng = None if seed is None else torch.Generator().manual_seed(seed)
        z = draw_latents(n * each, self.latent_dim, self.latent, next(self.network.parameters()), rng)
        if labels is not None and self.condition_mode == "not at all":
            raise LitGANError(f"{type(self.network).__name__} takes no labels: leave labels out")
        if labels is None and not self.conditional:
            return z, None
        return z, sample_labels(n, labels, self.label_counts.cpu(), rng).to(z.device)

    def images(self, z: Tensor, labels: Tensor | None, truncation: float = 1.0, batch_size: int = 256) -> Tensor:
        """Return images of latents and classes in evaluation mode, ``batch_size`` at a time."""
        return sample_images(self.network, self.condition_mode, z, labels, batch_size, truncation)
