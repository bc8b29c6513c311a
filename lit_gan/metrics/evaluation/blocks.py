"""Numbered blocks of samples, computed by all processes and consumed by rank 0 in order."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import torch.distributed as dist

from lit_gan._utils.errors import LitGANRuntimeError
from lit_gan.training.distributed import gather

__all__ = ["BLOCK", "in_order", "on_first"]

BLOCK = 256
"""Samples in a block; the block's number alone decides which, at any batch size and number of processes."""

T = TypeVar("T")


def in_order(n: int, make: Callable[[int], T], meet: Callable[[T], object]) -> None:
    """Compute ``make(0)``, ``make(1)``, … on all processes in turn, and pass them in order to ``meet`` on rank 0.

    Args:
        n: number of samples, ≥ 0, in blocks numbered from 0.
        make: takes the number of a block, on one process, and returns its result.
        meet: takes each result, on rank 0.

    Raises:
        RuntimeError: another process failed; the one that did raises its own error. No process waits for it.
    """
    rank, world_size = _rank(), _world_size()
    blocks = -(-n // BLOCK)
    for start in range(0, blocks, world_size):
        mine = start + rank
        made = _attempted(partial(make, mine) if mine < blocks else lambda: None)
        on_first(partial(_consume, meet, made[: blocks - start]))


def _consume(meet: Callable[[Any], object], results: list[Any]) -> None:
    for result in results:
        meet(result)


def on_first(make: Callable[[], T]) -> T:
    """Run ``make`` on rank 0, and return its result on every process; if it fails, raise on every one."""
    first: T = _attempted(make if _rank() == 0 else lambda: None)[0]
    return first


def _attempted(make: Callable[[], Any]) -> list[Any]:
    """Run ``make`` on every process, and return all results by rank; if one fails, raise on every one."""
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
