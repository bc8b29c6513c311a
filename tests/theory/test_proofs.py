"""The proofs of the documents in ``seeds`` and of arXiv:1406.2661, run: each test names its source and equation.

Seeds: 000 is Liao's blog, 001 Uddin's notes, 002 the slides from KL to GAN, 003 the slides of Ustyuzhanin et al.
"""

import math

import pytest
import torch
from torch.distributions import Normal
from torch.testing import assert_close

from lit_gan.losses import Minimax, NonSaturating
from lit_gan.theory import (
    EQUILIBRIUM_VALUE,
    cross_entropy,
    expected_value,
    js_divergence,
    jsd_lower_bound,
    kl_divergence,
    log_likelihood,
    log_normaliser,
    optimal_discriminator,
    pushforward_density,
    training_criterion,
    value,
)

torch_double = {"dtype": torch.float64}
X = torch.linspace(-30, 30, 60_001, **torch_double)
CELL = float(X[1] - X[0])
EVERYWHERE = {"rtol": 0, "atol": 1e-12}


def pair(seed, n=7, zeros=False):
    """Return two random discrete distributions."""
    rng = torch.Generator().manual_seed(seed)
    p, q = torch.rand(2, n, generator=rng, **torch_double) ** 3
    if zeros:
        p[0] = q[1] = p[2] = q[2] = 0
    return p / p.sum(), q / q.sum()


def gaussian(mean, sigma=1.0):
    return Normal(torch.tensor(mean, **torch_double), sigma).log_prob(X).exp()


# Kullback–Leibler: 000 (definition), 001 equation 12, 002


