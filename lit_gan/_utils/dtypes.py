"""What must not be rounded to 16 bits."""

import torch
from torch import Tensor

__all__ = ["at_least_float32"]


def at_least_float32(x: Tensor) -> Tensor:
    """Return ``x`` in float32 where it is in half precision, and as it is otherwise."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
