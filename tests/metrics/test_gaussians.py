"""The Fréchet distance of Gaussians against closed forms and scipy's root, and what few samples add to it."""

import math

import pytest
import torch
from scipy.linalg import sqrtm

from lit_gan.metrics import frechet_distance
from lit_gan.metrics.gaussians import distance_of_equals
from lit_gan.metrics.moments import merged, no_moments, statistics, with_samples

RNG = torch.Generator()


@pytest.fixture(autouse=True)
def same_numbers():
    """Let no test depend on those before it."""
    RNG.manual_seed(0)


def normal(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=RNG)


def rotated(variances):
    """Return the covariance that has these variances along random axes, and the axes."""
    axes = torch.linalg.qr(normal(len(variances), len(variances)))[0]
    return (axes * variances) @ axes.T, axes


@pytest.mark.parametrize("d", [1, 2, 5])
def test_covariances_of_common_axes(d):
    """‖μ₁ − μ₂‖² + Σ (√a − √b)² where Σ₁ and Σ₂ commute."""
    mu1, mu2, a = normal(d), normal(d), normal(d).square() + 0.1
    b = normal(d).square() * torch.logspace(0, -3, d, dtype=torch.float64)
    covariance, axes = rotated(a)
    expected = float((mu1 - mu2).square().sum() + (a.sqrt() - b.sqrt()).square().sum())
    for sigma1, sigma2 in ((a.diag(), b.diag()), (covariance, (axes * b) @ axes.T)):
        assert float(frechet_distance(mu1, sigma1, mu2, sigma2)) == pytest.approx(expected, rel=1e-12)
        assert float(frechet_distance(mu2, sigma2, mu1, sigma1)) == pytest.approx(expected, rel=1e-12)


