"""Context manager for evaluation mode."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

__all__ = ["evaluating"]


@contextmanager
def evaluating(*networks: nn.Module) -> Iterator[None]:
    """Set ``networks`` to evaluation mode within the context, then restore the mode of each of their modules."""
    modes = [(module, module.training) for network in networks for module in network.modules()]
    for network in networks:
        network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
