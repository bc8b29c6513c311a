"""The Fréchet distance of samples: closed forms, torchmetrics and torch-fidelity, any batches, types and processes."""

import os
import pickle
import re
import warnings
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torchmetrics.image.fid import FrechetInceptionDistance

from lit_gan.extractors.features import keeping_types
from lit_gan.metrics import FrechetDistance, frechet_distance
from tests.support.processes import on_ranks


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def samples_with(mean, covariance, n=50, seed=0):
    """Return samples that have exactly this mean and covariance."""
    x = normal(n, len(mean), seed=seed)
    x = x - x.mean(0)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(x.T.cov().reshape(len(mean), -1)), x.T, upper=False)
    return (torch.linalg.cholesky(covariance) @ white).T + mean


def score(real, fake, batch=None, **options):
    metric = FrechetDistance(**options)
    for samples, kind in ((real, True), (fake, False)):
        for part in samples.split(batch or len(samples)):
            metric.update(part, real=kind)
    (value,) = metric.compute().values()
    return float(value)


class Features(nn.Module):
    """A small extractor as torchmetrics takes it."""

    num_features = 6

    def __init__(self):
        super().__init__()
        self.dropout = nn.Dropout(0.5)

    def forward(self, images):
        return self.dropout(images.flatten(1).float())


@pytest.mark.parametrize("d", [1, 2, 5])
def test_gaussians_of_known_moments(d):
    """Of variances a and b along common axes: ‖μ₁ − μ₂‖² + Σ (√a − √b)²."""
    a, b, mean = normal(d).square() + 0.1, normal(d, seed=1).square() + 0.1, normal(d, seed=2)
    real, fake = samples_with(torch.zeros(d), a.diag()), samples_with(mean, b.diag(), n=70, seed=1)
    expected = float(mean.square().sum() + (a.sqrt() - b.sqrt()).square().sum())
    assert score(real, fake) == pytest.approx(expected, rel=1e-6)
    assert score(real, real) == pytest.approx(0, abs=1e-8 * float(a.sum()))


def test_samples_of_gaussians_come_near_them():
    covariance = torch.tensor([[2.0, 0.6], [0.6, 0.5]], dtype=torch.float64)
    mean = torch.tensor([1.0, -2.0], dtype=torch.float64)
    factor = torch.linalg.cholesky(covariance)
    real, fake = normal(40_000, 2), normal(40_000, 2, seed=1) @ factor.T + mean
    expected = frechet_distance(torch.zeros(2), torch.eye(2), mean, covariance)
    assert score(real.float(), fake.float()) == pytest.approx(float(expected), rel=0.02)


