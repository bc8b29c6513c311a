"""Metrics by name and as objects, fed by one pass through each extractor."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics import Metric
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance

from lit_gan.data import GaussianMixture
from lit_gan.metrics import FrechetDistance, PrecisionRecall
from lit_gan.metrics.evaluation import Evaluation, RealSamples
from lit_gan.metrics.evaluation.scores import Scorer
from lit_gan.metrics.extractors import Extractor, as_extractor

pytestmark = pytest.mark.filterwarnings("ignore:.*will save all extracted features in buffer.*")


class Small(nn.Module):
    """A network that makes six features of images, and counts how many it saw."""

    num_features = 6

    def __init__(self):
        super().__init__()
        rng = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(16, 6, generator=rng))
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, images):
        self.seen += len(images)
        return torch.tanh((images.flatten(1).float() / 127.5 - 1) @ self.weight)


class WithClasses(Extractor):
    name, num_features, channels = "classes", 6, None

    def __init__(self):
        super().__init__()
        self.network = Small()

    def _protocol(self):
        return {}

    def _pass(self, images):
        features = self.network(images)
        return features, 3 * features


def images(n, low=0, high=256, seed=0):
    return torch.randint(low, high, (n, 1, 4, 4), generator=torch.Generator().manual_seed(seed)).byte()


def samples(tensor):
    return RealSamples(DataLoader(TensorDataset(tensor), 64))


REAL, FAKE = images(700), images(600, 40, 256, seed=1)


def test_metrics_stay_where_float64_is():
    scorer = Scorer(["two_sample"], None)
    assert scorer.to(torch.device("mps")).entries[0].metric.device.type == "cpu"


def evaluate(metrics, extractor=None, real=REAL, fake=FAKE, folder=None, **options):
    options = {"subset": 500, **options}
    scorer = Scorer(metrics, None if extractor is None else as_extractor(extractor), **options)
    return Evaluation(scorer, samples(real), folder=folder).score([samples(fake)]).scores


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("LIT_GAN_CACHE", str(tmp_path / "cache"))


def test_each_metric_by_name_scores_what_it_does_alone():
    scores = evaluate(["fid", "kid", "is", "mifid", "precision_recall", "density_coverage"], WithClasses())
    features = {real: WithClasses()(x).double() for real, x in ((True, REAL), (False, FAKE))}
    fid, precise = FrechetDistance(), PrecisionRecall()
    for metric in (fid, precise):
        for real, x in features.items():
            metric.update(x, real=real)
    assert scores["fid_classes"] == pytest.approx(float(fid.compute()["fid"]), rel=1e-6)
    assert scores["precision_classes"] == pytest.approx(float(precise.compute()["precision"]))
    names = ["fid", "kid", "kid_std", "is", "is_std", "mifid", "precision", "recall", "density", "coverage"]
    assert set(scores) == {f"{name}_classes" for name in names}


def test_one_pass_serves_all_that_share_an_extractor():
    extractor = WithClasses()
    evaluate(["fid", "kid", "is", "precision_recall"], extractor)
    assert extractor.network.seen == 16 + 1300
    shared = Small()
    objects = [
        FrechetInceptionDistance(shared),
        KernelInceptionDistance(shared, subset_size=50),
        PrecisionRecall(shared, k=2),
    ]
    scorer = Scorer(objects, None)
    assert len(scorer.extractors) == 1
    scores = Evaluation(scorer, samples(REAL)).score([samples(FAKE)]).scores
    assert scorer.extractors[0].module.seen == 16 + 1300
    assert shared.seen == 0, "a copy works"
    assert objects[0].inception is shared
    assert objects[0].real_features_num_samples == 0
    for real, x in ((True, REAL), (False, FAKE)):
        objects[0].update(x, real=real)
    assert scores["frechet_inception_distance_Small"] == pytest.approx(float(objects[0].compute()), rel=1e-4)


def test_an_object_that_takes_no_kind_sees_generated_samples_alone():
    class Brightness(Metric):
        def __init__(self):
            super().__init__()
            self.add_state("total", torch.zeros(2))

        def update(self, samples):
            assert samples.dtype == torch.uint8
            self.total += torch.stack([samples.float().sum(), torch.tensor(float(samples.numel()))])

        def compute(self):
            return self.total[0] / self.total[1]

    assert evaluate([Brightness()])["brightness"] == pytest.approx(float(FAKE.float().mean()), rel=1e-6)


def test_kid_of_other_features_than_inceptions_does_not_depend_on_their_scale():
    class Large(Small):
        def forward(self, images):
            return 1000 * super().forward(images) + 500

    small, large = (evaluate(["kid"], network())[f"kid_{network.__name__}"] for network in (Small, Large))
    assert small == pytest.approx(large, rel=1e-3)


def test_inception_score_of_objects_keeps_its_arguments():
    score = InceptionScore(WithClasses().network, splits=3)
    assert evaluate([score])["inception_score_Small"] > 1


def test_points_are_their_own_features():
    data = GaussianMixture(train_size=2000, held_out_size=1000)
    points, others = data.load("train")[0], data.load("val")[0]
    scores = evaluate(["fid", "mode_coverage", "precision_recall"], real=points, fake=others, data=data)
    assert scores["fid"] < 0.02
    assert scores["mode_coverage/modes/veegan"] == 8
    shifted = evaluate(["fid"], real=points, fake=others + torch.tensor([3.0, 4.0]))
    assert shifted["fid"] == pytest.approx(25, rel=0.02)


def test_two_sample_test_of_images():
    far = evaluate(["two_sample"], real=images(300, 0, 60), fake=images(300, 190, 256))
    assert far["two_sample/accuracy"] > 0.9


def test_scores_do_not_depend_on_batches_or_on_what_was_scored_before():
    scorer = Scorer(["fid", "kid", "precision_recall"], as_extractor(Small()), subset=500)
    evaluation = Evaluation(scorer, samples(REAL))
    first = evaluation.score([samples(FAKE)]).scores
    other = evaluation.score([samples(images(600, seed=5))]).scores
    assert other != first
    assert evaluation.score([samples(FAKE)]).scores == first


def test_a_second_evaluation_needs_no_pass_over_the_reals(tmp_path):
    network = Small()
    extractor = as_extractor(network)
    evaluation = Evaluation(Scorer(["fid", "precision_recall"], extractor), samples(REAL), folder=str(tmp_path))
    first = evaluation.score([samples(FAKE)]).scores
    assert extractor.module.seen == 16 + 1300
    evaluation.score([samples(FAKE)])
    assert extractor.module.seen == 16 + 1900
    again = as_extractor(network)
    other_run = Evaluation(Scorer(["fid", "precision_recall"], again), samples(REAL), folder=str(tmp_path))
    assert other_run.score([samples(FAKE)]).scores == first
    assert again.module.seen == 16 + 600, "they come from the cache"


@pytest.mark.parametrize("change", ["data", "extractor", "metric"])
def test_the_cache_is_of_these_data_this_extractor_and_these_metrics(tmp_path, change):
    evaluate(["fid"], Small(), folder=str(tmp_path))
    real, network, metrics = REAL.clone(), Small(), ["fid"]
    if change == "data":
        real[0, 0, 0, 0] ^= 1
    elif change == "extractor":
        network.weight.data[0, 0] += 1
    else:
        metrics = ["fid", "kid"]
    evaluate(metrics, network, real=real, folder=str(tmp_path))
    assert len(list(tmp_path.glob("reference-*.npz"))) == 2


def test_an_interrupted_evaluation_leaves_the_next_one_and_the_cache_right(tmp_path):
    expected = evaluate(["fid", "kid"], Small())

    class Interrupted:
        n = 600

        def block(self, number):
            if number == 1:
                raise KeyboardInterrupt
            return FAKE[:256]

    evaluation = Evaluation(
        Scorer(["fid", "kid"], as_extractor(Small()), subset=500), samples(REAL), folder=str(tmp_path)
    )
    with pytest.raises(KeyboardInterrupt):
        evaluation.score([Interrupted()])
    assert evaluation.score([samples(FAKE)]).scores == expected
    assert evaluate(["fid", "kid"], Small(), folder=str(tmp_path)) == expected


def test_several_sets_give_a_mean_and_a_spread_and_the_floor_is_scored():
    evaluation = Evaluation(Scorer(["fid"], as_extractor(Small())), samples(REAL))
    sets = [images(600, 40, 256, seed) for seed in (1, 2, 3)]
    report = evaluation.score([samples(x) for x in sets], samples(images(600, seed=9)))
    each = [evaluation.score([samples(x)]).scores["fid_Small"] for x in sets]
    assert report.scores["fid_Small"] == pytest.approx(sum(each) / 3)
    assert report.spread["fid_Small"] == pytest.approx(torch.tensor(each).std().item(), rel=1e-3)
    assert report.floor["fid_Small"] < report.scores["fid_Small"]
    assert (report.protocol["n_real"], report.protocol["n_fake"], report.protocol["sets"]) == (700, 600, 3)
    assert report.as_plain()["floor"] == report.floor


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Scorer(["fidd"], None), ValueError, "there is no 'fidd'; take some of fid, kid, is"),
        (lambda: Scorer([3], None), TypeError, "3 is neither a name nor a metric"),
        (lambda: Scorer(["fid", "fid"], None), ValueError, r"metrics=\['fid', 'fid'\]: give some, each once"),
        (lambda: Scorer([], None), ValueError, r"metrics=\[\]: give some"),
        (lambda: Scorer(["is"], None), ValueError, "'is' needs an extractor's classes"),
        (lambda: Scorer(["mode_coverage"], None), ValueError, "counts the modes of a GaussianMixture"),
        (lambda: evaluate(["is"], Small()), ValueError, "'is' needs class logits, and Small has none"),
        (
            lambda: evaluate(["fid"], Small(), fake=images(20).expand(-1, -1, 4, 4).repeat(1, 1, 2, 2)),
            ValueError,
            r"real samples are \(1, 4, 4\) and generated ones \(1, 8, 8\)",
        ),
        (lambda: evaluate(["precision_recall"], Small(), real=REAL[:3]), ValueError, "k=3 takes 4 real"),
    ],
)
def test_what_makes_no_sense_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


class Scaled(Small):
    """Says nothing in its weights of what it does."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, images):
        return self.factor * super().forward(images)


