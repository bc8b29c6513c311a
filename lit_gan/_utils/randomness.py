"""Reproducible random numbers: seeds derived from counters, and the random states of torch, NumPy and Python."""

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
    """Uses of random numbers, the first argument of :func:`derive_seed`: seeds for different uses look unrelated."""

    FIT = 0
    """Seed of another fit of the same model."""
    LATENTS = 1
    """Latents of a turn."""
    ORDER = 2
    """Order of the samples in an epoch."""
    WORKER = 3
    """Random transforms of a batch in a worker process."""
    PROCESS = 4
    """Global random states of each process."""
    MIXTURE = 5
    """Points of a GaussianMixture."""
    STACKED_DIGITS = 6
    """Digits of StackedMNIST."""
    GENERATED = 7
    """Latents and classes of samples that are scored."""
    REAL = 8
    """Random transforms of real samples that are scored."""
    TWO_SAMPLE = 9
    """Splits and weights of ClassifierTwoSample's classifier."""


def derive_seed(stream: Stream, *numbers: int) -> int:
    """Return a 32-bit seed, all that torch's CPU generator uses, that looks unrelated to the seed of other arguments.

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
    """Seed the global random states of torch, on the CPU and on ``device``, of NumPy and of Python; 32 bits."""
    torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed every device
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the global random states on the CPU within the context, then restore the earlier states."""
    before = random_states()
    seed_all(seed)
    try:
        yield
    finally:
        set_random_states(before)


def random_states(device: torch.device = _CPU) -> dict[str, Any]:
    """Return this process's global random states: of torch on the CPU and on ``device``, of NumPy and of Python.

    They are tensors and plain data, so a checkpoint with them loads with ``weights_only=True``.
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
    """Restore the global random states that :func:`random_states` returned."""
    torch.set_rng_state(states["torch"].cpu())
    random.setstate(states["python"])
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, keys.cpu().numpy().astype(np.uint32), *rest))
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"].cpu(), device)
