"""Checked features of samples, by a network in evaluation mode and full float32."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from lit_gan._utils.errors import LitGANError
from lit_gan._utils.modes import evaluating

__all__ = ["check_width", "checked", "features_of", "fingerprint", "full_float32", "keeping_types"]


def features_of(samples: Tensor, network: nn.Module | None) -> Tensor:
    """Return checked features ``(N, D)``: the samples themselves, or the output of ``network``.

    Args:
        samples: input of ``network``; features ``(N, D)``, float, if it is None.
        network: called in evaluation mode, without gradients, on its own device.

    Raises:
        ValueError: as for :func:`checked`.
    """
    if network is None:
        return checked(samples.detach(), len(samples), None)
    device = next(chain(network.parameters(), network.buffers(), [samples])).device
    with torch.no_grad(), evaluating(network), full_float32(device.type):
        return checked(network(samples.to(device)), len(samples), network)


def checked(features: Any, n: int, network: nn.Module | None) -> Tensor:
    """Return ``features`` unchanged if they are float ``(n, D)`` and finite; otherwise raise.

    Args:
        features: features to check.
        n: number of samples they are of.
        network: network that made them, named in the error; None if the caller gave features.

    Raises:
        ValueError: features that are not float ``(n, D)``, or not finite.
    """
    who = "samples" if network is None else f"{type(network).__name__}'s features"
    way_out = "give features (N, D), float, or feature=, a network that makes them of the samples"
    if network is not None:
        way_out = "it must return (N, D), float, a row for each sample"
    if not isinstance(features, Tensor):
        raise LitGANError(f"{who} are a {type(features).__name__}: {way_out}")
    if features.ndim != 2 or len(features) != n or not features.is_floating_point():
        raise LitGANError(
            f"{who} are {features.dtype} of shape {tuple(features.shape)} for {n} samples: {way_out}".replace(
                "torch.", ""
            )
        )
    if not (finite := features.isfinite()).all():
        broken = int((~finite).any(1).sum())
        raise LitGANError(
            f"{who} are NaN or infinite in {broken} of {n} rows: leave such samples out, or mend the network"
        )
    return features


def check_width(features: Tensor, before: int) -> None:
    """Raise a ValueError if features ``(N, D)`` have another D than ``before``, that of earlier ones; 0 for none."""
    if before and features.shape[1] != before:
        raise LitGANError(
            f"samples of {features.shape[1]} features after others of {before}: real and generated ones must go "
            "through one extractor"
        )


@contextmanager
def full_float32(device_type: str) -> Iterator[None]:
    """Run a block with float32 as the default type, without autocast, and without TF32 or bfloat16 in its products.

    torch may multiply float32 in TF32 on a GPU, and does so in convolutions unless told otherwise; features would then
    depend on the device and on the batch. If both its old and its new settings of precision are in use, reading
    them fails, and they are left unchanged.
    """
    default, precision, tf32 = torch.get_default_dtype(), None, None
    with suppress(RuntimeError):
        precision, tf32 = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    try:
        torch.set_default_dtype(torch.float32)
        if precision is not None and tf32 is not None:
            torch.set_float32_matmul_precision("highest")
            torch.backends.cudnn.allow_tf32 = False
        with torch.autocast(device_type, enabled=False):
            yield
    finally:
        torch.set_default_dtype(default)
        if precision is not None and tf32 is not None:
            torch.set_float32_matmul_precision(precision)
            torch.backends.cudnn.allow_tf32 = tf32


def keeping_types(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Return ``function``, by which ``nn.Module._apply`` moves or casts a module, without its changes of types.

    float64 tensors stay on their device if the rest moves to an MPS device, which lacks float64.
    """

    def moved(tensor: Tensor) -> Tensor:
        if tensor.dtype == torch.float64:
            device = function(torch.empty(0, device=tensor.device)).device
            return tensor if device.type == "mps" else tensor.to(device)
        result = function(tensor)
        return result if result.dtype == tensor.dtype else tensor.to(result.device)

    return moved


def fingerprint(network: nn.Module) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a network's parameters and buffers, with their names."""
    digest = sha256()
    for name, tensor in network.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]