def test_the_cache_is_of_what_an_extractor_does_not_of_its_weights_alone(tmp_path):
    fresh = evaluate(["fid"], Scaled(5), folder=str(tmp_path / "fresh"))
    evaluate(["fid"], Scaled(1), folder=str(tmp_path / "one"))
    assert evaluate(["fid"], Scaled(5), folder=str(tmp_path / "one")) == fresh


def test_metrics_as_objects_are_not_cached(tmp_path):
    evaluate([FrechetInceptionDistance(Small())], folder=str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_pass_over_the_reals_that_is_interrupted_is_made_again():
    class Interrupted(RealSamples):
        broken = True

        def block(self, number):
            if self.broken and number == 1 and self.seen:
                self.broken = False
                raise KeyboardInterrupt
            self.seen = self.seen or number == 2
            return super().block(number)

    real = Interrupted(DataLoader(TensorDataset(REAL), 64))
    real.seen = False
    evaluation = Evaluation(Scorer(["fid"], as_extractor(Small())), real)
    with pytest.raises(KeyboardInterrupt):
        evaluation.score([samples(FAKE)])
    assert evaluation.score([samples(FAKE)]).scores == evaluate(["fid"], Small())


def test_a_cache_that_cannot_be_written_is_a_warning(tmp_path):
    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match=r"cannot be written \(.*\): reference statistics stay in memory alone"):
        assert evaluate(["fid"], Small(), folder=str(tmp_path / "file"))


