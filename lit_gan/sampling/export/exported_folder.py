"""The folder of an exported generator: its weights and what rebuilds it, written and read."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor, nn

from lit_gan._utils.arguments import instance_of, shown
from lit_gan._utils.checkpoint_file import differences
from lit_gan._utils.config import Origin, describe, rebuild, summary
from lit_gan._utils.errors import LitGANError, MissingFileError
from lit_gan._utils.extras import optional
from lit_gan.sampling.conditions import number_of_classes
from lit_gan.sampling.generator import Latent, TrainedGenerator, read_latent_dim

__all__ = ["CARD", "DESCRIPTION", "FILES", "FORMAT", "ONNX", "WEIGHTS", "load_generator", "write_generator"]

WEIGHTS, DESCRIPTION, ONNX, CARD = FILES = (
    "generator.safetensors",
    "generator.json",
    "generator.onnx",
    "README.md",
)
FORMAT = 1
"""Of the description: raised when an older lit_gan would misread it."""

_ORIGIN = Origin("the folder", "load_generator(path, {}=...)")


def _whole_numbers(least: int, *values: Any) -> bool:
    return all(isinstance(value, int) and value >= least for value in values)


_FITS: dict[str, Callable[[Any], bool]] = {
    "generator": lambda value: isinstance(value, dict) and isinstance(value.get("class_path"), str),
    "latent": lambda value: value in get_args(Latent),
    "latent_dim": lambda value: _whole_numbers(1, value),
    "label_counts": lambda value: isinstance(value, list) and _whole_numbers(0, *value),
    "sha256": lambda value: isinstance(value, str),
}
"""What reading a folder needs of its description, and what each must be."""


def write_generator(trained: TrainedGenerator, folder: Path, about: dict[str, Any]) -> None:
    """Write weights and buffers as safetensors, and a JSON that rebuilds the generator.

    Args:
        trained: the generator.
        folder: to write to.
        about: what else the JSON says, as plain data.
    """
    state = trained.network.state_dict()
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}  # none share memory
    weights = optional("safetensors.torch", "export", "lit-gan export").save(plain, {"format": "pt"})
    description = {
        "format": FORMAT,
        "generator": describe(trained.network),
        "latent": trained.latent,
        "latent_dim": trained.latent_dim,
        "label_counts": trained.label_counts.tolist(),
        "sha256": hashlib.sha256(weights).hexdigest(),
        **about,
    }
    (folder / WEIGHTS).write_bytes(weights)
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=1))


def load_generator(
    path: str | Path, generator: nn.Module | None = None, device: torch.device | str = "cpu"
) -> TrainedGenerator:
    """Return the generator of a folder that ``lit-gan export`` wrote, in evaluation mode: no Trainer, no LitGAN.

    ``load_generator(path).sample(16, seed=0)`` are the images that ``LitGAN.sample`` draws from the checkpoint, bit for
    bit on the CPU. Called with latents ``(N, latent_dim)``, and labels where it is conditional, it returns images.

    Args:
        path: the folder.
        generator: for one that is not lit_gan's, and so not rebuilt from a file, a network like it, which is given the
            weights.
        device: to put it on.

    Raises:
        FileNotFoundError: there is no such folder, or a file is missing.
        ImportError: safetensors is not there; the extra ``export`` brings it.
        TypeError: ``generator`` is no module.
        ValueError: a file is damaged, of a newer format, names a class that is not lit_gan's, or does not fit.
    """
    safetensors = optional("safetensors.torch", "export", "load_generator")
    folder = Path(path)
    description = _description(folder / DESCRIPTION)
    weights = _bytes(folder / WEIGHTS)
    if hashlib.sha256(weights).hexdigest() != description["sha256"]:
        raise LitGANError(f"{folder / WEIGHTS} is damaged, or not the file that {DESCRIPTION} describes: export again")
    network = rebuild(description["generator"], "generator", _ORIGIN) if generator is None else generator
    instance_of("generator", network, nn.Module, "DCGANGenerator()")
    _load(network, safetensors.load(weights), description["generator"])
    counts = torch.tensor(description["label_counts"], dtype=torch.int64)
    if len(counts) != number_of_classes(network):
        raise LitGANError(
            f"{folder / DESCRIPTION} counts {len(counts)} classes, {type(network).__name__} has "
            f"{number_of_classes(network)}: export again"
        )
    latent_dim = read_latent_dim(network, description["latent_dim"])
    trained = TrainedGenerator(network, latent_dim, description["latent"], counts)
    return trained.to(device).requires_grad_(False).eval()


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        raise MissingFileError(f"there is no {path}: give a folder that lit-gan export wrote")
    return path.read_bytes()


def _description(path: Path) -> dict[str, Any]:
    """Return what a JSON file says of a generator, once it is known to say all that is needed."""
    content = _bytes(path)
    try:
        description = json.loads(content)
    except (ValueError, RecursionError):
        description = None
    if not isinstance(description, dict) or not _whole_numbers(1, description.get("format")):
        raise LitGANError(f"{path} describes no generator: give a folder as lit-gan export wrote it")
    if description["format"] > FORMAT:
        raise LitGANError(f"{path} is of format {description['format']}, this lit_gan reads {FORMAT}: take a newer one")
    for name, fits in _FITS.items():
        if not fits(description.get(name)):
            raise LitGANError(f"{path} has no {name} to read, {shown(description.get(name))}: export again")
    return description


def _load(network: nn.Module, saved: dict[str, Tensor], description: dict[str, Any]) -> None:
    """Give ``network`` the saved weights; refused, naming both, where they are not its own."""
    for difference in differences(saved, network.state_dict()).values():
        raise LitGANError(
            f"the weights are those of {summary(description)}, this generator is {summary(describe(network))}: "
            f"{difference}"
        )
    network.load_state_dict(saved)
