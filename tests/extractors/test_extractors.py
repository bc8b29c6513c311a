"""Extractors: the same features whatever is set around them, a protocol, and the scores of torch-fidelity."""

import copy
import json
import pickle
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate
from torch.utils.data import Dataset
from torch_fidelity import FeatureExtractorBase, FeatureExtractorInceptionV3, calculate_metrics
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY
from torchmetrics.image.kid import KernelInceptionDistance
from torchvision.transforms.functional import gaussian_blur

from lit_gan.data import FashionMNISTSample
from lit_gan.data.images import save_png
from lit_gan.metrics import FrechetDistance
from lit_gan.metrics.extractors import EfficientNetLite0, Extractor, InceptionV3, OwnExtractor, as_extractor

URL = "torch-fidelity/releases/download"


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def noise(*shape, seed=0):
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Write random weights of Inception-v3 whose features and logits vary from image to image."""
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    torch.save({}, path)
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng():
        torch.manual_seed(0)
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        network = FeatureExtractorInceptionV3("random", ["2048"], str(path))
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.train().momentum = 1.0
    network(noise(6, 3, 5, 5))
    network.fc.weight.mul_(20)
    torch.save(network.state_dict(), path)
    return str(path)


@pytest.fixture(scope="module")
def inception(weights):
    return InceptionV3(weights)


@pytest.fixture(scope="module")
def lite():
    return EfficientNetLite0()


class Means(nn.Module):
    """Of each channel, and as a linear layer mixes them."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 5)
        self.dropout = nn.Dropout(0.5)

    def forward(self, images):
        return self.dropout(self.linear(images.float().mean((2, 3)) / 255))


@pytest.fixture(scope="module")
def own():
    return OwnExtractor(Means())


@pytest.fixture(params=["lite", "own", pytest.param("inception", marks=pytest.mark.slow)])
def extractor(request) -> Extractor:
    return request.getfixturevalue(request.param)


class TestEveryExtractor:
    def test_gives_float32_features_without_gradients(self, extractor):
        images = noise(3, 3, 20, 30)
        before = images.clone()
        features, logits = extractor.features_and_logits(images)
        assert features.shape == (3, extractor.num_features)
        assert features.dtype == torch.float32
        assert not features.requires_grad
        assert not any(p.requires_grad for p in extractor.parameters())
        assert torch.equal(extractor(images), features)
        assert torch.equal(images, before)
        assert logits is None or (logits.shape[0] == 3 and logits.dtype == torch.float32)
        assert extractor(images[:0]).shape == (0, extractor.num_features)

    def test_is_independent_of_batches(self, extractor, monkeypatch):
        images = noise(5, 3, 8, 8)
        whole = extractor(images)
        alone = torch.cat([extractor(image[None]) for image in images])
        monkeypatch.setattr(extractor, "chunk", 2)
        for features in (alone, extractor(images)):
            torch.testing.assert_close(features, whole, rtol=1e-5, atol=1e-5 * float(whole.abs().max()))

    def test_is_the_same_whatever_is_set_around_it(self, extractor):
        images = noise(3, 3, 8, 8)
        expected = extractor.features_and_logits(images)
        changed = copy.deepcopy(extractor).train().to(torch.bfloat16).half()
        assert not any(module.training for module in changed.modules())
        try:
            torch.set_default_dtype(torch.bfloat16)
            torch.set_float32_matmul_precision("medium")
            with torch.autocast("cpu", dtype=torch.bfloat16):
                found = changed.features_and_logits(images)
            assert torch.get_default_dtype() == torch.bfloat16
            assert torch.get_float32_matmul_precision() == "medium"
            assert torch.backends.cudnn.allow_tf32
        finally:
            torch.set_default_dtype(torch.float32)
            torch.set_float32_matmul_precision("highest")
        for ours, same in zip(found, expected, strict=True):
            assert ours is same is None or torch.equal(ours, same)

    def test_has_a_protocol_of_plain_data_that_tells_weights_apart(self, extractor):
        protocol = extractor.protocol
        assert json.loads(json.dumps(protocol)) == protocol
        assert {"extractor", "layer", "input_size", "resize", "antialias", "weights"} <= set(protocol)
        assert pickle.loads(pickle.dumps(extractor)).protocol == protocol
        other = copy.deepcopy(extractor)
        next(other.parameters()).flatten()[0] += 1e-3
        assert other.protocol == {**protocol, "weights": other.protocol["weights"]}
        assert other.protocol["weights"] != protocol["weights"]

    @pytest.mark.parametrize(
        ("images", "message"),
        [
            (torch.ones(2, 3, 8, 8), "images are torch.float32.*to_uint8"),
            (noise(3, 8, 8), r"shape \(3, 8, 8\): give uint8 \(N, C, H, W\)"),
            (noise(2, 8), r"\(2, 8\)"),
        ],
    )
    def test_refuses_what_are_no_images(self, extractor, images, message):
        with pytest.raises(ValueError, match=f"^{type(extractor).__name__}: .*{message}"):
            extractor(images)


