"""Communication between processes, one for each device: equal networks at the start, gradients averaged each turn.

DistributedDataParallel supports one loss. Here two players take turns, so LitGAN itself averages the gradients of the
active player: half the traffic, and no search for unused parameters.
"""

from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist
from pytorch_lightning.strategies import DDPStrategy, SingleDeviceStrategy, Strategy
from torch import Tensor, nn

from lit_gan._utils.errors import LitGANError
from lit_gan.training.lightning_compat import averages_gradients_itself

__all__ = [
    "all_reduce_sum",
    "average_gradients",
    "check_strategy",
    "destroy_process_group",
    "gather",
    "gather_rows",
    "start_equal",
]


@torch.no_grad()
def start_equal(model: nn.Module) -> None:
    """Broadcast the parameters and buffers of the first process to all others."""
    for tensor in (*model.parameters(), *model.buffers()):
        dist.broadcast(tensor, src=0)


@torch.no_grad()
def average_gradients(parameters: Iterable[nn.Parameter], buffers: Iterable[Tensor], loss: Tensor) -> None:
    """Average gradients and float buffers over all processes in place, by one all-reduce for each dtype.

    Every process sends the gradient of every parameter that requires one, zeros if it is None: messages of different
    lengths would hang.

    Args:
        parameters: of the player whose turn it is, after its backward pass.
        buffers: of the modules that belong to this player.
        loss: of this process, a scalar; if it is not finite on one process, the gradients are not finite on any.
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
        message[:1] += 0 * loss  # adds 0, or NaN if the loss is not finite
        dist.all_reduce(message)
        parts = message.split([tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))


def destroy_process_group() -> None:
    """Destroy the process group, if there is one: gloo's threads may abort a process that exits before them."""
    if dist.is_initialized():
        dist.destroy_process_group()


def _is_distributed() -> bool:
    return dist.is_initialized() and dist.get_world_size() > 1


def gather(value: Any) -> list[Any]:
    """Return the ``value`` of every process, in the order of ranks; every process must call this."""
    if not _is_distributed():
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def all_reduce_sum(value: Tensor) -> Tensor:
    """Return the sum of ``value`` over all processes; every process must call this."""
    if _is_distributed():
        value = value.clone()
        dist.all_reduce(value)
    return value


def gather_rows(rows: Tensor) -> Tensor:
    """Return the rows of all processes in the order of the samples, which are dealt to the ranks one by one."""
    parts = gather(rows.cpu())
    order = torch.cat([torch.arange(len(part)) * len(parts) + rank for rank, part in enumerate(parts)]).argsort()
    return torch.cat(parts)[order].to(rows.device)


def check_strategy(strategy: Strategy) -> None:
    """Refuse strategies other than one device or plain DDP, and DDP options that LitGAN's averaging would ignore."""
    if isinstance(strategy, SingleDeviceStrategy):
        return
    name = type(strategy).__name__
    if type(strategy) is not DDPStrategy:
        raise LitGANError(
            f"{name} wraps the model for one optimizer and one backward pass, and a GAN has two of each: take "
            'Trainer(strategy="ddp"), in which each device holds both networks'
        )
    if averages_gradients_itself(strategy):
        raise LitGANError(
            f"{name}: LitGAN averages gradients itself, so ddp_comm_hook and model_averaging_period would do nothing: "
            'take Trainer(strategy="ddp")'
        )
