"""Arguments of parts that are out of range, of a wrong type, or contradict each other."""

import functools
import math
from pathlib import Path

import torch
from torch import nn

from lit_gan import LitGAN
from lit_gan.augment import AdaptiveAugment, DiffAugment
from lit_gan.callbacks import DensityPlot, DivergenceStop, EquilibriumMonitor, SampleGrid, ValuePlot
from lit_gan.data import GaussianMixture
from lit_gan.data.images import grid, points_to_image, resize, save_png, to_float
from lit_gan.losses import FDivergence, LeastSquares, NonSaturating, RelativisticPaired
from lit_gan.metrics import ClassifierTwoSample, DensityCoverage, ModeCoverage, PrecisionRecall
from lit_gan.networks import (
    DCGANDiscriminator,
    DCGANGenerator,
    GaussianGenerator,
    MLPDiscriminator,
    MLPGenerator,
    Packed,
    SNGANDiscriminator,
    SNGANGenerator,
)
from lit_gan.optim import ClippedRMSprop, GANAdam
from lit_gan.penalties import DRAGAN, R1, Consistency, LeCam, PathLength, Penalty
from lit_gan.schedules import Cosine, Linear
from lit_gan.theory import (
    Mixture,
    accuracy,
    accuracy_p_value,
    calibrate,
    calibration_error,
    expected_value,
    f_divergence,
    jsd_interval,
    kl_divergence,
    optimal_discriminator,
    value,
)
from tests.support.small import PlainDiscriminator, PlainGenerator, loader, trainer
from tests.wrong_uses.use import Wrong

NAN, INF = math.nan, math.inf
HALF = torch.tensor([0.5, 0.5])
WEIGHTS = [nn.Parameter(torch.zeros(1))]


def gan(generator=None, discriminator=None, **options) -> LitGAN:
    return LitGAN(generator or PlainGenerator(), discriminator or PlainDiscriminator(), **options)


def conditional() -> LitGAN:
    return gan(DCGANGenerator(16, 1, 4, num_classes=3, width=4), DCGANDiscriminator(16, 1, num_classes=3, width=4))


def of(call, error, says):
    return Wrong(call, error, says)


def compared(metric, samples):
    for real in (True, False):
        metric.update(samples, real)
    return metric.compute()


def one_network():
    network = nn.Linear(2, 2)
    return LitGAN(network, network, latent_dim=2)


def one_memory():
    lecam = LeCam()
    return gan(penalties={"first": lecam, "second": lecam})


def spectral():
    generator = PlainGenerator()
    nn.utils.spectral_norm(generator.net[0])
    generator(torch.zeros(1, 3))
    return gan(generator)


class Weightless(Penalty):
    every = 1

    def __call__(self, turn):
        return turn.fake_logits.mean()


class Half(nn.Module):
    def __init__(self):
        self.p = 0.5

    def forward(self, images):
        return images


