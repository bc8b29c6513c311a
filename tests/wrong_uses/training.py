"""Data, networks and Trainers that do not fit each other: refused on the first batch, or before there is one."""

from pathlib import Path

import torch
from pytorch_lightning.callbacks import BatchSizeFinder, EarlyStopping, EMAWeightAveraging, StochasticWeightAveraging
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch import nn
from torch.optim.lr_scheduler import ExponentialLR
from torch.utils.data import DataLoader, TensorDataset

from lit_gan import LitGAN
from lit_gan.augment import AdaptiveAugment, DiffAugment
from lit_gan.callbacks import DensityPlot
from lit_gan.networks import DCGANDiscriminator, DCGANGenerator, MLPDiscriminator, MLPGenerator
from lit_gan.penalties import Consistency
from tests.support.small import PlainDiscriminator, PlainGenerator, loader, trainer
from tests.wrong_uses.parts import gan
from tests.wrong_uses.use import Wrong


def dcgan(generator_size=16, discriminator_size=16, channels=(1, 1), classes=None) -> LitGAN:
    return LitGAN(
        DCGANGenerator(generator_size, channels[0], 4, classes, width=4),
        DCGANDiscriminator(discriminator_size, channels[1], classes, width=4),
    )


class Bounded(PlainDiscriminator):
    def __init__(self, last):
        super().__init__()
        self.bound = last

    def forward(self, x):
        return self.bound(super().forward(x))


