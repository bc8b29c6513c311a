"""Every f-divergence: its closed form, its conjugate, and the bound that a critic reaches (arXiv:1606.00709)."""

import math

import pytest
import torch
from torch.testing import assert_close

from lit_gan.losses import FDivergence, Minimax, NonSaturating
from lit_gan.theory import DIVERGENCES, f_divergence, js_divergence, kl_divergence, variational_bound
from tests.theory.test_proofs import CELL, X, gaussian, pair, torch_double

NAMES = list(DIVERGENCES)
SMOOTH = [name for name in NAMES if name != "total_variation"]
CLOSED = {
    "kl": kl_divergence,
    "reverse_kl": lambda p, q: kl_divergence(q, p),
    "js": js_divergence,
    "squared_hellinger": lambda p, q: (p.sqrt() - q.sqrt()).square().sum(),
    "pearson": lambda p, q: ((p - q) * ((p - q) / q)).sum(),  # a square would underflow
    "gan": lambda p, q: 2 * js_divergence(p, q) - math.log(4),
    "total_variation": lambda p, q: (p - q).abs().sum() / 2,
}
# p, q without and with zeros: what q alone misses weighs infinitely for KL and χ², what p misses for reverse KL
DISJOINT = {
    "kl": math.inf,
    "reverse_kl": math.inf,
    "js": math.log(2),
    "squared_hellinger": 2.0,
    "pearson": math.inf,
    "gan": 0.0,
    "total_variation": 1.0,
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(5))
def test_closed_forms(name, seed):
    p, q = pair(seed)
    assert_close(f_divergence(p, q, name), CLOSED[name](p, q), rtol=1e-12, atol=1e-12)
    assert_close(f_divergence(p, p, name), torch.tensor(-math.log(4) if name == "gan" else 0.0, **torch_double))


@pytest.mark.parametrize("name", NAMES)
def test_where_they_do_not_overlap(name):
    p, q = torch.tensor([0.5, 0.5, 0.0, 0.0], **torch_double), torch.tensor([0.0, 0.0, 1.0, 0.0], **torch_double)
    assert float(f_divergence(p, q, name)) == pytest.approx(DISJOINT[name])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("distance", "dtype"), [(40, torch.float64), (14, torch.float32)])
