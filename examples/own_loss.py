"""A game of your own: least squares, with the generator pulling fakes to the side of the reals.

From the command: ``lit-gan fit --config examples/configs/demo.yaml --model.loss examples.own_loss.Squares``.
"""

from dataclasses import dataclass
from typing import Any

from pytorch_lightning import Trainer
from torch import Tensor

from lit_gan import LitGAN
from lit_gan.data import FashionMNISTSample
from lit_gan.losses import AdversarialLoss
from lit_gan.networks import DCGANDiscriminator, DCGANGenerator


@dataclass(frozen=True)
class Squares(AdversarialLoss):
    """Real logits to 1, fake logits to −1; the generator pulls its own to 1."""

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """E[(D(x) − 1)²] + E[(D(G(z)) + 1)²]."""
        return (real - 1).square().mean() + (fake + 1).square().mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """E[(D(G(z)) − 1)²]."""
        return (fake - 1).square().mean()


def main(**options: Any) -> LitGAN:
    gan = LitGAN(DCGANGenerator(32, 1, width=32), DCGANDiscriminator(32, 1, width=32), loss=Squares())
    Trainer(**{"max_epochs": 15, **options}).fit(gan, FashionMNISTSample())
    return gan


if __name__ == "__main__":
    main()
