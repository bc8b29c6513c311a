"""Loaders with a state of their own are resumed after the last batch that was trained, not the last that was read."""

import pytest

from lit_gan.training.stateful_loader import StatefulLoader


class Numbers:
    """A stream of numbers with a state, without a length."""

    def __init__(self, n=5):
        self.n, self.at, self.passes = n, 0, 0

    def __iter__(self):
        while self.at < self.n:
            self.at += 1
            yield self.at
        self.at, self.passes = 0, self.passes + 1

    def state_dict(self):
        return {"at": self.at, "passes": self.passes}

    def load_state_dict(self, state):
        self.at, self.passes = state["at"], state["passes"]


class Sized(Numbers):
    def __len__(self):
        return self.n


@pytest.mark.parametrize("ahead", [0, 1])
@pytest.mark.parametrize("trained", range(6))
def test_the_state_is_that_of_the_trained_batches(trained, ahead):
    counts = [10, False]  # of an epoch that begins after ten batches
    loader = StatefulLoader(Numbers(), lambda: tuple(counts))
    batches = iter(loader)
    read = [next(batches, None) for _ in range(trained + ahead)]
    counts[:] = [10 + trained, trained == 5]
    state = loader.state_dict()
    assert state == ({"at": 0, "passes": 1} if trained == 5 else {"at": trained, "passes": 0})
    again = StatefulLoader(Numbers(), lambda: tuple(counts))
    again.load_state_dict(state)
    assert (read[:trained] + list(again))[:5] == [1, 2, 3, 4, 5]


def test_all_else_is_the_loaders():
    loader = StatefulLoader(Sized(7), lambda: (0, False))
    assert (len(loader), loader.n, loader.at) == (7, 7, 0)
    with pytest.raises(TypeError):
        len(StatefulLoader(Numbers(), lambda: (0, False)))