LITGAN = {
    "a penalty without a weight": of(
        lambda: gan(penalties={"p": Weightless()}), TypeError, r"Weightless has no weight: give the penalty a field we"
    ),
    "an augmentation half made": of(
        lambda: gan(augment=Half()), TypeError, r"augment is a Half without super\(\).__init__\(\) in its __init__"
    ),
    "a penalty's name with a comma": of(
        lambda: gan(penalties={"r1, r2": R1()}), ValueError, r"penalties\['r1, r2'\]: a name is a log key, a string of"
    ),
    "a class for the game": of(
        lambda: gan(loss=NonSaturating), TypeError, r"loss=<class .*NonSaturating'> is no AdversarialLoss: give an inst"
    ),
    "a string for the game": of(lambda: gan(loss="hinge"), TypeError, r"loss='hinge' is no AdversarialLoss"),
    "a class for the generator": of(
        lambda: gan(PlainGenerator), TypeError, r"generator=<class .* is no Module: .* like DCGANGenerator"
    ),
    "a list of penalties": of(
        lambda: gan(penalties=[R1()]), TypeError, r"penalties=\[R1.*\] is no dict: .* like {\"r1\": R1\(weight=10\)}"
    ),
    "a class for a penalty": of(
        lambda: gan(penalties={"r1": R1}), TypeError, r"penalties\['r1'\]=<class .* is no Penalty"
    ),
    "a penalty's name with a dot": of(
        lambda: gan(penalties={"r.1": R1()}), ValueError, r"penalties\['r.1'\]: a name is a log key, .* without a dot"
    ),
    "one penalty twice": of(one_memory, ValueError, r"penalties\['first'\] is there twice.*make two"),
    "a function for the augmentation": of(
        lambda: gan(augment=lambda x: x), TypeError, r"augment=<function .* is no Module"
    ),
    "a number for a schedule": of(lambda: gan(lr_schedule=0.5), TypeError, r"lr_schedule=0.5 is no Schedule"),
    "a learning rate below zero, later": of(
        lambda: gan(lr_schedule=Linear(1.0, -1.0, 100)), ValueError, r"lr_schedule=.* is -1.0 after 100 images .*\[0, ∞"
    ),
    "β2 of one, later": of(
        lambda: gan(beta2_schedule=Linear(0.9, 1.0, 10)), ValueError, r"beta2_schedule=.* is 1.0 after 10 .*\[0, 1\) th"
    ),
    "a half-life of nothing, later": of(
        lambda: gan(ema_half_life=Linear(10.0, 0.0, 10)), ValueError, r"ema_half_life=Linear.* is 0.0 after 10 images"
    ),
    "a half-life of nothing": of(
        lambda: gan(ema_half_life=0), ValueError, r"^ema_half_life=0 must be a number in \(0, ∞\)"
    ),
    "a half-life of NaN": of(lambda: gan(ema_half_life=NAN), ValueError, r"ema_half_life=nan must be a number"),
    "a half-life in words": of(lambda: gan(ema_half_life="10"), TypeError, r"ema_half_life='10' must be a number"),
    "a learning rate for an optimizer": of(
        lambda: gan(generator_optimizer=1e-4), TypeError, r"generator_optimizer=0.0001 is not a way to make an optimiz"
    ),
    "an optimizer for a way to make one": of(
        lambda: gan(discriminator_optimizer=torch.optim.SGD(WEIGHTS)), TypeError, r"discriminator_optimizer=SGD"
    ),
    "no turn of D": of(lambda: gan(d_steps_per_g_step=0), ValueError, r"d_steps_per_g_step=0 must be at least 1"),
    "a turn and a half of D": of(
        lambda: gan(d_steps_per_g_step=1.5), TypeError, r"d_steps_per_g_step=1.5 must be at least 1, a whole number"
    ),
    "turns of D by True": of(lambda: gan(d_steps_per_g_step=True), TypeError, r"d_steps_per_g_step=True must be"),
    "no micro-batch": of(lambda: gan(micro_batches=0), ValueError, r"micro_batches=0 must be at least 1"),
    "a gradient clipped below zero": of(
        lambda: gan(gradient_clip=-1.0), ValueError, r"gradient_clip=-1.0 must be a number in \(0, ∞\)"
    ),
    "an unknown latent": of(
        lambda: gan(latent="gauss"), ValueError, r"latent='gauss' is neither \"normal\" nor \"uniform\""
    ),
    "an unknown end": of(
        lambda: gan(on_non_finite="ignore"), ValueError, r"on_non_finite='ignore' is neither \"stop\" nor \"skip\""
    ),
    "another latent_dim": of(lambda: gan(latent_dim=5), ValueError, r"latent_dim=5 contradicts PlainGenerator.latent_"),
    "no latent_dim": of(
        lambda: LitGAN(nn.Linear(3, 2), nn.Linear(2, 1)), ValueError, r"Linear has no latent_dim: pass LitGAN\(latent_d"
    ),
    "one network for two players": of(one_network, ValueError, r"generator and discriminator are one Linear: make two"),
    "a lazy network": of(
        lambda: LitGAN(nn.LazyLinear(2), nn.Linear(2, 1), latent_dim=2),
        ValueError,
        r"the generator has lazy parameters",
    ),
    "a generator that cannot be averaged": of(
        spectral, ValueError, r"PlainGenerator cannot be copied .*parametrizations .*ema_half_life=None"
    ),
    "no sample": of(lambda: gan().sample(0), ValueError, r"^n=0 must be at least 1"),
    "samples in words": of(lambda: gan().sample("3"), TypeError, r"n='3' must be at least 1, a whole number"),
    "samples in batches of none": of(
        lambda: gan().sample(2, batch_size=0), ValueError, r"^batch_size=0 must be at least 1, a"
    ),
    "latents of nothing": of(
        lambda: gan().sample(2, truncation=0.0), ValueError, r"truncation=0.0 must be a number in \(0, 1\]"
    ),
    "a seed below zero": of(lambda: gan().sample(2, seed=-1), ValueError, r"^seed=-1 must be at least 0"),
    "labels for none": of(lambda: gan().sample(2, labels=1), ValueError, r"PlainGenerator takes no labels: leave"),
    "a class that is not there": of(
        lambda: conditional().sample(3, labels=[0, 2, -1]), ValueError, r"labels \[-1, 0, 2\] must lie in \[0, 2\]"
    ),
    "too few labels": of(
        lambda: conditional().sample(3, labels=[0, 1]), ValueError, r"2 labels for 3 samples: give one, or one for each"
    ),
    "half a class": of(lambda: conditional().sample(1, labels=[1.5]), TypeError, r"labels=\[1.5\]: give a whole numb"),
    "a class by its name": of(lambda: conditional().sample(2, labels="cat"), TypeError, r"labels='cat': give a whole"),
}

