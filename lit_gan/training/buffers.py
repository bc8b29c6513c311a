"""Snapshots of buffers (batch norm's statistics, for instance), which a forward pass in training mode changes."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn

__all__ = ["BufferSnapshot", "buffers_of"]


def buffers_of(networks: Iterable[nn.Module]) -> list[Tensor]:
    """Return the buffers of all ``networks``, in order."""
    return [buffer for network in networks for buffer in network.buffers()]


class BufferSnapshot:
    """A copy of the buffers of some networks.

    Args:
        networks: modules whose buffers are copied.
    """

    def __init__(self, *networks: nn.Module) -> None:
        self._networks = networks
        self._copies = [buffer.clone() for buffer in buffers_of(networks)]

    def restore(self) -> None:
        """Restore the buffers in place through ``.data``, so that graphs built at these values stay valid."""
        for buffer, copy in zip(buffers_of(self._networks), self._copies, strict=True):
            buffer.data.copy_(copy)

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Restore the buffers on leaving the context."""
        try:
            yield
        finally:
            self.restore()

    @contextmanager
    def restored_on_error(self) -> Iterator[None]:
        """Restore the buffers if an exception leaves the context."""
        try:
            yield
        except BaseException:
            self.restore()
            raise
