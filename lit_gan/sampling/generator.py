"""Latents, and images of a generator for them, as training, validation and sampling draw them."""

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
    """Return the length of z: ``given``, or ``generator.latent_dim`` if that is None.

    Raises:
        TypeError: a length that is not a whole number.
        ValueError: the two contradict each other, both are missing, or a length below 1.
    """
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
        n: number of latents.
        latent_dim: length of z.
        latent: ``"normal"`` or ``"uniform"``.
        like: a tensor with the device and dtype of the result.
        rng: draws on its own device, so one on the CPU gives the same latents on every device. None draws from torch's
            global random state on the device of ``like``.
    """
    device = like.device if rng is None else rng.device
    z = torch.empty(n, latent_dim, device=device, dtype=torch.float32)  # independent of torch's default dtype
    z = z.normal_(generator=rng) if latent == "normal" else z.uniform_(-1, 1, generator=rng)
    return z.to(like)


def dealt_latents(
    n: int, latent_dim: int, latent: Latent, like: Tensor, rng: torch.Generator, rank: int, world_size: int
) -> Tensor:
    """Return one process's share of ``n · world_size`` latents, ``(n, latent_dim)``: every world_size-th from ``rank``.

    Args:
        n: number of latents of this process, the same on every process.
        latent_dim: length of z.
        latent: ``"normal"`` or ``"uniform"``.
        like: a tensor with the device and dtype of the result.
        rng: draws all the latents; must be in the same state on every process.
        rank: rank of this process.
        world_size: number of processes.
    """
    return draw_latents(n * world_size, latent_dim, latent, like, rng)[rank::world_size]


def truncates(generator: nn.Module) -> bool:
    """Return whether ``generator`` truncates by itself: whether its ``forward`` has an argument ``truncation``."""
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
        mode: how it takes labels, from :func:`lit_gan.sampling.conditions.condition_mode`.
        z: latents ``(N, latent_dim)`` on the generator's device.
        labels: classes ``(N,)`` on the same device, or None.
        batch_size: number of images in one forward pass, which bounds the memory.
        truncation: passed to the generator if it :func:`truncates`; for any other, ``z`` is multiplied by it.
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


class GeneratorSource:
    """Draws images from a raw or an averaged generator: the base of LitGAN and of a checkpoint's generators."""

    generator: nn.Module
    ema_generator: nn.Module | None
    latent_dim: int
    latent: Latent
    label_counts: Tensor

    def trained_generator(self, ema: bool = True) -> "TrainedGenerator":
        """Return the averaged generator if there is one and ``ema`` is True, else the raw generator."""
        network = self.ema_generator if ema and self.ema_generator is not None else self.generator
        return TrainedGenerator(network, self.latent_dim, self.latent, self.label_counts)

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
        """Return ``n`` generated images, float32 ``(n, C, H, W)`` in [-1, 1], of the generator in evaluation mode.

        Args:
            n: number of images, ≥ 1.
            labels: one class for each image, or one for all. None draws classes, for a conditional generator, with
                the frequencies of its training data.
            ema: whether to use the averaged generator, if there is one.
            seed: the same seed gives the same latents on every device; None draws from torch's global random state.
            truncation: ψ in (0, 1]; below 1 images are more typical and less varied. It is passed to a generator whose
                ``forward`` has an argument ``truncation``, as StyleGAN2's; for any other, z is multiplied by it.
            batch_size: number of images in one forward pass, which bounds the memory.

        Raises:
            TypeError: an argument of a wrong type.
            ValueError: an argument out of range, or labels for a generator that takes none.
        """
        trained = self.trained_generator(ema)
        return trained.sample(n, labels, seed=seed, truncation=truncation, batch_size=batch_size)


class TrainedGenerator(nn.Module):
    """A generator, with what sampling needs: distribution and length of its latents, and its classes' frequencies.

    Args:
        network: ``network(z, labels=None) -> images``.
        latent_dim: length of z.
        latent: ``"normal"`` for N(0, 1), ``"uniform"`` for [-1, 1].
        label_counts: images seen of each class in training, int64 ``(num_classes,)``; empty without classes.
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
        """Whether classes are drawn if the caller gives none."""
        return len(self.label_counts) > 0 or needs_labels(self.network)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images in [-1, 1] for latents ``(N, latent_dim)`` and, if the network takes them, labels ``(N,)``."""
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
        """Return ``n`` generated images, float32 in [-1, 1]; the arguments are those of :meth:`lit_gan.LitGAN.sample`.

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
        """Return latents ``(n·each, latent_dim)`` and classes ``(n,)``, or None for an unconditional network.

        Args:
            n: number of classes.
            labels: one class for each of ``n``, or one for all; None draws them if the network is conditional.
            seed: seed of latents and classes; None draws from torch's global random state.
            each: number of latents for each class.

        Raises:
            TypeError: an argument of a wrong type.
            ValueError: a negative seed, or labels that the network does not take.
        """
        at_least(0, seed=seed)
        rng = None if seed is None else torch.Generator().manual_seed(seed)
        z = draw_latents(n * each, self.latent_dim, self.latent, next(self.network.parameters()), rng)
        if labels is not None and self.condition_mode == "not at all":
            raise LitGANError(f"{type(self.network).__name__} takes no labels: leave labels out")
        if labels is None and not self.conditional:
            return z, None
        return z, sample_labels(n, labels, self.label_counts.cpu(), rng).to(z.device)

    def images(self, z: Tensor, labels: Tensor | None, truncation: float = 1.0, batch_size: int = 256) -> Tensor:
        """Return images of latents and classes from the network in evaluation mode, ``batch_size`` at a time."""
        return sample_images(self.network, self.condition_mode, z, labels, batch_size, truncation)