MATHEMATICS = {
    "targets that are one": of(lambda: LeastSquares(b=0.0), ValueError, r"b=0.0 and c=1.0 must be above a=0.0"),
    "a target of NaN": of(lambda: LeastSquares(a=NAN), ValueError, r"LeastSquares: a=nan must be a number"),
    "an unknown divergence": of(lambda: FDivergence("k"), ValueError, r"there is no divergence 'k': take one of kl, "),
    "a pair without its real half": of(
        lambda: RelativisticPaired().generator(HALF), ValueError, r"RelativisticPaired compares pairs: pass the real"
    ),
    "a penalty of less than nothing": of(
        lambda: R1(weight=-1.0), ValueError, r"^R1: weight=-1.0 must be a number in \[0, ∞\)"
    ),
    "a penalty of infinity": of(lambda: R1(weight=INF), ValueError, r"R1: weight=inf must be a number"),
    "a penalty in words": of(lambda: R1(weight="ten"), TypeError, r"R1: weight='ten' must be a number"),
    "a penalty of None": of(lambda: R1(weight=None), TypeError, r"R1: weight=None: leave the penalty out"),
    "a penalty that turns": of(
        lambda: R1(weight=Linear(1.0, -1.0)),
        ValueError,
        r"R1: weight=Linear.* is -0.8 after 900000|is -1.0 after 1000000",
    ),
    "a penalty at no step": of(lambda: PathLength(every=0), ValueError, r"PathLength: every=0 must be at least 1"),
    "a penalty at each half step": of(lambda: R1(every=1.5), TypeError, r"R1: every=1.5 must be at least 1, a whole"),
    "no noise": of(lambda: DRAGAN(noise=0.0), ValueError, r"DRAGAN: noise=0.0 must be a number in \(0, ∞\)"),
    "an average that stands still": of(lambda: LeCam(decay=1), ValueError, r"LeCam: decay=1 must be .* \[0, 1\)"),
    "a function for a transform": of(
        lambda: Consistency(lambda x: x), TypeError, r"Consistency: transform=<function .* is no Module: .*DiffAugment"
    ),
    "fakes of less than nothing": of(
        lambda: Consistency(nn.Identity(), fake_weight=-1), ValueError, r"Consistency: fake_weight=-1 must be a number"
    ),
    "a ramp of no length": of(lambda: Cosine(images=0), ValueError, r"^Cosine: images=0 must be at least 1"),
    "a ramp to NaN": of(lambda: Linear(end=NAN), ValueError, r"Linear: end=nan must be a number in \(-∞, ∞\)"),
    "a ramp in words": of(lambda: Cosine("high"), TypeError, r"Cosine: start='high' must be a number"),
    "no room for weights": of(
        lambda: ClippedRMSprop(WEIGHTS, clip=0.0), ValueError, r"ClippedRMSprop: clip=0.0 must be a number"
    ),
    "a step backwards": of(lambda: GANAdam(WEIGHTS, lr=-1e-4), ValueError, r"^GANAdam: lr=-0.0001 must be a number in"),
    "a moment that grows": of(
        lambda: GANAdam(WEIGHTS, betas=(0.5, 1.5)), ValueError, r"GANAdam: betas\[1\]=1.5 must be a number in \[0, 1\)"
    ),
    "one moment": of(lambda: GANAdam(WEIGHTS, betas=(0.5,)), ValueError, r"betas=\(0.5,\): give two, \(β1, β2\)"),
    "an augmentation of nothing": of(
        lambda: DiffAugment(False, False, False), ValueError, r"color, translation and cutout are all off: leave the"
    ),
    "more than always": of(lambda: AdaptiveAugment(p=1.5), ValueError, r"AdaptiveAugment: p=1.5 must be .*\[0, 1\]"),
    "more than always, later": of(
        lambda: AdaptiveAugment(p=Linear(0.0, 2.0, 10)), ValueError, r"AdaptiveAugment: p=Linear.* is 2.0 after 10 ima"
    ),
    "a target that is always": of(
        lambda: AdaptiveAugment(target=1.0), ValueError, r"AdaptiveAugment: target=1.0 must be a number in \(0, 1\)"
    ),
    "probabilities below zero": of(
        lambda: kl_divergence(torch.tensor([-0.5, 1.5]), HALF), ValueError, r"p holds -0.5: probabilities and densities"
    ),
    "probabilities that are none": of(
        lambda: kl_divergence(HALF, HALF * 3), ValueError, r"q sums to 3 instead of 1: divide it by its sum"
    ),
    "a list of probabilities": of(
        lambda: kl_divergence([0.5, 0.5], HALF), TypeError, r"p=\[0.5, 0.5\] is no Tensor: give an instance"
    ),
    "other points": of(
        lambda: kl_divergence(HALF, torch.ones(1)), ValueError, r"p has the shape \(2,\) and q \(1,\): give both on the"
    ),
    "a cell of no size": of(lambda: f_divergence(HALF, HALF, "js", cell=0), ValueError, r"cell=0 must be positive"),
    "logits for probabilities": of(
        lambda: expected_value(HALF, HALF, HALF * 6),
        ValueError,
        r"D lies in \[3, 3\], a probability in \[0, 1\]: apply",
    ),
    "D* of other points": of(
        lambda: optimal_discriminator(torch.ones(2), torch.ones(3)), ValueError, r"p_data has the shape \(2,\) and p_g"
    ),
    "the value of nothing": of(
        lambda: value(torch.ones(0), HALF), ValueError, r"0 real and 2 fake logits: give one of each at least"
    ),
    "the accuracy of nothing": of(lambda: accuracy(HALF, torch.ones(0)), ValueError, r"2 real and 0 fake logits: give"),
    "an interval that holds all": of(
        lambda: jsd_interval(HALF, HALF, level=1.0), ValueError, r"^level=1.0 must be a number in \(0, 1\)"
    ),
    "no bins": of(lambda: calibration_error(HALF, HALF, bins=0), ValueError, r"bins=0 must be at least 1"),
    "one logit to calibrate": of(
        lambda: calibrate(torch.ones(1), HALF), ValueError, r"needs two logits of each kind, got 1 real and 2 fake"
    ),
    "more than all right": of(lambda: accuracy_p_value(11, 10), ValueError, r"correct=11 must lie in \[0, n=10\]"),
    "modes without a dimension": of(
        lambda: Mixture([1.0, 2.0], 1.0), ValueError, r"means of shape \(2,\): give finite ones, \(modes, dimensions\)"
    ),
    "modes without a width": of(lambda: Mixture([[1.0]], 0.0), ValueError, r"stds=\[0.0\] must be positive"),
    "a classifier that never learns": of(
        lambda: ClassifierTwoSample(epochs=0), ValueError, r"epochs=0 must be at least 1"
    ),
    "a classifier without questions": of(
        lambda: ClassifierTwoSample(held_out=1.0), ValueError, r"^held_out=1.0 must be a number in \(0, 1\)"
    ),
    "modes of a name": of(lambda: ModeCoverage("ring"), TypeError, r"data='ring' is no GaussianMixture: .*GaussianMix"),
    "an unknown protocol": of(
        lambda: ModeCoverage(GaussianMixture(), ["vegan"]), ValueError, r"protocols=\['vegan'\]: take some of veegan, s"
    ),
    "neighbours in words": of(lambda: PrecisionRecall(k="3"), TypeError, r"^k='3' must be at least 1, a whole number"),
    "features from a class": of(
        lambda: DensityCoverage(nn.Flatten), TypeError, r"feature=.*Flatten.* is no Module: give"
    ),
    "images without a network": of(
        lambda: PrecisionRecall().update(torch.zeros(4, 1, 8, 8), real=True),
        ValueError,
        r"samples are float32 of shape \(4, 1, 8, 8\) for 4 samples: give features \(N, D\), float, or fea",
    ),
    "more neighbours than samples": of(
        lambda: compared(DensityCoverage(k=7), torch.zeros(7, 2)), ValueError, r"7 real .* takes 8 real and 1 fake ones"
    ),
}

