"""Mode coverage against closed forms: hand-made samples of known modes, frequencies and divergences."""

import math
import os
import pickle

import pytest
import torch
import torch.distributed as dist

from lit_gan import LitGAN
from lit_gan.data import GaussianMixture
from lit_gan.metrics import ModeCoverage
from lit_gan.networks import MLPDiscriminator, MLPGenerator
from tests.support.processes import on_ranks
from tests.support.small import trainer

NEAR = 1 - math.exp(-4.5)  # P(χ²₂ ≤ 9)
LINE = GaussianMixture("line", means=[0.0, 8.0], std=[1.0, 0.5], weights=[3.0, 1.0])


def score(fake, data=None, real=None, **options):
    metric = ModeCoverage(data or GaussianMixture("ring"), **options)
    metric.update(fake, real=False)
    if real is not None:
        metric.update(real, real=True)
    return {name: value.item() for name, value in metric.compute().items()}


def at_modes(*counts, data=None):
    """Return samples that lie in the middle of the modes, ``counts[k]`` of them in mode k."""
    means = (data or GaussianMixture("ring")).mixture.means.float()
    return means.repeat_interleave(torch.tensor(counts), 0)


def drawn(data, n, seed=0):
    return data.mixture.sample(n, torch.Generator().manual_seed(seed))[0]


@pytest.mark.parametrize("kind", ["ring", "grid", "line"])
def test_samples_of_the_mixture_itself_score_perfectly(kind):
    data = GaussianMixture(kind)
    k, dimensions = data.mixture.means.shape
    near = math.erf(3 / math.sqrt(2)) if dimensions == 1 else NEAR
    scores = score(drawn(data, 50_000), data, real=drawn(data, 20_000, seed=1))
    assert scores["samples"] == 50_000
    assert scores["real_samples"] == 20_000
    assert scores["modes_total"] == k
    for prefix, n in (("", 50_000), ("real_", 20_000)):
        for protocol in ("veegan", "strict"):
            assert scores[f"{prefix}modes/{protocol}"] == k
            spread = 4 * math.sqrt(near * (1 - near) / n)
            assert scores[f"{prefix}high_quality/{protocol}"] == pytest.approx(near, abs=spread)
            for name in ("kl", "reverse_kl"):  # 2n·KL follows χ² of K − 1 or K degrees of freedom
                assert 0 <= scores[f"{prefix}{name}/{protocol}"] < (k + 6 * math.sqrt(2 * k)) / (2 * n)


def test_all_samples_on_one_mode():
    scores = score(at_modes(2500, *[0] * 7))
    assert scores["modes/veegan"] == scores["modes/strict"] == 1
    assert scores["high_quality/veegan"] == scores["high_quality/strict"] == 1
    assert scores["kl/veegan"] == scores["kl/strict"] == math.inf
    assert scores["reverse_kl/veegan"] == pytest.approx(math.log(8))
    assert scores["reverse_kl/strict"] == pytest.approx(math.log(8 / NEAR))
    assert "real_samples" not in scores


def test_half_of_the_modes():
    scores = score(at_modes(*[100] * 4, *[0] * 4))
    assert scores["modes/veegan"] == scores["modes/strict"] == 4
    assert scores["reverse_kl/veegan"] == pytest.approx(math.log(2))
    assert scores["kl/veegan"] == math.inf


def test_one_sample_catches_a_mode_by_veegan_and_half_of_the_expected_ones_by_strict():
    expected = 1000 * NEAR / 8  # 123.6
    scores = score(at_modes(1, 61, 62, *[175] * 4, 176))
    assert 61 < expected / 2 < 62
    assert (scores["modes/veegan"], scores["modes/strict"]) == (8, 6)
    q = torch.tensor([1, 61, 62, *[175] * 4, 176]).double() / 1000
    assert scores["kl/veegan"] == pytest.approx(float((1 / 8 * (1 / 8 / q).log()).sum()))
    assert scores["reverse_kl/veegan"] == pytest.approx(float((q * (8 * q).log()).sum()))


def test_low_quality_samples_count_by_strict_alone():
    far = torch.full((500, 2), 0.0)  # the ring's centre
    scores = score(torch.cat([at_modes(*[250] * 8), far]))
    assert scores["high_quality/veegan"] == scores["high_quality/strict"] == pytest.approx(0.8)
    assert scores["kl/veegan"] == scores["reverse_kl/veegan"] == pytest.approx(0, abs=1e-9)
    assert scores["kl/strict"] == pytest.approx(NEAR * math.log(NEAR / 0.8) + (1 - NEAR) * math.log((1 - NEAR) / 0.2))
    assert scores["reverse_kl/strict"] == pytest.approx(0.8 * math.log(0.8 / NEAR) + 0.2 * math.log(0.2 / (1 - NEAR)))


def test_no_sample_of_high_quality():
    scores = score(torch.zeros(2500, 2))
    assert scores["modes/veegan"] == scores["modes/strict"] == scores["high_quality/veegan"] == 0
    assert scores["kl/veegan"] == scores["reverse_kl/veegan"] == scores["kl/strict"] == math.inf
    assert scores["reverse_kl/strict"] == pytest.approx(4.5)  # −log(1 − P)


