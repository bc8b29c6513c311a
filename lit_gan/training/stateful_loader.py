"""Loaders with a state of their own, whose state is saved as of the batches that were trained."""

from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["StatefulLoader"]

_KEPT = 3  # states: Lightning reads one batch ahead, and a batch that is not done comes again


class StatefulLoader:
    """A loader with ``state_dict``, whose state is saved as it was after the last batch that was trained.

    Lightning reads a batch ahead from a loader without a length, so that the loader's own state is that of a batch
    which was not trained yet, and which a resumed run would leave out. All else is passed on to the loader.

    Args:
        loader: has ``state_dict`` and ``load_state_dict``.
        trained: returns how many batches were trained, over all epochs, and whether the last one ended its epoch.
    """

    def __init__(self, loader: Any, trained: Callable[[], tuple[int, bool]]) -> None:
        self.loader, self._trained = loader, trained
        self._states: dict[int, Any] = {}  # of the loader, by the number of batches that were read
        self._batches: Iterator[Any] = iter(())

    def __iter__(self) -> Iterator[Any]:
        number, _ = self._trained()
        self._batches = iter(self.loader)
        self._states = {number: self.loader.state_dict()}
        for batch in self._batches:
            number += 1
            self._states[number] = self.loader.state_dict()
            self._states.pop(number - _KEPT, None)
            yield batch
        self._states[number] = self.loader.state_dict()

    def state_dict(self) -> Any:
        """Return the loader's state after the last batch that was trained."""
        number, ended = self._trained()
        if ended and number == max(self._states, default=0):
            next(self._batches, None)  # at the end of an iteration many loaders set their state for the next one
            self._states[number] = self.loader.state_dict()
        return self._states[number] if number in self._states else self.loader.state_dict()

    def load_state_dict(self, state: Any) -> None:
        """Restore the loader's state."""
        self._states = {}
        self.loader.load_state_dict(state)

    def __len__(self) -> int:
        return len(self.loader)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)