NETWORKS_AND_PICTURES = {
    "33 pixels": of(
        lambda: DCGANGenerator(33), ValueError, r"image_size=33 is not 4, 5, 6 or 7 doubled: take 32 or 40"
    ),
    "pixels in words": of(lambda: DCGANGenerator("32"), TypeError, r"image_size='32' must be at least 1, a whole numb"),
    "half a pixel": of(lambda: DCGANDiscriminator(32.5), TypeError, r"image_size=32.5 must be at least 1, a whole"),
    "no width": of(lambda: DCGANGenerator(width=0), ValueError, r"width=0 must be at least 1"),
    "no classes": of(lambda: DCGANDiscriminator(num_classes=0), ValueError, r"num_classes=0 must be at least 1"),
    "images and vectors": of(
        lambda: MLPGenerator(4, 1, features=2), ValueError, r"features=2 is for vectors, image_size=4"
    ),
    "neither images nor vectors": of(
        lambda: MLPDiscriminator(image_size=4), ValueError, r"give features=, or image_size= and channels= \(got 4 and"
    ),
    "labels left out": of(
        lambda: conditional()(torch.zeros(2, 4)), ValueError, r"this network is conditional on 3 classes: pass labels"
    ),
    "latents of another length": of(
        lambda: MLPGenerator(features=2, latent_dim=5)(torch.zeros(2, 7)), ValueError, r"\(2, 7\): this generator takes"
    ),
    "a Gaussian without a width": of(
        lambda: GaussianGenerator(std=0.0), ValueError, r"GaussianGenerator: std=0.0 must be a number in \(0, ∞\)"
    ),
    "a Gaussian nowhere": of(lambda: GaussianGenerator(mean=NAN), ValueError, r"GaussianGenerator: mean=nan must be"),
    "a Gaussian in too many places": of(
        lambda: GaussianGenerator(2, mean=[1.0, 2.0, 3.0]), ValueError, r"mean=\[1.0, 2.0, 3.0\] for features=2: give"
    ),
    "attention to no features": of(
        lambda: SNGANGenerator(64, attention=12),
        ValueError,
        r"attention=12: the blocks of this SNGANGenerator make features of 8, 16, 32, 64 px: take one of these",
    ),
    "attention in words": of(
        lambda: SNGANDiscriminator(attention="all"), TypeError, r"attention='all' must be at least 1, a whole number"
    ),
    "packs of none": of(lambda: Packed(PlainDiscriminator(), 0), ValueError, r"^k=0 must be at least 1"),
    "a packed class": of(lambda: Packed(PlainDiscriminator, 2), TypeError, r"discriminator=<class .* is no Module"),
    "worse than the best by nothing": of(
        lambda: DivergenceStop(factor=1.0), ValueError, r"^factor=1.0 must be a number in \(1, ∞\)"
    ),
    "the lowest is best": of(
        lambda: DivergenceStop(mode="low"), ValueError, r"mode='low' must be 'min', where a lower"
    ),
    "no score": of(lambda: DivergenceStop(None), TypeError, r"monitor=None is no str: .* like 'val/fid'"),
    "grids at no step": of(lambda: SampleGrid(0), ValueError, r"^every_n_steps=0 must be at least 1"),
    "grids of nothing": of(lambda: SampleGrid(n=-4), ValueError, r"n=-4 must be at least 1"),
    "grids from a word": of(lambda: SampleGrid(seed="a"), TypeError, r"seed='a' must be at least 0, a whole number"),
    "a monitor of few": of(
        lambda: EquilibriumMonitor(n=2), ValueError, r"n=2 samples say too little: take 16 at least"
    ),
    "a histogram of nothing": of(lambda: DensityPlot(samples=0), ValueError, r"samples=0 must be at least 1"),
    "a plot of no validation": of(lambda: ValuePlot(0), ValueError, r"every_n_validations=0 must be at least 1"),
    "integers for images": of(
        lambda: to_float(torch.zeros(2).long()), TypeError, r"images are torch.int64: lit_gan takes uint8 in \[0, 255\]"
    ),
    "a picture in floats": of(
        lambda: save_png(torch.zeros(1, 4, 4), "x.png"),
        ValueError,
        r"a picture of torch.float32 \(1, 4, 4\): give uint8",
    ),
    "a grid of no images": of(
        lambda: grid(torch.zeros(0, 1, 4, 4)),
        ValueError,
        r"images of shape \(0, 1, 4, 4\): give \(N, C, H, W\), one at",
    ),
    "a grid of no points": of(
        lambda: grid(torch.zeros(0, 2)), ValueError, r"images of shape \(0, 2\): give \(N, C, H, W"
    ),
    "a transform that waits to be told": of(
        lambda: Consistency(nn.Sequential(AdaptiveAugment())), ValueError, r"its p would stay at 0: give Adapt.*=None\)"
    ),
    "pictures of no size": of(
        lambda: resize(torch.zeros(1, 1, 4, 4).byte(), 0), ValueError, r"^size=0 must be at least 1"
    ),
    "points in space": of(
        lambda: points_to_image(torch.zeros(4, 3)), ValueError, r"points of 3 dimensions have no picture: give \(N, 1\)"
    ),
}


