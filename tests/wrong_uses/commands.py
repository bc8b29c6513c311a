"""What is typed wrong after ``lit-gan``, or stands wrong in its config file."""

import sys
from pathlib import Path
from unittest import mock

from tests.cli.test_cli import NETWORKS, QUICK
from tests.wrong_uses.files import whole
from tests.wrong_uses.use import Wrong, command


def fit(*arguments):
    return command("fit", *NETWORKS, *QUICK, *arguments)


def of(use, says, given=lambda: None):
    return Wrong(use, SystemExit, says, given)


def sample(*arguments):
    return command("sample", "whole.ckpt", *arguments)


def config(text: str):
    """Return what writes ``a.yaml``."""
    return lambda: Path("a.yaml").write_text(text)


def from_config():
    return command("fit", "--config=a.yaml", *NETWORKS, *QUICK)


def without(package, *arguments):
    """Return a fit where a package is not installed."""

    def run():
        with mock.patch.dict(sys.modules, {package: None}):
            fit(*arguments)()

    return run


COMMAND = {
    "no command": of(command(), r"expected \"subcommand\" to be one of {fit,validate,test,predict}"),
    "an unknown command": of(command("train"), r"invalid choice: 'train' \(choose from"),
    "an unknown option": of(fit("--helpp"), r"unrecognized arguments: --helpp"),
    "no networks": of(command("fit"), r"required: --model.generator, --model.discriminator"),
    "an unknown option of the Trainer": of(
        fit("--trainer.max_stepss=3"), r"unrecognized arguments: --trainer.max_step"
    ),
    "an unknown option of the model": of(fit("--model.lerning_rate=1"), r"--model.lerning_rate"),
    "steps in words": of(fit("--trainer.max_steps=many"), r"--trainer.max_steps=many is none of what it takes, int"),
    "an unknown accelerator": of(fit("--trainer.accelerator=gpuu"), r"invalid accelerator name: `accelerator='gpuu'`"),
    "no device": of(fit("--trainer.devices=0"), r"`Trainer\(devices='0'\)` value is not a valid input using cpu"),
    "an unknown precision": of(fit("--trainer.precision=8"), r"--trainer.precision=8 is none of what .*'bf16-mixed'"),
    "an unknown strategy": of(fit("--trainer.strategy=x"), r"invalid strategy name: `strategy='x'`"),
    "a strategy for one network": of(
        fit("--trainer.strategy=fsdp"), r"The strategy `fsdp` requires a GPU|a GAN has two"
    ),
    "validation after the end": of(
        fit("--trainer.val_check_interval=100000"),
        r"\(100000\) must be less than or equal to the number of the training",
    ),
    "an unknown callback": of(fit("--trainer.callbacks=Gridd"), r"there is no 'Gridd'; take one of .*SampleGrid"),
    "a callback's unknown option": of(
        fit("--trainer.callbacks=SampleGrid", "--trainer.callbacks.evry=9"),
        r"SampleGrid has no option 'evry': it takes",
    ),
    "a callback at no step": of(
        fit("--trainer.callbacks=SampleGrid", "--trainer.callbacks.every_n_steps=0"),
        r"every_n_steps=0 must be at least",
    ),
    "an unknown logger": of(fit("--trainer.logger=Wandb"), r"--trainer.logger: there is no 'Wandb'; .*WandbLogger"),
    "a file for the run's folder": of(
        fit("--trainer.default_root_dir=f"), r"f/lightning_logs: Not a directory", Path("f").touch
    ),
    "a folder without a name": of(
        fit("--data=ImageFolder", "--data.folder="), r"^--data.folder is empty: give a value"
    ),
    "TensorBoard without its extra": of(
        without("tensorboard", "--trainer.logger=TensorBoardLogger"),
        r"TensorBoardLogger needs tensorboard: .*\[tensorboard\]",
    ),
    "Comet without its package": of(
        without("comet_ml", "--trainer.logger=CometLogger"), r"CometLogger needs comet_ml: pip install comet-ml"
    ),
    "a file for the folder of checkpoints": of(
        fit("--trainer.callbacks=ModelCheckpoint", "--trainer.callbacks.dirpath=f"),
        r"dirpath='.*f' is a file: give a folder for the checkpoints",
        Path("f").touch,
    ),
    "an option of the command itself": of(
        command("--conifg", "a.yaml"), r"arguments: --conifg; did you mean '--config'"
    ),
    "a seed below zero": of(fit("--seed_everything=-1"), r"seed_everything=-1 must lie in \[0, 4294967295\]"),
    "a seed in words": of(fit("--seed_everything=x"), r"--seed_everything=x is none of what it takes, bool, int"),
    "gradients clipped by the Trainer": of(fit("--trainer.gradient_clip_val=1"), r"use LitGAN\(gradient_clip=1"),
    "gradients added by the Trainer": of(fit("--trainer.accumulate_grad_batches=2"), r"LitGAN\(micro_batches=2\)"),
}