def test_any_two_covariances_of_two_dimensions():
    """tr((AB)^½) = √(tr AB + 2√det AB) of 2 × 2 matrices, by the eigenvalues' sum and product."""
    for _ in range(5):
        a, b = (rotated(normal(2).square())[0] for _ in range(2))
        root = ((a @ b).trace() + 2 * torch.linalg.det(a @ b).sqrt()).sqrt()
        expected = float(a.trace() + b.trace() - 2 * root)
        assert float(frechet_distance(torch.zeros(2), a, torch.zeros(2), b)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("d", [5, 40])
def test_the_definition_by_scipys_root(d):
    a, b = (rotated(torch.logspace(0, -3, d, dtype=torch.float64))[0] for _ in range(2))
    mu1, mu2 = normal(d), normal(d)
    expected = float((mu1 - mu2).square().sum() + a.trace() + b.trace()) - 2 * sqrtm((a @ b).numpy()).trace().real
    assert float(frechet_distance(mu1, a, mu2, b)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("smallest", [1, 1e-4, 1e-6, 1e-7, 1e-9, 1e-13, 0])
@pytest.mark.parametrize("large", [1, 3, 48])
def test_holds_for_covariances_of_any_condition(smallest, large):
    """To 1e-9 of the trace, and so that equal ones have the distance 0: large variances and many small ones."""
    d = 96
    a = torch.where(torch.arange(d) < large, 1.0, smallest) * (1 + normal(d).abs())
    b = a * (1 + normal(d).abs())
    covariance, axes = rotated(a)
    covariance, other = ((x + x.T) / 2 for x in (covariance, (axes * b) @ axes.T))
    zero, trace = torch.zeros(d), float(a.sum())
    assert 0 <= frechet_distance(zero, covariance, zero, covariance.clone()) < 1e-9 * trace
    expected = float((a.sqrt() - b.sqrt()).square().sum())
    assert float(frechet_distance(zero, covariance, zero, other)) == pytest.approx(expected, abs=1e-9 * trace, rel=1e-6)


def test_singular_covariances():
    """tr((uuᵀvvᵀ)^½) = |u·v|; of covariances whose axes have nothing in common it is 0."""
    u, v = normal(7), normal(7)
    zero = torch.zeros(7)
    expected = float(u @ u + v @ v - 2 * abs(u @ v))
    for rank in (None, 1):
        distance = frechet_distance(zero, u.outer(u), zero, v.outer(v), rank)
        assert float(distance) == pytest.approx(expected, rel=1e-9)
    a, b = torch.tensor([1.0, 2, 0, 0]).diag(), torch.tensor([0.0, 0, 3, 4]).diag()
    assert frechet_distance(torch.ones(4), a, torch.zeros(4), b) == 4 + 3 + 7
    assert frechet_distance(torch.ones(4), 0 * a, torch.zeros(4), 0 * b) == 4
    assert frechet_distance(torch.ones(4), 0 * a, torch.zeros(4), b) == 4 + 7


def test_rank_only_spares_time():
    x, y = normal(12, 30) * torch.logspace(0, -2, 30, dtype=torch.float64), normal(200, 30)
    moments = [(z.mean(0), z.T.cov()) for z in (y, x)]
    expected = float(frechet_distance(*moments[0], *moments[1]))
    assert float(frechet_distance(*moments[0], *moments[1], rank=11)) == pytest.approx(expected, rel=1e-9)
    assert float(frechet_distance(*moments[1], *moments[0], rank=11)) == pytest.approx(expected, rel=1e-9)


def test_takes_any_float_type_and_answers_in_float64():
    a, b = (rotated(torch.logspace(0, -6, 30, dtype=torch.float64))[0] for _ in range(2))
    mu1, mu2 = normal(30), normal(30)
    expected = frechet_distance(mu1, a, mu2, b)
    rounded = frechet_distance(mu1.float(), a.float(), mu2.float(), b.float().requires_grad_())
    assert expected.dtype == rounded.dtype == torch.float64
    assert not rounded.requires_grad
    assert float(rounded) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize(("n1", "n2"), [(5000, 15), (60, 15), (60, 60), (15, 10), (2000, 2000)])
@pytest.mark.parametrize("decay", [0, 2])
def test_samples_of_one_gaussian_score_what_is_said(n1, n2, decay):
    d = 60
    variances = 3 * torch.logspace(0, -decay, d, dtype=torch.float64)
    draws = [[normal(n, d) * variances.sqrt() for n in (n1, n2)] for _ in range(8)]
    measured = torch.stack([frechet_distance(*(m for x in draw for m in (x.mean(0), x.T.cov()))) for draw in draws])
    said = distance_of_equals(variances, n1, n2)
    assert said == pytest.approx(float(measured.mean()), rel=0.05, abs=3 * float(measured.std()))
    if n1 == n2 == 2000 and decay == 0:
        assert said == pytest.approx(float(variances.sum()) * (d + 5) / 4 * 2 / 2000, rel=0.05)


def eye(d):
    return torch.eye(d)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.ones(2), eye(3), torch.ones(2), eye(2)), r"mu1 is \(2,\) and sigma1 \(3, 3\): give"),
        ((torch.ones(2), eye(2), torch.ones(2, 1), eye(2)), r"mu2 is \(2, 1\)"),
        ((torch.ones(0), eye(0), torch.ones(0), eye(0)), r"mu1 is \(0,\)"),
        ((torch.ones(2), eye(2), torch.ones(3), eye(3)), "mu1 has 2 features and mu2 3"),
        ((torch.ones(2), eye(2), torch.ones(2), eye(2) * math.nan), "mu2 or sigma2 holds NaN"),
        ((torch.ones(2), eye(2) + math.inf, torch.ones(2), eye(2)), "mu1 or sigma1 holds NaN or infinity"),
        ((torch.ones(2) * math.inf, eye(2), torch.ones(2), eye(2)), "mu1 or sigma1 holds"),
        ((torch.ones(2), torch.tensor([[1.0, 1], [0, 1]]), torch.ones(2), eye(2)), "sigma1 is not symmetric"),
        ((torch.ones(2), -eye(2), torch.ones(2), eye(2)), "sigma1 has a variance of -1"),
        ((torch.ones(2), torch.tensor([[0.0, 1], [1, 1]]), torch.ones(2), eye(2)), "sigma1 has a variance of 0"),
        ((torch.ones(2), torch.tensor([[1.0, 2], [2, 1]]), torch.ones(2), eye(2)), "has the eigenvalue -1, and none"),
    ],
)
def test_what_is_no_gaussian_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        frechet_distance(*arguments)


class TestMoments:
    def test_batches_and_parts_have_the_moments_of_the_whole(self):
        x = normal(5000, 6) @ normal(6, 6) + 7
        batches = no_moments(6)
        for part in x.split(317):
            batches = with_samples(batches, part)
        parts = merged(torch.stack([no_moments(6), *(with_samples(no_moments(6), p) for p in x.split(1300))]))
        for moments in (batches, parts, with_samples(no_moments(6), x)):  # the last in two chunks
            n, mean, covariance = statistics(moments)
            assert n == 5000
            torch.testing.assert_close(mean, x.mean(0), rtol=1e-12, atol=0)
            torch.testing.assert_close(covariance, x.T.cov(), rtol=1e-11, atol=1e-12)

    def test_keep_the_covariance_of_samples_far_from_0(self):
        near = normal(300, 4)
        far = near + 1e8
        moments = no_moments(4)
        for part in far.split(32):
            moments = with_samples(moments, part)
        both = merged(torch.stack([with_samples(no_moments(4), part) for part in far.split(100)]))
        for x in (moments, both):
            torch.testing.assert_close(statistics(x).covariance, near.T.cov(), rtol=1e-6, atol=1e-7)

    def test_are_new_tensors(self):
        moments = with_samples(no_moments(2), normal(5, 2))
        before = moments.clone()
        assert with_samples(moments, normal(0, 2)) is not moments
        with_samples(moments, normal(3, 2))
        assert torch.equal(moments, before)
