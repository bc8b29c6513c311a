"""Generators that cannot be exported, and folders that are no export, or no longer one."""

import hashlib
import json
import sys
from pathlib import Path
from unittest import mock

import torch
from lit_gan.export import export

from lit_gan import load_generator
from lit_gan.networks import MLPGenerator
from tests.wrong_uses.files import named, whole
from tests.wrong_uses.use import Wrong, command


def of(says, *arguments, given=whole):
    """Return a wrong use of the command on ``whole.ckpt``."""
    return Wrong(command("export", "whole.ckpt", "--onnx=false", *arguments), SystemExit, says, given)


def without(package):
    def run():
        with mock.patch.dict(sys.modules, {package: None}):
            command("export", "whole.ckpt")()

    return run


def exported() -> None:
    whole()
    export("whole.ckpt", onnx=False)


def saying(**changes):
    """Return what writes an export whose JSON says something else; None for nothing."""

    def write():
        exported()
        path = Path("generator/generator.json")
        said = {**json.loads(path.read_text()), **changes}
        path.write_text(json.dumps({name: value for name, value in said.items() if value is not None}))

    return write


def generator(class_path, **init_args):
    return saying(generator={"class_path": class_path, "init_args": init_args})


def holding(name, change):
    """Return what writes an export, one file of which the disk has changed."""

    def write():
        exported()
        path = Path("generator") / name
        path.write_bytes(change(path.read_bytes()))

    return write


def flipped(content: bytes) -> bytes:
    return content[:-5] + bytes([content[-5] ^ 1]) + content[-4:]


def infinite() -> None:
    """A checkpoint whose generator has learned nothing."""
    whole()
    content = torch.load("whole.ckpt", weights_only=True)
    for name, tensor in content["state_dict"].items():
        if name.startswith("ema_generator") and tensor.is_floating_point():
            tensor.fill_(float("nan"))
    torch.save(content, "whole.ckpt")


def foreign() -> None:
    whole()
    Path("taken").mkdir()
    Path("taken/thesis.txt").touch()


def somebodys() -> None:
    whole()
    Path("taken").mkdir()
    Path("taken/README.md").write_text("My thesis.")


def read(says, given, error=ValueError, **options):
    return Wrong(lambda: load_generator("generator", **options), error, says, given)


COMMAND = {
    "of no checkpoint": Wrong(command("export"), SystemExit, r"required: checkpoint"),
    "of a checkpoint that is not there": Wrong(
        command("export", "none.ckpt"), SystemExit, r"^there is no checkpoint none\.ckpt$"
    ),
    "into a folder of something else": of(
        r"taken is there, and is not replaced: name a folder that is not", "--output=taken", given=foreign
    ),
    "into a folder with a README.md alone": of(
        r"/taken is there, and is not replaced", "--output=taken", given=somebodys
    ),
    "into a file": of(r"whole.ckpt is there, and is not replaced", "--output=whole.ckpt"),
    "with scores that are not there": of(r"^there are no scores x.json: name an evaluation.json", "--scores=x.json"),
    "with scores that are none": of(
        r"x.json holds no evaluations as GenerativeMetrics and lit-gan evaluate write them",
        "--scores=x.json",
        given=lambda: (whole(), Path("x.json").write_text("[1]")),
    ),
    "with a run's scores that are none": of(
        r"/scores.json holds no evaluations", given=lambda: (whole(), Path("scores.json").write_text("{"))
    ),
    "of infinite images": of(r"\(MLPGenerator\) makes images of NaN or infinity: no export", given=infinite),
    "without its extra": Wrong(
        without("safetensors.torch"), SystemExit, r"lit-gan export needs safetensors.torch: pip install \"\.\[exp"
    ),
    "of ONNX without its extra": Wrong(
        without("onnxruntime"), SystemExit, r"lit-gan export needs onnxruntime: pip install \"\.\[exp", whole
    ),
    "of a generator of one's own": Wrong(
        command("export", "x.ckpt"),
        SystemExit,
        r"PlainGenerator, which is not rebuilt from a file: give it in code, export\(.*, or --generator and its class",
        named("tests.support.small.PlainGenerator", None),
    ),
    "of a class for a generator": Wrong(
        lambda: export("whole.ckpt", generator=MLPGenerator), TypeError, r"is no Module: give an .* MyGenerator\(\)"
    ),
    "of another generator": Wrong(
        lambda: export("whole.ckpt", generator=MLPGenerator(16, 1, latent_dim=4, width=8)),
        ValueError,
        r"another generator, MLPGenerator\(.*width=4.*, this model has MLPGenerator\(.*width=8",
        whole,
    ),
}


def with_digest(content: bytes):
    """Return what writes an export whose weights are something else, of which the JSON has the digest."""

    def write():
        saying(sha256=hashlib.sha256(content).hexdigest())()
        Path("generator/generator.safetensors").write_bytes(content)

    return write


