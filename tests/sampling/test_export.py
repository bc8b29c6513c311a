"""What is exported draws the checkpoint's images, in torch and in onnxruntime; a wrong file is not left behind."""

import copy
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import onnxruntime
import pytest
import pytorch_lightning as pl
import torch
import yaml
from lit_gan.export import export
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import is_parametrized

from lit_gan import LitGAN, load_generator, networks
from lit_gan._utils.config import describe_data
from lit_gan._utils.state_dicts import digest_of_weights
from lit_gan.callbacks import DivergenceStop, GenerativeMetrics
from lit_gan.cli import main
from lit_gan.data import FashionMNISTSample, HuggingFaceImages, ImageFolder
from lit_gan.networks import GaussianGenerator, MLPDiscriminator, MLPGenerator
from lit_gan.sampling.export.evaluations import of_the_run
from lit_gan.sampling.export.onnx import TOLERANCE, write_onnx
from lit_gan.sampling.generator import TrainedGenerator
from tests.callbacks.test_divergence import Scores
from tests.callbacks.test_samples import ByLabel
from tests.cli.test_cli import NETWORKS, QUICK, checkpoint
from tests.matrix import FAMILIES, IMAGES, LABELS
from tests.support.small import Batches, PlainDiscriminator, PlainGenerator, loader, trainer
from tests.test_readme import commands

pytestmark = pytest.mark.slow

CASES = [(family, classes) for family in FAMILIES for classes in (None, 3)]
QUICK_TO_TRACE = [("DCGAN", None), ("BigGAN", 3)]
FILES = {"generator.safetensors", "generator.json", "generator.onnx", "README.md"}


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["lit-gan"])
    monkeypatch.setenv("LIT_GAN_CACHE", str(tmp_path / "cache"))


def save(model: LitGAN, *data: torch.Tensor, path: str = "x.ckpt") -> str:
    """Write the checkpoint of a step."""
    fitted = trainer(Path.cwd())
    fitted.fit(model, Batches(*data))
    fitted.save_checkpoint(path)
    return path


def family(name: str, classes: int | None) -> LitGAN:
    torch.manual_seed(0)
    shape = {"image_size": 8, "channels": 1, "num_classes": classes, "width": 4}
    generator = getattr(networks, f"{name}Generator")(**shape, latent_dim=4)
    with torch.no_grad():  # far from its first weights, and settled there
        for parameter in generator.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
        for _ in range(20):
            generator(torch.randn(32, 4), None if classes is None else torch.randint(classes, (32,)))
    return LitGAN(generator, getattr(networks, f"{name}Discriminator")(**shape))


def plain(generator: nn.Module | None = None, **options) -> LitGAN:
    return LitGAN(PlainGenerator() if generator is None else generator, PlainDiscriminator(), **options)


def files(folder: str) -> set[str]:
    return {path.name for path in Path(folder).iterdir()}


