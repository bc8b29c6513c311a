"""V(G, D), its bound and the calibration, against closed forms in float64."""

import math

import pytest
import torch
from torch.testing import assert_close

from lit_gan.losses import NonSaturating, RelativisticPaired
from lit_gan.theory import EQUILIBRIUM_VALUE, accuracy, calibrate, calibration_error, jsd_lower_bound, value
from lit_gan.training.held_out import density_ratios

X = torch.linspace(-30, 30, 60_001, dtype=torch.float64)
STEP = float(X[1] - X[0])


def gaussian(mean, sigma=1.0):
    return torch.distributions.Normal(torch.tensor(mean, dtype=torch.float64), sigma).log_prob(X)


def kl(log_p, log_q):
    return float((log_p.exp() * (log_p - log_q)).sum() * STEP)


def test_v_is_minus_log_4_where_d_is_one_half():
    zeros = torch.zeros(3, dtype=torch.float64)
    assert_close(value(zeros, zeros), torch.tensor(EQUILIBRIUM_VALUE, dtype=torch.float64))
    assert math.isclose(EQUILIBRIUM_VALUE, -1.3862943611198906)
    assert jsd_lower_bound(torch.tensor(EQUILIBRIUM_VALUE)) == 0


def test_v_is_log_d_plus_log_one_minus_d():
    d_real, d_fake = torch.tensor([0.9, 0.6]).double(), torch.tensor([0.3, 0.2]).double()
    expected = d_real.log().mean() + (1 - d_fake).log().mean()
    assert_close(value(d_real.logit(), d_fake.logit()), expected, rtol=1e-7, atol=1e-9)


def test_v_stays_finite_where_probabilities_would_round_to_zero():
    assert value(torch.tensor([-1000.0]), torch.tensor([0.0])) == pytest.approx(-1000 - math.log(2))


@pytest.mark.parametrize("scale", [1.0, 0.5, 2.0])
def test_the_bound_is_the_jsd_at_the_optimal_discriminator_and_below_it_elsewhere(scale):
    p, q = gaussian(0.0), gaussian(1.5, 2.0)
    m = torch.logaddexp(p, q) - math.log(2)
    jsd = (kl(p, m) + kl(q, m)) / 2
    ratio = scale * (p - q)
    # expectations by quadrature: V = ∫ p log σ(r) + q log σ(−r)
    v = ((p.exp() * -torch.nn.functional.softplus(-ratio)) + (q.exp() * -torch.nn.functional.softplus(ratio))).sum()
    bound = float(jsd_lower_bound(v * STEP))
    if scale == 1.0:
        assert bound == pytest.approx(jsd, abs=1e-9)
    else:
        assert bound < jsd - 1e-3


def test_accuracy_counts_both_kinds_alike_and_ties_half():
    real, fake = torch.tensor([1.0, -1.0, 2.0, 3.0]), torch.tensor([-1.0])
    assert accuracy(real, fake) == (0.75 + 1.0) / 2
    assert accuracy(torch.zeros(5), torch.zeros(2)) == 0.5
    assert accuracy(-torch.ones(2), torch.ones(3)) == 0


def test_calibration_recovers_slope_and_offset_of_a_log_ratio():
    rng = torch.Generator().manual_seed(0)
    # N(1, 1) against N(−1, 1): the log ratio is 2x
    x_real = torch.randn(200_000, generator=rng).double() + 1
    x_fake = torch.randn(200_000, generator=rng).double() - 1
    slope, offset = calibrate(5 * x_real + 3, 5 * x_fake + 3)
    assert slope == pytest.approx(2 / 5, rel=0.02)
    assert offset == pytest.approx(-2 / 5 * 3, rel=0.02)


def test_calibration_is_finite_without_overlap_and_at_constant_logits():
    slope, offset = calibrate(torch.full((50,), 5.0), torch.full((50,), 2.0))
    assert 0 < slope < 100
    assert slope * 5 + offset == pytest.approx(math.log(51), rel=1e-3)  # the smoothed target, 51/52
    slope, offset = calibrate(torch.ones(50), torch.ones(50))
    assert slope * 1 + offset == pytest.approx(0, abs=1e-6)


def test_calibration_of_too_little_data_is_refused():
    with pytest.raises(ValueError, match="got 1 real and 5 fake"):
        calibrate(torch.ones(1), torch.ones(5))


def test_metrics_score_a_log_ratio_as_it_is():
    real, fake = torch.tensor([1.0, 2.0]), torch.tensor([-1.0, 0.5])
    metrics = density_ratios(NonSaturating(), real, fake).metrics()
    assert set(metrics) == {"value", "jsd_lower_bound", "d_accuracy"}
    assert_close(metrics["value"], value(real.double(), fake.double()))
    assert_close(metrics["jsd_lower_bound"], (metrics["value"] + math.log(4)) / 2)
    assert metrics["d_accuracy"] == 0.75


def test_metrics_calibrate_logits_without_a_meaning_and_say_so():
    rng = torch.Generator().manual_seed(0)
    x_real = torch.randn(20_000, generator=rng).double() + 1
    x_fake = torch.randn(20_000, generator=rng).double() - 1
    known = density_ratios(NonSaturating(), 2 * x_real, 2 * x_fake).metrics()
    offset = density_ratios(RelativisticPaired(), 2 * x_real + 100, 2 * x_fake + 100).metrics()
    assert offset["calibrated"] == 1
    for name in known:
        assert_close(offset[name], known[name], atol=0.02, rtol=0)


def test_calibration_is_scored_on_logits_it_was_not_fitted_to():
    """Noise alone: a fit scored on its own data would find a difference; on other data V is below −log 4."""
    rng = torch.Generator().manual_seed(1)
    metrics = [
        density_ratios(RelativisticPaired(), torch.randn(20, generator=rng), torch.randn(20, generator=rng)).metrics()
        for _ in range(200)
    ]
    assert torch.stack([m["jsd_lower_bound"] for m in metrics]).mean() < 0


def test_calibration_error_by_hand():
    """D = 0.9 for nine of ten real and one of ten fake samples is right; for all of both it is 0.4 too much."""
    high, low = math.log(9), -math.log(9)
    right = torch.tensor([high] * 9 + [low], dtype=torch.float64)
    assert_close(calibration_error(right, -right), torch.zeros(()).double(), atol=1e-12, rtol=0)
    assert_close(calibration_error(right.abs(), right.abs()), torch.tensor(0.4).double())
    assert_close(calibration_error(torch.full((3,), 99.0), torch.full((1,), -99.0)), torch.zeros(()).double())
    assert_close(calibration_error(torch.full((3,), -99.0), torch.full((1,), 99.0)), torch.ones(()).double())


def test_calibration_error_takes_logits_of_any_shape():
    rng = torch.Generator().manual_seed(0)
    real, fake = torch.randn(20, generator=rng) + 1, torch.randn(30, generator=rng)
    assert calibration_error(real[:, None], fake[:, None]) == calibration_error(real, fake)


def test_calibration_error_of_a_log_ratio_is_small_and_of_a_steeper_one_is_not():
    rng = torch.Generator().manual_seed(0)
    real, fake = torch.randn(20_000, generator=rng) + 1, torch.randn(20_000, generator=rng) - 1
    assert calibration_error(2 * real, 2 * fake) < 0.01
    assert calibration_error(8 * real, 8 * fake) > 0.05
