"""Buffers, batch norm's statistics for instance: what a forward pass in training mode changes beside the gradients."""

from collections.abc import Iterable

from torch import Tensor, nn

__all__ = ["Kept", "buffers_of"]


def buffers_of(networks: Iterable[nn.Module]) -> list[Tensor]:
    """Return the buffers of all ``networks``, in order."""
    return [buffer for network in networks for buffer in network.buffers()]


class Kept:
    """The buffers of some networks as they are now.

    Args:
        networks: whose buffers are copied.
    """

    def __init__(self, *networks: nn.Module) -> None:
        self._networks = networks
        self._copies = [buffer.clone() for buffer in buffers_of(networks)]

    def put_back(self) -> None:
        """Give the networks these values again, behind autograd's back: a graph that was built at them stays valid."""
        for buffer, copy in zip(buffers_of(self._networks), self._copies, strict=True):
            buffer.data.copy_(copy)
