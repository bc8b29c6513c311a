"""Generators of a checkpoint, loaded for sampling without a Trainer and without a LitGAN."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor, nn

from lit_gan import data
from lit_gan._utils.arguments import shown
from lit_gan._utils.checkpoint_file import AVERAGE, NOT_READ, Section, check_arguments, check_sections, read_checkpoint
from lit_gan._utils.config import Origin, rebuild
from lit_gan._utils.errors import LitGANError
from lit_gan._utils.state_dicts import check_weights
from lit_gan.optim.ema import start_average
from lit_gan.sampling.conditions import number_of_classes
from lit_gan.sampling.generator import GeneratorSource, Latent, read_latent_dim

__all__ = ["SavedGenerators", "class_names", "load_generators", "saved_generators"]


@dataclass(frozen=True)
class SavedGenerators(GeneratorSource):
    """The raw and the averaged generator of a checkpoint, with the data that sampling from them needs.

    Args:
        generator: the raw generator.
        ema_generator: the averaged generator; None if the run kept no average.
        latent_dim: length of z.
        latent: the distribution of z.
        label_counts: images seen of each class, int64 ``(num_classes,)``.
        images_seen: real images that the discriminator was shown, over all devices.
    """

    generator: nn.Module
    ema_generator: nn.Module | None
    latent_dim: int
    latent: Latent
    label_counts: Tensor
    images_seen: int

    def to(self, device: torch.device) -> "SavedGenerators":
        """Return the generators on ``device``; the networks are moved in place."""
        for network in filter(None, (self.generator, self.ema_generator)):
            network.to(device)
        return replace(self, label_counts=self.label_counts.to(device))


def load_generators(path: str | Path) -> SavedGenerators:
    """Return the generators of a checkpoint file; the discriminator and the other parts are not rebuilt.

    Args:
        path: path of the checkpoint.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is damaged or was not written by LitGAN, its generator's class is not lit_gan's, or its
            weights do not fit the generator.
    """
    return saved_generators(read_checkpoint(path))


def saved_generators(
    checkpoint: dict[str, Any], generator: nn.Module | None = None, origin: Origin = Origin()
) -> SavedGenerators:
    """Return the generators of a checkpoint's content, which is not changed.

    Args:
        checkpoint: content of the file, as :func:`lit_gan._utils.checkpoint_file.read_checkpoint` returns it.
        generator: a network of the same architecture to load the weights into; None to rebuild the checkpoint's own.
        origin: name of the file and how to pass a part in code, for error messages.

    Raises:
        ValueError: as :func:`load_generators`, except for a damaged file.
    """
    check_sections(checkpoint)
    check_arguments(checkpoint)
    said = checkpoint[Section.MODEL]
    network = rebuild(said["generator"], "generator", origin) if generator is None else generator
    if not isinstance(network, nn.Module):
        raise LitGANError(f"{origin.file}'s generator is {shown(network)}, and no network: {NOT_READ}")
    latent_dim = read_latent_dim(network, rebuild(said["latent_dim"], "latent_dim", origin))
    average = None if said["ema_half_life"] is None else start_average(network)
    latent: Latent = rebuild(said["latent"], "latent", origin)
    if latent not in get_args(Latent):
        raise LitGANError(f'{origin.file}\'s latent={latent!r} is neither "normal" nor "uniform"')
    own = {"images_seen": torch.zeros((), dtype=torch.int64)}
    own |= {"label_counts": torch.zeros(number_of_classes(network), dtype=torch.int64)}
    own |= {f"generator.{name}": tensor for name, tensor in network.state_dict().items()}
    own |= {AVERAGE + name: tensor for name, tensor in ({} if average is None else average.state_dict()).items()}
    state = {name: t for name, t in checkpoint["state_dict"].items() if name in own or name.startswith(_GENERATORS)}
    check_weights({**checkpoint, "state_dict": state}, own, partial(_part, network))
    for module, prefix in ((network, "generator."), (average, AVERAGE)):
        if module is not None:
            module.load_state_dict({n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)})
    return SavedGenerators(
        network, average, latent_dim, latent, state["label_counts"].long(), int(state["images_seen"])
    )


def class_names(content: dict[str, Any]) -> list[str]:
    """Return the names of the classes that a checkpoint's data module had, or that its class in lit_gan has; or []."""
    described = content.get(Section.DATA)
    name = str(described.get("class_path") if isinstance(described, dict) else "").rpartition(".")[2]
    state = content.get(name)
    known = getattr(data, name, None) if name in data.__all__ else None
    names = state.get("class_names") if isinstance(state, dict) else getattr(known, "class_names", ())
    return [str(name) for name in names] if isinstance(names, (list, tuple)) else []


_GENERATORS = ("generator.", AVERAGE)


def _part(generator: nn.Module, kind: str) -> Any:
    """Return the part to describe in an error message: the generator, or for other parts their name."""
    return generator if kind == "generator" else kind
