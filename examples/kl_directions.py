"""The two directions of KL: one Gaussian, trained by f-GANs on two modes, covers both or picks one.

    python examples/kl_directions.py [SEED]

KL(p_data‖p_g) is infinite where p_g misses data, so p_g covers both modes, as maximum likelihood does: it is the same
divergence. KL(p_g‖p_data) punishes samples where there are no data, so p_g picks a mode. The players see samples only
(arXiv:1606.00709); the likelihood needs p_g itself. The picture goes to ``runs/kl_directions`` (extra ``plots``). One
of them from the command: ``lit-gan fit --config examples/configs/kl_directions.yaml --model.loss.divergence kl``, or
``reverse_kl``.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Trainer, seed_everything

from lit_gan import LitGAN
from lit_gan.callbacks.figures import draw_curves
from lit_gan.data import GaussianMixture
from lit_gan.data.images import save_png
from lit_gan.losses import FDivergence
from lit_gan.networks import GaussianGenerator, MLPDiscriminator
from lit_gan.optim import GANAdam
from lit_gan.schedules import Cosine
from lit_gan.theory import DivergenceName


def two_modes(seed: int = 0) -> GaussianMixture:
    return GaussianMixture("line", means=[-2.0, 2.0], std=0.6, batch_size=512, seed=seed)


def one_mode() -> GaussianGenerator:
    return GaussianGenerator(1, mean=1.0, std=0.5)


def train(divergence: DivergenceName, seed: int, **options: Any) -> GaussianGenerator:
    seed_everything(seed)
    generator = one_mode()
    gan = LitGAN(
        generator,
        MLPDiscriminator(features=1, width=32, depth=2),
        FDivergence(divergence, minimax=True),
        generator_optimizer=partial(GANAdam, lr=5e-3, betas=(0.0, 0.99)),
        discriminator_optimizer=partial(GANAdam, lr=2e-3, betas=(0.0, 0.99)),
        d_steps_per_g_step=2,
        gradient_clip=1.0,
        lr_schedule=Cosine(end=0.05, images=1_000_000),
    )
    quick = {"max_epochs": 10, "limit_val_batches": 0, "logger": False, "enable_checkpointing": False}
    Trainer(**{**quick, **options}).fit(gan, two_modes(seed))
    return generator


def most_likely(seed: int, steps: int = 2000) -> GaussianGenerator:
    """Return the generator of the highest log-likelihood, by gradient ascent on the density itself."""
    generator = one_mode()
    points = two_modes(seed).load("train")[0].double()
    adam = torch.optim.Adam(generator.parameters(), lr=1e-2)
    for _ in range(steps):
        standard = (points - generator.mu) / generator.log_sigma.exp()
        loss = (standard**2 / 2 + generator.log_sigma).mean()  # −log p_g(x), but for a constant
        adam.zero_grad()
        loss.backward()
        adam.step()
    return generator


def main(seed: int = 0, *, folder: str = "runs/kl_directions", **options: Any) -> dict[str, tuple[float, float]]:
    fitted = {
        "maximum likelihood": most_likely(seed),
        "KL(p_data‖p_g)": train("kl", seed, **options),
        "KL(p_g‖p_data)": train("reverse_kl", seed, **options),
    }
    x = torch.linspace(-6, 6, 601, dtype=torch.float64)
    p_data = two_modes().mixture.density(x[:, None])
    curves = {"p_data": p_data} | {name: g.log_density(x[:, None]).exp() for name, g in fitted.items()}
    path = save_png(
        draw_curves(x, curves, {}, "One mode on two: what a divergence cares about"), Path(folder, "kl.png")
    )
    print(f"Wrote {path}")
    return {name: (g.mu.item(), g.log_sigma.exp().item()) for name, g in fitted.items()}


if __name__ == "__main__":
    for name, (mu, sigma) in main(*map(int, sys.argv[1:])).items():
        print(f"{name}: mean {mu:.3f}, standard deviation {sigma:.3f}")
