"""Writing and reading the folder of an exported generator: its weights, and the description that rebuilds it."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor, nn

from lit_gan._utils.arguments import expanded, instance_of, shown
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
"""Format number of the description; to be increased by a change that an older lit_gan would misread."""

_ORIGIN = Origin("the folder", "load_generator(path, {}=...)")


def _whole_numbers(least: int, *values: Any) -> bool:
    return all(isinstance(value, int) and least <= value < 2**63 for value in values)


_FITS: dict[str, Callable[[Any], bool]] = {
    "generator": lambda value: isinstance(value, dict) and isinstance(value.get("class_path"), str),
    "latent": lambda value: value in get_args(Latent),
    "latent_dim": lambda value: _whole_numbers(1, value),
    "label_counts": lambda value: isinstance(value, list) and _whole_numbers(0, *value),
    "sha256": lambda value: isinstance(value, str),
}
"""Keys that a description must have, each with a check of its value."""


def write_generator(trained: TrainedGenerator, folder: Path, about: dict[str, Any]) -> None:
    """Write a generator's weights and buffers as safetensors, and its description as JSON.

    Args:
        trained: the generator.
        folder: the folder to write to.
        about: further entries of the JSON, as plain data.
    """
    state = trained.network.state_dict()
    # safetensors refuses tensors that share memory
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
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
    """Return the generator of a folder that ``lit-gan export`` wrote, in evaluation mode, without a LitGAN.

    ``load_generator(path).sample(16, seed=0)`` returns the images that ``LitGAN.sample`` draws from the checkpoint, bit
    for bit on the CPU. Called with latents ``(N, latent_dim)``, and labels ``(N,)`` if it is conditional, the generator
    returns images.

    Args:
        path: the folder.
        generator: a network of the same architecture to load the weights into. It must be given if the generator's
            class is not lit_gan's, since such a class is not imported from a file; None to rebuild the generator.
        device: device of the generator.

    Raises:
        FileNotFoundError: the folder or a file in it is missing.
        ImportError: safetensors is not installed; the extra ``export`` installs it.
        TypeError: ``generator`` is not a module.
        ValueError: a file is damaged, has a newer format, names a class that is not lit_gan's, or holds weights that
            do not fit the generator.
    """
    safetensors = optional("safetensors.torch", "export", "load_generator")
    folder = Path(expanded(path))
    description = _description(folder / DESCRIPTION)
    weights = _bytes(folder / WEIGHTS)
    if hashlib.sha256(weights).hexdigest() != description["sha256"]:
        raise LitGANError(f"{folder / WEIGHTS} is damaged, or not the file that {DESCRIPTION} describes: export again")
    network = rebuild(description["generator"], "generator", _ORIGIN) if generator is None else generator
    instance_of("generator", network, nn.Module, "DCGANGenerator()")
    _load(network, _tensors(safetensors, weights), description["generator"])
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


def _tensors(safetensors: Any, content: bytes) -> dict[str, Tensor]:
    """Return the tensors in a file's content; raise a ValueError if it holds none, though its digest is right."""
    try:
        return safetensors.load(content)
    except Exception as error:  # safetensors documents no types of errors
        raise LitGANError(f"{WEIGHTS} holds no weights ({' '.join(str(error).split())}): export again") from error


def _description(path: Path) -> dict[str, Any]:
    """Return the description of a generator that a JSON file holds; raise a ValueError if it is not complete."""
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
    """Load saved weights into ``network``; raise a ValueError that names both if they do not fit."""
    for difference in differences(saved, network.state_dict()).values():
        raise LitGANError(
            f"the weights are those of {summary(description)}, this generator is {summary(describe(network))}: "
            f"{difference}"
        )
    network.load_state_dict(saved)