MODEL = {
    "an unknown game": of(
        fit("--model.loss=Hing"), r"--model.loss: there is no 'Hing'; take one of FDivergence, Hinge"
    ),
    "an unknown network": of(
        fit("--model.generator=DCGAN"),
        r"there is no 'DCGAN'; take one of .*DCGANGenerator, .*MLPGenerator, .*or the import",
    ),
    "a network from nowhere": of(
        fit("--model.generator=foo.Bar"), r"=foo.Bar cannot be imported \(No module named 'foo"
    ),
    "a network that is a game": of(
        fit("--model.generator=lit_gan.losses.Hinge"),
        r"--model.generator=lit_gan.losses.Hinge is no Module; take one of",
    ),
    "a network's unknown option": of(
        fit("--model.generator.widht=1"), r"MLPGenerator has no option 'widht': it takes image_size, .*width"
    ),
    "a width in words": of(
        fit("--model.generator.width=x"), r"--model.generator: width=x is none of what it takes, int"
    ),
    "an unknown penalty": of(
        fit("--model.penalties.r1=R3"), r"there is no 'R3'; take one of DRAGAN, R1, R2, WGANGP, .*Con"
    ),
    "a penalty's unknown option": of(
        fit("--model.penalties.r1=R1", "--model.penalties.r1.wieght=1"),
        r"R1 has no option 'wieght': it takes weight, ev",
    ),
    "a penalty in words": of(
        fit("--model.penalties.r1=R1", "--model.penalties.r1.weight=x"),
        r"penalties: weight=x is none of .*float, a sched",
    ),
    "a penalty at no step": of(
        fit("--model.penalties.r1=R1", "--model.penalties.r1.every=0"), r"^R1: every=0 must be at least 1"
    ),
    "an unknown schedule": of(fit("--model.lr_schedule=Step"), r"there is no 'Step'; take one of Cosine, Linear, or"),
    "a schedule of no length": of(
        fit("--model.lr_schedule=Cosine", "--model.lr_schedule.images=0"),
        r"Cosine: images=0 must be at least 1, a whole",
    ),
    "an unknown optimizer": of(
        fit("--model.generator_optimizer=Adm"), r"there is no 'Adm'; take one of ClippedRMSprop, GANAdam, or"
    ),
    "an optimizer's unknown option": of(
        fit("--model.generator_optimizer.lrr=1"), r"GANAdam has no option 'lrr': it takes .*lr, betas"
    ),
    "a learning rate in words": of(
        fit("--model.generator_optimizer.lr=fast"), r"lr=fast is none of what it takes, float"
    ),
    "a learning rate below zero": of(fit("--model.generator_optimizer.lr=-1"), r"GANAdam: lr=-1.0 must be a number in"),
    "an unknown augmentation": of(
        fit("--model.augment=Diff"), r"there is no 'Diff'; take one of AdaptiveAugment, DiffAugment, or"
    ),
    "an unknown divergence": of(
        fit("--model.loss=FDivergence", "--model.loss.divergence=k"),
        r"divergence=k is none of what it takes, 'kl', 'rev",
    ),
    "turns of D in words": of(fit("--model.d_steps_per_g_step=many"), r"--model.d_steps_per_g_step=many is none of"),
    "no turn of D": of(fit("--model.d_steps_per_g_step=0"), r"d_steps_per_g_step=0 must be at least 1, a"),
    "an unknown latent": of(fit("--model.latent=gauss"), r"--model.latent=gauss is none of .* 'normal', 'uniform'"),
    "a half-life in words": of(
        fit("--model.ema_half_life=x"), r"--model.ema_half_life=x is none of .*float, a schedule"
    ),
    "a warm start from nothing": of(fit("--model.warm_start=w.ckpt"), r"there is no checkpoint w.ckpt"),
    "networks of other sizes": of(
        fit("--model.generator.image_size=32"),
        r"the generator \(MLPGenerator\) makes 1×32×32 samples, the data has 1×16",
    ),
    "more classes than the networks know": of(
        fit("--model.generator.num_classes=3", "--model.discriminator.num_classes=3"),
        r"labels lie in \[0, 9\], the gen",
    ),
}

