"""Several devices, a process each: all start equal, and each turn averages what its player has learned.

DistributedDataParallel serves one loss. Here two players take turns, so LitGAN sends the active player's gradients
itself: half the traffic, and no search for unused parameters.
"""

from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

__all__ = ["all_reduce_sum", "average_gradients", "destroy_process_group", "gather", "gather_rows", "start_equal"]


@torch.no_grad()
def start_equal(model: nn.Module) -> None:
    """Give every process the parameters and buffers of the first one."""
    for tensor in (*model.parameters(), *model.buffers()):
        dist.broadcast(tensor, src=0)


@torch.no_grad()
def average_gradients(parameters: Iterable[nn.Parameter], buffers: Iterable[Tensor], loss: Tensor) -> None:
    """Average gradients and float buffers over all processes, as one message for each type of number.

    Every process sends every parameter that is trained, zeros where there is no gradient: messages of different
    lengths would hang.

    Args:
        parameters: of the player whose turn it is; their gradients are there.
        buffers: that it changed.
        loss: a scalar; where it is not finite on one process, no process gets finite gradients.
    """
    by_type: dict[torch.dtype, list[Tensor]] = {}
    for parameter in parameters:
        if parameter.requires_grad:
            parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            by_type.setdefault(parameter.grad.dtype, []).append(parameter.grad)
    for buffer in buffers:
        if buffer.is_floating_point():
            by_type.setdefault(buffer.dtype, []).append(buffer)
    for tensors in by_type.values():
        message = torch.cat([tensor.reshape(-1) for tensor in tensors]).div_(dist.get_world_size())
        message[:1] += 0 * loss  # 0, or NaN
        dist.all_reduce(message)
        parts = message.split([tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))


def destroy_process_group() -> None:
    """End the group of processes: gloo's threads abort, now and then, a process that ends before they do."""
    if dist.is_initialized():
        dist.destroy_process_group()


def _several() -> bool:
    return dist.is_initialized() and dist.get_world_size() > 1


def gather(value: Any) -> list[Any]:
    """Return the ``value`` of every process, in the order of their ranks."""
    if not _several():
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def all_reduce_sum(value: Tensor) -> Tensor:
    """Return the sum of ``value`` over all processes."""
    if _several():
        value = value.clone()
        dist.all_reduce(value)
    return value


def gather_rows(rows: Tensor) -> Tensor:
    """Return the rows of every process in the order in which samples are dealt: one to each in turn."""
    parts = gather(rows.cpu())
    order = torch.cat([torch.arange(len(part)) * len(parts) + rank for rank, part in enumerate(parts)]).argsort()
    return torch.cat(parts)[order].to(rows.device)
