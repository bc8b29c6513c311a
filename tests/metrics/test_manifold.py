"""Precision, recall, density and coverage: against brute force, closed forms, torch-fidelity, and in extreme cases."""

import math
import os

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch_fidelity.metric_prc import prc_features_to_metric

from lit_gan.metrics import DensityCoverage, PrecisionRecall, distances
from tests.support.processes import on_ranks

BOTH = pytest.mark.parametrize("cls", [PrecisionRecall, DensityCoverage])


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small products gain nothing from a second thread, and lose much where another process wants the core."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def score(cls, real, fake, **options):
    metric = cls(**options)
    metric.update(real, real=True)
    metric.update(fake, real=False)
    return {name: value.item() for name, value in metric.compute().items()}


def scores(real, fake, k=3):
    return score(PrecisionRecall, real, fake, k=k) | score(DensityCoverage, real, fake, k=k)


def brute_force(real, fake, k=3):
    """Return all four by their definitions, from differences in float64."""
    real, fake = real.double(), fake.double()

    def distances(x, y):
        return torch.stack([(a - y).square().sum(1).sqrt() for a in x])

    def reach(x):
        return torch.stack([torch.cat([d[:i], d[i + 1 :]]).sort().values[k - 1] for i, d in enumerate(distances(x, x))])

    in_real = distances(fake, real) <= reach(real)
    in_fake = distances(real, fake) <= reach(fake)
    return {
        "precision": float(in_real.any(1).double().mean()),
        "recall": float(in_fake.any(1).double().mean()),
        "density": float(in_real.double().sum()) / (k * len(fake)),
        "coverage": float(in_real.any(0).double().mean()),
    }