@pytest.mark.parametrize(("n", "d"), [(400, 64), (40, 64)])
def test_agrees_with_torchmetrics_and_torch_fidelity(n, d):
    real = (normal(n, d) @ normal(d, d, seed=3) + 2).float()
    fake = (normal(n + 9, d, seed=1) * 3).float()
    network = nn.Identity()
    network.num_features = d
    theirs = FrechetInceptionDistance(network)
    theirs.update(real, real=True)
    theirs.update(fake, real=False)
    fidelity = fid_statistics_to_metric(*map(fid_features_to_statistics, (real, fake)), verbose=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*a covariance has the rank.*")
        ours = score(real, fake)
    assert ours == pytest.approx(float(theirs.compute()), rel=1e-4)
    assert ours == pytest.approx(fidelity["frechet_inception_distance"], rel=1e-4)
    moments = [moment for x in (real.double(), fake.double()) for moment in (x.mean(0), x.T.cov())]
    assert ours == pytest.approx(float(frechet_distance(*moments)), rel=1e-6)


def test_is_independent_of_batches_order_and_offset():
    real, fake = normal(300, 5), normal(200, 5, seed=1) * 2
    expected = score(real, fake)
    shuffled = fake[torch.randperm(200, generator=torch.Generator().manual_seed(0))]
    assert score(real, shuffled, batch=17) == pytest.approx(expected, rel=1e-6)
    assert score(real, fake, batch=1) == pytest.approx(expected, rel=1e-6)
    assert score(real + 1e6, fake + 1e6, batch=17) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_is_computed_in_float64_whatever_the_features_are(dtype):
    real, fake = normal(300, 5).to(dtype) + 100, normal(200, 5, seed=1).to(dtype) + 101
    assert score(real, fake, batch=32) == score(real.double(), fake.double(), batch=32)


def test_features_without_variance_have_a_score():
    real, fake = normal(50, 4), normal(50, 4, seed=1)
    real[:, 1] = fake[:, 2] = 0.1
    real[:, 3] = fake[:, 3] = 7
    rest = float((real[:, 0].mean() - fake[:, 0].mean()) ** 2 + (real[:, 0].std() - fake[:, 0].std()) ** 2)
    rest += float(fake[:, 1].var() + (fake[:, 1].mean() - 0.1) ** 2 + real[:, 2].var() + (real[:, 2].mean() - 0.1) ** 2)
    covariances = [float(x.T.cov()[0, 1:].abs().max()) for x in (real, fake)]
    assert min(covariances) > 0.01  # rest leaves them out: in the roots they meet a variance of 0
    assert score(real, fake) == pytest.approx(rest, rel=1e-6)
    assert score(torch.ones(9, 4), torch.zeros(9, 4)) == 4


def test_fewer_samples_than_features_are_warned_of_once_and_with_what_equal_ones_score():
    real, fake = normal(2000, 30), normal(20, 30, seed=1)
    metric = FrechetDistance()
    metric.update(real, real=True)
    metric.update(fake, real=False)
    with pytest.warns(UserWarning, match="2000 real and 20 generated samples of 30 features.*the rank 19") as caught:
        measured = float(metric.compute()["fid"])  # of equal distributions, so all of it is bias
    said = float(re.search(r"would score about ([\d.]+); give more than 30", str(caught[0].message))[1])
    assert said == pytest.approx(measured, rel=0.1)
    metric.update(fake + 1, real=False)
    metric.compute()  # warnings are errors
    both = FrechetDistance()
    both.update(fake, real=True)
    both.update(fake, real=False)
    with pytest.warns(UserWarning, match=r"would score about [\d.]+ or more"):
        assert float(both.compute()["fid"]) == pytest.approx(0, abs=1e-8 * 30)


def test_memory_is_flat_and_the_states_stand_for_the_samples():
    metric = FrechetDistance()
    real, fake = normal(500, 3), normal(300, 3, seed=1)
    for part in real.split(50):
        metric.update(part, real=True)
        assert metric.real.shape == metric.fake.shape == (5, 3)
    kept = metric.real.clone()
    metric.update(fake, real=False)
    expected = metric.compute()
    metric.reset()
    metric.real = kept
    metric.update(fake, real=False)
    assert metric.compute() == expected


def test_stays_in_float64_when_the_model_changes_its_type():
    real, fake = normal(300, 5), normal(200, 5, seed=1)
    expected = score(real, fake)
    for change in (lambda m: m.to(torch.bfloat16), nn.Module.half, lambda m: m.set_dtype(torch.float16)):
        metric = FrechetDistance()
        change(metric)
        metric.update(real, real=True)
        change(metric)
        metric.update(fake, real=False)
        assert metric.real.dtype == torch.float64
        assert float(metric.compute()["fid"]) == expected


def test_float64_stays_on_the_cpu_where_a_device_has_none():
    def to_mps(tensor):
        assert tensor.dtype != torch.float64
        return SimpleNamespace(device=torch.device("mps"), dtype=tensor.dtype)

    moved = keeping_types(to_mps)
    assert moved(torch.ones(2, dtype=torch.float64)).device.type == "cpu"
    assert moved(torch.ones(2)).device.type == "mps"


def test_a_network_makes_the_features_in_evaluation_mode():
    images = torch.randint(0, 256, (40, 1, 2, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    metric = FrechetDistance(Features())
    metric.update(images[:20], real=True)
    metric.update(images[20:], real=False)
    assert metric.feature.training
    features = images.flatten(1).float()
    assert float(metric.compute()["fid"]) == score(features[:20], features[20:])
    assert pickle.loads(pickle.dumps(metric)).compute() == metric.compute()


class Broken(nn.Module):
    def __init__(self, output):
        super().__init__()
        self.output = output

    def forward(self, images):
        return self.output


def seen(n_real, n_fake, d=3):
    metric = FrechetDistance()
    for n, kind in ((n_real, True), (n_fake, False)):
        if n:
            metric.update(torch.ones(n, d), real=kind)
    return metric


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: seen(1, 9).compute(), "1 real and 9 generated samples: covariances need 2 of each"),
        (lambda: seen(9, 0).compute(), "9 real and 0 generated"),
        (lambda: score(torch.ones(9, 3), torch.ones(9, 4)), "4 features after others of 3"),
        (lambda: score(torch.ones(9), torch.ones(9)), r"samples are float32 of shape \(9,\) for 9 samples: give"),
        (lambda: score(torch.ones(9, 3, 4, 4), torch.ones(9)), r"\(9, 3, 4, 4\).*or feature="),
        (lambda: score(torch.ones(9, 3).byte(), torch.ones(9)), "samples are uint8.*feature="),
        (lambda: score(torch.tensor([[1.0, float("nan")]] * 3 + [[1.0, 2]]), torch.ones(9)), "in 3 of 4 rows"),
        (lambda: score(torch.ones(9, 3), torch.ones(9, 3) / 0), "NaN or infinite in 9 of 9 rows"),
        (
            lambda: score(torch.ones(4, 2), torch.ones(4, 2), feature=Broken(torch.ones(4))),
            r"Broken's features.*\(4,\)",
        ),
        (
            lambda: score(torch.ones(4, 2), torch.ones(4, 2), feature=Broken(torch.ones(3, 2))),
            r"\(3, 2\) for 4 samples",
        ),
        (lambda: score(torch.ones(4, 2), torch.ones(4, 2), feature=Broken((1, 2))), "Broken's features are a tuple"),
    ],
)
def test_what_cannot_be_scored_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_what_is_no_network_is_refused():
    with pytest.raises(TypeError, match="feature=2048 is no Module"):
        FrechetDistance(2048)


def score_on_a_rank(shares, feature):
    dist.init_process_group("gloo", rank=int(os.environ["LOCAL_RANK"]), world_size=2)
    metric = FrechetDistance(feature)
    for kind, samples in zip((True, False), shares[dist.get_rank()], strict=True):
        for batch in samples.split(20) if len(samples) else ():
            metric.update(batch, real=kind)
    value = float(metric.compute()[next(iter(metric.compute()))])
    rest = metric.real[0, 0]
    dist.destroy_process_group()
    return value, float(rest)


def test_two_ranks_score_as_one_process_with_all_samples():
    real, fake = normal(90, 6) + 1e4, normal(80, 6, seed=1) * 2 + 1e4
    (first, kept), (second, _) = on_ranks(score_on_a_rank, [(real[:30], fake), (real[30:], fake[:0])], None)
    assert first == second == pytest.approx(score(real, fake), rel=1e-6)
    assert kept == 30
    idle = [(real, fake), (real[:0], fake[:0])]  # the extractor says how many features a process that saw none lacks
    (first, _), (second, _) = on_ranks(score_on_a_rank, idle, Features())
    assert first == second == pytest.approx(score(real.float(), fake.float()), rel=1e-6)
