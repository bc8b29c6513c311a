"""The two-sample test: as many false alarms as it promises, known differences found, no more than the JSD claimed."""

import math
import os

import pytest
import torch
import torch.distributed as dist
from torchvision.transforms.functional import gaussian_blur

from lit_gan.data import FashionMNISTSample, GaussianMixture
from lit_gan.data.images import to_float
from lit_gan.metrics import ClassifierTwoSample
from lit_gan.metrics.two_sample import _scores
from lit_gan.theory import accuracy_p_value, js_divergence
from tests.support.processes import on_ranks


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small networks gain nothing from a second thread, and lose much where another process wants the core."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def score(real, fake, **options):
    metric = ClassifierTwoSample(**options)
    for samples in real if isinstance(real, list) else [real]:
        metric.update(samples, real=True)
    metric.update(fake, real=False)
    return metric.compute()


def normal(n, *shape, seed=0, mean=0.0):
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed)) + mean


@pytest.fixture(scope="module")
def fashion():
    images, labels = FashionMNISTSample().load("train")
    return [images[labels == c] for c in range(10)]


@pytest.fixture(scope="module")
def alike():
    """One hundred tests of samples that have one distribution; in ten dimensions every training set is memorised."""
    scores = [score(normal(100, 10, seed=i), normal(100, 10, seed=1000 + i), seed=i) for i in range(100)]
    return {name: torch.stack([s[name] for s in scores]) for name in scores[0]}


@pytest.mark.slow
def test_false_alarms_are_as_rare_as_the_level_promises(alike):
    assert (alike["p_value"] < 0.05).sum() <= 11  # 1 % of binomial counts of 5 % exceed 10
    assert 0.2 < alike["p_value"].median() < 0.9
    assert alike["p_value"].min() < 0.3
    assert alike["accuracy"].mean() == pytest.approx(0.5, abs=3 * 0.5 / math.sqrt(100 * 100))


def test_no_divergence_is_claimed_where_there_is_none(alike):
    assert alike["jsd_lower_bound"].mean() < 1e-3
    assert (alike["jsd_low"] > 0).sum() <= 11
    assert (alike["jsd_low"] <= alike["jsd_lower_bound"]).all()
    assert (alike["jsd_lower_bound"] <= alike["jsd_high"]).all()


def test_a_known_shift_is_found_and_its_jsd_not_exceeded():
    x = torch.linspace(-12, 12, 24_001, dtype=torch.float64)
    p, q = ((-((x - mean) ** 2) / 2).exp() / math.sqrt(2 * math.pi) for mean in (0, 0.5))
    jsd = float(js_divergence(p, q, float(x[1] - x[0])))
    scores = score(normal(4000, 1), normal(4000, 1, seed=1, mean=0.5))
    assert scores["p_value"] < 1e-6
    assert jsd / 2 < scores["jsd_lower_bound"] < jsd + 0.01  # two standard errors
    assert scores["jsd_low"] < jsd
    assert 0.5 < scores["accuracy"] < 0.599 + 0.016  # Φ(¼), the best there is, and two standard errors


def test_modes_that_are_too_wide_are_found_though_they_are_narrow():
    ring, rng = GaussianMixture("ring").mixture, torch.Generator().manual_seed(0)
    real, (x, modes) = ring.sample(1000, rng)[0], ring.sample(1000, rng)
    means = ring.means[modes].float()
    assert (
        score(real, means + 2 * (x - means))["jsd_low"] > 0.05
    )  # of 0.17, the JSD of N(0, I) and N(0, 4·I) in the plane


def test_a_bound_of_distributions_far_apart_stays_below_log_2():
    scores = score(normal(400, 2), normal(400, 2, seed=1, mean=100.0))
    assert scores["accuracy"] == 1
    assert 0.6 < scores["jsd_lower_bound"] <= scores["jsd_high"] <= math.log(2)


def test_blur_and_another_class_are_found_in_images(fashion):
    blurred = gaussian_blur(fashion[0][300:600], [3, 3], [1.0, 1.0])
    for fake in (blurred, fashion[1][:300]):
        scores = score(fashion[0][:300], fake, epochs=15)
        assert scores["p_value"] < 1e-4
        assert scores["jsd_low"] > 0.1


def test_float_images_are_compared_as_the_uint8_ones_they_would_be_saved_as(fashion):
    real, fake = fashion[2][:40], fashion[4][:40]
    as_float = to_float(fake) + normal(40, 1, 28, 28) * 1e-4
    whole, rounded = (score(real, images, epochs=2) for images in (fake, as_float))
    assert whole == rounded


@pytest.mark.parametrize("shape", [(3, 7, 13), (1, 1, 2), (2, 64, 5), (4, 3, 9)])
def test_takes_images_of_any_shape(shape):
    dark, light = (normal(60, *shape, seed=i).mul(0.1).add(m).clamp(-1, 1) for i, m in ((0, -0.5), (1, 0.5)))
    assert score(dark, light, epochs=40)["accuracy"] > 0.9


