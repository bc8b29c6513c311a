"""Sampling from trained generators: latents, labels, paths between latents, grids of images, and export."""

from lit_gan._utils.modes import evaluating
from lit_gan.sampling.generator import (
    Latent,
    TrainedGenerator,
    dealt_latents,
    draw_latents,
    sample_images,
    truncates,
)

__all__ = [
    "Latent",
    "TrainedGenerator",
    "dealt_latents",
    "draw_latents",
    "evaluating",
    "sample_images",
    "truncates",
]
