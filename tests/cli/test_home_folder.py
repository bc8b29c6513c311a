"""``~`` is the home folder, and never a folder of that name, in every place that takes a path."""

import json
import sys
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from lit_gan import LitGAN, LitGANError, load_generator
from lit_gan._utils.arguments import expanded
from lit_gan._utils.files import cache_folder
from lit_gan.callbacks import SampleWriter
from lit_gan.cli import LitGANCLI, main
from lit_gan.cli.export import export
from lit_gan.cli.report import report
from lit_gan.data import ImageFolder
from lit_gan.data.images import save_png
from lit_gan.metrics.evaluation.folder_samples import FolderSamples
from lit_gan.networks import MLPDiscriminator, MLPGenerator
from lit_gan.sampling.from_checkpoint import load_generators
from tests.cli.test_checkpoint_paths import save
from tests.cli.test_evaluate import EXTRACTOR
from tests.support.small import Batches, trainer

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Return a home folder with a checkpoint; nothing may be made in the current folder."""
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("LIT_GAN_CACHE", "~/cache")
    monkeypatch.setattr(sys, "argv", ["lit-gan"])
    save(str(home / "run" / "checkpoints" / "x.ckpt"))
    yield home
    assert not [path for path in here.rglob("*") if "~" in path.name]


NETWORKS = [
    f"--model.{p}{o}"
    for p in ("generator", "discriminator")
    for o in (f"=MLP{p.capitalize()}", ".image_size=8", ".channels=1", ".width=4", ".num_classes=10")
]
QUICK = ["--data.image_size=8", "--trainer.accelerator=cpu"]


@pytest.mark.parametrize(
    ("options", "where"),
    [
        (["--trainer.default_root_dir=~/runs"], "trainer.default_root_dir"),
        (["--trainer.logger=CSVLogger", "--trainer.logger.save_dir=~/runs"], "trainer.logger.init_args.save_dir"),
        (
            ["--trainer.callbacks=ModelCheckpoint", "--trainer.callbacks.dirpath=~/runs"],
            "trainer.callbacks.0.init_args.dirpath",
        ),
        (
            ["--trainer.callbacks=SampleWriter", "--trainer.callbacks.folder=~/runs"],
            "trainer.callbacks.0.init_args.folder",
        ),
        (["--data=ImageFolder", "--data.folder=x", "--data.cache=~/runs"], "data.init_args.cache"),
        (["--config=~/a.yaml"], "trainer.default_root_dir"),
    ],
)
def test_options_and_configs_of_training(home, options, where):
    (home / "a.yaml").write_text(yaml.safe_dump({"trainer": {"default_root_dir": "~/runs"}}))
    cli = LitGANCLI(args=[*NETWORKS, *QUICK[1:], *options], run=False)
    found = cli.config
    for name in where.split("."):
        found = found[int(name)] if name.isdigit() else found[name]
    assert found == str(home / "runs")


def test_a_run_is_in_one_folder(home):
    few = ["--trainer.max_steps=1", "--trainer.limit_val_batches=1", "--trainer.enable_progress_bar=false"]
    main(["fit", *NETWORKS, *QUICK, *few, "--trainer.log_every_n_steps=1", "--trainer.default_root_dir=~/runs"])
    made = {path.name for path in (home / "runs").rglob("*")}
    assert {"config.yaml", "metrics.csv", "epoch=0-step=1.ckpt", "step-000001.png"} <= made
    assert not list(Path().iterdir())
    writer = ["--trainer.callbacks=SampleWriter", "--trainer.callbacks.folder=~/drawn", "--trainer.logger=false"]
    main(["predict", *NETWORKS, *QUICK, *few, "--ckpt_path=~/run", *writer, "--trainer.limit_predict_batches=1"])
    assert (home / "drawn" / "000000.png").exists()


@pytest.mark.extended
def test_paths_of_the_other_commands(home):
    main(["sample", "~/run", "--n=20", "--output=~/pictures"])
    main(["sample", "~/run/checkpoints/x.ckpt", "--n=4", "--output=~/a/b.png"])
    main(["export", "~/run", "--onnx=false", "--output=~/made"])
    main(["sample", "~/made", "--n=4", "--output=~/c.gif", "--steps=1"])
    Path("tiny.py").write_text(EXTRACTOR)
    tiny = "--extractor=tiny.Tiny"
    main(["evaluate", "~/pictures", "--real=~/pictures", "--channels=1", tiny, "--output=~/e.json", "--cache=~/kept"])
    data = ["--data=FashionMNISTSample", "--data.image_size=8", "--n_fake=10", "--n_real=10"]
    main(["evaluate", "~/made", *data, tiny, "--output=~/f.json"])
    main(["export", "~/run", "--onnx=false", "--output=~/made", "--scores=~/f.json"])
    (home / "run" / "samples").mkdir()
    save_png(torch.zeros(1, 4, 4, dtype=torch.uint8), "~/run/samples/step-1.png")
    main(["report", "~/run"])
    report("~/run", output="~/r.html")
    made = ("a/b.png", "made/generator.json", "c.gif", "kept", "f.json", "run/report.html", "r.html")
    assert all((home / name).exists() for name in made)
    assert json.loads((home / "e.json").read_text())["scores"]["fid_Tiny"] == pytest.approx(0, abs=1e-6)


@pytest.mark.extended
def test_paths_in_code(home):
    shape = {"image_size": 8, "channels": 1, "width": 4, "num_classes": 10}
    networks = MLPGenerator(**shape), MLPDiscriminator(**shape)
    LitGAN(*networks, warm_start="~/run/checkpoints/x.ckpt")
    model = LitGAN.load_from_checkpoint("~/run/checkpoints/x.ckpt")
    assert load_generators("~/run/checkpoints/x.ckpt").images_seen == 4
    export("~/run", "~/made", onnx=False)
    assert load_generator("~/made").latent_dim == model.latent_dim
    fitted = trainer("~/runs", max_steps=2)
    fitted.fit(model, Batches(torch.zeros(8, 1, 8, 8), torch.arange(8)), ckpt_path="~/run/checkpoints/x.ckpt")
    assert cache_folder("~/c") == home / "c"
    assert cache_folder(None) == home / "cache"
    Path(home, "pictures").mkdir()
    for number in range(20):
        Image.effect_noise((8, 8), 50).save(home / "pictures" / f"{number}.png")
    assert FolderSamples("~/pictures").n == 20
    data = ImageFolder("~/pictures", image_size=8, channels=1, batch_size=2, cache="~/maps")
    writer = SampleWriter("~/written")
    trainer("~/runs", callbacks=[writer]).predict(model, data)
    assert (home / "maps").is_dir()
    assert (home / "written" / "000000.png").exists()


@pytest.mark.parametrize("text", ["~", "~/x", "~/x/", "~/"])
def test_expanded(text, home):
    assert expanded({"a": [text, 3]}) == {"a": [text.replace("~", str(home)), 3]}


@pytest.mark.parametrize("value", ["a~b", "x/~/y", "~2", "", None, 3, "s3://~/x", "normal"])
def test_what_is_no_path_in_a_home_folder_stays(value):
    assert expanded(value) == value


@pytest.mark.parametrize("text", ["~nobody-is-called-so/x"])
def test_a_home_that_is_not_there_is_refused(text, capsys):
    with pytest.raises(LitGANError, match="no home folder"):
        expanded(text)
    with pytest.raises(SystemExit):
        main(["fit", *NETWORKS, *QUICK, f"--trainer.default_root_dir={text}"])
    assert text in capsys.readouterr().err
