"""The seed of a run, from which the latents of every turn are derived."""

from typing import NamedTuple

import torch
from pytorch_lightning import Trainer
from torch import Tensor

from lit_gan._utils.randomness import Stream, derive_seed, seed_all
from lit_gan.penalties import Player
from lit_gan.sampling.generator import Latent, dealt_latents

__all__ = ["Noise"]


class Noise(NamedTuple):
    """The seed of a run, and the latents derived from it; a view of a model, made when it is needed.

    Args:
        seed: of the run.
        latent_dim: length of z.
        latent: the distribution of z, ``"normal"`` or ``"uniform"``.
    """

    seed: int
    latent_dim: int
    latent: Latent

    def seed_process(self, rank: int, images_seen: int, device: torch.device) -> None:
        """Seed the global random states of this process from the run's seed, its rank and the images seen so far."""
        seed_all(derive_seed(Stream.PROCESS, self.seed, images_seen, rank), device)

    def latents(self, player: Player, turn: int, real: Tensor, trainer: Trainer) -> Tensor:
        """Return this process's z ``(N, latent_dim)`` for a turn, one for each of ``real``, of its device and dtype.

        Seed, player and turn determine the latents of the whole batch over all processes, and each takes its share:
        they are the same at any number of processes, and do not depend on other random draws.
        """
        seed = derive_seed(Stream.LATENTS, self.seed, turn, player == "generator")
        rng = torch.Generator(real.device).manual_seed(seed)
        return self.latents_from(rng, real, trainer.global_rank, trainer.world_size)

    def latents_from(self, rng: torch.Generator, real: Tensor, rank: int, world_size: int) -> Tensor:
        """Return this process's z ``(N, latent_dim)``, one for each of ``real``, drawn by ``rng``."""
        return dealt_latents(len(real), self.latent_dim, self.latent, real, rng, rank, world_size)