def drawn_by_onnxruntime(folder: str, z: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
    session = onnxruntime.InferenceSession(Path(folder) / "generator.onnx", providers=["CPUExecutionProvider"])
    fed = {"z": z.numpy()} if labels is None else {"z": z.numpy(), "labels": labels.numpy()}
    assert {entry.name: entry.type for entry in session.get_inputs()} == {
        name: "tensor(float)" if name == "z" else "tensor(int64)" for name in fed
    }
    (images,) = session.run(["images"], fed)
    return torch.from_numpy(images)


@pytest.mark.parametrize(("name", "classes"), CASES)
def test_every_family_draws_what_its_checkpoint_draws(name, classes):
    path = save(family(name, classes), IMAGES[:4], LABELS[:4])
    model = LitGAN.load_from_checkpoint(path)
    for ema in (True, False):
        export(path, onnx=False, ema=ema)
        generator = load_generator("generator")
        for options in ({}, {"truncation": 0.5}, {"batch_size": 2}, {"labels": 1} if classes else {}):
            theirs = model.sample(5, seed=3, ema=ema, **options)
            assert torch.equal(generator.sample(5, seed=3, **options), theirs)
        assert theirs.std() > 0.01
    assert not torch.equal(theirs, model.sample(5, seed=3, **options)), "the average is another one"
    assert files("generator") == FILES - {"generator.onnx"}
    assert not any(module.training for module in generator.modules())
    assert not any(parameter.requires_grad for parameter in generator.parameters())
    z, labels = torch.randn(3, 4), None if classes is None else torch.tensor([0, 2, 1])
    assert torch.equal(generator(z, labels), model.generator.eval()(z, labels))
    generator(z.requires_grad_(), labels).square().sum().backward()
    assert z.grad.abs().sum() > 0
    assert generator.latent_dim == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "classes"), [pytest.param(*c, marks=[] if c in QUICK_TO_TRACE else pytest.mark.extended) for c in CASES]
)
def test_every_family_as_onnx(name, classes, capfd):
    model = family(name, classes)
    export(save(model, IMAGES[:4], LABELS[:4]))
    assert files("generator") == FILES
    assert isinstance(model.generator, getattr(networks, f"{name}Generator"))
    generator = load_generator("generator")
    for n in (1, 5):
        z = torch.randn(n, 4)
        labels = None if classes is None else torch.randint(classes, (n,))
        expected = generator(z, labels)
        assert expected.std() > 10 * TOLERANCE
        torch.testing.assert_close(drawn_by_onnxruntime("generator", z, labels), expected, atol=TOLERANCE, rtol=0)
    printed, complained = capfd.readouterr()
    assert "generator.onnx" in printed
    assert "at batch sizes 1, 3, 8" in printed
    assert "torch" not in complained.replace("pytorch_lightning", "")
    assert len(printed.splitlines()) == len(FILES) + 1, "and that the data are not known"


def test_writing_onnx_leaves_the_network_as_it_was():
    """Its weights are normalised spectrally, in the file they are plain; a copy shares the class that knows of it."""
    trained = TrainedGenerator(Normalised(), 3, "normal", torch.zeros(0, dtype=torch.int64)).eval()
    before = trained.sample(2, seed=0)
    write_onnx(trained, Path("x.onnx"))
    assert is_parametrized(trained.network.net[0])
    assert torch.equal(trained.sample(2, seed=0), before)
    assert not {"Div", "Sqrt", "ReduceL2"} & {node.op_type for node in onnx.load("x.onnx").graph.node}


class Normalised(PlainGenerator):
    def __init__(self):
        super().__init__()
        spectral_norm(self.net[0])


def test_points_as_onnx():
    gan = LitGAN(GaussianGenerator(2, mean=[3.0, -2.0], std=0.5), MLPDiscriminator(features=2, width=4))
    export(save(gan, torch.randn(8, 2)))
    z = torch.randn(5, 2)
    torch.testing.assert_close(drawn_by_onnxruntime("generator", z, None), load_generator("generator")(z))
    assert "points of 2 numbers" in Path("generator/README.md").read_text()


def test_the_command(capsys):
    """From a run to files, and from the files to the same pictures."""
    main(["fit", *NETWORKS, *QUICK, *(f"--model.{p}.num_classes=10" for p in ("generator", "discriminator"))])
    main(["export", checkpoint(), "--output=mine", "--license=cc-by-4.0"])
    printed = capsys.readouterr().out
    for path in (Path("mine") / name for name in FILES):
        assert f"{path}  {path.stat().st_size / 1e6:.3f} MB" in printed
    model, generator = LitGAN.load_from_checkpoint(checkpoint()), load_generator("mine")
    assert torch.equal(generator.sample(9, seed=0), model.sample(9, seed=0))
    assert torch.equal(generator.label_counts, model.label_counts)
    held = json.loads(Path("mine/generator.json").read_text())
    assert (held["step"], held["images_seen"], held["ema"], held["shape"]) == (4, 256, True, [1, 16, 16])
    card = Path("mine/README.md").read_text()
    header = yaml.safe_load(card.split("---")[1])
    assert (header["license"], header["library_name"]) == ("cc-by-4.0", "lit-gan")
    assert {"safetensors", "onnx"} <= set(header["tags"])
    for said in (
        "`MLPGenerator(image_size=16,",
        "of 10 classes",
        "`FashionMNISTSample(image_size=16,",
        "- generator updates: 4\n",
        "- images seen: 256\n",
        "- images seen of each class: ",
        "- game: `NonSaturating()`",
        "- half-life of the average, in images: `10000`",
        "None are known.",
        "cc-by-4.0.\n",
    ):
        assert said in card


