"""Half precision: conversion of results that 16 bits would round too much, and its speed on this processor."""

import time

import torch
from torch import Tensor, nn

__all__ = ["at_least_float32", "slowdown_in_bfloat16"]


def at_least_float32(x: Tensor) -> Tensor:
    """Return ``x`` as float32 if it is in half precision, else unchanged."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def slowdown_in_bfloat16() -> float:
    """Return the time of a small convolution and its gradient in bfloat16 over that in float32, on the CPU; ~0.1 s.

    Processors without bfloat16 arithmetic convert each number: ten times slower and more.
    """
    with torch.random.fork_rng(devices=[]):
        layer, images = nn.Conv2d(32, 32, 3, padding=1), torch.zeros(4, 32, 8, 8)

    def seconds(half: bool) -> float:
        start = time.perf_counter()
        with torch.enable_grad(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            layer(images).sum().backward()
        return time.perf_counter() - start

    times = [(seconds(True), seconds(False)) for _ in range(12)]  # of which other processes do not disturb all
    halves, wholes = zip(*times, strict=True)
    return min(halves) / min(wholes)
