"""The whole game on a line: p_g moves to p_data, D to ½, V to −log 4, in half a minute.

    python examples/one_dimension.py [SEED]

A movie of both densities and of D beside D* goes to the run's folder (extra ``plots``), as the original paper's figure
1 sketches it; the distance from theory is printed. The same from the command:
``lit-gan fit --config examples/configs/one_dimension.yaml``.
"""

import sys
from functools import partial
from typing import Any

import torch
from pytorch_lightning import Trainer, seed_everything

from lit_gan import LitGAN
from lit_gan.callbacks import DensityPlot, EquilibriumMonitor, ValuePlot
from lit_gan.data import GaussianMixture
from lit_gan.networks import MLPDiscriminator, MLPGenerator
from lit_gan.optim import GANAdam
from lit_gan.schedules import Cosine
from lit_gan.theory import js_divergence


def main(seed: int = 0, *, pictures: bool = True, **options: Any) -> dict[str, float]:
    seed_everything(seed)
    data = GaussianMixture("line", means=[-1.5, 1.0], std=[0.5, 0.8], weights=[1, 2], batch_size=512, seed=seed)
    gan = LitGAN(
        MLPGenerator(features=1, latent_dim=1, width=64, depth=2),
        MLPDiscriminator(features=1, width=64, depth=2),
        generator_optimizer=partial(GANAdam, lr=5e-4, betas=(0.0, 0.99)),
        discriminator_optimizer=partial(GANAdam, lr=5e-3, betas=(0.0, 0.99)),
        d_steps_per_g_step=2,
        lr_schedule=Cosine(end=0.01, images=1_000_000),
    )
    watching = [EquilibriumMonitor(every_n_steps=100), ValuePlot(), DensityPlot(every_n_steps=25)] if pictures else []
    Trainer(**{"max_epochs": 10, "val_check_interval": 39, "callbacks": watching, **options}).fit(gan, data)
    return distance_from_equilibrium(gan, data)


@torch.no_grad()
def distance_from_equilibrium(gan: LitGAN, data: GaussianMixture) -> dict[str, float]:
    """Return JSD(p_data‖p_g) over bins of 0.05, p_g from a million samples, and mean |D − ½| under p_data."""
    edges = torch.linspace(-10, 10, 401, dtype=torch.float64)
    centres, cell = (edges[1:] + edges[:-1]) / 2, 0.05
    samples = gan.sample(1_000_000, ema=False, seed=0, batch_size=100_000).double().clamp(-10, 10)
    p_g = torch.histogram(samples.flatten(), edges).hist / len(samples) / cell
    p_data = data.mixture.density(centres[:, None])
    learned = gan.logits(centres[:, None].float()).double().sigmoid()
    return {
        "JSD(p_data, p_g)": float(js_divergence(p_data, p_g, cell)),
        "|D - 1/2| under p_data": float((p_data * (learned - 0.5).abs()).sum() * cell),
    }


if __name__ == "__main__":
    for name, number in main(*map(int, sys.argv[1:])).items():
        print(f"{name}: {number:.4f}")