FOLDER = {
    "with a text for weights": read(r"^generator.safetensors holds no weights .*: export again", with_digest(b"hi")),
    "with more images than there can be": read(
        r"has no label_counts to read, \[1000.*: export again", saying(label_counts=[10**30])
    ),
    "that is not there": read(
        r"there is no generator/generator.json: give a folder that lit", lambda: None, FileNotFoundError
    ),
    "without weights": read(
        r"there is no generator/generator.safetensors: give a folder",
        lambda: (exported(), Path("generator/generator.safetensors").unlink()),
        FileNotFoundError,
    ),
    "cut off": read(
        r"generator.json describes no generator: give a folder as lit-gan", holding("generator.json", lambda c: c[:50])
    ),
    "of something else": read(r"generator.json describes no gen", holding("generator.json", lambda _: b"[1]")),
    "of a newer format": read(r"is of format 2, this lit_gan reads 1: take a newer one", saying(format=2)),
    "without a kind of latents": read(r"generator.json has no latent to read, None: exp", saying(latent=None)),
    "with another kind of latents": read(r"has no latent to read, 'cauchy': export again", saying(latent="cauchy")),
    "with latents of no length": read(r"has no latent_dim to read, 0: export again", saying(latent_dim=0)),
    "with latents of another length": read(r"latent_dim=5 contradicts MLPGenerator.latent_dim=4", saying(latent_dim=5)),
    "with less than no images": read(r"has no label_counts to read, \[-1\]: export", saying(label_counts=[-1])),
    "with classes that are not the network's": read(
        r"generator.json counts 2 classes, MLPGenerator has 0: export again", saying(label_counts=[1, 1])
    ),
    "with changed weights": read(
        r"generator.safetensors is damaged, or not the file that generator.json",
        holding("generator.safetensors", flipped),
    ),
    "of another width": read(
        r"^the weights are those of MLPG.*width=4.*, this generator is .*width=8.*: layers.0.bias is \(4,\) there",
        exported,
        generator=MLPGenerator(16, 1, latent_dim=4, width=8),
    ),
    "of a network of one's own": read(
        r"the folder's generator is a my.Own, which is not rebuilt .* load_generator\(path, generator=...\)",
        saying(generator={"class_path": "my.Own", "init_args": None}),
    ),
    "that is a command": read(
        r"the folder's generator is 'os.system', which is no part of lit_gan.networks or lit_gan.bolts: nothing was",
        generator("os.system", command="mkdir pwned"),
    ),
    "that is a command in an argument": read(
        r"the folder's generator is 'os.mkdir', which is no part .*: nothing was imp",
        generator("lit_gan.networks.Packed", discriminator={"class_path": "os.mkdir", "init_args": {"path": "pwned"}}),
    ),
    "of a game": read(r"generator is 'lit_gan.losses.Hinge', which is no part of", generator("lit_gan.losses.Hinge")),
    "that downloads": read(
        r"the folder's generator is 'lit_gan.metrics.extractors.InceptionV3', .*: nothing was imported",
        generator("lit_gan.metrics.extractors.InceptionV3"),
    ),
    "that opens a file": read(
        r"the folder's generator is 'lit_gan.metrics.extractors.InceptionV3', which is no part of lit_gan.networks or",
        generator("lit_gan.metrics.extractors.InceptionV3", weights="whole.ckpt"),
    ),
    "that is larger than any memory": read(
        r"the folder's generator is no MLPGenerator that this version of lit_gan can make: .*memory",
        generator("lit_gan.networks.MLPGenerator", features=2, width=10**12),
    ),
    "of another version": read(
        r"the folder's generator is no MLPGenerator that this version of lit_gan can make: .*'sise'",
        generator("lit_gan.networks.MLPGenerator", sise=1),
    ),
    "with a class for a generator": read(
        r"generator=<class 'lit_gan.networks.mlp.MLPGenerator'> is no Module: give an .* like DCGANGenerator\(\)",
        exported,
        TypeError,
        generator=MLPGenerator,
    ),
}

PICTURES = {
    "in a grid": Wrong(
        command("sample", "whole.ckpt"), SystemExit, r"^the generator of whole.ckpt makes images of NaN", infinite
    ),
    "each in a file": Wrong(
        command("sample", "whole.ckpt", "--output=f"), SystemExit, r"makes images of NaN or infinity: take an", infinite
    ),
    "between others": Wrong(
        command("sample", "whole.ckpt", "--interpolate=auto"), SystemExit, r"of NaN or infinity: take an ea", infinite
    ),
    "in a movie": Wrong(
        command("sample", "whole.ckpt", "--output=x.gif"),
        SystemExit,
        r"whole.ckpt makes images of NaN or inf",
        infinite,
    ),
}

CASES = {f"export {name}": wrong for name, wrong in COMMAND.items()}
CASES |= {f"draw infinite images {name}": wrong for name, wrong in PICTURES.items()}
CASES |= {f"load a generator {name}": wrong for name, wrong in FOLDER.items()}