@pytest.mark.parametrize(
    ("m", "s", "n", "t"), [(0.0, 1.0, 0.0, 1.0), (0.0, 1.0, 2.0, 1.0), (1.0, 0.5, -1.0, 2.0), (0.0, 3.0, 0.0, 1.0)]
)
def test_kl_of_gaussians_by_quadrature_is_the_closed_form(m, s, n, t):
    closed = math.log(t / s) + (s**2 + (m - n) ** 2) / (2 * t**2) - 0.5
    assert float(kl_divergence(gaussian(m, s), gaussian(n, t), CELL)) == pytest.approx(closed, abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_kl_is_not_symmetric_not_negative_and_zero_for_equals(seed):
    p, q = pair(seed)
    assert kl_divergence(p, q) > 0
    assert kl_divergence(p, p) == 0
    assert abs(kl_divergence(p, q) - kl_divergence(q, p)) > 1e-3


def test_kl_is_infinite_where_a_possible_outcome_is_held_impossible():
    """Seed 001, theorem 2, asks for p, q > 0; 0·log 0 = 0 and p·log(p/0) = ∞ extend it."""
    p, q = torch.tensor([0.5, 0.5, 0.0], **torch_double), torch.tensor([0.25, 0.25, 0.5], **torch_double)
    assert kl_divergence(p, q) == pytest.approx(math.log(2))
    assert kl_divergence(q, p) == math.inf


def test_kl_hardly_sees_what_q_adds_where_p_vanishes():
    """Seed 002: where p is near 0, q is ignored. KL(p‖q) = log 2 however q spends its other half."""
    p = torch.tensor([1.0, 0.0, 0.0], **torch_double)
    for rest in ([0.5, 0.0], [0.25, 0.25], [0.0, 0.5]):
        assert kl_divergence(p, torch.tensor([0.5, *rest], **torch_double)) == pytest.approx(math.log(2))


# Jensen–Shannon: 001 theorem 3, 002


@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_jsd_is_symmetric_bounded_and_the_mean_of_two_kls(seed, zeros):
    p, q = pair(seed, zeros=zeros)
    m = (p + q) / 2
    assert_close(js_divergence(p, q), (kl_divergence(p, m) + kl_divergence(q, m)) / 2, **EVERYWHERE)
    assert_close(js_divergence(p, q), js_divergence(q, p), **EVERYWHERE)
    assert 0 < js_divergence(p, q) < math.log(2)
    assert js_divergence(p, p) == 0


def test_jsd_of_what_does_not_overlap_is_one_bit():
    """Seed 002 bounds it by 1: that is in bits. In nats, here, the bound is log 2 (seed 001, theorem 3, has both)."""
    p, q = torch.tensor([0.3, 0.7, 0.0], **torch_double), torch.tensor([0.0, 0.0, 1.0], **torch_double)
    assert js_divergence(p, q) == pytest.approx(math.log(2))
    assert js_divergence(p, q) / math.log(2) == pytest.approx(1)


def test_jsd_keeps_the_smallest_numbers():
    tiny = torch.tensor([5e-324, 1.0], **torch_double)
    assert js_divergence(tiny, tiny.flip(0)).isfinite()


# The optimal discriminator: 000, 001 equations 8 and 9, 002


@pytest.mark.parametrize(("a", "b"), [(0.3, 0.3), (0.9, 0.1), (0.01, 0.7)])
def test_d_star_maximises_the_integrand(a, b):
    """a·log y + b·log(1 − y): f′(a/(a + b)) = 0 and f″ < 0. Seed 001's f″ has a slip: −a/y², not −a/(a + b)²."""
    y = optimal_discriminator(torch.tensor(a, **torch_double), torch.tensor(b, **torch_double)).requires_grad_()
    assert_close(y.detach(), torch.tensor(a / (a + b), **torch_double))
    f = a * y.log() + b * (1 - y).log()
    (slope,) = torch.autograd.grad(f, y, create_graph=True)
    (curvature,) = torch.autograd.grad(slope, y)
    assert abs(float(slope.detach())) < 1e-12
    assert_close(curvature, -a / y**2 - b / (1 - y) ** 2)
    assert curvature < 0
    others = torch.linspace(0.001, 0.999, 999, **torch_double)
    assert (a * others.log() + b * (1 - others).log() <= f).all()


def test_the_factor_of_seed_002_changes_no_optimum():
    """Seed 002 differentiates natural logarithms with 1/ln 10, the factor of log₁₀: the root is the same."""
    a, b = 0.3, 0.2
    for logarithm in (torch.log, torch.log10):
        y = torch.tensor(a / (a + b), **torch_double, requires_grad=True)
        (slope,) = torch.autograd.grad(a * logarithm(y) + b * logarithm(1 - y), y)
        assert abs(float(slope)) < 1e-12


@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_no_discriminator_beats_d_star(seed, zeros):
    p, q = pair(seed, zeros=zeros)
    best = expected_value(p, q, optimal_discriminator(p, q))
    rng = torch.Generator().manual_seed(seed)
    for _ in range(50):
        other = torch.rand(len(p), generator=rng, **torch_double)
        assert expected_value(p, q, other) < best


def test_d_star_is_one_half_where_they_agree_and_where_both_vanish():
    p = torch.tensor([0.2, 0.8, 0.0], **torch_double)
    assert optimal_discriminator(p, p).tolist() == [0.5, 0.5, 0.5]
    assert optimal_discriminator(p, p.flip(0)).tolist() == [1.0, 0.5, 0.0]


# The criterion: 000, 001 equations 10 to 14, 002


@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_v_at_d_star_is_minus_log_4_and_two_jsd(seed, zeros):
    """Seed 001, equation 14. Its equation 11 has a 2 too many, in numerator and denominator both."""
    p, q = pair(seed, zeros=zeros)
    assert_close(training_criterion(p, q), -math.log(4) + 2 * js_divergence(p, q), **EVERYWHERE)
    assert_close(training_criterion(p, q), expected_value(p, q, optimal_discriminator(p, q)), **EVERYWHERE)
    assert training_criterion(p, q) > EQUILIBRIUM_VALUE
    m = (p + q) / 2
    assert_close(training_criterion(p, q), -math.log(4) + kl_divergence(p, m) + kl_divergence(q, m), **EVERYWHERE)
    if not zeros:
        misprint = (p * (2 * p / m).log() + q * (q / m).log()).sum() - math.log(4)
        assert abs(misprint - training_criterion(p, q)) == pytest.approx(math.log(2))


@pytest.mark.parametrize(("mean", "sigma"), [(0.0, 1.0), (1.0, 1.0), (3.0, 0.5), (10.0, 2.0)])
def test_the_same_for_gaussians_by_quadrature(mean, sigma):
    p, q = gaussian(0.0), gaussian(mean, sigma)
    criterion = float(training_criterion(p, q, CELL))
    assert criterion == pytest.approx(-math.log(4) + 2 * float(js_divergence(p, q, CELL)), abs=1e-6)
    # from logits: D*'s logit is the log density ratio, and expectations are sums over the grid
    logits = Normal(0.0, 1.0).log_prob(X) - Normal(mean, sigma).log_prob(X)
    v = (p * torch.nn.functional.logsigmoid(logits) + q * torch.nn.functional.logsigmoid(-logits)).sum() * CELL
    assert criterion == pytest.approx(float(v), abs=1e-6)
    assert (criterion == pytest.approx(EQUILIBRIUM_VALUE, abs=1e-9)) == ((mean, sigma) == (0.0, 1.0))


def test_the_least_criterion_is_at_equal_distributions_alone():
    p, q = pair(3)
    path = [float(training_criterion(p, (1 - t) * q + t * p)) for t in (0.0, 0.5, 0.9, 0.99, 1.0)]
    assert path == sorted(path, reverse=True)
    assert path[-1] == pytest.approx(EQUILIBRIUM_VALUE, abs=1e-12)
    assert path[-2] > EQUILIBRIUM_VALUE + 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_any_discriminator_bounds_the_jsd(seed):
    p, q = pair(seed)
    rng = torch.Generator().manual_seed(seed)
    for _ in range(50):
        d = torch.rand(len(p), generator=rng, **torch_double)
        assert jsd_lower_bound(expected_value(p, q, d)) < js_divergence(p, q)
    assert_close(jsd_lower_bound(training_criterion(p, q)), js_divergence(p, q), **EVERYWHERE)


# The losses: 001 equations 1 and 2, 003


def test_v_is_minus_twice_the_cross_entropy():
    """Seed 001's equation 2 lost a logarithm: (1 − y)·(1 − p) must be (1 − y)·log(1 − p)."""
    real, fake = torch.tensor([0.3, 2.0], **torch_double), torch.tensor([-1.0, 0.5, 0.2], **torch_double)
    assert_close(value(real, fake), -2 * cross_entropy(real, fake))
    p, y = torch.cat([real, fake[:2]]).sigmoid(), torch.tensor([1.0, 1.0, 0.0, 0.0], **torch_double)
    log_loss = -(y * p.log() + (1 - y) * (1 - p).log()).mean()
    assert_close(log_loss, cross_entropy(real, fake[:2]))
    assert_close(Minimax().discriminator(real, fake), 2 * cross_entropy(real, fake))


def test_the_second_term_is_at_most_zero():
    """Seed 001 says that log(1 − D(G(z))) is at most +∞, at D = 0: it is 0 there."""
    d = torch.linspace(0, 1, 101, **torch_double)
    assert torch.log1p(-d).max() == torch.log1p(-d)[0] == 0


@pytest.mark.parametrize(("loss", "slope"), [(Minimax(), 0.0), (NonSaturating(), -1.0)])
def test_where_d_rejects_one_gradient_vanishes_and_the_other_does_not(loss, slope):
    """arXiv:1406.2661, section 3: d/dlogit is −D for log(1 − D), and −(1 − D) for −log D."""
    logits = torch.tensor([-50.0, -50.0], **torch_double, requires_grad=True)
    (gradient,) = torch.autograd.grad(loss.generator(logits), logits)
    assert gradient.sum() == pytest.approx(slope, abs=1e-12)


def test_both_generator_objectives_rest_where_d_is_constant():
    """The same fixed point: with p_g = p_data, D* is ½ everywhere, and no move of a sample changes either loss."""
    p = gaussian(0.0)
    for loss in (Minimax(), NonSaturating()):
        at = torch.zeros(5, **torch_double, requires_grad=True)
        logits = 0 * at + (optimal_discriminator(p, p)[:5]).logit()
        (gradient,) = torch.autograd.grad(loss.generator(logits), at)
        assert gradient.abs().max() == 0


# Likelihood and its normaliser: 000 (maximum likelihood), 003


def test_maximum_likelihood_is_least_kl():
    """Seed 000: Σ log p_θ(xᵢ)/N → −H(p_data) − KL(p_data‖p_θ); the best θ of a grid is the same for both."""
    rng = torch.Generator().manual_seed(0)
    samples = 1 + torch.randn(20_000, generator=rng, **torch_double)
    means = [0.0, 0.5, 1.0, 1.5, 2.0]
    likelihood = [float(log_likelihood(samples, Normal(m, 1.0))) / len(samples) for m in means]
    divergence = [float(kl_divergence(gaussian(1.0), gaussian(m), CELL)) for m in means]
    entropy = 0.5 * math.log(2 * math.pi * math.e)
    assert max(likelihood) == likelihood[2]
    for log_l, kl in zip(likelihood, divergence, strict=True):
        assert log_l == pytest.approx(-entropy - kl, abs=0.03)


def test_a_score_becomes_a_density_by_its_normaliser():
    """Seed 003: P(x) = s(x)/Z. For s = exp(−x²/2), Z = √(2π)."""
    log_z = log_normaliser(-X.square() / 2, CELL)
    assert float(log_z) == pytest.approx(math.log(math.sqrt(2 * math.pi)), abs=1e-9)
    assert_close((-X.square() / 2 - log_z).exp(), gaussian(0.0))
    scores = torch.tensor([1.0, 2.0, 3.0], **torch_double)
    assert_close((scores - log_normaliser(scores)).exp(), scores.softmax(0))
    assert log_normaliser(torch.tensor([1000.0, 1000.0])) == pytest.approx(1000 + math.log(2))


# The pushforward: 001 equation 7, 002


def test_expectations_over_z_are_expectations_over_p_g():
    """E_z[h(G(z))] = E_{x~p_g}[h(x)], the step from equation 1 to equation 7 of seed 001, with G(z) = sinh z."""
    z = Normal(torch.tensor(0.0, **torch_double), 1.0)
    grid = torch.linspace(-600, 600, 1_200_001, **torch_double)
    p_g = pushforward_density(grid[:, None], torch.asinh, z)
    cell = float(grid[1] - grid[0])
    assert float(p_g.sum() * cell) == pytest.approx(1, abs=1e-6)
    for h in (torch.tanh, lambda x: torch.exp(-x.square()), lambda x: torch.log1p(x.square())):
        over_z = float((z.log_prob(X).exp() * h(torch.sinh(X.clamp(-12, 12)))).sum() * CELL)
        assert float((p_g * h(grid)).sum() * cell) == pytest.approx(over_z, abs=1e-5)


def test_the_jacobian_of_a_generator_in_the_plane_counts():
    matrix = torch.tensor([[2.0, 1.0], [0.0, 0.5]], **torch_double)
    inverse = torch.linalg.inv(matrix)
    x = torch.randn(9, 2, generator=torch.Generator().manual_seed(1), **torch_double)
    exact = torch.distributions.MultivariateNormal(torch.zeros(2, **torch_double), matrix @ matrix.T).log_prob(x).exp()
    standard = Normal(torch.tensor(0.0, **torch_double), 1.0)
    assert_close(pushforward_density(x, lambda point: inverse @ point, standard), exact)


# What is refused

P = torch.tensor([0.5, 0.5])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kl_divergence(P, torch.tensor([1.0])), r"p has the shape \(2,\) and q \(1,\)"),
        (lambda: js_divergence(P, torch.tensor([1.5, -0.5])), r"q holds -0.5: .* not negative"),
        (lambda: kl_divergence(torch.tensor([float("nan"), 1.0]), P), r"p holds nan"),
        (lambda: kl_divergence(P, torch.tensor([0.5, 0.6])), r"q sums to 1.1 instead of 1: divide it by its sum, or"),
        (lambda: kl_divergence(gaussian(0.0), gaussian(1.0)), r"sums to 1000 instead of 1: .* give cell="),
        (lambda: training_criterion(P, P, cell=0.0), r"cell=0.0 must be positive"),
        (lambda: expected_value(P, P, torch.tensor([2.0, 0.1])), r"D lies in \[0.1, 2\], a probability in \[0, 1\]"),
        (lambda: expected_value(P, P, torch.tensor([0.1])), r"D has the shape \(1,\), the distributions \(2,\)"),
        (lambda: optimal_discriminator(P, torch.ones(3)), r"p_data has the shape \(2,\) and p_g \(3,\)"),
        (lambda: optimal_discriminator(P, -P), r"p_g holds -0.5 to -0.5: give finite"),
        (lambda: log_normaliser(P, -1.0), r"cell=-1.0 must be positive"),
        (lambda: pushforward_density(P, torch.asinh, Normal(0.0, 1.0)), r"the shape \(2,\): give \(N, D\)"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
