"""Detection of NaN and infinity in losses and gradients, to stop the run or skip the turn."""

import math
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Literal

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from torch import Tensor, nn

from lit_gan._utils.errors import NonFiniteError
from lit_gan.penalties import Player
from lit_gan.training.buffers import BufferSnapshot, buffers_of
from lit_gan.training.checkpoint_io import saves_on_error
from lit_gan.training.lightning_compat import scales_gradients
from lit_gan.training.players import Players

__all__ = ["NonFinite", "NonFiniteGuard", "first_bad_layer"]

NonFinite = Literal["stop", "skip"]

_CHECK_EVERY_TURNS = 50  # turns between two reads, on a device that a read would stall
_MAX_SKIPPED_TURNS = 20  # of one player in succession


@dataclass(frozen=True)
class _Numbers:
    """The numbers of a turn to check: ``values`` is its loss, then NaN for each gradient that is not finite, else 0."""

    player: Player
    turn: int
    last_good: int
    parameters: list[nn.Parameter]
    values: Tensor


class NonFiniteGuard:
    """A check of the loss and of each parameter's gradient in each turn, for NaN and infinity.

    Reading a number stalls a GPU. With ``"stop"`` a GPU's numbers are kept, and read together every 50 turns and before
    a log or a checkpoint is written; the error still names the first turn that was not finite. With ``"skip"``, and on
    a CPU, they are read in each turn.

    Args:
        policy: ``"stop"`` raises an error if a number is not finite, ``"skip"`` skips the turn with a warning.
        players: whose turns are checked.
        trainer: of the run.
    """

    def __init__(self, policy: NonFinite, players: Players, trainer: Trainer) -> None:
        self.policy, self.players, self.trainer = policy, players, trainer
        self.scaled = scales_gradients(trainer)
        self.defers = trainer.strategy.root_device.type != "cpu" and policy == "stop"
        self._keeps_buffers = policy == "skip" or saves_on_error(trainer)
        self._unread: list[_Numbers] = []
        self._skipped: dict[Player, int] = {"generator": 0, "discriminator": 0}

    def snapshot(self, player: Player) -> BufferSnapshot:
        """Return a copy of the buffers to restore if a turn of ``player`` is not played to its end.

        It is empty if no turn is skipped, and no checkpoint written after an error.
        """
        return BufferSnapshot(*(self.players.modules_of(player) if self._keeps_buffers else ()))

    def passes(
        self, player: Player, turn: int, loss: Tensor, parameters: list[nn.Parameter], again: Callable[[], Any]
    ) -> bool:
        """Tell whether the numbers of a turn are finite; True if they are read later.

        Args:
            player: whose turn it is.
            turn: number of the discriminator's turns so far.
            loss: with penalties, a scalar.
            parameters: of the player, with their gradients.
            again: runs the turn's forward pass once more, to find the first layer whose output is not finite.

        Raises:
            FloatingPointError: a number is not finite and the policy is ``"stop"``, or 20 turns of a player were
                skipped in succession.
        """
        if self.scaled and self.policy == "skip":
            return self._statistics_are_finite(player, turn)
        numbers = self._numbers(player, turn, loss, parameters)
        if self.defers:
            self._unread.append(numbers)
            if len(self._unread) >= _CHECK_EVERY_TURNS:
                self.read()
        elif not numbers.values.isfinite().all():
            alone = self.trainer.world_size == 1  # else a layer may wait for other processes
            self._report(
                numbers, first_bad_layer(self.players.networks, again) if alone and not loss.isfinite() else None
            )
            return False
        else:
            self._skipped[player] = 0
        return True

    def _statistics_are_finite(self, player: Player, turn: int) -> bool:
        """Check a player's buffers, which float16's scaler does not; unlike a loss they are equal on all processes."""
        finite = all(bool(buffer.isfinite().all()) for buffer in buffers_of(self.players.modules_of(player)))
        if not finite:
            rank_zero_warn(f"the {player}'s buffers are not finite in its turn {turn}: they are put back")
        return finite

    def read(self) -> None:
        """Check the numbers that were not read yet; raise a FloatingPointError as :meth:`passes` does."""
        unread, self._unread = self._unread, []
        if unread and not torch.cat([numbers.values for numbers in unread]).isfinite().all():
            self._report(next(numbers for numbers in unread if not numbers.values.isfinite().all()), None)

    def _numbers(self, player: Player, turn: int, loss: Tensor, parameters: list[nn.Parameter]) -> _Numbers:
        # With float16's scaler gradients are infinite now and then; it skips these updates itself.
        parameters = [] if self.scaled else [p for p in parameters if p.grad is not None]
        gradients = [p.grad for p in parameters if p.grad is not None]
        # 0 · x is NaN if x is NaN or infinite, else 0; the norm of x overflows for large finite x.
        bad = torch._foreach_norm(torch._foreach_mul(gradients, 0)) if gradients else ()
        values = torch.stack([loss.detach(), *bad])
        return _Numbers(player, turn, self.trainer.global_step, parameters, values)

    def _report(self, numbers: _Numbers, layer: str | None) -> None:
        """Raise an error or, if the turn is skipped, warn."""
        report = (
            f"{self._cause(numbers, layer)} in the {numbers.player}'s turn {numbers.turn}; the last good step is "
            f"generator update {numbers.last_good}"
        )
        if self.policy == "stop":
            raise NonFiniteError(
                f"{report}: lower the learning rate, set gradient_clip, or LitGAN(on_non_finite='skip')"
            )
        self._skipped[numbers.player] += 1
        if self._skipped[numbers.player] >= _MAX_SKIPPED_TURNS:
            raise NonFiniteError(
                f"{report}, and {_MAX_SKIPPED_TURNS} turns in succession were skipped: resume from a checkpoint with a "
                "lower learning rate or gradient_clip"
            )
        rank_zero_warn(f"{report}; the turn is skipped")

    def _cause(self, numbers: _Numbers, layer: str | None) -> str:
        loss, *gradients = numbers.values.tolist()
        if not math.isfinite(loss):
            return f"the loss is {loss}" + (f", first seen in the output of {layer}," if layer else "")
        own = {id(p): name for name, p in self.players.networks[numbers.player].named_parameters()}
        names = {id(p): name for name, p in self.trainer.lightning_module.named_parameters()} | own
        bad = [names[id(p)] for p, g in zip(numbers.parameters, gradients, strict=True) if not math.isfinite(g)]
        others = f" and {len(bad) - 1} layers before it" if len(bad) > 1 else ""
        return f"the gradient of {bad[-1]}{others} is not finite"


@torch.no_grad()
def first_bad_layer(networks: Mapping[Player, nn.Module], again: Callable[[], Any]) -> str | None:
    """Return the first module whose output is not finite while ``again()`` runs, or None if all are finite.

    It is named as in ``"discriminator.net.2 (Conv2d)"``. Buffers and the CPU's random state are restored.
    """
    found: list[str] = []

    def look(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            if not found and isinstance(output, Tensor) and not output.isfinite().all():
                found.append(f"{name} ({type(module).__name__})")

        return hook

    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=[]))
        for player, network in networks.items():
            stack.callback(BufferSnapshot(network).restore)
            for name, module in network.named_modules(prefix=player):
                if not list(module.children()):
                    stack.callback(module.register_forward_hook(look(name)).remove)
        again()
    return found[0] if found else None
