"""The verdict: each rule at both sides of its threshold, and what outweighs what."""

import math
import re

import pytest

from lit_gan.callbacks.verdict import judge

HEALTHY = {
    "value": -1.1,
    "value_train": -1.1,
    "memorising_gap": 0.0,
    "jsd_lower_bound": 0.14,
    "jsd_low": 0.12,
    "jsd_high": 0.16,
    "d_accuracy": 0.7,
    "spread": 0.9,
    "coverage": 0.6,
    "gradient_norm/g": 1.0,
    "gradient_norm/d": 1.0,
    "update_to_weight/g": 1e-3,
    "update_to_weight/d": 1e-3,
}


def history(*changes, before=0):
    """Return healthy measurements, ``before`` of them, then one for each of ``changes``."""
    return [{**HEALTHY, **c, "step": 100.0 * (i + 1)} for i, c in enumerate([{}] * before + list(changes))]


WON = {"d_accuracy": 0.995, "value": -0.02, "jsd_lower_bound": 0.68, "jsd_low": 0.67, "jsd_high": 0.69}
EVEN = {
    **{"jsd_lower_bound": 0.0, "jsd_low": -0.01, "jsd_high": 0.01, "value": -1.386},
    **{"d_accuracy": 0.52, "coverage": 0.95},
}

CASES = {
    "healthy": (history(before=9), "plays", r"JSD ≥ 0.140 nats \[0.120, 0.160\]"),
    "the first one": (history({}), "plays", "lowest 0.140 at step 100"),
    "NaN": (history({"value": math.nan}, before=3), "diverges", "value is nan at step 400"),
    "samples leave the data": (history(*[{"spread": 3.1}] * 3), "diverges", "vary 3.1 times"),
    "samples left it twice": (history(*[{"spread": 3.1}] * 2), "plays", ""),
    "D worse than guessing": (history(*[{"value_train": -2.8}] * 3), "diverges", "V = -2.8"),
    "D nearly so": (history(*[{"value_train": -2.7}] * 3), "plays", ""),
    "a gradient explodes": (
        history(*[{"gradient_norm/d": 101.0}] * 3, before=4),
        "diverges",
        "discriminator's gradient norm is 101, 101 times its median 1",
    ),
    "a gradient wakes up": (history(*[{"gradient_norm/d": 0.0}] * 4, *[{"gradient_norm/d": 0.5}] * 3), "plays", ""),
    "a gradient grows": (history(*[{"gradient_norm/d": 99.0}] * 3, before=4), "plays", ""),
    "large steps": (history(*[{"update_to_weight/g": 0.12}] * 3), "diverges", "generator's weights by 12%"),
    "moderate steps": (history(*[{"update_to_weight/g": 0.09}] * 3), "plays", ""),
    "one sample": (history(*[{"spread": 0.05}] * 3, before=2), "collapses", "vary 0.05 times"),
    "one sample, from the start": (history(*[{"spread": 0.05}] * 6), "collapses", "vary 0.05 times"),
    "one sample, three times": (history(*[{"spread": 0.05}] * 3), "plays", ""),
    "one sample, at first": (history(*[{"spread": 0.05 + i / 120} for i in range(6)]), "plays", ""),
    "modes are lost": (
        history(*[{"coverage": 0.2}] * 3, before=2),
        "collapses",
        "cover 20% of the data, 60% at step 100",
    ),
    "some are lost": (history(*[{"coverage": 0.31}] * 3, before=2), "plays", ""),
    "D has won, G's gradient vanishes": (
        history(*[{**WON, "gradient_norm/g": 0.01}] * 3, before=3),
        "stalls",
        "99.5% .* from 1 to 0.01",
    ),
    "D has won, nothing moves": (history(*[WON] * 6), "stalls", "since step 300"),
    "D has won, the coverage rises": (history(*[{**WON, "coverage": 0.1 + i / 10} for i in range(6)]), "plays", ""),
    "D has won, the bound falls": (
        history(*[{**WON, "jsd_lower_bound": 0.69 - i / 50} for i in range(6)]),
        "plays",
        "",
    ),
    "memorising": (
        history({"value_train": -0.9, "memorising_gap": 0.2}, before=3),
        "memorises",
        "-0.900 on training data and -1.100 on held-out",
    ),
    "a gap that chance explains": (
        history({"memorising_gap": 0.2, "jsd_low": 0.0, "jsd_high": 0.2}, before=3),
        "plays",
        "",
    ),
    "even": (history(*[EVEN] * 3), "equilibrium", "D cannot tell"),
    "a weak D": (history(*[{**EVEN, "d_accuracy": 0.61}] * 3), "plays", ""),
    "a slow D": (history(*[{**EVEN, "coverage": 0.2}] * 3), "plays", ""),
    "even twice": (history(*[EVEN] * 2), "plays", ""),
    "too few samples to tell": (history(*[{**EVEN, "jsd_low": -0.3, "jsd_high": 0.3}] * 3), "plays", ""),
    "collapse outweighs memorising": (
        history(*[{"spread": 0.05, "memorising_gap": 0.5}] * 6),
        "collapses",
        "",
    ),
}


@pytest.mark.parametrize(("measurements", "state", "says"), CASES.values(), ids=CASES)
def test_verdict(measurements, state, says):
    verdict = judge(measurements)
    assert verdict.state == state, verdict
    assert verdict.is_bad == (state not in ("plays", "equilibrium"))
    assert verdict.is_bad == bool(verdict.advice)
    assert re.search(says, str(verdict)), verdict


def test_numbers_that_are_missing_are_no_evidence():
    """Without gradients (a turn was skipped) and coverage, the rest is judged."""
    bare = [{k: v for k, v in m.items() if "/" not in k and k not in ("coverage", "spread")} for m in history(before=9)]
    assert judge(bare).state == "plays"