def test_kid_leaves_features_that_do_not_vary_alone():
    class OneDead(Small):
        num_features = 7

        def forward(self, images):
            features = super().forward(images)
            return torch.cat([features, 1e-9 * images.flatten(1)[:, :1].float()], 1)

    assert evaluate(["kid"], OneDead())["kid_OneDead"] == pytest.approx(
        evaluate(["kid"], Small())["kid_Small"], rel=0.5
    )


def test_a_metric_that_would_forget_the_reals_is_refused():
    class Blind(Metric):
        def update(self, samples, real):
            pass

        def compute(self):
            return torch.zeros(())

    with pytest.raises(ValueError, match="blind has no state"):
        Scorer([Blind()], None)


class Gap(Metric):
    """The distance of the means of real and generated samples, in states of any name and kind."""

    def __init__(self):
        super().__init__()
        self.add_state("data", [], dist_reduce_fx="cat")
        self.add_state("scalars", [], dist_reduce_fx="cat")
        self.add_state("sums", torch.zeros(2), dist_reduce_fx="sum")
        self.add_state("samples", torch.zeros(2), dist_reduce_fx="sum")

    def update(self, samples, real):
        values = samples.float().flatten(1).mean(1)
        kind = torch.tensor([real, not real]).float()
        self.sums += kind * values.sum()
        self.samples += kind * len(values)
        self.scalars.append(values.sum())
        self.data.append(values)

    def compute(self):
        assert torch.cat([part.reshape(-1) for part in self.scalars]).sum().isclose(self.sums.sum())
        assert len(torch.cat(self.data)) == self.samples.sum()
        real, fake = self.sums / self.samples
        return (real - fake).abs()


class OfTheFake(Metric):
    """The mean of generated samples, in a state whose name has "real" in it."""

    def __init__(self):
        super().__init__()
        self.add_state("unrealistic", [], dist_reduce_fx="cat")

    def update(self, samples):
        self.unrealistic.append(samples.float().flatten(1).mean(1))

    def compute(self):
        return torch.cat(self.unrealistic).mean()


def test_states_of_a_metric_of_ones_own_may_have_any_names():
    scorer = Scorer([Gap(), OfTheFake()], None)
    real, fakes = torch.full((6, 2), 5.0), [torch.full((4, 2), 1.0), torch.full((4, 2), 2.0)]
    scorer.start_from({})
    for part in real.split(4):
        scorer.see(scorer.look(part), real=True)
    states = scorer.real_states()
    for fake, gap in zip(fakes, (4.0, 3.0), strict=True):  # the real samples are seen once
        scorer.start_from(states)
        for part in fake.split(3):
            scorer.see(scorer.look(part), real=False)
        assert scorer.compute() == {"gap": gap, "of_the_fake": 5 - gap}


def test_states_that_generated_samples_alone_change_are_not_kept():
    scorer = Scorer(["fid", "precision_recall"], None)
    scorer.start_from({})
    scorer.see(scorer.look(torch.randn(9, 2)), real=True)
    assert {name: set(states) for name, states in scorer.real_states().items()} == {
        "fid": {"real"},
        "precision_recall": {"real"},
    }