@pytest.mark.parametrize("classes", [None, 3])
def test_the_code_on_the_card_runs(classes, monkeypatch):
    latent = "normal" if classes is None else "uniform"
    size = {"image_size": 8, "channels": 1, "num_classes": classes, "width": 4}
    gan = LitGAN(MLPGenerator(**size, latent_dim=4), MLPDiscriminator(**size), latent=latent)
    export(save(gan, IMAGES[:4], LABELS[:4]))
    monkeypatch.chdir("generator")
    (torch_code, numpy_code) = re.findall(r"```python\n(.*?)```", Path("README.md").read_text(), re.DOTALL)
    names: dict = {}
    exec(torch_code, names)
    assert names["images"].shape == (16, 1, 8, 8)
    exec(numpy_code, names)
    z, labels = torch.from_numpy(names["z"]), None if classes is None else torch.zeros(16, dtype=torch.int64)
    np.testing.assert_allclose(names["images"], names["generator"](z, labels), atol=TOLERANCE)
    assert (z.min() < -1) == (classes is None)


class TiedGenerator(nn.Module):
    """Two names for one weight, a buffer, a view, and a batch size that Python asks for."""

    latent_dim = 4

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.register_buffer("shift", torch.arange(32.0).reshape(2, 16)[1])

    def forward(self, z):
        h = self.second(self.first(z).relu())
        return (h.repeat(1, 4) + self.shift / 32 - 0.75).tanh().reshape(len(z), 1, 4, 4)


def test_a_generator_of_ones_own(images):
    path = save(plain(TiedGenerator()), images)
    with pytest.raises(
        ValueError, match=r"TiedGenerator, which is not rebuilt from a file: .* export\(checkpoint, gen"
    ):
        export(path)
    assert not Path("generator").exists()
    export(path, generator=TiedGenerator())
    assert files("generator") == FILES
    with pytest.raises(
        ValueError, match=r"TiedGenerator, which is not .*: .* load_generator\(path, generator=\.\.\.\)"
    ):
        load_generator("generator")
    generator = load_generator("generator", generator=TiedGenerator())
    theirs = LitGAN.load_from_checkpoint(path, generator=TiedGenerator(), discriminator=PlainDiscriminator())
    assert torch.equal(generator.sample(3, seed=0), theirs.sample(3, seed=0))
    z = torch.randn(5, 4)
    torch.testing.assert_close(drawn_by_onnxruntime("generator", z, None), generator(z))
    card = Path("generator/README.md").read_text()
    assert 'load_generator(".", generator=TiedGenerator(...))' in card
    assert "`tests.sampling.test_export.TiedGenerator` must be at hand" in card


def test_a_generator_of_ones_own_by_its_import_path(images):
    path = save(plain(), images)
    main(["export", path, "--generator=tests.support.small.PlainGenerator", "--generator.latent_dim=3", "--onnx=false"])
    assert load_generator("generator", PlainGenerator()).sample(2).shape == (2, 1, 4, 4)


class RandomGenerator(PlainGenerator):
    def forward(self, z):
        return super().forward(z) + 0.001 * torch.randn(z.shape[0], 1, 4, 4)


class FixedGenerator(PlainGenerator):
    def forward(self, z):
        return super().forward(z) if z.shape[0] < 5 else -super().forward(z)


