"""One player's turn on one batch: its inputs, the forward pass of both networks, the loss with penalties."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from pytorch_lightning import LightningModule
from torch import Tensor
from torch.optim import Optimizer

from lit_gan._utils.errors import LitGANTypeError
from lit_gan.penalties import Penalty, Player, Turn
from lit_gan.training.buffers import BufferSnapshot
from lit_gan.training.players import Players

__all__ = [
    "SharedFakes",
    "TurnInputs",
    "add_penalties",
    "add_terms",
    "clip",
    "run_networks",
    "split_micro_batches",
    "turn_precision",
]


class SharedFakes(NamedTuple):
    """Generated images that both turns of a training step use (``share_fakes``)."""

    z: Tensor
    images: Tensor
    """With the graph back to the generator's weights."""
    before: BufferSnapshot
    """The generator's buffers before it drew the images, if a turn may be skipped."""


class TurnInputs(NamedTuple):
    """The inputs of a player's turn: real images, their labels, latents, and shared fakes if there are any."""

    real: Tensor
    labels: Tensor | None
    z: Tensor
    shared: SharedFakes | None = None


def split_micro_batches(parts: int, inputs: TurnInputs) -> Iterator[tuple[float, TurnInputs]]:
    """Yield (share of the whole batch, in (0, 1]; micro-batch).

    Args:
        parts: number of micro-batches; reduced to the number of images if that is less.
        inputs: of the whole batch.
    """
    real, labels, z, shared = inputs
    parts = min(parts, len(real))
    label_parts = [None] * parts if labels is None else labels.tensor_split(parts)
    for part, y, latents in zip(real.tensor_split(parts), label_parts, z.tensor_split(parts), strict=True):
        yield len(part) / len(real), TurnInputs(part, y, latents, shared)


def run_networks(
    players: Players, player: Player, inputs: TurnInputs, *, penalised: bool, needs_real: bool, images_seen: int
) -> Turn:
    """Run both networks for one player's turn, and return its record.

    No graph is kept to the generator in the discriminator's turn, nor from the logits of real images in the
    generator's.

    Args:
        players: both.
        player: whose turn it is.
        inputs: of the turn.
        penalised: whether penalties will differentiate with respect to the images, or to z in the generator's turn.
        needs_real: whether the generator's loss takes the logits of real images.
        images_seen: so far, for the schedules of penalties.
    """
    generating, (real, labels, z, shared) = player == "generator", inputs
    if shared is None:
        z = z.detach().requires_grad_(generating and penalised)
        with torch.set_grad_enabled(generating):
            fake = players.generate(z, labels)
    else:
        z, fake = shared.z, shared.images if generating else shared.images.detach()
    if penalised and not generating:
        real, fake = real.detach().requires_grad_(), fake.detach().requires_grad_()
    real_logits = None
    if not generating or needs_real:
        with torch.set_grad_enabled(not generating):
            real_logits = players.judge_augmented(real, labels)
    fake_logits = players.judge_augmented(fake, labels)
    judge, networks = players.judge_augmented, (players.generator, players.discriminator)
    return Turn(real, fake, z, labels, real_logits, fake_logits, judge, images_seen, *networks)


def add_penalties(
    player: Player, turn: Turn, game: Tensor, due: Mapping[str, Penalty]
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return a player's loss, the game's plus ``every`` times each penalty that is due, and its terms by log key.

    Args:
        player: whose turn it is.
        turn: the record of its networks' run.
        game: the player's loss without penalties, a scalar.
        due: the penalties of this turn, by name.

    Raises:
        TypeError: the loss or a penalty is not a scalar tensor.
    """
    loss, terms = game, {f"loss/{player[0]}": game}
    _check_scalar(f"the {player}'s loss", game)
    for name, penalty in due.items():
        terms[f"penalty/{name}"] = penalty(turn)
        _check_scalar(f"penalties[{name!r}]", terms[f"penalty/{name}"])
        loss = loss + penalty.every * terms[f"penalty/{name}"]
    if player == "discriminator" and turn.real_logits is not None:
        terms |= {"logits/real": turn.real_logits.mean(), "logits/fake": turn.fake_logits.mean()}
    return loss, terms


def _check_scalar(name: str, value: object) -> None:
    if not isinstance(value, Tensor) or value.numel() != 1:
        what = f"of shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
        raise LitGANTypeError(f"{name} is {what}: return a scalar tensor, the mean over the batch")


def add_terms(means: dict[str, Tensor], share: float, terms: Mapping[str, Tensor]) -> None:
    """Add the terms of a micro-batch, weighted by its ``share`` of the batch, to the batch's means, by name."""
    for name, term in terms.items():
        means[name] = means.get(name, 0) + share * term.detach()


def clip(module: LightningModule, optimizer: Optimizer, limit: float) -> None:
    """Clip an optimizer's gradients to the L2 norm ``limit`` by Lightning, also finite ones whose norm overflows.

    Torch would clip these to 0.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    gradients = [p.grad for p in parameters if p.grad is not None and p.grad.numel()]
    norm = torch.stack(torch._foreach_norm(gradients)).norm() if gradients else torch.zeros(())
    if norm.device.type != "cpu" or norm.isinf():  # elsewhere without a look at the norm, for which a GPU would wait
        largest = torch.stack([gradient.abs().max() for gradient in gradients]).max()
        torch._foreach_mul_(gradients, torch.where(norm.isinf(), limit / largest, 1.0))
    module.clip_gradients(optimizer, limit, "norm")


def turn_precision(device: str, penalised: bool) -> AbstractContextManager[Any]:
    """Return a context that turns float16 autocast off if a penalty is due, whose gradients could under- or overflow.

    Args:
        device: type of the device, ``"cuda"`` for instance.
        penalised: whether a penalty is due.
    """
    half = torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) == torch.float16
    return torch.autocast(device, enabled=False) if penalised and half else nullcontext()