def test_gaussians_far_apart_do_not_overlap(name, distance, dtype):
    """In the tail of one density the other is so small that their quotient overflows, before it is 0."""
    p, q = (gaussian(mean).to(dtype) for mean in (-distance / 2, distance / 2))
    assert float(f_divergence(p, q, name, CELL)) == pytest.approx(DISJOINT[name], abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_the_conjugate_is_the_supremum(name):
    """f*(t) = sup over u ≥ 0 of u·t − f(u), by a search over u."""
    divergence = DIVERGENCES[name]
    u = torch.cat([torch.zeros(1, **torch_double), torch.logspace(-9, 9, 200_001, **torch_double)])
    for t in divergence.critic(torch.linspace(-3, 3, 13, **torch_double)):
        sup = (u * t - divergence.f(u)).max()
        assert_close(divergence.conjugate(t), sup, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_the_stable_form_is_the_conjugate_of_the_critic(name):
    divergence = DIVERGENCES[name]
    logits = torch.linspace(-6, 6, 49, **torch_double)
    assert_close(divergence.conjugate_of_critic(logits), divergence.conjugate(divergence.critic(logits)))


@pytest.mark.parametrize(("name", "t"), [("reverse_kl", 0.5), ("squared_hellinger", 1.5), ("total_variation", 0.6)])
def test_the_conjugate_is_infinite_outside_its_domain(name, t):
    assert DIVERGENCES[name].conjugate(torch.tensor(t)) == math.inf


def logits_of(name, ratio):
    """Return the logits at which the critic of ``name`` is f′(ratio), by the inverse of its log ratio."""
    inverse = {
        "kl": lambda r: r + 1,
        "squared_hellinger": lambda r: r / 2,
        "pearson": lambda r: 2 * (r.exp() - 1),
    }
    return inverse.get(name, lambda r: r)(ratio)


@pytest.mark.parametrize("name", SMOOTH)
def test_the_bound_is_reached_at_the_optimal_critic_and_nowhere_else(name):
    """Gaussians by quadrature: E_p[T] − E_q[f*(T)] at T = f′(p/q), and at critics beside it."""
    p, q = gaussian(0.0), gaussian(0.7, 1.3)
    ratio = p.log() - q.log()
    inside = X.abs() < 12  # where quadrature counts and exp does not overflow
    p, q, ratio = p[inside], q[inside], ratio[inside]
    divergence, logits = DIVERGENCES[name], logits_of(name, ratio)
    exact = float(f_divergence(p, q, name, CELL))

    def bound(v):
        return float((p * divergence.critic(v) - q * divergence.conjugate_of_critic(v)).sum() * CELL)

    assert bound(logits) == pytest.approx(exact, abs=1e-6)
    near = ratio.abs() < 5  # where 1 + logit/2 of χ² keeps its digits
    assert_close(divergence.critic(logits)[near], divergence.derivative(ratio[near].exp()), rtol=1e-6, atol=1e-8)
    assert_close(FDivergence(name).log_ratio(logits)[near], ratio[near], rtol=1e-6, atol=1e-6)
    for other in (logits + 0.1, logits - 0.1, 0.9 * logits):
        assert bound(other) < exact - 1e-5


def test_total_variation_is_reached_in_the_limit():
    """Its best critic is a sign, which tanh nears as logits grow."""
    p, q = gaussian(0.0), gaussian(0.7, 1.3)
    exact = float(f_divergence(p, q, "total_variation", CELL))
    divergence, sign = DIVERGENCES["total_variation"], (p - q).sign()
    bounds = [
        float((p * divergence.critic(s * sign) - q * divergence.conjugate_of_critic(s * sign)).sum() * CELL)
        for s in (0.5, 1.0, 3.0, 20.0)
    ]
    assert bounds == sorted(bounds)
    assert bounds[0] < exact - 0.01
    assert bounds[-1] == pytest.approx(exact, abs=1e-9)
    assert FDivergence("total_variation").log_ratio(sign) is None


@pytest.mark.parametrize("name", NAMES)
def test_losses_are_the_bound_and_both_objectives(name):
    real, fake = torch.tensor([0.3, 1.0], **torch_double), torch.tensor([-0.2, 0.4, 0.1], **torch_double)
    divergence = DIVERGENCES[name]
    assert_close(FDivergence(name).discriminator(real, fake), -variational_bound(real, fake, name))
    assert_close(FDivergence(name).generator(fake), -divergence.critic(fake).mean())
    assert_close(FDivergence(name, minimax=True).generator(fake), -divergence.conjugate(divergence.critic(fake)).mean())


def test_the_gan_divergence_is_the_original_game():
    real, fake = torch.randn(2, 5, generator=torch.Generator().manual_seed(0), **torch_double)
    assert_close(FDivergence("gan").discriminator(real, fake), Minimax().discriminator(real, fake))
    assert_close(FDivergence("gan", minimax=True).generator(fake), Minimax().generator(fake))
    assert_close(FDivergence("gan").generator(fake), NonSaturating().generator(fake))


@pytest.mark.parametrize("name", NAMES)
def test_losses_stay_finite_for_large_logits(name):
    logits = torch.tensor([-30.0, 30.0], requires_grad=True)
    for loss in (FDivergence(name), FDivergence(name, minimax=True)):
        total = loss.discriminator(logits, logits) + loss.generator(logits)
        (gradient,) = torch.autograd.grad(total, logits)
        assert total.isfinite()
        assert gradient.isfinite().all()


@pytest.mark.parametrize("call", [lambda: FDivergence("jeffreys"), lambda: f_divergence(X, X, "jeffreys")])
def test_an_unknown_divergence_is_refused(call):
    with pytest.raises(ValueError, match="no divergence 'jeffreys': take one of kl, reverse_kl, js"):
        call()


def test_divergences_have_gradients():
    """∂KL(p‖q)/∂p = log(p/q) + 1, which a generator of known density may descend."""
    p = torch.tensor([0.5, 0.4, 0.1], dtype=torch.float64, requires_grad=True)
    q = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
    (gradient,) = torch.autograd.grad(kl_divergence(p, q), p)
    assert_close(gradient, (p / q).log().detach() + 1)
