"""Random numbers that can be had again: seeds from counters, and torch's, numpy's and Python's states as plain data."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

import numpy as np
import torch

__all__ = ["Stream", "derive_seed", "random_states", "seed_all", "seeded", "set_random_states"]

_64_BITS = 2**64 - 1
_CPU = torch.device("cpu")


class Stream(IntEnum):
    """Streams of random numbers: two that differ in their number, or in what follows it, look unrelated."""

    FIT = 0
    """The seed of another fit of the same model."""
    LATENTS = 1
    """Latents of a turn."""
    ORDER = 2
    """Order of the samples in an epoch."""
    WORKER = 3
    """Transforms of a batch in a worker process."""
    PROCESS = 4
    """Global random states of one of several processes."""
    MIXTURE = 5
    """Points of a GaussianMixture."""
    STACKED_DIGITS = 6
    """Digits of StackedMNIST."""
    GENERATED = 7
    """Latents and classes of samples that are scored."""
    REAL = 8
    """Transforms of real samples that are scored."""
    TWO_SAMPLE = 9
    """Splits and weights of ClassifierTwoSample's classifier."""


def derive_seed(stream: Stream, *numbers: int) -> int:
    """Return a seed of 32 bits, all that torch's CPU generator takes, that looks unrelated for any other arguments.

    Reference: SplitMix64, Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators", figure 17.
    """
    x = 0
    for number in (stream, *numbers):
        x = (x + number + 0x9E3779B97F4A7C15) & _64_BITS
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _64_BITS
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _64_BITS
        x ^= x >> 31
    return x >> 32


def seed_all(seed: int, device: torch.device = _CPU) -> None:
    """Seed the global states of torch, on the CPU and on ``device``, of numpy and of Python with 32 bits."""
    torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed every device there is
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Have what is drawn on the CPU depend on ``seed`` alone, and put the global states back afterwards."""
    before = random_states()
    seed_all(seed)
    try:
        yield
    finally:
        set_random_states(before)


def random_states(device: torch.device = _CPU) -> dict[str, Any]:
    """Return this process's global random states, of torch on the CPU and on ``device``, of numpy and of Python.

    They are tensors and plain data, so that a checkpoint that holds them loads with ``weights_only=True``.
    """
    name, keys, *rest = np.random.get_state()
    states = {
        "torch": torch.get_rng_state(),
        "python": random.getstate(),
        "numpy": [name, torch.from_numpy(np.asarray(keys, dtype=np.int64)), *rest],
    }
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_random_states(states: dict[str, Any], device: torch.device = _CPU) -> None:
    """Put back what :func:`random_states` returned."""
    torch.set_rng_state(states["torch"].cpu())
    random.setstate(states["python"])
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, keys.cpu().numpy().astype(np.uint32), *rest))
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"].cpu(), device)
