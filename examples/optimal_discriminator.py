"""D learns D* = p_data/(p_data + p_g): the generator stays as it is, so both densities are known.

    python examples/optimal_discriminator.py [DIMENSIONS] [SEED]

Four modes in a plane (or two on a line) against one Gaussian. Pictures of the learned D beside the exact one, and a
GIF, go to the run's folder (extra ``plots``); the distance from theory is printed. The same from the command:
``lit-gan fit --config examples/configs/optimal_discriminator.yaml``.
"""

import sys
from functools import partial
from typing import Any

import torch
from pytorch_lightning import Trainer, seed_everything

from lit_gan import LitGAN
from lit_gan.callbacks import DensityPlot
from lit_gan.data import GaussianMixture
from lit_gan.networks import GaussianGenerator, MLPDiscriminator
from lit_gan.optim import GANAdam
from lit_gan.schedules import Cosine
from lit_gan.theory import expected_value, optimal_discriminator, training_criterion


def main(dimensions: int = 2, seed: int = 0, *, pictures: bool = True, **options: Any) -> dict[str, float]:
    seed_everything(seed)
    if dimensions == 1:
        data = GaussianMixture("line", means=[-1.5, 1.0], std=[0.5, 0.8], weights=[1, 2], batch_size=512, seed=seed)
    else:
        data = GaussianMixture("ring", modes=4, size=1.5, std=0.5, batch_size=512, seed=seed)
    gan = LitGAN(
        GaussianGenerator(dimensions, mean=0.5, std=1.2),
        MLPDiscriminator(features=dimensions, width=64, depth=2),
        generator_optimizer=partial(torch.optim.SGD, lr=0.0),
        discriminator_optimizer=partial(GANAdam, lr=3e-3, betas=(0.9, 0.99)),
        lr_schedule=Cosine(end=0.01, images=500_000),
    )
    callbacks = [DensityPlot(every_n_steps=50)] if pictures else []
    Trainer(**{"max_epochs": 5, "callbacks": callbacks, "limit_val_batches": 0, **options}).fit(gan, data)
    return distance_from_theory(gan, data)


@torch.no_grad()
def distance_from_theory(gan: LitGAN, data: GaussianMixture) -> dict[str, float]:
    """Return mean |D − D*| under p_data and under p_g, and V(G, D) beside C(G), by quadrature."""
    dimensions = data.mixture.means.shape[1]
    axis = torch.linspace(-8, 8, 4001 if dimensions == 1 else 401, dtype=torch.float64)
    points = torch.cartesian_prod(*[axis] * dimensions).reshape(-1, dimensions)
    cell = float(axis[1] - axis[0]) ** dimensions
    assert isinstance(gan.generator, GaussianGenerator)
    p_data, p_g = data.mixture.density(points), gan.generator.log_density(points).exp()
    learned = gan.logits(points.float()).double().sigmoid()
    error = (learned - optimal_discriminator(p_data, p_g)).abs()
    return {
        "|D - D*| under p_data": float((p_data * error).sum() * cell),
        "|D - D*| under p_g": float((p_g * error).sum() * cell),
        "V(G, D)": float(expected_value(p_data, p_g, learned, cell)),
        "C(G) = -log 4 + 2 JSD": float(training_criterion(p_data, p_g, cell)),
    }


if __name__ == "__main__":
    for name, number in main(*map(int, sys.argv[1:])).items():
        print(f"{name}: {number:.4f}")
