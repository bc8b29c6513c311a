"""The checkpoint or generator that a user names: by a file, a run's folder, or the folder of an exported generator."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from fsspec.core import url_to_fs
from pytorch_lightning.utilities.rank_zero import rank_zero_info

from lit_gan._utils.arguments import expanded
from lit_gan._utils.checkpoint_file import Section, read_checkpoint
from lit_gan._utils.errors import LitGANError, MissingFileError
from lit_gan.sampling.export.exported_folder import DESCRIPTION, load_generator
from lit_gan.sampling.from_checkpoint import SavedGenerators, class_names, saved_generators
from lit_gan.training.checkpoint_io import newest_checkpoint

__all__ = ["Given", "checkpoint_at", "given_generators", "holds_generators", "is_exported"]


class Given(NamedTuple):
    """The generators that a user names, with what the file says of their classes."""

    saved: SavedGenerators
    class_names: list[str]
    """Name of each class; empty if the file does not say them."""


def is_exported(path: str) -> bool:
    """Return whether ``path`` is a folder that ``lit-gan export`` wrote."""
    return Path(expanded(path), DESCRIPTION).is_file()


def holds_generators(path: str) -> bool:
    """Return whether ``path`` is anything but a folder of pictures: a file, an exported folder, or one of a run."""
    files = url_to_fs(path)[0]
    return not files.isdir(path) or is_exported(path) or any(name.endswith(".ckpt") for name in files.find(path))


def checkpoint_at(path: str) -> str:
    """Return ``path``, or if it is a folder, the newest whole checkpoint in it and its folders, which is printed.

    Args:
        path: of a checkpoint, or of the folder of one run or of several; an address that fsspec can open is fine.

    Raises:
        FileNotFoundError: a folder without checkpoints.
        ValueError: an exported generator, or a folder of checkpoints none of which is whole.
    """
    path = expanded(path)
    if not path or not url_to_fs(path)[0].isdir(path):
        return path
    if is_exported(path):
        raise LitGANError(
            f"{path} is an exported generator, which has no discriminator and no optimizers: give a checkpoint "
            "(lit-gan sample and evaluate take this folder)"
        )
    found = newest_checkpoint(path)
    if found is None:
        raise MissingFileError(f"{path} is a folder and holds no checkpoint (.ckpt): give a file, or a run's folder")
    rank_zero_info(f"Checkpoint: {found}, the newest in {path}")
    return found


def given_generators(path: str, ema: bool = True) -> Given:
    """Return the generators of a checkpoint, of a run's newest checkpoint, or of an exported folder.

    Args:
        path: as for :func:`checkpoint_at`, or an exported folder.
        ema: whether the averaged generator is wanted, if there is one.

    Raises:
        FileNotFoundError: nothing at ``path``.
        ValueError: a damaged file, one that lit_gan did not write, or the raw generator of an export that holds the
            averaged one alone.
    """
    if not is_exported(path):
        checkpoint = read_checkpoint(checkpoint_at(path))
        return Given(saved_generators(checkpoint), class_names(checkpoint))
    folder = Path(expanded(path))
    trained, said = load_generator(folder), json.loads((folder / DESCRIPTION).read_bytes())
    averaged = said.get("ema") is True
    if averaged and not ema:
        raise LitGANError(f"{path} holds the averaged generator alone: leave ema=False out, or give the checkpoint")
    saved = SavedGenerators(
        generator=trained.network,
        ema_generator=trained.network if averaged else None,
        latent_dim=trained.latent_dim,
        latent=trained.latent,
        label_counts=trained.label_counts,
        images_seen=said.get("images_seen", 0),
    )
    return Given(saved, _names_of(said))


def _names_of(said: dict[str, Any]) -> list[str]:
    """Return the class names of an export's description; of one by an earlier version, those of lit_gan's own data."""
    names = said.get("class_names")
    return [*map(str, names)] if isinstance(names, list) else class_names({Section.DATA: said.get("recorded_data")})
