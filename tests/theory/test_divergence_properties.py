"""What holds of every f-divergence, over drawn distributions: zeros and the smallest numbers are among them."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from lit_gan.theory import (
    DIVERGENCES,
    f_divergence,
    js_divergence,
    kl_divergence,
    training_criterion,
    variational_bound,
)
from tests.support.strategies import ANY_PAIR, alike, at_most, doubles, frequencies, played, together
from tests.theory.test_divergences import CLOSED, NAMES, SMOOTH, logits_of

LEAST = {name: -math.log(4) if name == "gan" else 0.0 for name in NAMES}


@given(ANY_PAIR)
def test_it_is_its_formula_however_small_a_probability(pair):
    p, q = pair
    seen = (p > 0) | (q > 0)
    for name in NAMES:
        assert alike(f_divergence(p, q, name), CLOSED[name](p[seen], q[seen]))


@given(ANY_PAIR)
def test_it_lies_between_equality_and_disjointness(pair):
    """f(1) ≤ D_f ≤ f(0) + lim f(u)/u (Vajda 1972), and f(1) is reached by equals alone."""
    p, q = pair
    for name in NAMES:
        assert at_most(LEAST[name], f_divergence(p, q, name))
        assert at_most(f_divergence(p, q, name), f_divergence(*torch.eye(2).double(), name))
        assert alike(f_divergence(p, p, name), LEAST[name])
        if (p - q).abs().max() > 1e-3:
            assert f_divergence(p, q, name) > LEAST[name] + 1e-7


@given(ANY_PAIR)
def test_directions_and_symmetries(pair):
    p, q = pair
    for name in ("js", "squared_hellinger", "gan", "total_variation"):
        assert alike(f_divergence(q, p, name), f_divergence(p, q, name))
    assert alike(f_divergence(q, p, "kl"), f_divergence(p, q, "reverse_kl"))
    assert -1e-15 <= js_divergence(p, q) <= math.log(2) + 1e-15
    assert kl_divergence(p, q) >= -1e-15
    assert kl_divergence(p, p) == js_divergence(p, p) == 0


@given(together(), st.randoms(use_true_random=False), st.floats(0.01, 0.99), st.floats(0.01, 100))
def test_order_partition_and_units_of_the_cells_do_not_count(pair, random, share, unit):
    """Cells shuffled; one split alike in both, its name being sufficient; a finer grid; another unit of length."""
    p, q = pair
    order = random.sample(range(len(p)), len(p))
    split = [torch.cat([x[:1] * share, x[:1] * (1 - share), x[1:]]) for x in pair]
    finer = [x.repeat_interleave(2) for x in pair]
    for name in NAMES:
        whole = f_divergence(p, q, name)
        assert alike(f_divergence(p[order], q[order], name), whole)
        assert alike(f_divergence(*split, name), whole)
        assert alike(f_divergence(*finer, name, cell=0.5), whole)
        assert alike(f_divergence(p / unit, q / unit, name, cell=unit), whole)
    for divergence in (kl_divergence, js_divergence, training_criterion):
        assert alike(divergence(p / unit, q / unit, cell=unit), divergence(p, q))


@given(together(), st.lists(st.integers(0, 3), min_size=8, max_size=8), st.integers(0, 99))
def test_no_processing_of_the_data_raises_it(pair, labels, seed):
    """The data-processing inequality: cells that are merged, and any noise."""
    merging = torch.eye(4).double()[labels[: len(pair[0])]]
    noise = torch.rand(len(pair[0]), 5, generator=torch.Generator().manual_seed(seed)).double() ** 3
    for channel in (merging, noise / noise.sum(1, keepdim=True)):
        for name in NAMES:
            assert at_most(f_divergence(*(x @ channel for x in pair), name), f_divergence(*pair, name))


@given(together(4), st.floats(0.01, 0.99))
def test_it_is_convex_in_both_together(four, t):
    p, q, other_p, other_q = four
    for name in NAMES:
        mixed = f_divergence(t * p + (1 - t) * other_p, t * q + (1 - t) * other_q, name)
        assert at_most(mixed, t * f_divergence(p, q, name) + (1 - t) * f_divergence(other_p, other_q, name))


@given(ANY_PAIR)
def test_they_bound_one_another(pair):
    """Pinsker 1964; Bretagnolle & Huber 1979; Le Cam 1973; Gibbs & Su 2002, figure 1; Lin 1991, theorems 2 and 3."""
    d = {name: float(f_divergence(*pair, name)) for name in NAMES}
    kl, tv, hellinger = d["kl"], d["total_variation"], d["squared_hellinger"]
    assert at_most(2 * tv**2, kl)
    assert at_most(tv, math.sqrt(1 - math.exp(-max(kl, 0))))
    assert at_most(hellinger / 2, tv)
    assert at_most(tv**2, hellinger * (1 - hellinger / 4))
    assert at_most(hellinger, kl)
    assert at_most(kl, math.log1p(d["pearson"]))
    assert at_most(tv**2 / 2, d["js"])
    assert at_most(d["js"], math.log(2) * tv)
    assert at_most(d["js"], (kl + d["reverse_kl"]) / 8)
    assert alike(d["gan"], 2 * d["js"] - math.log(4))


@given(st.floats(-20, 20), st.just(-math.inf) | st.floats(-10, 10))
def test_fenchel_and_young(logit, log_u):
    """f(u) + f*(t) ≥ u·t, with equality where the critic is optimal at u."""
    logit, u = doubles(logit), doubles(log_u).exp()
    for name in NAMES:
        divergence = DIVERGENCES[name]
        t = divergence.critic(logit)
        assert at_most(u * t, divergence.f(u) + divergence.conjugate_of_critic(logit))
        if name in SMOOTH and abs(logit) < 5:  # f at e²⁰ is a small difference of large numbers
            best = divergence.log_ratio(logit).exp()
            assert alike(best * t, divergence.f(best) + divergence.conjugate_of_critic(logit))


@given(played())
def test_no_critic_lifts_the_bound_above_it(game):
    real, fake, logits = game
    samples = logits.repeat_interleave(real), logits.repeat_interleave(fake)
    for name in NAMES:
        assert at_most(variational_bound(*samples, name), f_divergence(frequencies(real), frequencies(fake), name))


@given(played(everywhere=True))
def test_the_critic_of_the_density_ratio_reaches_it(game):
    real, fake, _ = game
    p, q = frequencies(real), frequencies(fake)
    for name in SMOOTH:
        logits = logits_of(name, (p / q).log())
        bound = variational_bound(logits.repeat_interleave(real), logits.repeat_interleave(fake), name)
        assert alike(bound, f_divergence(p, q, name))