DATA = {
    "an unknown data set": of(
        fit("--data=MNISTT"), r"--data: there is no 'MNISTT'; take one of CIFAR10, CIFAR100, EMNIST"
    ),
    "an option of no data set": of(
        fit("--data.image_sze=3"), r"FashionMNISTSample has no option 'image_sze': it takes image_size, batch_size"
    ),
    "a data set without its folder": of(fit("--data=ImageFolder"), r"--data: ImageFolder needs folder"),
    "a folder that is not there": of(fit("--data=ImageFolder", "--data.folder=nowhere"), r"there is no folder nowhere"),
    "an unknown mixture": of(
        fit("--data=GaussianMixture", "--data.kind=cube"), r"--data: kind=cube is none of what it takes, 'ring', 'grid'"
    ),
    "modes in words": of(
        fit("--data=GaussianMixture", "--data.modes=x"), r"--data: modes=x is none of what it takes, int"
    ),
    "CIFAR-10 is not there": of(
        fit("--data=CIFAR10", "--data.download=false"), r"CIFAR10 is missing or damaged in data \(Dataset not found"
    ),
    "an unknown attribute": of(
        fit("--data=CelebA", "--data.attributes=[Male,Smile]"), r"CelebA has no attribute 'Smile': take some of"
    ),
    "balance without classes": of(
        fit("--data=ImageFolder", "--data.folder=x", "--data.class_balanced=true"), r"class_balanced=True needs classes"
    ),
    "a batch of nothing": of(fit("--data.batch_size=0"), r"batch_size=0 must be at least 1, a whole number"),
    "LSUN without its extra": of(without("lmdb", "--data=LSUN"), r"LSUN needs lmdb: pip install \"\.\[lsun\]\""),
    "the hub without its extra": of(
        without("datasets", "--data=HuggingFaceImages", "--data.path=x"), r"HuggingFaceImages needs datasets: pip inst"
    ),
    "SVHN without its extra": of(
        without("scipy.io", "--data=SVHN"), r"SVHN needs scipy.io: pip install \"\.\[svhn\]\""
    ),
}

FILES = {
    "no config": of(command("fit", "--config=none.yaml"), r"--config: File does not exist: '.*none.yaml'"),
    "a folder for a config": of(command("fit", "--config=."), r"--config: Path is not a file"),
    "a config cut off": of(from_config(), r"Problems parsing config: while parsing a flow", config("model: [1,")),
    "a config that is a list": of(
        from_config(), r"a config file holds options by name, like model: {latent: normal}", config("- model")
    ),
    "a config that is a picture": of(
        from_config(),
        r"a config file is no text in UTF-8 \(invalid start byte",
        lambda: Path("a.yaml").write_bytes(bytes(range(256))),
    ),
    "a config with a list for the Trainer": of(
        fit("--config=a.yaml"),
        r"trainer=\[3\]: give options by name, like trainer: {max_steps: 1000}",
        config("trainer: [3]"),
    ),
    "a config with a typo": of(from_config(), r"los", config("model: {los: Minimax}")),
    "a checkpoint that is not there": of(fit("--ckpt_path=none.ckpt"), r"^there is no checkpoint none.ckpt"),
    "a checkpoint that is a folder": of(fit("--ckpt_path=."), r"^\. is a folder and holds no checkpoint \(.ckpt\)"),
    "a checkpoint of another network": of(
        fit("--ckpt_path=whole.ckpt"), r"another (generator|discriminator), MLP.*this model has MLP", whole
    ),
    "validation of nothing": of(
        command("validate", *NETWORKS), r"validate without a checkpoint would show untrained networks: give --ckpt_path"
    ),
    "a test of the last of none": of(
        command("test", *NETWORKS, "--ckpt_path=last"), r"ckpt_path=last: there is no checkpoint in .*: name one"
    ),
}