class TestLite0:
    def test_is_the_packages_network(self, lite):
        images = noise(3, 3, 28, 28)
        resized = interpolate(images.float(), (64, 64), mode="bilinear", antialias=True)
        logits = lite.features_and_logits(images)[1]
        torch.testing.assert_close(logits, lite.network((resized - 127) / 128), rtol=1e-5, atol=1e-5)
        assert logits.shape == (3, 1000)

    def test_says_what_it_is(self, lite):
        assert lite.protocol == {
            "extractor": "lite0",
            "layer": "EfficientNet-Lite0, block 10, mean",
            "input_size": 64,
            "resize": "bilinear, torchvision",
            "antialias": True,
            "weights": "90a648ef5650efcc",
        }
        assert lite.suffix == "_lite0"

    def test_sees_grey_images_as_of_three_equal_channels(self, lite):
        grey = noise(2, 1, 28, 28)
        assert torch.equal(lite(grey), lite(grey.repeat(1, 3, 1, 1)))
        with pytest.raises(ValueError, match="EfficientNetLite0: images have 4 channels: it takes 3, or grey ones"):
            lite(noise(2, 4, 28, 28))

    def test_its_distance_finds_blur_and_is_no_fid(self, lite):
        images = FashionMNISTSample().load("train")[0][:400]
        metric = FrechetDistance(lite)
        metric.update(images[:200], real=True)
        metric.update(images[200:], real=False)
        same = metric.compute()
        assert list(same) == ["fid_lite0"]
        metric.reset()
        metric.update(images[:200], real=True)
        metric.update(gaussian_blur(images[200:], [3, 3], [1.0, 1.0]), real=False)
        assert metric.compute()["fid_lite0"] > 3 * same["fid_lite0"]


class TestInception:
    pytestmark = pytest.mark.slow

    def test_has_the_features_of_torch_fidelity(self, inception, weights):
        theirs = FeatureExtractorInceptionV3("theirs", ["2048", "logits_unbiased"], weights)
        for images in (noise(3, 3, 32, 32), noise(2, 3, 40, 301)):
            for ours, expected in zip(inception.features_and_logits(images), theirs(images), strict=True):
                assert expected.std(0).mean() > 0.05
                torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)

    def test_says_what_it_is(self, inception):
        assert inception.suffix == ""
        expected = {"extractor": "inception-v3", "layer": "pool_3", "input_size": 299, "antialias": False}
        assert expected | {"resize": "bilinear, TensorFlow 1"} == {
            name: value for name, value in inception.protocol.items() if name != "weights"
        }

    def test_comes_from_the_cache_of_torch_hub(self, weights, tmp_path, monkeypatch):
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        file = tmp_path / "hub" / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
        file.parent.mkdir(parents=True)
        file.symlink_to(weights)
        assert InceptionV3().protocol == InceptionV3(weights).protocol


class Tensors(Dataset):
    def __init__(self, images):
        self.images = images

    def __getitem__(self, index):
        return self.images[index]

    def __len__(self):
        return len(self.images)


class Lite0ForFidelity(FeatureExtractorBase):
    """Our extractor behind torch-fidelity's interface."""

    def __init__(self, name, features_list, **options):
        super().__init__(name, features_list)
        self.extractor = EfficientNetLite0()

    def forward(self, images):
        named = dict(zip(("112", "logits"), self.extractor.features_and_logits(images), strict=True))
        return tuple(named[name] for name in self.features_list)

    @staticmethod
    def get_provided_features_list():
        return "112", "logits"

    @staticmethod
    def get_default_feature_layer_for_metric(metric):
        return "logits" if metric == "isc" else "112"


class Given(nn.Module):
    """The extractor of a metric that is given features."""

    def forward(self, features):
        return features