def test_takes_vectors_of_any_scale_and_type():
    far = normal(200, 2).double() * 1e-3 + 1e6
    far[:, 1] = 7  # constant, in both kinds
    assert score(far, far.flip(0) + torch.tensor([3e-3, 0]), epochs=10)["accuracy"] > 0.85
    assert score(normal(200, 2).bfloat16(), normal(200, 2, mean=3.0).half(), epochs=10)["accuracy"] > 0.85


def test_is_independent_of_batches_and_of_the_random_state():
    real, fake = normal(90, 2), normal(90, 2, seed=1, mean=0.5)
    first = score(real, fake)
    torch.manual_seed(5)
    assert score(list(real.split(17)), fake) == first
    assert score(real, fake, seed=1) != first


def test_uses_as_many_of_each_kind_and_no_more_than_asked_for():
    """Labels alone answer 9 of 10 questions where there are nine times as many real samples."""
    scores = score(normal(900, 2), normal(100, 2, seed=1))
    assert abs(scores["accuracy"] - 0.5) < 0.15
    assert (scores["accuracy"] * 100) % 0.5 == pytest.approx(0, abs=1e-4)  # of 2·50
    few = score(normal(900, 2), normal(900, 2, seed=1, mean=1.0), max_samples=40, held_out=0.25)
    assert (few["accuracy"] * 20) % 0.5 == pytest.approx(0, abs=1e-4)  # of 2·10


def test_scores_of_logits_by_hand():
    test = torch.tensor([2.0, 1.0, -1.0]).double(), torch.tensor([-3.0, 0.0, -1.0]).double()
    scores = _scores((normal(50).double() + 3, normal(50).double() - 3), test, 0.95, 0)
    assert scores["accuracy"] == 4.5 / 6
    assert scores["p_value"] == accuracy_p_value(4, 6)
    backwards = _scores((normal(50).double() - 3, normal(50).double() + 3), test, 0.95, 0)
    for name in ("jsd_lower_bound", "jsd_low", "jsd_high"):
        assert backwards[name] == pytest.approx(0, abs=1e-12)


def test_a_metric_reset_in_inference_mode_is_used_outside_it_and_the_reverse():
    real, fake = normal(60, 2), normal(60, 2, seed=1, mean=0.5)
    expected = score(real, fake)
    metric = ClassifierTwoSample()
    with torch.inference_mode():
        metric.reset()
        metric.update(real.clone(), real=True)
    metric.update(fake, real=False)
    assert metric.compute() == expected


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: score(normal(30, 2), normal(900, 2)), "30 real and 900 fake samples.*leave \\[11, 4, 15\\].*below 5"),
        (lambda: score(normal(99, 2), normal(99, 2), max_samples=9), "max_samples=9 leave"),
        (lambda: score([], normal(99, 2)), "0 real and 99 fake samples"),
        (lambda: score(normal(60, 2), normal(60, 3)), r"shape \(3,\) each after others of \(2,\)"),
        (lambda: score(normal(60, 1, 8, 8), normal(60, 1, 8, 9)), "real and fake ones must have one shape"),
        (lambda: score(normal(60), normal(60)), r"shape \(60,\) and type torch.float32: give vectors"),
        (lambda: score(torch.ones(60, 2).long(), normal(60, 2)), "type torch.int64"),
        (lambda: score(torch.ones(60, 2).byte(), normal(60, 2)), "type torch.uint8"),
        (lambda: score(normal(60, 2), normal(60, 2) / 0), "120 numbers of the samples are NaN or infinite"),
        (lambda: score(normal(60, 1, 4, 4), normal(60, 1, 4, 4) + math.nan), "960 numbers"),
    ],
)
def test_what_cannot_be_tested_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def score_on_a_rank(shares):
    """Update with this rank's share of real samples and of fake ones, in batches."""
    dist.init_process_group("gloo", rank=int(os.environ["LOCAL_RANK"]), world_size=2)
    metric = ClassifierTwoSample(epochs=5)
    for kind, samples in zip((True, False), shares[dist.get_rank()], strict=True):
        for batch in samples.split(20) if len(samples) else ():
            metric.update(batch, real=kind)
    scores = metric.compute(), len(torch.cat(metric.real))
    dist.destroy_process_group()
    return scores


def test_two_ranks_score_as_one_process_with_all_samples(fashion):
    real, fake = fashion[2][:90], fashion[4][:90]
    shares = [(real[:30], fake), (real[30:], fake[:0])]  # rank 1 has no fake ones
    (first, kept), (second, _) = on_ranks(score_on_a_rank, shares)
    assert first == second
    assert kept == 30
    assert first == score(real, fake, epochs=5)  # to the bit: all three on one thread