@pytest.mark.parametrize(
    ("cls", "says"),
    [
        (RandomGenerator, r"the ONNX of RandomGenerator differs from torch by 0\.00\d+, more than 0.0001.*no random"),
        (FixedGenerator, r"FixedGenerator cannot be written as ONNX \(its forward depends on the number of latents"),
    ],
)
def test_onnx_that_is_another_network_is_refused(images, cls, says):
    path = save(plain(cls()), images)
    with pytest.raises(ValueError, match=says) as caught:
        export(path, generator=cls())
    assert "--onnx false" in str(caught.value)
    assert files(".") == {"x.ckpt"}
    export(path, generator=cls(), onnx=False)
    assert files("generator") == FILES - {"generator.onnx"}


def test_an_export_is_replaced_as_a_whole(images):
    first, second = save(plain(), images), save(plain(), images, path="y.ckpt")
    export(first, generator=PlainGenerator(), onnx=False)
    Path("generator/generator.onnx").touch()  # one more file of an earlier export
    before = {path: path.read_bytes() for path in Path("generator").iterdir()}
    with pytest.raises(ValueError, match="another generator"):
        export(second, generator=PlainGenerator(latent_dim=3, shape=(1, 8, 8)))
    assert {path: path.read_bytes() for path in Path("generator").iterdir()} == before
    export(second, generator=PlainGenerator(), onnx=False)
    assert files("generator") == FILES - {"generator.onnx"}
    assert files(".") == {"x.ckpt", "y.ckpt", "generator"}
    assert Path("generator/generator.safetensors").read_bytes() != before[Path("generator/generator.safetensors")]
    Path("generator/mine.txt").touch()
    with pytest.raises(ValueError, match="is there, and is not replaced"):
        export(second, generator=PlainGenerator(), onnx=False)
    assert "mine.txt" in files("generator")


def test_the_command_of_its_page(images):
    page = (Path(__file__).parents[2] / "docs" / "export.md").read_text()
    ((command, _, *options),) = commands(page)
    assert command == "export"
    main(["export", save(plain(), images), *options, "--generator=tests.support.small.PlainGenerator"])
    assert files("generator") == FILES == set(re.findall(r"^\| `([\w.]+)` \|", page, re.MULTILINE)) - {"z", "labels"}


def test_the_cards_code_names_labels_where_nothing_says_which_there_are():
    shape = (1, 16, 16)
    model = LitGAN(ByLabel(shape), PlainDiscriminator(shape))
    trainer(Path.cwd()).fit(model, loader(torch.rand(8, *shape) * 2 - 1, torch.arange(8) % 2))
    model.trainer.save_checkpoint("x.ckpt")
    export("x.ckpt", generator=ByLabel(shape), onnx=False)
    assert "generator.sample(16, labels=0, seed=0)" in Path("generator/README.md").read_text()


# The model card


class Tiny(nn.Module):
    """Features of a picture."""

    def forward(self, pictures):
        return nn.functional.adaptive_avg_pool2d(pictures.float(), 2).flatten(1) / 255


def scored_run(*callbacks: pl.Callback, seed: int = 0, epochs: int = 2, kept: str = "run/checkpoints") -> list[str]:
    """Return the checkpoints of epochs with a score each, which all runs leave in one file."""
    torch.manual_seed(seed)
    model = LitGAN(*(cls(8, 1, width=4) for cls in (MLPGenerator, MLPDiscriminator)))
    scores = GenerativeMetrics(["fid"], Tiny(), n_fake=50, n_real=50, sets=2, floor=True)
    options = {"enable_checkpointing": True, "max_epochs": epochs, "limit_train_batches": 2}
    keep = ModelCheckpoint(kept, save_top_k=-1, filename="{step}")
    fitted = trainer(Path("run"), callbacks=[scores, *callbacks, keep], **options)
    fitted.fit(model, FashionMNISTSample(8))
    fitted.save_checkpoint("run/end.ckpt")
    return [f"{kept}/step={2 * epoch + 2}.ckpt" for epoch in range(epochs)]