SAMPLE = {
    "no checkpoint": of(command("sample"), r"the following arguments are required: checkpoint"),
    "a checkpoint that is none": of(
        command("sample", "x.ckpt"), r"x.ckpt is truncated or no checkpoint", Path("x.ckpt").touch
    ),
    "no sample": of(sample("--n=0"), r"^n=0 must be at least 1, a whole number", whole),
    "samples in words": of(sample("--n=many"), r"--n=many is none of what it takes, int", whole),
    "samples of a class": of(sample("--labels=1"), r"MLPGenerator takes no labels: leave labels out", whole),
    "latents of nothing": of(sample("--truncation=2"), r"truncation=2.0 must be a number in \(0, 1\]", whole),
    "a picture of another kind": of(
        sample("--output=x.jpg"), r"output='x.jpg' must be a file that ends in .png", whole
    ),
    "a picture that is a folder": of(
        sample("--output=f.png"), r"output='f.png' must be", lambda: (whole(), Path("f.png").mkdir())
    ),
    "a folder that is a file": of(sample("--output=f"), r"^f: File exists", lambda: (whole(), Path("f").touch())),
    "a folder that cannot be": of(
        sample("--output=f/x.png"), r"f: (File exists|Not a directory)", lambda: (whole(), Path("f").touch())
    ),
    "two kinds of pictures": of(
        sample("--interpolate=linear", "--truncation=[0.5,1.0]"),
        r"interpolate and a list for truncation are pictures of their own: ask for one",
        whole,
    ),
    "an unknown path": of(
        sample("--interpolate=cubic"), r"--interpolate=cubic is none of what it takes, 'linear', 'spherical'", whole
    ),
    "a path of one image": of(sample("--interpolate=linear", "--steps=1"), r"^steps=1 must be at least 2", whole),
    "steps of nothing": of(sample("--steps=4"), r"steps=4 are those of an interpolation: give --interpolate", whole),
    "a ladder without rungs": of(sample("--truncation=[]"), r"truncation=\[\] names none: give some numbers", whole),
    "a ladder too high": of(sample("--truncation=[0.5,3.0]"), r"truncation=3.0 must be a number in \(0, 1\]", whole),
    "all classes of none": of(sample("--labels=all"), r"MLPGenerator has no num_classes, of which a grid", whole),
    "a folder of rows": of(
        sample("--interpolate=linear", "--output=f"),
        r"output='f' is a folder, and interpolate makes one picture",
        whole,
    ),
    "neighbours in no data": of(sample("--neighbours=5"), r"neighbours=5 are of the training data: give --data", whole),
    "data for nothing": of(sample("--data=FashionMNISTSample"), r"data is for neighbours: give --neighbours 5", whole),
    "neighbours of a class": of(
        sample("--neighbours=1", "--data=FashionMNISTSample", "--labels=1"),
        r"labels=1 and truncation=1.0: neighbours are of samples as they come",
        whole,
    ),
    "neighbours of another size": of(
        sample("--neighbours=1", "--data=FashionMNISTSample"),
        r"real samples are \(1, 32, 32\) and generated ones \(1, 16, 16\)",
        whole,
    ),
    "no output": of(sample("--output="), r"^--output is empty: give a value, or leave it out", whole),
    "a seed too large": of(sample(f"--seed={2**64}"), rf"^seed={2**64} must be below 2\^64", whole),
    "a picture without a name": of(sample("--output=.png"), r"output='.png' must be a file that ends in .png", whole),
    "a home that is not there": of(
        sample("--output=~nobody-is-called-so/x.png"), r"there is no home folder ~nobody-is-called-so, so", whole
    ),
    "seeds in words": of(sample("--seed=one"), r"seed='one' is no seed: give a number, a range like 1-10", whole),
    "seeds from high to low": of(sample("--seed=9-3"), r"seed='9-3' is no seed: give a number", whole),
    "a seed twice": of(sample("--seed=1-3,2"), r"seed='1-3,2' names a seed twice", whole),
    "a path of several seeds": of(
        sample("--seed=1-3", "--interpolate=auto"), r"interpolate and several seeds are pictures of their own", whole
    ),
    "a class by a name that is not known": of(
        sample("--labels=cats"), r"labels='cats' is no number, and the checkpoint holds no names of classes", whole
    ),
    "a folder without checkpoints": of(command("sample", "."), r"^\. is a folder and holds no checkpoint \(.ckpt\): g"),
    "an unknown option": of(sample("--bogus=1"), r"unrecognized arguments: --bogus=1", whole),
}

CASES = {f"fit {name}": wrong for name, wrong in (COMMAND | MODEL | DATA).items()}
CASES |= {f"with {name}": wrong for name, wrong in FILES.items()}
CASES |= {f"sample {name}": wrong for name, wrong in SAMPLE.items()}