def test_three_standard_deviations_are_within_and_more_are_not():
    far = torch.tensor([[3.0], [-3.0], [3.001], [-3.001], [6.5], [6.499], [9.5], [9.501]])
    assert score(far, LINE, protocols=["veegan"])["high_quality/veegan"] == 4 / 8


def test_the_nearest_mode_is_nearest_in_its_own_standard_deviations():
    """4.8 lies 3.2 from mode 1 and 4.8 from mode 0: nearer to mode 1, but 6.4 and 4.8 standard deviations away."""
    data = GaussianMixture("line", means=[0.0, 8.0], std=[1.7, 0.5])
    scores = score(torch.full((100, 1), 4.8), data)
    assert scores["modes/strict"] == 1
    assert scores["high_quality/strict"] == 1


def test_unequal_weights_are_the_true_frequencies():
    scores = score(at_modes(300, 100, data=LINE), LINE)
    assert scores["kl/veegan"] == scores["reverse_kl/veegan"] == pytest.approx(0, abs=1e-9)
    even = score(at_modes(360, 40, data=LINE), LINE)  # 100 expected in the rarer one
    assert (even["modes/veegan"], even["modes/strict"]) == (2, 1)
    assert even["kl/veegan"] == pytest.approx(0.75 * math.log(0.75 / 0.9) + 0.25 * math.log(2.5))


def test_numbers_that_are_not_finite_are_no_mode():
    broken = torch.tensor([[math.nan, 0], [math.inf, 0], [1.0, -math.inf], [1e38, 1e38]])
    scores = score(torch.cat([at_modes(*[50] * 8), broken]))
    assert scores["samples"] == 404
    assert scores["high_quality/strict"] == pytest.approx(400 / 404)


def test_is_independent_of_batches_and_order():
    data, options = GaussianMixture("grid"), {"real": None}
    fake = drawn(data, 3000)
    whole = score(fake, data, **options)
    metric = ModeCoverage(data)
    for batch in fake[torch.randperm(3000)].split(700):
        metric.update(batch.double(), real=False)
    metric.update(fake[:0], real=False)
    assert {name: value.item() for name, value in metric.compute().items()} == whole


def test_too_few_samples_for_strict_are_refused_and_the_number_it_takes_is_enough():
    fake = drawn(GaussianMixture("grid"), 600)
    with pytest.raises(ValueError, match=r"of 400 samples 15.8 would be near the rarest mode.*give 506 samples"):
        score(fake[:400], GaussianMixture("grid"))
    assert score(fake[:506], GaussianMixture("grid"))["samples"] == 506
    assert score(fake[:400], GaussianMixture("grid"), protocols=["veegan"])["modes/veegan"] == 25
    with pytest.raises(ValueError, match="of 400 samples"):
        score(fake, GaussianMixture("grid"), real=fake[:400])


def only_real():
    metric = ModeCoverage(LINE)
    metric.update(torch.zeros(99, 1), real=True)
    return metric.compute()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (only_real, ValueError, "0 generated samples"),
        (lambda: score(torch.zeros(9, 3)), ValueError, r"shape \(9, 3\): the mixture's are \(N, 2\)"),
        (lambda: score(torch.zeros(9)), ValueError, r"shape \(9,\): the mixture's"),
        (lambda: ModeCoverage(LINE, ["lax"]), ValueError, r"protocols=\['lax'\]: take some of veegan, strict"),
        (lambda: ModeCoverage(LINE, []), ValueError, r"protocols=\[\]: take some"),
        (lambda: ModeCoverage(LINE.mixture), TypeError, "is no GaussianMixture"),
        (lambda: ModeCoverage(GaussianMixture("line", weights=[1.0, 0.0])), ValueError, "a mode of weight 0"),
        (lambda: ModeCoverage(GaussianMixture(std=0.2)), ValueError, "modes 0 and 1 are 0.7654 apart.*3σ, 1.2"),
    ],
)
def test_what_cannot_be_counted_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
    assert ModeCoverage(GaussianMixture(std=0.2), protocols=["veegan"]).protocols == ("veegan",)


def score_on_a_rank(fake, real):
    dist.init_process_group("gloo", rank=int(os.environ["LOCAL_RANK"]), world_size=2)
    metric = ModeCoverage(GaussianMixture("grid"))
    if dist.get_rank() == 0:
        metric.update(fake[:2000], real=False)
        metric.update(real, real=True)  # rank 1 has none
    else:
        metric.update(fake[2000:], real=False)
    scores = {name: value.item() for name, value in metric.compute().items()}
    dist.destroy_process_group()
    return scores


def test_two_ranks_count_as_one_process_with_all_samples():
    data = GaussianMixture("grid")
    fake, real = drawn(data, 2500), drawn(data, 3000, seed=1)
    first, second = on_ranks(score_on_a_rank, fake, real)
    assert first == second == score(fake, data, real)


def test_a_metric_of_data_that_were_trained_on_can_be_copied_and_pickled(tmp_path):
    data = GaussianMixture(train_size=64, held_out_size=64, batch_size=32)
    gan = LitGAN(MLPGenerator(features=2, latent_dim=2, width=4), MLPDiscriminator(features=2, width=4))
    before = ModeCoverage(data)
    trainer(tmp_path, max_steps=1).fit(gan, data)
    for metric in (before, ModeCoverage(data)):
        assert pickle.loads(pickle.dumps(metric)).data.trainer is None
        assert metric.clone().data.trainer is None
    assert data.trainer is not None
