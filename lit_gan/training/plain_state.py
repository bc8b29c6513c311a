"""The check before training that a checkpoint will hold tensors and plain data alone, and hyper-parameters as such."""

from collections import OrderedDict
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningDataModule, LightningModule, Trainer
from torch import Tensor, nn

from lit_gan._utils.arguments import shown
from lit_gan._utils.errors import LitGANTypeError
from lit_gan.training.checkpoint_io import PlainCheckpointIO
from lit_gan.training.lightning_compat import checkpoint_content

__all__ = ["check_checkpoint", "objects_in", "write_paths_as_text"]

_PLAIN = (type(None), bool, int, float, complex, str, bytes, Tensor, nn.Parameter)


def check_checkpoint(trainer: Trainer) -> None:
    """Refuse a run whose checkpoints would hold an object, which is not read back from a file; every process must call.

    Raises:
        TypeError: the state of a callback or data module, or a hyper-parameter, is not a tensor or plain data.
    """
    if not trainer.checkpoint_callbacks or not isinstance(trainer.strategy.checkpoint_io, PlainCheckpointIO):
        return
    try:
        content = checkpoint_content(trainer)
    except Exception:  # a state that is there only after the first batch
        return
    for place, value in objects_in(content, "checkpoint"):
        raise LitGANTypeError(
            f"{place} would be {shown(value)}, and a checkpoint holds tensors and plain data alone: let the state_dict "
            "of callbacks and data modules return these, and save_hyperparameters(ignore=[...]) leave the rest out"
        )


def objects_in(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Yield what ``torch.load(weights_only=True)`` refuses in ``value``, each with its place as in code."""
    if type(value) in (dict, OrderedDict):
        for key, part in value.items():
            yield from objects_in(part, f"{place}[{key!r}]")
    elif type(value) in (list, tuple):
        for i, part in enumerate(value):
            yield from objects_in(part, f"{place}[{i}]")
    elif type(value) not in _PLAIN and not _comes_back(value):
        yield place, value


def _comes_back(value: Any) -> bool:
    file = BytesIO()
    try:
        torch.save(value, file)
        file.seek(0)
        torch.load(file, weights_only=True)
    except Exception:  # pickle raises errors of many types
        return False
    return True


def write_paths_as_text(checkpoint: dict[str, Any]) -> None:
    """Replace paths by text, and NumPy's numbers by Python's, in the hyper-parameters in a checkpoint."""
    for owner in (LightningModule, LightningDataModule):
        if owner.CHECKPOINT_HYPER_PARAMS_KEY in checkpoint:
            kept = checkpoint[owner.CHECKPOINT_HYPER_PARAMS_KEY]
            checkpoint[owner.CHECKPOINT_HYPER_PARAMS_KEY] = _as_plain(kept)


def _as_plain(value: Any) -> Any:
    if type(value) is dict:
        return {key: _as_plain(part) for key, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_as_plain(part) for part in value)
    if isinstance(value, np.generic):
        return value.item()
    return str(value) if isinstance(value, Path) else value
