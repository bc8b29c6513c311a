"""Work in numbered blocks, done by all processes in turn and met by the first one in order."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import torch.distributed as dist

from lit_gan._utils.errors import LitGANRuntimeError
from lit_gan.training.distributed import gather

__all__ = ["BLOCK", "in_order", "on_first"]

BLOCK = 256
"""Samples in a block: its number alone decides what it holds, at any batch size and number of processes."""

T = TypeVar("T")


def in_order(n: int, make: Callable[[int], T], meet: Callable[[T], object]) -> None:
    """Have the first process meet ``make(0)``, ``make(1)``, … in order, each made by one of the processes.

    Args:
        n: samples, ≥ 0; the numbers are those of their blocks.
        make: takes the number of a block.
        meet: takes what ``make`` returns, on the first process.

    Raises:
        RuntimeError: another process failed; the one that did raises its own error. No process waits for it.
    """
    rank, world_size = _rank(), _world_size()
    blocks = -(-n // BLOCK)
    for start in range(0, blocks, world_size):
        mine = start + rank
        made = _attempted(partial(make, mine) if mine < blocks else lambda: None)
        on_first(partial(_meet_all, meet, made[: blocks - start]))


def _meet_all(meet: Callable[[Any], object], parts: list[Any]) -> None:
    for part in parts:
        meet(part)


def on_first(make: Callable[[], T]) -> T:
    """Return what ``make`` returns on the first process, on every process; where it fails, every one fails."""
    first: T = _attempted(make if _rank() == 0 else lambda: None)[0]
    return first


def _attempted(make: Callable[[], Any]) -> list[Any]:
    """Return what ``make`` returns on every process, or raise on every one where one fails."""
    value, failure = None, None
    try:
        value = make()
    except Exception as error:
        failure = error
    results = gather((value, None if failure is None else f"{type(failure).__name__}: {failure}"))
    if failure is not None:
        raise failure
    for rank, (_, sentence) in enumerate(results):
        if sentence is not None:
            raise LitGANRuntimeError(f"process {rank} failed to evaluate: {sentence}")
    return [value for value, _ in results]


def _rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def _world_size() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1