class TakesImages(nn.Module):
    """A discriminator of another author's that fails in torch's depths."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(99, 1)

    def forward(self, x):
        return self.layer(x.flatten(1))


class TakesMaps(PlainGenerator):
    def forward(self, z):
        return nn.functional.conv_transpose2d(z, torch.zeros(3, 1, 4, 4))


class Pairs(PlainGenerator):
    def forward(self, z):
        return super().forward(z), z


class Clamped(nn.Module):
    def forward(self, x):
        return torch.sigmoid(x).clamp(1e-6, 1)


class Twice(nn.Module):
    def forward(self, x):
        return x, x


GOOD = torch.linspace(-1, 1, 128).reshape(8, 1, 4, 4)
IMAGES_16 = torch.rand(8, 1, 16, 16) * 2 - 1
NAN, INFINITE = GOOD.clone(), GOOD.clone()
NAN[1, 0, 2, 2], INFINITE[5:7] = torch.nan, torch.inf
LABELS = torch.tensor([0, 1, 2, 3] * 2)

MISFITS = {
    "size of the generator": (
        lambda: dcgan(generator_size=32),
        (IMAGES_16,),
        r"makes 1×32×32 samples, the data has 1×16×16 images: set image_size=32 on the data or 16 on the generator",
    ),
    "size of the discriminator": (
        lambda: dcgan(discriminator_size=32),
        (IMAGES_16,),
        r"DCGANDiscriminator takes 1×32×32 inputs, it was given 1×16×16",
    ),
    "channels of the generator": (
        lambda: dcgan(channels=(3, 3)),
        (IMAGES_16,),
        r"makes 3×16×16 samples, the data has 1×16×16 images: set channels=1",
    ),
    "channels of the discriminator": (
        lambda: dcgan(channels=(1, 3)),
        (IMAGES_16,),
        r"takes 3×16×16 inputs, it was given 1×16×16",
    ),
    "vectors for images": (
        lambda: LitGAN(MLPGenerator(features=2), MLPDiscriminator(features=2)),
        (GOOD,),
        r"makes 2 samples, the data has 1×4×4 images: give a generator of 1×4×4 images",
    ),
    "a discriminator of other inputs": (
        lambda: gan(discriminator=TakesImages()),
        (GOOD,),
        r"TakesImages\) cannot take 1×4×4 samples.*shapes cannot be multiplied",
    ),
    "a generator of other latents": (
        lambda: gan(TakesMaps()),
        (GOOD,),
        r"TakesMaps\) cannot take latents of shape \(2, 3\): its forward must take \(N, latent_dim\)",
    ),
    "images in [0, 1]": (
        lambda: gan(),
        (GOOD / 2 + 0.5,),
        r"\[0, 1\], so probably in \[0, 1\], lit_gan needs \[-1, 1\].*2 \* x - 1",
    ),
    "float images in [0, 255]": (
        lambda: gan(),
        ((GOOD / 2 + 0.5) * 255,),
        r"lie in \[.*, 2\d\d\.?\d*\], lit_gan needs \[-1, 1\]: .*x / 127.5 - 1",
    ),
    "a sigmoid": (
        lambda: gan(discriminator=Bounded(nn.Sigmoid())),
        (GOOD,),
        r"Bounded\) ends in a sigmoid: it must return unbounded logits",
    ),
    "a sigmoid, then a view": (
        lambda: gan(discriminator=Bounded(nn.Sequential(nn.Sigmoid(), nn.Flatten(0)))),
        (GOOD,),
        r"ends in a sigmoid",
    ),
    "a tanh": (lambda: gan(discriminator=Bounded(nn.Tanh())), (GOOD,), r"ends in a tanh"),
    "two logits for an image": (
        lambda: gan(discriminator=Bounded(nn.Linear(1, 2))),
        (GOOD,),
        r"returns logits of shape \(2, 2\) for 2 images: it must return logits \(N,\) or \(N, 1\)",
    ),
    "an empty batch": (lambda: gan(), (torch.zeros(1, 0, 4, 4),), r"a batch is empty, of shape \(1, 0, 4, 4\)"),
    "NaN": (lambda: gan(), (NAN,), r"1 of 8 images of a batch hold NaN or infinity"),
    "infinity": (lambda: gan(), (INFINITE,), r"2 of 8 images of a batch hold NaN or infinity"),
    "integers": (lambda: gan(), (GOOD.long(),), r"images are torch.int64: lit_gan takes uint8"),
    "no labels": (lambda: dcgan(classes=4), (IMAGES_16,), r"generator is conditional and the batches carry no labels"),
    "a label too many": (
        lambda: dcgan(classes=3),
        (IMAGES_16, LABELS),
        r"labels lie in \[0, 3\], the generator has num_classes=3: labels must lie in \[0, 2\]",
    ),
    "three tensors": (lambda: gan(), (GOOD, LABELS, LABELS), r"a batch is a list: lit_gan takes x, \(x,\)"),
    "labels that are numbers": (
        lambda: dcgan(classes=4),
        (IMAGES_16, LABELS.float()),
        r"labels are torch.float32 \(8,\): give one class for each image, a tensor of integers of shape \(8,\)",
    ),
    "labels in a column": (lambda: dcgan(classes=4), (IMAGES_16, LABELS[:, None]), r"labels are torch.int64 \(8, 1\)"),
    "other proportions": (
        lambda: gan(),
        (torch.rand(8, 1, 5, 4) * 2 - 1,),
        r"makes 1×4×4 samples, the data has 1×5×4 images: crop or resize the data to 4×4, or give a generator of 1×5×4",
    ),
    "channels last": (
        lambda: gan(),
        (torch.zeros(8, 4, 4, 1, dtype=torch.uint8),),
        r"the data has 4×4×1 images: give images \(N, C, H, W\), x.permute\(0, 3, 1, 2\)",
    ),
    "series of another length": (
        lambda: gan(PlainGenerator((3, 40)), PlainDiscriminator((3, 40))),
        (torch.full((8, 3, 50), 9.0),),
        r"makes 3×40 samples, the data has 3×50 samples: give a generator of 3×50 samples",
    ),
    "pictures for labels": (
        lambda: gan(),
        (GOOD, -GOOD),
        r"carry torch.float32 \(8, 1, 4, 4\) next to 8 images, and no network takes them: give batches of images alone",
    ),
    "numbers that no network takes": (
        lambda: gan(),
        (GOOD, LABELS.float()),
        r"carry torch.float32 \(8,\) next to 8 images",
    ),
    "attributes that no network takes": (
        lambda: gan(),
        (GOOD, torch.ones(8, 5, dtype=torch.int64)),
        r"carry torch.int64 \(8, 5\) next to 8 images",
    ),
    "no channel axis": (
        lambda: gan(),
        (torch.zeros(8, 4, 4, dtype=torch.uint8),),
        r"the data has 4×4 samples: if they are images, give \(N, C, H, W\), x\[:, None\]",
    ),
    "a clamped sigmoid": (
        lambda: gan(discriminator=Bounded(Clamped())),
        (GOOD,),
        r"Bounded\) ends in a sigmoid",
    ),
    "a generator of pairs": (lambda: gan(Pairs()), (GOOD,), r"generator \(Pairs\) returns a tuple"),
    "a discriminator of pairs": (
        lambda: gan(discriminator=Bounded(Twice())),
        (GOOD,),
        r"discriminator \(Bounded\) returns tuple for 2 images: it must return logits",
    ),
}


class Rounding(nn.Module):
    def forward(self, x):
        return x.detach().round()


class Detached(PlainGenerator):
    def forward(self, z):
        return super().forward(z).detach()


class Deaf(PlainDiscriminator):
    def forward(self, x):
        return super().forward(x.detach())


POINTS = torch.randn(8, 2, generator=torch.Generator().manual_seed(0))
MISFITS |= {
    "a detached generator": (
        lambda: gan(Detached()),
        (GOOD,),
        r"generator \(Detached\) gives images without a gradient",
    ),
    "a deaf discriminator": (
        lambda: gan(discriminator=Deaf()),
        (GOOD,),
        r"the discriminator \(Deaf\) gives logits without a gradient to its images: look for detach",
    ),
    "an augmentation that rounds": (
        lambda: gan(augment=Rounding()),
        (GOOD,),
        r"the augmentation \(Rounding\) passes no gradient back to the images",
    ),
    "an augmentation that shrinks": (
        lambda: gan(augment=nn.MaxPool2d(2)),
        (GOOD,),
        r"PlainDiscriminator\) cannot take 1×2×2 samples of MaxPool2d",
    ),
    "a transform that shrinks": (
        lambda: gan(penalties={"cr": Consistency(nn.AvgPool2d(2))}),
        (GOOD,),
        r"PlainDiscriminator\) cannot take 1×2×2 samples of AvgPool2d",
    ),
    "points turned round": (
        lambda: LitGAN(MLPGenerator(features=2), MLPDiscriminator(features=2), augment=AdaptiveAugment()),
        (POINTS,),
        r"the augmentation \(AdaptiveAugment\) cannot take 2 samples: leave it out",
    ),
    "points cut out": (
        lambda: LitGAN(MLPGenerator(features=2), MLPDiscriminator(features=2), augment=DiffAugment()),
        (POINTS,),
        r"the augmentation \(DiffAugment\) cannot take 2 samples: leave it out",
    ),
    "a ReLU": (lambda: gan(discriminator=Bounded(nn.ReLU())), (GOOD,), r"Bounded\) ends in a ReLU: it must return unb"),
    "a softplus": (lambda: gan(discriminator=Bounded(nn.Softplus())), (GOOD,), r"ends in a softplus"),
    "words": (lambda: gan(), (["a", "b"],), r"a batch is a str: lit_gan takes x, \(x,\)"),
}
TYPE_ERRORS = {"three tensors", "a generator of pairs", "integers", "words"}


def fitted(make, tensors, sanity_steps):
    """Return a use that fits a model, validated first or not, on loaders of ``tensors``."""

    def fit():
        data = tensors[0] if isinstance(tensors[0], list) else loader(*tensors, batch_size=8)
        trainer(Path.cwd(), num_sanity_val_steps=sanity_steps).fit(make(), data, data)

    return fit


MISFITS_IN_FIT = {
    name + end: Wrong(fitted(make, tensors, steps), TypeError if name in TYPE_ERRORS else ValueError, says + gap)
    for name, (make, tensors, says) in MISFITS.items()
    for steps, end, gap in ((0, "", ""), (2, ", validated first", "()"))
}


def under(**options):
    """Return a use that fits a plain model under a Trainer of these options."""
    return lambda: trainer(Path.cwd(), **options).fit(gan(), loader(GOOD))


def of_nothing(**options):
    return lambda: trainer(Path.cwd()).fit(gan(), DataLoader(TensorDataset(GOOD[:3]), **options))


TRAINERS = {
    "gradients clipped by the Trainer": Wrong(
        under(gradient_clip_val=0.5), ValueError, r"gradient_clip_val=0.5\).*use LitGAN\(gradient_clip=0.5\)"
    ),
    "gradients added by the Trainer": Wrong(
        under(accumulate_grad_batches=4), ValueError, r"accumulate_grad_batches=4\).*LitGAN\(micro_batches=4\)"
    ),
    "an average in bfloat16": Wrong(
        under(precision="bf16-true"),
        ValueError,
        r"precision='bf16-true' rounds .*: take 'bf16-mixed', or LitGAN\(ema_half_life=None\)",
    ),
    "an average in float16": Wrong(under(precision="16-true"), ValueError, r"precision='16-true' rounds .*'16-mixed'"),
    "an average of weights": Wrong(
        under(callbacks=[StochasticWeightAveraging(1e-2)]), MisconfigurationException, r"SWA currently works with 1 `op"
    ),
    "a moving average of weights": Wrong(
        under(callbacks=[EMAWeightAveraging()]), ValueError, r"EMAWeightAveraging .*use LitGAN\(ema_half_life=10_000\)"
    ),
    "held-out data monitored without any": Wrong(
        under(callbacks=[EarlyStopping("val/value")]), ValueError, r"monitors 'val/value', .*give fit val_dataloaders"
    ),
    "a search for the batch size": Wrong(
        under(callbacks=[BatchSizeFinder()]), ValueError, r"BatchSizeFinder trains one optimizer before fit has started"
    ),
    "densities of images": Wrong(
        under(callbacks=[DensityPlot()]), ValueError, r"DensityPlot needs data of known density and was given loaders"
    ),
    "less than a batch": Wrong(
        of_nothing(batch_size=4, drop_last=True), ValueError, r"the training data give no batch, .*drop_last=True"
    ),
    "no data": Wrong(lambda: trainer(Path.cwd()).fit(gan(), []), ValueError, r"the training data give no batch, so"),
    "no loader": Wrong(
        lambda: trainer(Path.cwd()).fit(gan()), MisconfigurationException, r"`train_dataloader` must be implemented"
    ),
}


class Scheduled(LitGAN):
    def configure_optimizers(self):
        both = super().configure_optimizers()
        return both, [ExponentialLR(optimizer, 0.5) for optimizer in both]


class Alone(LitGAN):
    def configure_optimizers(self):
        return super().configure_optimizers()[0]


def of_class(cls):
    return lambda: trainer(Path.cwd()).fit(cls(PlainGenerator(), PlainDiscriminator()), loader(GOOD))


OPTIMIZERS = {
    "learning rates that nothing steps": Wrong(
        of_class(Scheduled), ValueError, r"returns ExponentialLR, which nothing would step: use LitGAN\(lr_schedule="
    ),
    "one optimizer": Wrong(of_class(Alone), ValueError, r"configure_optimizers returns 1 optimizers: return \[gen"),
}

CASES = MISFITS_IN_FIT | TRAINERS | OPTIMIZERS