def made(**options):
    """Return a use that makes the optimizers of a game."""
    return lambda: gan(**options).configure_optimizers()


OPTIMIZERS = {
    "a frozen discriminator": of(
        lambda: gan(discriminator=PlainDiscriminator().requires_grad_(False)).configure_optimizers(),
        ValueError,
        r"the discriminator \(PlainDiscriminator\) has no parameter that requires a gradient.*learning rate of 0",
    ),
    "no optimizer": of(
        made(discriminator_optimizer=lambda p: None), TypeError, r"discriminator_optimizer makes NoneType: .*GANAdam"
    ),
    "an optimizer of many looks": of(
        made(generator_optimizer=torch.optim.LBFGS), TypeError, r"generator_optimizer makes LBFGS: a turn takes one st"
    ),
    "the other's parameters": of(
        made(discriminator_optimizer=lambda p: GANAdam(WEIGHTS)), ValueError, r"discriminator_optimizer holds 1 tensors"
    ),
    "β2 of an optimizer without": of(
        lambda: trainer(Path.cwd()).fit(
            gan(discriminator_optimizer=functools.partial(torch.optim.SGD, lr=0.1), beta2_schedule=Linear(0.9, 0.99)),
            loader(torch.zeros(4, 1, 4, 4)),
        ),
        ValueError,
        r"beta2_schedule=Linear.* and SGD, which has no β2: leave the schedule out, or take GANAdam",
    ),
}

CASES = LITGAN | MATHEMATICS | NETWORKS_AND_PICTURES | OPTIMIZERS
