"""The shortest complete training: the embedded Fashion-MNIST, DCGAN, the non-saturating game."""

from typing import Any

from pytorch_lightning import Trainer

from lit_gan import LitGAN
from lit_gan.callbacks import SampleGrid
from lit_gan.data import FashionMNISTSample
from lit_gan.networks import DCGANDiscriminator, DCGANGenerator


def main(**options: Any) -> LitGAN:
    data = FashionMNISTSample(image_size=32, batch_size=64)
    gan = LitGAN(DCGANGenerator(32, channels=1, width=32), DCGANDiscriminator(32, channels=1, width=32))
    trainer = Trainer(**{"max_epochs": 15, "callbacks": [SampleGrid()], **options})
    trainer.fit(gan, data)
    return gan


if __name__ == "__main__":
    main()
