"""Every metric keeps the same promises: a new one needs a line in ``MAKE`` and no more."""

import inspect
import pickle

import pytest
import torch
from torchmetrics import Metric

from lit_gan import metrics
from lit_gan.data import GaussianMixture

RING = GaussianMixture("ring", train_size=10, held_out_size=10)
MAKE = {
    "ClassifierTwoSample": lambda: metrics.ClassifierTwoSample(epochs=3),
    "DensityCoverage": metrics.DensityCoverage,
    "FrechetDistance": metrics.FrechetDistance,
    "ModeCoverage": lambda: metrics.ModeCoverage(RING),
    "PrecisionRecall": metrics.PrecisionRecall,
}
METRICS = [
    n for n in metrics.__all__ if inspect.isclass(getattr(metrics, n)) and issubclass(getattr(metrics, n), Metric)
]
INFINITE = {"kl/veegan", "kl/strict"}  # by definition, where a mode is missed


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small networks gain nothing from a second thread, and lose much where another process wants the core."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def fill(metric, n=400):
    """Show points of the ring as real ones, and as generated ones those of its first six modes."""
    rng = torch.Generator().manual_seed(0)
    points, modes = RING.mixture.sample(2 * n, rng)
    metric.update(points[:n], real=True)
    metric.update(points[modes < 6], real=False)
    return metric


@pytest.mark.parametrize("name", METRICS)
class TestEveryMetric:
    def test_gives_scalars_that_are_finite_but_for_those_documented(self, name):
        scores = fill(MAKE[name]()).compute()
        assert scores
        for key, score in scores.items():
            assert score.shape == ()
            assert score.dtype == torch.float32
            assert score.isfinite() or (key in INFINITE and score > 0)

    def test_takes_the_kind_of_the_samples_by_name_real(self, name):
        assert list(inspect.signature(getattr(metrics, name).update).parameters) == ["self", "samples", "real"]
        metric = MAKE[name]()
        assert (metric.is_differentiable, metric.full_state_update, metric.higher_is_better) == (False, False, None)

    def test_forgets_what_it_saw_at_reset(self, name):
        metric = MAKE[name]()
        scores = fill(metric).compute()
        fill(metric, 300)
        metric.reset()
        with pytest.raises(ValueError, match="0 "), pytest.warns(UserWarning, match="before the ``update`` method"):
            metric.compute()
        assert fill(metric).compute() == scores

    def test_survives_pickling_and_cloning_with_what_it_saw(self, name):
        metric = fill(MAKE[name]())
        copies = pickle.loads(pickle.dumps(metric)), metric.clone()
        for copy in copies:
            assert copy.compute() == metric.compute()

    def test_leaves_the_random_state_and_the_samples_alone(self, name):
        metric, before = MAKE[name](), torch.get_rng_state()
        samples = RING.mixture.sample(400, torch.Generator().manual_seed(0))[0]
        kept = samples.clone()
        metric.update(samples, real=True)
        metric.update(samples, real=False)
        metric.compute()
        assert torch.equal(before, torch.get_rng_state())
        assert torch.equal(samples, kept)

    @pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, lambda: torch.autocast("cpu")])
    def test_scores_the_same_inside_a_validation_hook(self, name, mode):
        expected = fill(MAKE[name]()).compute()
        with mode():
            metric = fill(MAKE[name]())
            inside = metric.compute()
        assert inside == expected
        assert not any(score.requires_grad for score in inside.values())
        metric.reset()
        assert fill(metric).compute() == expected