def normal(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def on_a_lattice(n, d, seed=0):
    return torch.randint(0, 5, (n, d), generator=torch.Generator().manual_seed(seed)).float()


@pytest.mark.parametrize("block", [1, 500, distances._BLOCK])
@pytest.mark.parametrize(
    ("real", "fake", "k"),
    [
        (normal(90, 3), normal(60, 3, 1) + 0.5, 1),
        (normal(90, 3), normal(60, 3, 1) + 0.5, 3),
        (normal(40, 200), normal(70, 200, 1) * 1.03, 5),
        (normal(100, 1), normal(9, 1, 1) * 4, 8),
        (normal(6, 2), normal(80, 2, 1), 5),
        (on_a_lattice(80, 2), on_a_lattice(60, 2, 1), 3),  # many ties, and copies
        (on_a_lattice(80, 3), on_a_lattice(60, 3, 1), 2),
        (on_a_lattice(80, 3) + 1000, on_a_lattice(60, 3, 1) + 1001, 2),
    ],
)
def test_is_what_brute_force_gives(monkeypatch, real, fake, k, block):
    monkeypatch.setattr(distances, "_BLOCK", block)
    assert scores(real, fake, k) == pytest.approx(brute_force(real, fake, k), rel=1e-6)


def test_by_hand_on_a_line():
    """Balls of k = 1: real 0, 1, 3 reach 1, 1, 2, and 10 reaches 7; fake 2, 12, 20 reach 10, 8, 8."""
    real, fake = torch.tensor([[0.0], [1], [3], [10]]), torch.tensor([[2.0], [12], [20]])
    assert scores(real, fake, k=1) == pytest.approx(
        {
            "precision": 2 / 3,  # 2 lies in the balls of 1 and 3, 12 in that of 10
            "recall": 4 / 4,  # all lie in the ball of 2
            "density": 3 / 3,
            "coverage": 3 / 4,  # 0 reaches to 1 only
        }
    )
    assert score(PrecisionRecall, real, fake[1:], k=1)["recall"] == 1 / 4  # 12 reaches from 4 to 20


def test_a_collapsed_generator_is_precise_and_recalls_little():
    """The other way round in torch-fidelity before 0.4 (its issue 58)."""
    real = normal(500, 8)
    collapsed = score(PrecisionRecall, real, real[:1] + 1e-3 * normal(500, 8, 1))
    assert collapsed["precision"] == 1
    assert collapsed["recall"] < 0.01
    blurred = score(PrecisionRecall, real, 3 * normal(500, 8, 1))  # everywhere, and mostly where no data are
    assert blurred["precision"] < 0.4
    assert blurred["recall"] > 0.9


def test_a_missing_mode_lowers_recall_and_coverage_alone():
    real = torch.cat([normal(300, 4), normal(300, 4, 1) + 50])
    found = scores(real, normal(600, 4, 2), k=5)
    assert found["precision"] > 0.9
    assert 0.4 < found["recall"] <= 0.5
    assert 0.4 < found["coverage"] <= 0.5
    both = scores(real, torch.cat([normal(300, 4, 2), normal(300, 4, 3) + 50]), k=5)
    assert min(both["recall"], both["coverage"]) > 0.9


@pytest.mark.parametrize(("n", "m", "k"), [(40, 40, 5), (60, 20, 3), (20, 60, 1)])
def test_expected_density_and_coverage_of_one_distribution(n, m, k):
    """No fake sample is among the k nearest of all others with probability Π (N − i)/(N + M − i); density is 1."""
    runs = [score(DensityCoverage, normal(n, 2, i), normal(m, 2, 10_000 + i), k=k) for i in range(300)]
    expected = 1 - math.prod((n - i) / (n + m - i) for i in range(1, k + 1))
    for name, mean in (("density", 1), ("coverage", expected)):
        values = torch.tensor([run[name] for run in runs]).double()
        error = float(values.std()) / math.sqrt(len(runs))
        assert float(values.mean()) == pytest.approx(mean, abs=3 * error)
        assert error < 0.03


@pytest.mark.parametrize("n_fake", [200, 50])
@pytest.mark.parametrize("shift", [0, 1e4])
@pytest.mark.parametrize("d", [1, 7, 300])
def test_the_same_samples_score_one(d, shift, n_fake):
    real = normal(200, d) + shift
    found = scores(real, real[torch.randperm(n_fake)], k=5)
    assert found["precision"] == 1
    if n_fake == 200:
        assert (found["recall"], found["coverage"]) == (1, 1)
        if not shift:
            assert found["density"] == pytest.approx(6 / 5)  # the ball's k others, and its middle


@pytest.mark.parametrize("value", [0, 1, 0.1, 12_345.678, -1e-30, 1e30])
@pytest.mark.parametrize("d", [1, 512])
def test_equal_features_are_in_one_another(d, value):
    real, fake = torch.full((30, d), float(value)), torch.full((20, d), float(value))
    expected = {"precision": 1, "recall": 1, "density": 30 / 5, "coverage": 1}
    assert scores(real, fake, k=5) == pytest.approx(expected)
    far = torch.full((20, d), value + max(1, abs(value)) * 1e-3)
    assert scores(real, far, k=5) == {"precision": 0, "recall": 0, "density": 0, "coverage": 0}


def test_copies_are_neighbours_at_the_distance_zero():
    """Each of four points four times: balls of k = 3 hold their own copies alone, those of k = 4 the next point."""
    points = torch.tensor([[0.3], [1.3], [3.3], [7.3]]) * torch.rand(1, 100, generator=torch.Generator().manual_seed(0))
    real = points.repeat(4, 1)
    near = points + 1e-4
    assert scores(real, near, k=3) == {"precision": 0, "recall": 1, "density": 0, "coverage": 0}
    assert score(DensityCoverage, real, near, k=4)["coverage"] == 1
    assert score(DensityCoverage, real, points[:1], k=3) == pytest.approx({"density": 4 / 3, "coverage": 1 / 4})


def test_close_points_far_from_zero_are_told_apart():
    """In float32 ‖a‖² + ‖b‖² − 2ab of these is 0 or noise: torch-fidelity 0.4 gives a precision and recall of 1."""
    real, fake = 0.01 * normal(300, 20) + 100, 0.009 * normal(300, 20, 1) + 100
    assert scores(real, fake, k=3) == pytest.approx(brute_force(real, fake), rel=1e-6)
    assert score(PrecisionRecall, real, fake)["precision"] < 0.9
    closer = 0.001 * normal(300, 20) + 1000, 0.0009 * normal(300, 20, 1) + 1000
    assert scores(*closer, k=3) == pytest.approx(brute_force(*closer), rel=1e-6)
    one_far_away = torch.cat([real, torch.full((1, 20), 1e4)])
    assert scores(one_far_away, fake, k=3) == pytest.approx(brute_force(one_far_away, fake), rel=1e-6)


def test_rotation_shift_and_scale_change_nothing():
    real, fake = normal(150, 6), 0.8 * normal(120, 6, 1)
    expected = scores(real, fake)
    rotation = torch.linalg.qr(normal(6, 6, 2).double()).Q
    turned = [(x.double() @ rotation).float() for x in (real, fake)]
    shifted = [x + torch.arange(6) for x in (real, fake)]
    for changed in (turned, shifted, [real * 2.0**60, fake * 2.0**60], [real * 2.0**-60, fake * 2.0**-60]):
        assert scores(*changed) == expected


@pytest.mark.parametrize(("n", "m", "d"), [(300, 300, 5), (500, 200, 64), (120, 400, 512)])
@pytest.mark.parametrize("k", [1, 3, 10])
@pytest.mark.parametrize("in_parts", [True, False])
def test_is_what_torch_fidelity_gives(n, m, d, k, in_parts):
    """Protocols agree: ≤, the k-th of the others, no sub-sampling. Not where float32 has too few digits: see below."""
    real, fake = normal(n, d), 0.9 * normal(m, d, 1)
    options = {"prc_neighborhood": k, "prc_batch_size": 128, "save_cpu_ram": in_parts, "verbose": False}
    theirs = prc_features_to_metric(fake, real, **options)
    ours = score(PrecisionRecall, real, fake, k=k)
    assert ours == pytest.approx({name: theirs[name] for name in ours}, abs=1e-4)


@BOTH
def test_is_independent_of_batches_order_and_type(cls):
    real, fake = (x.bfloat16() for x in (normal(300, 16), normal(250, 16, 1)))
    metric = cls()
    for batch in fake[torch.randperm(250)].double().split(77):
        metric.update(batch, real=False)
    for batch in real[torch.randperm(300)].split(90):
        metric.update(batch, real=True)
    metric.update(real[:0].float(), real=True)
    assert {name: value.item() for name, value in metric.compute().items()} == score(cls, real, fake)
    assert {x.dtype for x in metric.real + metric.fake} == {torch.float32}


class Extractor(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten())


@BOTH
def test_a_network_makes_the_features_in_evaluation_mode(cls):
    network = Extractor()
    network[1].eval()
    images = torch.rand(60, 1, 6, 6), torch.rand(50, 1, 6, 6)
    modes = [module.training for module in network.modules()]
    with torch.autocast("cpu"):
        found = score(cls, *images, feature=network)
    assert [module.training for module in network.modules()] == modes
    network.eval()
    with torch.no_grad():
        assert found == score(cls, *map(network, images))
    metric = cls(network)
    metric.update(images[0], real=True)
    assert not metric.real[1].requires_grad


@BOTH
def test_a_metric_reset_in_inference_mode_is_used_outside_it_and_the_reverse(cls):
    real, fake = normal(60, 2), normal(60, 2, 1)
    metric = cls()
    with torch.inference_mode():
        metric.reset()
        metric.update(real.clone(), real=True)
    metric.update(fake, real=False)
    assert {name: value.item() for name, value in metric.compute().items()} == score(cls, real, fake)


def with_feature(network, samples):
    DensityCoverage(network).update(samples, real=True)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: scores(normal(3, 2), normal(9, 2)), ValueError, "3 real and 9 fake .* k=3 takes 4 real and 4 fake"),
        (lambda: scores(normal(9, 2), normal(3, 2)), ValueError, "9 real and 3 fake .* k=3 takes 4 real and 4 fake"),
        (
            lambda: score(DensityCoverage, normal(5, 2), normal(1, 2)),
            ValueError,
            "5 real and 1 fake .* k=5 takes 6 real and 1 fake ones",
        ),
        (lambda: score(DensityCoverage, normal(9, 2), normal(0, 2)), ValueError, "9 real and 0 fake samples"),
        (lambda: scores(normal(9, 2), normal(9, 3)), ValueError, "samples of 3 features after others of 2"),
        (lambda: scores(normal(9, 2), normal(9, 2) / 0), ValueError, "samples are NaN or infinite in 9 of 9 rows"),
        (
            lambda: scores(normal(9, 2) * math.nan, normal(9, 2)),
            ValueError,
            "NaN or infinite in 9 of 9 rows",
        ),
        (lambda: scores(normal(9, 1).double() * 1e300, normal(9, 1)), ValueError, "infinite in 9 of 9 rows"),
        (
            lambda: scores(torch.rand(9, 1, 4, 4), None),
            ValueError,
            r"shape \(9, 1, 4, 4\) .* or feature=, a",
        ),
        (
            lambda: scores(torch.ones(9, 2).byte(), None),
            ValueError,
            r"are uint8 of .*: give features \(N, D\)",
        ),
        (
            lambda: with_feature(nn.Conv2d(1, 1, 1), torch.rand(9, 1, 4, 4)),
            ValueError,
            r"Conv2d's features are",
        ),
        (lambda: with_feature(nn.Flatten(0, 1), torch.rand(9, 2, 4)), ValueError, r"\(18, 4\).* a row for each"),
        (
            lambda: with_feature(nn.LSTM(4, 4), torch.rand(9, 4)),
            ValueError,
            "LSTM's features are a tuple",
        ),
        (lambda: PrecisionRecall(k=0), ValueError, "k=0 must be at least 1"),
        (lambda: DensityCoverage(k=2.5), TypeError, "k=2.5 must be at least 1, a whole number"),
        (lambda: PrecisionRecall(nn.Flatten), TypeError, "is no Module: give an instance of one"),
        (lambda: PrecisionRecall(3), TypeError, "feature=3 is no Module"),
    ],
)
def test_what_cannot_be_compared_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
    fewest = score(DensityCoverage, normal(6, 2), normal(1, 2)), score(PrecisionRecall, normal(4, 2), normal(4, 2, 1))
    assert all(math.isfinite(value) for found in fewest for value in found.values())


def score_on_a_rank(shares):
    """Update with this rank's share of real samples and of fake ones, in batches."""
    dist.init_process_group("gloo", rank=int(os.environ["LOCAL_RANK"]), world_size=2)
    found, kept = {}, []
    for cls in (PrecisionRecall, DensityCoverage):
        metric = cls()
        for kind, samples in zip((True, False), shares[dist.get_rank()], strict=True):
            for batch in samples.split(20) if len(samples) else ():
                metric.update(batch, real=kind)
        found |= {name: value.item() for name, value in metric.compute().items()}
        kept.append(len(torch.cat(metric.real)))
    dist.destroy_process_group()
    return found, kept


@pytest.mark.slow
def test_two_ranks_score_as_one_process_with_all_samples():
    real, fake = normal(90, 4), normal(70, 4, 1)
    (first, kept), (second, _) = on_ranks(score_on_a_rank, [(real[:30], fake), (real[30:], fake[:0])])
    assert first == second == score(PrecisionRecall, real, fake) | score(DensityCoverage, real, fake)
    assert kept == [30, 30]