def card_of(checkpoint: str, **options) -> str:
    """Return the card of an export."""
    export(checkpoint, onnx=False, **options)
    return Path("generator/README.md").read_text()


def scores_of(folder: str) -> list[str]:
    """Return the scores in a run's folder as a card has them."""
    return [f"| {e['scores']['fid_Tiny']:.6g} |" for e in json.loads((Path(folder) / "scores.json").read_text())]


@pytest.mark.parametrize(
    "name",
    [
        "run/checkpoints/epoch=1-val/fid_lite0=0.12.ckpt",
        "run/checkpoints/best/epoch=1-val/fid_lite0=0.12.ckpt",
        "run/epoch=1-val/fid_lite0=0.12.ckpt",
        "run/last.ckpt",
        "run/checkpoints/last.ckpt",
    ],
)
def test_scores_are_found_from_a_checkpoint_in_folders_of_its_name(name):
    own = {"scores": {"fid": 1.0}, "protocol": {}, "images_seen": 4, "weights": "a"}
    Path(name).parent.mkdir(parents=True)
    Path("run/scores.json").write_text(json.dumps([own]))
    assert of_the_run(Path(name), 4, {"a"}) == [own]


def test_scores_of_a_folder_further_up_are_not_the_runs():
    Path("runs/other").mkdir(parents=True)
    Path("runs/scores.json").write_text(json.dumps([{"scores": {"fid": 1.0}, "protocol": {}, "images_seen": 4}]))
    assert of_the_run(Path("runs/other/last.ckpt"), 4, {"a"}) == []


def test_scores_are_those_of_the_checkpoint_or_before(capsys):
    """The run's own, by their protocol; an evaluation.json that is named; never those of a later state."""
    first, last = scored_run()
    evaluations = json.loads(Path("run/scores.json").read_text())
    values = scores_of("run")
    for path, mine, other in ((first, *values), (last, *values[::-1])):
        card = card_of(path)
        assert mine in card
        assert other not in card
        assert "Of this generator, after" in card
        assert "| score | value | ± | real data |" in card
        assert '"n_fake": 50' in card
        assert '"seed": 0' in card
        assert "evaluations: 1" in capsys.readouterr().out
    Path("run/scores.json").write_text(json.dumps(evaluations[:1]))
    card = card_of(last, ema=False)
    assert "Not of this generator: of an earlier state, or of another one, after 2 updates and 128 images" in card
    assert " (this one: after 4 updates and 256 images), in val, " in card
    assert "averaged weights, which are not those in this folder" in card

    Path("tiny.py").write_text("from tests.sampling.test_export import Tiny\n")
    options = ["--data=FashionMNISTSample", "--data.image_size=8", "--extractor=tests.sampling.test_export.Tiny"]
    main(["evaluate", last, *options, "--n_fake=40", "--n_real=50"])
    assert "Of this generator, after 256 images, averaged weights:" in card_of(last, scores="evaluation.json")
    with pytest.raises(ValueError, match=r"is of another generator, after 256 images, .* one after 128: evaluate this"):
        export(first, onnx=False, scores="evaluation.json")
    Path("old.json").write_text(json.dumps({"scores": {"fid": 3.25}, "protocol": {"n_fake": 9}}))
    card = card_of(first, scores="old.json")
    says = "(this one: after 2 updates and 128 images), average or not is not stated:"
    assert f"Of which generator is not stated {says}" in card
    assert "| fid | 3.25 |" in card


