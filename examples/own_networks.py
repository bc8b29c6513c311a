"""Networks of your own: any nn.Module from latents to images, and any from images to one logit each.

They need nothing of lit_gan. The generator says how long its latent is, by an attribute or by ``LitGAN(latent_dim=)``;
the discriminator must not end in a sigmoid.
"""

from typing import Any

from pytorch_lightning import Trainer
from torch import Tensor, nn

from lit_gan import LitGAN
from lit_gan.callbacks import SampleGrid
from lit_gan.data import FashionMNISTSample
from lit_gan.losses import RelativisticPaired
from lit_gan.penalties import R1, R2


class Upsampler(nn.Module):
    """8×8 features, enlarged twice and smoothed each time."""

    latent_dim = 64

    def __init__(self) -> None:
        super().__init__()
        self.start = nn.Sequential(nn.Linear(self.latent_dim, 64 * 8 * 8), nn.Unflatten(1, (64, 8, 8)))
        self.layers = nn.Sequential(
            nn.Upsample(scale_factor=2),
            nn.Conv2d(64, 32, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(32, 1, 3, padding=1),
            nn.Tanh(),
        )

    def forward(self, z: Tensor) -> Tensor:
        """Map ``(N, 64)`` to ``(N, 1, 32, 32)``."""
        images: Tensor = self.layers(self.start(z))
        return images


def critic() -> nn.Sequential:
    """Return three strided convolutions and a logit."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((1, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 4 * 4, 1))


def main(**options: Any) -> LitGAN:
    gan = LitGAN(
        Upsampler(),
        critic(),
        loss=RelativisticPaired(),
        penalties={"r1": R1(weight=0.1), "r2": R2(weight=0.1)},
        gradient_clip=10.0,
    )
    trainer = Trainer(**{"max_epochs": 15, "callbacks": [SampleGrid()], **options})
    trainer.fit(gan, FashionMNISTSample())
    return gan


if __name__ == "__main__":
    main()
