"""Conversion of half-precision tensors to float32, for results that 16 bits would round too much."""

import torch
from torch import Tensor

__all__ = ["at_least_float32"]


def at_least_float32(x: Tensor) -> Tensor:
    """Return ``x`` as float32 if it is in half precision, else unchanged."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