def test_no_generator_is_credited_with_anothers_scores(capsys):
    """Runs of as many images whose scores are in one file: two of other weights, and a named file of either."""
    (_, first), (_, second) = scored_run(), scored_run(seed=1, kept="other/checkpoints")
    values = scores_of("run")
    assert len(set(values)) == 4
    for path, mine in ((first, values[1]), ("run/end.ckpt", values[3])):
        card = card_of(path)
        assert [value for value in values if value in card] == [mine]
        assert "Of this generator, after 4 updates and 256 images, in val, averaged weights:" in card
    assert "None are known." in card_of(second), "its folder has no scores"

    options = ["--data=FashionMNISTSample", "--data.image_size=8", "--extractor=tests.sampling.test_export.Tiny"]
    main(["evaluate", second, *options, "--n_fake=40", "--n_real=50", "--ema=false"])
    with pytest.raises(
        ValueError, match=r"evaluation.json is of another generator, after 256 images, .* after 256: ev"
    ):
        export(first, onnx=False, scores="evaluation.json")
    assert "weights as trained, which are not those in this folder" in card_of(second, scores="evaluation.json")
    assert "256 images, weights as trained:" in card_of(second, scores="evaluation.json", ema=False)
    assert "run/scores.json" not in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:val/fid was bad")
def test_a_generator_that_went_back_has_the_score_of_where_it_is():
    """Not that of the state that diverged, after as many images as its counter says."""
    scored_run(DivergenceStop("val/fid", patience=1), Scores([3.0, 50]))
    values = scores_of("run")
    card = card_of("run/end.ckpt")
    assert [value for value in values if value in card] == [values[0]]
    assert "Of this generator, after 2 updates and 128 images, in val, averaged weights:" in card
    assert "- images seen: 256\n" in card
    card = card_of("run/best.pt")
    assert [value for value in values if value in card] == [values[0]]
    assert "- generator updates: 2\n- images seen: 128\n" in card
    assert "`FashionMNISTSample(image_size=8," in card


def test_the_newest_of_each_protocol_is_shown():
    """A quick one at the end does not hide the whole one before it."""
    _, last = scored_run()
    first, second = json.loads(Path("run/scores.json").read_text())
    whole = {**first, "protocol": {**first["protocol"], "n_fake": 50_000}, "scores": {"fid_Tiny": 0.125}}
    unknown = {"scores": {"fid_Tiny": 0.375}, "protocol": {"of": "pictures"}}
    Path("run/scores.json").write_text(json.dumps([unknown, whole, first, second]))
    card = card_of(last)
    assert re.findall(r"\| fid_Tiny \| ([\d.]+) \|", card) == [f"{second['scores']['fid_Tiny']:.6g}", "0.125", "0.375"]
    assert (
        card.index("Of this generator, after 4") < card.index("Not of this gen") < card.index("Of which generator is")
    )


def test_updates_that_a_checkpoint_does_not_state(images):
    path = save(plain(), images)
    held = torch.load(path, weights_only=True)
    del held["global_step"]
    torch.save(held, path)
    assert "- generator updates: not stated\n- images seen: 24\n" in card_of(path, generator=PlainGenerator())
    assert json.loads(Path("generator/generator.json").read_text())["step"] is None


def test_a_digest_of_weights_tells_states_apart_and_not_precisions():
    network = nn.BatchNorm1d(2)
    digests = {digest_of_weights(network)}
    assert digest_of_weights(copy.deepcopy(network).to(torch.bfloat16)) in digests
    network.num_batches_tracked += 1
    digests.add(digest_of_weights(network))
    with torch.no_grad():
        network.bias[1] += 1e-6
    digests.add(digest_of_weights(network))
    digests.add(digest_of_weights(nn.Sequential(network)))
    assert len(digests) == 4


def test_the_data_is_named_where_it_is_known(images, capsys):
    path = save(plain(), images)
    assert torch.load(path, weights_only=True)["lit_gan_data"] is None
    export(path, generator=PlainGenerator(), onnx=False)
    card = Path("generator/README.md").read_text()
    assert "## Data\n\nNot stated.\n" in card
    assert yaml.safe_load(card.split("---")[1])["license"] == "unknown"
    assert card.endswith("## Licence\n\nnot stated.\n")
    assert "give --data" in capsys.readouterr().out
    export(path, generator=PlainGenerator(), onnx=False, data="Forty photographs of mushrooms, by the author.")
    assert "## Data\n\nForty photographs of mushrooms" in Path("generator/README.md").read_text()
    assert "give --data" not in capsys.readouterr().out


