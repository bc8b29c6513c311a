"""Trained generators: latents and conditions in, samples out; paths between latents, grids, export."""

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
