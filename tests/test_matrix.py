"""All pairs of games, penalties, networks, augmentations, precisions and labels, trained for two steps."""

import itertools
import math

import pytest

from tests.matrix import AXES, cover, pairs, play

pytestmark = pytest.mark.slow

CASES = cover()


@pytest.mark.parametrize("case", CASES, ids=", ".join)
def test_combination(case, tmp_path):
    play(case, tmp_path)


def test_the_cover_is_one_and_small():
    seen = set().union(*map(pairs, CASES))
    for (i, first), (j, second) in itertools.combinations(enumerate(AXES.values()), 2):
        assert all((i, a, j, b) in seen for a, b in itertools.product(first, second))
    fewest = math.prod(sorted(map(len, AXES.values()))[-2:])  # no cover of the two longest axes has fewer
    assert len(CASES) <= 1.1 * fewest