def our_scores(extractor, real, fake):
    """Return FID, KID of one subset of all samples, and Inception Score exp E KL(p(y|x)‖p(y)) of one split."""
    (x, _), (y, logits) = (extractor.features_and_logits(images) for images in (real, fake))
    fid, kid = FrechetDistance(), KernelInceptionDistance(Given(), subsets=1, subset_size=len(x))
    for metric in (fid, kid):
        metric.update(x, real=True)
        metric.update(y, real=False)
    log_p = logits.double().log_softmax(1)
    score = (log_p.exp() * (log_p - log_p.exp().mean(0).log())).sum(1).mean().exp()
    return float(fid.compute()["fid"]), float(kid.compute()[0]), float(score)


def their_scores(real, fake, n, **options):
    """Return the same of torch-fidelity."""
    scores = calculate_metrics(
        input1=fake,
        input2=real,
        cuda=False,
        cache=False,
        verbose=False,
        save_cpu_ram=True,
        fid=True,
        kid=True,
        isc=True,
        kid_subsets=1,
        kid_subset_size=n,
        isc_splits=1,
        samples_shuffle=False,
        **options,
    )
    names = ("frechet_inception_distance", "kernel_inception_distance_mean", "inception_score_mean")
    return tuple(scores[name] for name in names)


SAVES_FEATURES = "ignore:.*will save all extracted features in buffer.*"
FEW = "ignore:.*a covariance has the rank.*"


@pytest.mark.filterwarnings(SAVES_FEATURES)
def test_scores_of_lite0_are_those_of_torch_fidelity_on_the_same_pictures(lite, tmp_path, monkeypatch):
    monkeypatch.setitem(FEATURE_EXTRACTORS_REGISTRY, "lite0", Lite0ForFidelity)
    images = FashionMNISTSample().load("train")[0][:400]
    real, fake = images[:200], gaussian_blur(images[200:], [3, 3], [1.0, 1.0])
    for name, kind in (("real", real), ("fake", fake)):
        for number, image in enumerate(kind):
            save_png(image, tmp_path / name / f"{number:03}.png")  # grey: read as three equal channels
    folders = (str(tmp_path / name) for name in ("real", "fake"))
    theirs = their_scores(*folders, n=200, feature_extractor="lite0")
    assert our_scores(lite, real, fake) == pytest.approx(theirs, rel=1e-4)
    assert theirs[2] > 2


@pytest.mark.extended
@pytest.mark.filterwarnings(SAVES_FEATURES, FEW)
def test_scores_of_inception_are_those_of_torch_fidelity_on_the_same_images(inception, weights):
    real, fake = noise(10, 3, 6, 6), noise(10, 3, 9, 9, seed=1)
    theirs = their_scores(Tensors(real), Tensors(fake), n=10, feature_extractor_weights_path=weights)
    assert our_scores(inception, real, fake) == pytest.approx(theirs, rel=1e-4)
    assert theirs[2] > 1.1


