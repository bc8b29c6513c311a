"""Comparison of the classes of training data with those that the networks take."""

from typing import Any

from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from torch import Tensor

from lit_gan._utils.errors import LitGANError
from lit_gan.data.names import some

__all__ = ["compare_classes"]


def compare_classes(labels: Tensor, model: Any, asked: bool) -> None:
    """Warn of classes that neither network takes, and of classes of a network without a training image.

    Args:
        labels: of all training images, whole numbers ``(N,)``.
        model: a LitGAN, or any other model, which is not looked at.
        asked: whether the user asked for classes; if not, networks need not take them.

    Raises:
        ValueError: a label that a network has no class for.
    """
    modes: dict[str, str] = getattr(model, "condition_modes", {})
    taking = [player for player, mode in modes.items() if mode != "not at all"]
    there = labels.unique().tolist()
    if modes and asked and not taking:
        rank_zero_warn(
            f"the data have {len(there)} classes, and neither network takes them: give both num_classes={len(there)}, "
            "or leave the classes out"
        )
    known = {getattr(getattr(model, player), "num_classes", None): player for player in reversed(taking)}
    for classes, player in known.items():
        if classes is not None:
            _compare(there, classes, player)


def _compare(there: list[int], classes: int, player: str) -> None:
    if there[0] < 0 or there[-1] >= classes:
        raise LitGANError(
            f"labels lie in [{there[0]}, {there[-1]}], the {player} has num_classes={classes}: "
            f"set num_classes={there[-1] + 1}"
        )
    if missing := sorted(set(range(classes)) - set(there)):
        rank_zero_warn(
            f"the {player} has num_classes={classes}, and there are no training images of "
            f"{some(map(str, missing), len(missing))}: they will not be learned"
        )
