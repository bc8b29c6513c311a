"""Batches in an order that a seed decides, dealt to processes, from any place in an epoch."""

import os
import random
import signal

import numpy as np
import pytest
import torch
from lightning_fabric.utilities.distributed import DistributedSamplerWrapper
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    get_worker_info,
)

from lit_gan._utils.errors import LitGANRuntimeError
from lit_gan.training.loader import ResumableLoader, is_replayable

N = 23
DATA = TensorDataset(torch.arange(N))


def batches(loader, epoch=0, first=0, rank=0, world_size=1, even=True, seed=1):
    loaded = ResumableLoader(loader, seed, lambda: (epoch, first), rank, world_size, even)
    result = [batch[0].tolist() for batch in loaded]
    assert len(loaded) == len(result) + first % len(loaded)
    return result


def flat(rows):
    return [x for row in rows for x in row]


SAMPLERS = {
    "in order": lambda: {},
    "shuffled": lambda: {"shuffle": True},
    "shuffled by a generator": lambda: {"shuffle": True, "generator": torch.Generator()},
    "drawn": lambda: {"sampler": RandomSampler(DATA, replacement=True, num_samples=15)},
    "weighted": lambda: {"sampler": WeightedRandomSampler(torch.arange(1.0, N), 20)},
    "subset": lambda: {"sampler": SubsetRandomSampler(range(3, 20))},
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_any_sampler_can_be_had_again_from_anywhere(name):
    whole = batches(DataLoader(DATA, 4, **SAMPLERS[name]()), epoch=2)
    state = torch.get_rng_state()
    for first in range(len(whole)):
        assert batches(DataLoader(DATA, 4, **SAMPLERS[name]()), epoch=2, first=first) == whole[first:]
    assert state.equal(torch.get_rng_state())
    assert (batches(DataLoader(DATA, 4, **SAMPLERS[name]()), epoch=3) == whole) == (name == "in order")
    assert (batches(DataLoader(DATA, 4, **SAMPLERS[name]()), epoch=2, seed=2) == whole) == (name == "in order")


@pytest.mark.parametrize("world_size", [2, 3, 4])
@pytest.mark.parametrize("drop_last", [False, True])
def test_processes_share_a_batch(world_size, drop_last):
    whole = batches(DataLoader(DATA, 12, shuffle=True, drop_last=drop_last))
    shares = [
        batches(DataLoader(DATA, 12 // world_size, shuffle=True, drop_last=drop_last), rank=rank, world_size=world_size)
        for rank in range(world_size)
    ]
    assert len({tuple(map(len, share)) for share in shares}) == 1
    for number, batch in enumerate(whole):
        dealt = [share[number] for share in shares]
        assert [x for row in zip(*dealt, strict=True) for x in row] == batch[: len(flat(dealt))]
        assert len(batch) - len(flat(dealt)) < world_size


@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize("batch_size", [1, 4, 30])
def test_every_sample_is_judged_once(world_size, batch_size):
    shares = [
        batches(DataLoader(DATA, batch_size), even=False, rank=r, world_size=world_size) for r in range(world_size)
    ]
    assert sorted(flat(flat(shares))) == list(range(N))


@pytest.mark.parametrize(("shuffle", "expected"), [(True, RandomSampler), (False, SequentialSampler)])
def test_a_sampler_for_several_devices_is_unwrapped(shuffle, expected):
    by_hand = DataLoader(DATA, 4, sampler=DistributedSampler(DATA, 2, 0, shuffle=shuffle))
    plain = DataLoader(DATA, 4, sampler=expected(DATA))
    wrapped = DataLoader(DATA, 4, sampler=DistributedSamplerWrapper(expected(DATA), num_replicas=2, rank=0))
    assert batches(by_hand, world_size=2) == batches(plain, world_size=2) == batches(wrapped, world_size=2)


class Backwards(DistributedSampler):
    """Deals in a way of its own."""

    def __iter__(self):
        return iter(list(super().__iter__())[::-1])


@pytest.mark.parametrize("rank", [0, 1])
def test_a_sampler_that_deals_itself_is_left_its_way(rank):
    """One of the user's own kind, and an ordinary one where the Trainer was told not to deal."""
    own = DataLoader(DATA, 4, sampler=Backwards(DATA, 2, rank, shuffle=False))
    assert flat(batches(own, rank=rank, world_size=2)) == list(own.sampler)
    ordinary = DataLoader(DATA, 4, sampler=DistributedSampler(DATA, 2, rank))
    first, second = (flat(batches(ordinary, epoch=epoch)) for epoch in (0, 1))
    assert first == list(DistributedSampler(DATA, 2, rank))
    assert first != second


class Noise(Dataset):
    """Random numbers of each kind, and what the worker knows."""

    offset = 0

    def __len__(self):
        return N

    def __getitem__(self, index):
        known = get_worker_info() is None or get_worker_info().dataset is self
        return torch.tensor([index + self.offset, torch.rand(()), random.random(), np.random.rand(), known])


def set_offset(worker):
    get_worker_info().dataset.offset = 100


def noise(workers, first=0, init=None):
    loader = DataLoader(Noise(), 4, shuffle=True, num_workers=workers, worker_init_fn=init)
    return torch.cat(list(ResumableLoader(loader, 1, lambda: (1, first), 0, 1, True)))


def test_random_transforms_in_workers_can_be_had_again():
    whole = noise(1)
    assert torch.equal(noise(2), whole)
    assert torch.equal(noise(2, first=2), whole[8:])
    assert len(whole[:, 1].unique()) == N


def test_a_further_round_of_an_epoch_has_another_order():
    loader = DataLoader(DATA, 4, shuffle=True)
    rounds = [batches(loader, first=n * len(loader)) for n in range(3)]
    assert [sorted(flat(found)) for found in rounds] == [list(range(N))] * 3
    assert rounds[0] != rounds[1] != rounds[2]
    assert batches(loader, first=len(loader) + 2) == rounds[1][2:]
    assert batches(loader, epoch=1) not in rounds


class Dies(Dataset):
    def __len__(self):
        return N

    def __getitem__(self, index):
        if index == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return torch.tensor(index)


def test_a_killed_worker_is_a_sentence():
    loader = ResumableLoader(DataLoader(Dies(), 4, num_workers=1), 1, None, 0, 1, True)
    with pytest.raises(LitGANRuntimeError, match="num_workers=1"):
        list(loader)


def test_a_worker_knows_its_data_set():
    assert noise(2)[:, -1].all()
    assert noise(2, init=set_offset)[:, 0].min() == 100


def test_workers_may_stay():
    loader = DataLoader(Noise(), 4, shuffle=True, num_workers=2, persistent_workers=True)
    place = iter([(0, 0), (1, 0), (0, 0)])
    kept = ResumableLoader(loader, 1, lambda: next(place), 0, 1, True)
    first, second, again = (torch.cat(list(kept)) for _ in range(3))
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


class Stream(IterableDataset):
    def __iter__(self):
        return iter(range(3))


class OwnLoader(DataLoader):
    pass


class Endless(torch.utils.data.Sampler):
    def __iter__(self):
        while True:
            yield 0


@pytest.mark.parametrize(
    "loader",
    [
        [1, 2],
        DataLoader(Stream()),
        OwnLoader(DATA),
        DataLoader(DATA, batch_size=None),
        DataLoader(DATA, sampler=Endless()),
        DataLoader(DATA, batch_sampler=[[1, 2], [3]]),
        DataLoader(DATA, batch_sampler=type("Own", (BatchSampler,), {})(SequentialSampler(DATA), 2, False)),
    ],
)
def test_what_is_no_ordinary_loader_is_left_alone(loader):
    assert not is_replayable(loader)