class Opened:
    """What a hostile file would run when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


class TestWeightsThatCannotBeHad:
    def test_say_where_to_put_them(self, tmp_path, monkeypatch):
        def offline(*arguments, **options):
            raise OSError("Name or service not known")

        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        monkeypatch.setattr("torch.hub.download_url_to_file", offline)
        with pytest.raises(RuntimeError, match=f"not known.*{URL}.*in place of {tmp_path}/hub/.*or give weights="):
            InceptionV3()

    def test_that_are_damaged_in_the_cache_are_named(self, tmp_path, monkeypatch):
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        file = tmp_path / "hub" / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
        file.parent.mkdir(parents=True)
        file.write_bytes(b"PK\x03\x04 half of it")
        with pytest.raises(RuntimeError, match=f"cannot be had .*in place of {file}"):
            InceptionV3()

    def test_are_refused(self, tmp_path):
        missing, other, hostile = (tmp_path / name for name in ("missing.pth", "other.pth", "hostile.pth"))
        with pytest.raises(ValueError, match=r"missing\.pth cannot be read as weights: .*No such file"):
            InceptionV3(str(missing))
        torch.save(nn.Linear(2, 2).state_dict(), other)
        with pytest.raises(ValueError, match=r"are not those of torch-fidelity's Inception-v3: .*Missing key"):
            InceptionV3(str(other))
        torch.save(torch.ones(2), other)
        with pytest.raises(ValueError, match=r"are not those of torch-fidelity's"):
            InceptionV3(str(other))
        torch.save(Opened(tmp_path / "opened"), hostile)
        with pytest.raises(ValueError, match=r"hostile\.pth cannot be read as weights"):
            InceptionV3(str(hostile))
        assert not (tmp_path / "opened").exists()

    @pytest.mark.parametrize(
        ("make", "extra"), [(InceptionV3, "fid"), (EfficientNetLite0, "offline-metrics")], ids=["inception", "lite"]
    )
    def test_for_want_of_a_package_name_the_extra(self, make, extra, monkeypatch):
        def absent(package):
            raise ImportError(package)

        monkeypatch.setattr("lit_gan._utils.extras.import_module", absent)
        with pytest.raises(ImportError, match=rf'{make.__name__} needs .*pip install "\.\[{extra}\]"'):
            make()


class Returns(nn.Module):
    def __init__(self, make):
        super().__init__()
        self.make = make

    def forward(self, images):
        return self.make(len(images))


class Settings(nn.Module):
    """Notes what is set where it is called."""

    def forward(self, images):
        self.seen = torch.get_default_dtype(), torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
        return images.flatten(1).float()


class TestOwn:
    def test_is_called_with_products_in_full_float32(self, monkeypatch):
        extractor = as_extractor(Settings())
        torch.set_float32_matmul_precision("high")
        torch.set_default_dtype(torch.float64)
        try:
            extractor(noise(2, 1, 2, 2))
        finally:
            torch.set_default_dtype(torch.float32)
            torch.set_float32_matmul_precision("highest")
        assert extractor.module.seen == (torch.float32, False, "highest")
        assert torch.backends.cudnn.allow_tf32

        def mixed():
            raise RuntimeError("a mix of the legacy and new APIs")

        with monkeypatch.context() as patch:
            patch.setattr(torch, "get_float32_matmul_precision", mixed)
            as_extractor(nn.Sequential(Means()))(noise(2, 3, 2, 2))  # and leaves them alone
        assert torch.backends.cudnn.allow_tf32

    def test_is_a_copy_that_leaves_the_network_alone(self):
        network = Means()
        extractor = as_extractor(network)
        assert network.training
        assert network.linear.weight.requires_grad
        images = noise(4, 3, 5, 5)
        before = extractor(images)
        nn.init.zeros_(network.linear.weight)
        assert torch.equal(extractor(images), before)
        assert as_extractor(extractor) is extractor

    def test_says_what_it_is(self, own):
        assert (own.name, own.suffix) == ("Means", "_Means")
        assert own.protocol["class"] == "tests.extractors.test_extractors.Means"

    def test_knows_its_features_when_told_or_when_it_has_seen_images(self):
        assert as_extractor(Means(), 5).num_features == 5
        network = Means()
        network.num_features = 5
        assert as_extractor(network).num_features == 5
        extractor = as_extractor(Means())
        assert extractor.num_features is None
        extractor(noise(2, 3, 4, 4))
        assert extractor.num_features == 5
        with pytest.raises(ValueError, match="Means gives 5 features, and num_features=7"):
            as_extractor(Means(), 7)(noise(2, 3, 4, 4))

    def test_gets_images_of_any_channels_as_they_are(self):
        extractor = as_extractor(nn.Sequential(nn.Flatten(), nn.ZeroPad1d(1)))
        with pytest.raises(ValueError, match="Sequential's features are uint8"):
            extractor(noise(2, 7, 3, 3))

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda n: torch.ones(n), r"Returns's features are float32 of shape \(2,\) for 2 samples: it must return"),
            (lambda n: torch.ones(n, 3, 1, 1), r"\(2, 3, 1, 1\)"),
            (lambda n: torch.ones(n + 1, 3), r"\(3, 3\) for 2 samples"),
            (lambda n: torch.ones(n, 3).long(), "are int64"),
            (lambda n: torch.tensor([[1.0], [float("nan")]]), "NaN or infinite in 1 of 2 rows"),
            (lambda n: (torch.ones(n, 3),), "are a tuple"),
        ],
    )
    def test_refuses_what_are_no_features(self, make, message):
        with pytest.raises(ValueError, match=message):
            as_extractor(Returns(make))(noise(2, 3, 4, 4))

    def test_refuses_what_is_no_network(self):
        with pytest.raises(TypeError, match="is no Module"):
            as_extractor("inception")
        with pytest.raises(ValueError, match="num_features=0 must be at least 1"):
            as_extractor(Means(), 0)
