"""Checkpoints that are missing, cut off, damaged, malicious or another model's."""

import os
import zipfile
from pathlib import Path

import torch

from lit_gan import LitGAN
from lit_gan.losses import Hinge
from lit_gan.networks import MLPDiscriminator, MLPGenerator
from lit_gan.sampling.from_checkpoint import load_generators
from tests.support.small import Batches, loader, trainer
from tests.wrong_uses.parts import gan
from tests.wrong_uses.training import GOOD
from tests.wrong_uses.use import Wrong

SIZE = {"image_size": 16, "channels": 1, "width": 4}
_WHOLE: list[bytes] = []


def whole() -> None:
    """Write ``whole.ckpt``, of one step of a small model; made once."""
    if not _WHOLE:
        step, LitGAN._step = LitGAN._step, lambda *_: None  # the tests of wrong uses forbid steps
        fitted = trainer(Path.cwd(), limit_train_batches=1)
        fitted.fit(LitGAN(MLPGenerator(**SIZE, latent_dim=4), MLPDiscriminator(**SIZE)), images())
        LitGAN._step = step
        fitted.save_checkpoint("whole.ckpt")
        _WHOLE.append(Path("whole.ckpt").read_bytes())
    Path("whole.ckpt").write_bytes(_WHOLE[0])


def images() -> Batches:
    return Batches(torch.rand(4, 1, 16, 16) * 2 - 1)


def cut() -> None:
    whole()
    Path("x.ckpt").write_bytes(_WHOLE[0][: len(_WHOLE[0]) // 2])


def flipped() -> None:
    """A file of the right length, one of whose bytes the disk has changed."""
    whole()
    middle = len(_WHOLE[0]) // 2
    Path("x.ckpt").write_bytes(_WHOLE[0][:middle] + bytes([_WHOLE[0][middle] ^ 1]) + _WHOLE[0][middle + 1 :])


class Malicious:
    def __reduce__(self):
        return os.mkdir, ("pwned",)


def load(**parts):
    return lambda: LitGAN.load_from_checkpoint("x.ckpt", **parts)


def holding(content):
    return lambda: torch.save(content, "x.ckpt")


def named(class_path, init_args):
    """Return what writes a checkpoint whose generator goes by another name."""

    def write():
        whole()
        content = torch.load("whole.ckpt", weights_only=True)
        content["lit_gan"]["generator"] = {"class_path": class_path, "init_args": init_args}
        torch.save(content, "x.ckpt")

    return write


def changed(**sections):
    """Return what writes a checkpoint with other sections."""

    def write():
        whole()
        torch.save({**torch.load("whole.ckpt", weights_only=True), **sections}, "x.ckpt")

    return write


def compressed() -> None:
    whole()
    with zipfile.ZipFile("whole.ckpt") as parts, zipfile.ZipFile("x.ckpt", "w", zipfile.ZIP_DEFLATED) as written:
        for name in parts.namelist():
            written.writestr(name, parts.read(name))


def another_width() -> LitGAN:
    return LitGAN(MLPGenerator(16, 1, latent_dim=4, width=8), MLPDiscriminator(**SIZE))


CASES = {
    "there is none": Wrong(load(), FileNotFoundError, r"there is no checkpoint x.ckpt"),
    "a folder": Wrong(lambda: LitGAN.load_from_checkpoint("."), FileNotFoundError, r"there is no checkpoint \."),
    "an empty file": Wrong(load(), ValueError, r"x.ckpt is truncated or no checkpoint: nothing", Path("x.ckpt").touch),
    "a text": Wrong(
        load(),
        ValueError,
        r"x.ckpt is truncated or no checkpoint: nothing was",
        lambda: Path("x.ckpt").write_text("hi"),
    ),
    "cut in half": Wrong(load(), ValueError, r"x.ckpt is truncated or no checkpoint: .* take another", cut),
    "a changed byte": Wrong(load(), ValueError, r"x.ckpt is damaged or no checkpoint|x.ckpt is truncated or", flipped),
    "of something else": Wrong(
        load(), ValueError, r"this is a checkpoint, but not of LitGAN: a Trainer", holding({"state_dict": {}})
    ),
    "an object": Wrong(load(), ValueError, r"x.ckpt holds more than tensors and plain data", holding(Hinge())),
    "a program": Wrong(load(), ValueError, r"x.ckpt holds more than tensors and plain data: ", holding(Malicious())),
    "a number": Wrong(load(), ValueError, r"x.ckpt is no checkpoint: nothing was read", holding(3)),
    "a warm start from nothing": Wrong(
        lambda: gan(warm_start="none.ckpt"), FileNotFoundError, r"there is no checkpoint none.ckpt"
    ),
    "a warm start from other networks": Wrong(
        lambda: LitGAN(MLPGenerator(16, 1, latent_dim=4, width=8), MLPDiscriminator(**SIZE), warm_start="whole.ckpt"),
        ValueError,
        r"the checkpoint .*another generator, MLPGenerator\(.*width=4.*has MLPGenerator\(.*width=8",
        whole,
    ),
    "going on from nothing": Wrong(
        lambda: trainer(Path.cwd()).fit(gan(), loader(GOOD), ckpt_path="none.ckpt"),
        FileNotFoundError,
        r"no checkpoint none.ckpt|none.ckpt not found",
    ),
    "going on with other networks": Wrong(
        lambda: trainer(Path.cwd()).fit(another_width(), images(), ckpt_path="whole.ckpt"),
        ValueError,
        r"another generator, MLPGenerator\(.*width=4",
        whole,
    ),
    "compressed": Wrong(load(), ValueError, r"x.ckpt is damaged or no checkpoint: nothing was", compressed),
    "of a later format": Wrong(
        load(), ValueError, r"x.ckpt is of format 99, .* take a newer lit_gan", changed(lit_gan_format=99)
    ),
    "of a format before the first": Wrong(
        load(), ValueError, r"x.ckpt is of format -1, this", changed(lit_gan_format=-1)
    ),
    "of no format": Wrong(load(), ValueError, r"x.ckpt is of format '1', this", changed(lit_gan_format="1")),
    "without its generator": Wrong(load(), ValueError, r"section lit_gan lacks .*generator", changed(lit_gan={})),
    "with a number for a generator": Wrong(
        lambda: load_generators("x.ckpt"),
        ValueError,
        r"the checkpoint's generator is 3, and no network",
        lambda: (
            whole(),
            changed(lit_gan={**torch.load("whole.ckpt", weights_only=True)["lit_gan"], "generator": 3})(),
        ),
    ),
    "with a tensor for a description": Wrong(
        load(), ValueError, r"section lit_gan is no description of parts", changed(lit_gan={"generator": torch.ones(1)})
    ),
    "with a tensor for data": Wrong(
        load(), ValueError, r"section lit_gan_data is no description of parts", changed(lit_gan_data=torch.ones(1))
    ),
    "a part of one's own": Wrong(
        load(),
        ValueError,
        r"generator is a tests.support.small.PlainGenerator, which is not rebuilt from a file: .*generator=",
        named("tests.support.small.PlainGenerator", None),
    ),
    "a part that is a command": Wrong(
        load(),
        ValueError,
        r"generator is 'os.system', which is no part of lit_gan.networks or .*: nothing was imported",
        named("os.system", {"command": "mkdir pwned"}),
    ),
    "a part of another version": Wrong(
        load(),
        ValueError,
        r"the checkpoint's generator is no MLPGenerator that this version of lit_gan can make: ",
        named("lit_gan.networks.MLPGenerator", {"sise": 16}),
    ),
}
