"""What the property tests draw: distributions with zeros and tiny numbers, samples of them, logits."""

import sys

import torch
from hypothesis import strategies as st
from torch import Tensor


def doubles(numbers) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def tensors(numbers, smallest: int = 1, largest: int = 8) -> st.SearchStrategy[Tensor]:
    """A row of numbers in float64."""
    return st.lists(numbers, min_size=smallest, max_size=largest).map(doubles)


def _distributions(weights, cells: int) -> st.SearchStrategy[Tensor]:
    rows = st.lists(weights, min_size=cells, max_size=cells).filter(any).map(doubles)
    return rows.map(lambda row: row / row.sum())


def together(count: int = 2, least: float = 1e-6) -> st.SearchStrategy[list[Tensor]]:
    """``count`` distributions on the same one to eight cells; a cell's weight is 0 or in [least, 1] before division."""
    weights = st.just(0.0) | st.floats(least, 1)
    return st.integers(1, 8).flatmap(lambda n: st.lists(_distributions(weights, n), min_size=count, max_size=count))


ANY_PAIR = together(least=sys.float_info.min)
"""Two distributions, down to the smallest number, 2e-308, that has all its digits."""
LOGITS = st.integers(-400, 400).map(lambda n: n / 8)
"""Numbers that are the same or differ by an eighth at least, ties and 0 among them."""


@st.composite
def played(draw, everywhere: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Samples' counts of two distributions, and a logit for each cell."""
    cells = draw(st.integers(1, 5))
    numbers = st.lists(st.integers(int(everywhere), 5), min_size=cells, max_size=cells).filter(any)
    real, fake = (torch.tensor(draw(numbers)) for _ in range(2))
    logits = draw(st.lists(st.floats(-10, 10), min_size=cells, max_size=cells))
    return real, fake, doubles(logits)


def frequencies(counts: Tensor) -> Tensor:
    return counts / counts.sum().double()


def at_most(a: Tensor | float, b: Tensor | float) -> bool:
    """Whether a ≤ b but for rounding; ∞ is at most ∞, NaN at most nothing."""
    a, b = float(a), float(b)
    return a <= b or a <= b + 1e-12 + 1e-9 * abs(b)


def alike(a: Tensor | float, b: Tensor | float) -> bool:
    """Whether a = b but for rounding."""
    return at_most(a, b) and at_most(b, a)


SAMPLES = tensors(LOGITS, 2, 10)
"""Logits of two to ten samples."""
