"""Your own pictures: python examples/own_folder.py FOLDER [IMAGE_SIZE].

Any folder with sub-folders, pictures of any size. They are decoded once; the second start is immediate. The game is
that of examples/configs/folder.yaml.
"""

import sys
from typing import Any

from pytorch_lightning import Trainer

from lit_gan import LitGAN
from lit_gan.callbacks import SampleGrid
from lit_gan.data import ImageFolder
from lit_gan.losses import RelativisticPaired
from lit_gan.networks import DCGANDiscriminator, DCGANGenerator
from lit_gan.penalties import R1, R2


def main(folder: str, image_size: int = 64, batch_size: int = 32, **options: Any) -> LitGAN:
    data = ImageFolder(folder, image_size=image_size, batch_size=batch_size, horizontal_flip=True)
    gan = LitGAN(
        DCGANGenerator(image_size, channels=3),
        DCGANDiscriminator(image_size, channels=3, batch_norm=False),
        loss=RelativisticPaired(),
        penalties={"r1": R1(weight=1.0), "r2": R2(weight=1.0)},
    )
    trainer = Trainer(**{"max_epochs": 200, "callbacks": [SampleGrid(every_n_steps=500)], **options})
    trainer.fit(gan, data)
    return gan


if __name__ == "__main__":
    main(sys.argv[1], *(int(size) for size in sys.argv[2:3]))