class Mushrooms(pl.LightningDataModule):
    def __init__(self, password):
        super().__init__()
        self.password = password

    def train_dataloader(self):
        return Batches(torch.rand(8, 1, 4, 4) * 2 - 1)


def test_a_checkpoint_names_its_data_and_nothing_private():
    fitted = trainer(Path.cwd())
    fitted.fit(plain(), Mushrooms("secret"))
    fitted.save_checkpoint("x.ckpt")
    said = torch.load("x.ckpt", weights_only=True)["lit_gan_data"]
    assert said == {"class_path": "tests.sampling.test_export.Mushrooms", "init_args": None}
    Path("at_home").mkdir()
    arguments = describe_data(ImageFolder(str(Path("at_home").resolve()), channels=1, cache="there"))["init_args"]
    assert not {"folder", "cache"} & arguments.keys()
    assert arguments["channels"] == 1


@pytest.mark.parametrize(("path", "kept"), [("uoft-cs/cifar10", True), ("at_home", False), ("/home/me/x", False)])
def test_a_set_of_a_hub_keeps_its_name(path, kept, monkeypatch):
    monkeypatch.setattr("lit_gan._utils.extras.import_module", ModuleType)  # datasets is not needed to name one
    Path("at_home").mkdir()
    assert ("path" in describe_data(HuggingFaceImages(path))["init_args"]) == kept


def test_an_old_checkpoint_is_exported(images):
    path = save(plain(), images)
    held = torch.load(path, weights_only=True)
    del held["lit_gan_data"]
    torch.save(held, path)
    export(path, generator=PlainGenerator(), onnx=False)
    assert "Not stated." in Path("generator/README.md").read_text()


HEADING = "lit_gan.`\n\n# Free money\n\n``|x| <b> \ud800"


def test_what_a_strangers_checkpoint_says_is_no_markdown(images):
    """A class's name, an argument's, a score's: each stays in its line, as code."""
    path = save(plain(), images)
    held = torch.load(path, weights_only=True)
    part = {"class_path": HEADING, "init_args": {HEADING: HEADING}}
    for name in ("loss", "penalties", "augment", "discriminator"):
        held["lit_gan"][name] = {HEADING: part} if name == "penalties" else part
    held["lit_gan"]["generator"]["class_path"] = HEADING
    held |= {"lit_gan_data": part, "global_step": HEADING}
    torch.save(held, path)
    scores = {"scores": {HEADING: 1.0}, "protocol": {HEADING: HEADING}, "stage": HEADING}
    Path("scores.json").write_text(json.dumps(scores))
    export(path, generator=PlainGenerator(), onnx=False)
    card = Path("generator/README.md").read_text()
    headings = [line for line in card.splitlines() if line.startswith("#")]
    assert headings == ["# A GAN's generator: PlainGenerator"] + [
        f"## {name}" for name in ("Use", "Data", "Training", "Scores", "Limits", "Licence")
    ]
    (row,) = [line for line in card.splitlines() if line.startswith("|") and "Free money" in line]
    assert row.count("|") - row.count("\\|") == 3
    for line in card.splitlines():
        assert "Free money" not in line or "```" in line or line.startswith(' "'), line
    assert "generator updates: not stated" in card


@pytest.mark.parametrize("scores", [{"fid": 10**400}, {"fid": None}, {"fid": [1]}, {"fid": "1"}])
def test_scores_that_are_no_numbers_are_refused(images, scores):
    path = save(plain(), images)
    Path("scores.json").write_text(json.dumps([{"scores": scores, "protocol": {}}]))
    with pytest.raises(ValueError, match=r"scores\.json holds no evaluations"):
        export(path, generator=PlainGenerator(), onnx=False)
    assert not Path("generator").exists()


def test_json_as_deep_as_a_stack_is_refused(images):
    path = save(plain(), images)
    Path("scores.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match=r"scores\.json holds no evaluations"):
        export(path, generator=PlainGenerator(), onnx=False)
