"""A run's folder, and an exported folder, in place of a checkpoint; ranges of seeds; classes by name."""

import json
import os
from pathlib import Path

import pytest
import torch
from PIL import Image

from lit_gan import LitGAN, LitGANError
from lit_gan.cli import main
from lit_gan.cli.asked import several_seeds, with_numbers
from lit_gan.cli.checkpoint_paths import checkpoint_at, given_generators
from lit_gan.data import FashionMNISTSample, ImageFolder
from lit_gan.networks import MLPDiscriminator, MLPGenerator
from tests.cli.test_evaluate import EXTRACTOR
from tests.support.small import Batches, trainer

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def home_and_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LIT_GAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def save(path: str, data=None, seed: int = 0, classes: int = 10) -> str:
    """Write the checkpoint of a step."""
    torch.manual_seed(seed)
    shape = {"image_size": 8, "channels": 1, "width": 4, "num_classes": classes}
    model = LitGAN(MLPGenerator(**shape), MLPDiscriminator(**shape))
    fitted = trainer(Path.cwd(), limit_train_batches=1, limit_val_batches=0)
    fitted.fit(model, Batches(torch.rand(8, 1, 8, 8) - 0.5, torch.arange(8)) if data is None else data)
    fitted.save_checkpoint(path)
    return path


def run(*names: str) -> list[str]:
    """Write checkpoints of different weights into a run's folder, the first one the oldest."""
    paths = [save(f"run/checkpoints/{name}.ckpt", seed=seed) for seed, name in enumerate(names)]
    for when, path in enumerate(paths):
        os.utime(path, (1e9 + when, 1e9 + when))
    return paths


def pixels(path: str) -> bytes:
    with Image.open(path) as picture:
        return picture.tobytes()


def refused(capsys, *arguments) -> str:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("folder", ["run", "~/run"])
def test_a_folder_stands_for_its_newest_whole_checkpoint(folder, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "run").symlink_to(tmp_path / "run")
    old, newer, _ = run("z", "a", "broken")
    Path("run/checkpoints/broken.ckpt").write_bytes(Path(newer).read_bytes()[:-500])
    with pytest.warns(UserWarning, match="broken.ckpt is truncated"):
        assert Path(checkpoint_at(folder)).samefile(newer)
    assert checkpoint_at(old) == old
    assert checkpoint_at("none.ckpt") == "none.ckpt"


def test_a_folder_without_checkpoints_is_refused():
    Path("empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"empty is a folder and holds no checkpoint"):
        checkpoint_at("empty")


def test_commands_take_the_folder_of_a_run_and_of_an_export(capsys):
    newest = run("a", "b")[-1]
    for number, ema in enumerate((True, False)):
        main(["export", "run", "--onnx=false", f"--output=made{number}", f"--ema={ema}"])
        assert Path(f"made{number}/generator.json").exists()
        for where in (newest, "run", f"made{number}"):
            options = [] if ema else ["--ema=false"]
            main(["sample", where, "--n=4", "--seed=3", f"--output={Path(where).name}.png", *options])
        assert len({pixels(f"{Path(where).name}.png") for where in (newest, "run", f"made{number}")}) == 1
    Path("tiny.py").write_text(EXTRACTOR)
    data = ["--data=FashionMNISTSample", "--data.image_size=8", "--extractor=tiny.Tiny"]
    few = ["--n_fake=10", "--n_real=10", "--output=scores.json"]
    reports = []
    for where in (newest, "run", "made0"):
        main(["evaluate", where, *data, *few])
        reports.append({**json.loads(Path("scores.json").read_text()), "seconds": 0})
    assert reports[0] == reports[1] == reports[2]
    assert reports[0]["protocol"]["ema"]
    assert "the averaged generator alone" in refused(capsys, "sample", "made0", "--ema=false")
    assert "is an exported generator" in refused(capsys, "export", "made0")


@pytest.mark.filterwarnings("ignore:resuming:UserWarning")  # on other data
def test_training_goes_on_from_the_folder_of_a_run(capsys, caplog):
    newest = run("a", "b")[-1]
    networks = [f"--model.{p}={'MLP' + p.capitalize()}" for p in ("generator", "discriminator")]
    networks += [
        f"--model.{p}.{o}"
        for p in ("generator", "discriminator")
        for o in ("image_size=8", "channels=1", "width=4", "num_classes=10")
    ]
    options = [*networks, "--data.image_size=8", "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"]
    main(["validate", *options, "--ckpt_path=run", "--trainer.limit_val_batches=1"])
    assert newest in caplog.text
    main(["fit", *options, "--ckpt_path=run", "--trainer.max_steps=3", "--trainer.limit_val_batches=0"])
    assert list(Path("lightning_logs").rglob("*step=3.ckpt"))
    main(["export", "run", "--onnx=false"])
    assert "is an exported generator" in refused(capsys, "validate", *options, "--ckpt_path=generator")
    assert "is an exported generator" in refused(capsys, "fit", *options, "--model.warm_start=generator")


def test_each_of_several_seeds_has_a_picture(capsys):
    save("x.ckpt")
    main(["sample", "x.ckpt", "--seed=8-10", "--output=many"])
    assert sorted(path.name for path in Path("many").iterdir()) == ["seed0008.png", "seed0009.png", "seed0010.png"]
    main(["sample", "x.ckpt", "--seed=9", "--n=1", "--output=nine"])
    assert pixels("nine/000000.png") == pixels("many/seed0009.png")
    main(["sample", "x.ckpt", "--seed=[8,9]", "--output=row.png"])
    with Image.open("row.png") as picture:
        assert picture.size == (2 * 10 + 2, 10 + 2), "two images in a frame"
    main(["sample", "x.ckpt", "--seed=1,4", "--n=2", "--labels=[0,1,2,3]", "--output=two"])
    assert len(list(Path("two").iterdir())) == 4
    assert "several seeds" in refused(capsys, "sample", "x.ckpt", "--seed=1-3", "--interpolate=linear")
    assert "3 labels for 2 images" in refused(capsys, "sample", "x.ckpt", "--seed=1-2", "--labels=[0,1,2]")


@pytest.mark.parametrize(
    ("given", "seeds"),
    [
        (None, None),
        (7, 7),
        ("1-3", [1, 2, 3]),
        ("5", [5]),
        ("1,5,7-8", [1, 5, 7, 8]),
        ([3, 1], [3, 1]),
        ("10 - 11", [10, 11]),
    ],
)
def test_ranges_and_lists_of_seeds(given, seeds):
    assert several_seeds(given) == seeds


@pytest.mark.parametrize("given", ["", "x", "3-1", "1-", "1,,2", "1,1", "1-3,2", [], "0-100000000000", "1.5"])
def test_what_is_no_seed(given):
    with pytest.raises(LitGANError, match="seed="):
        several_seeds(given)


@pytest.mark.parametrize(
    ("given", "numbers"),
    [
        (None, None),
        ("all", "all"),
        (1, 1),
        ("1", 1),
        ("dogs", 1),
        ("cats,dogs", [0, 1]),
        ("a,b", 2),
        (["cats", 1], [0, 1]),
        ([1, 0], [1, 0]),
    ],
)
def test_labels_by_name(given, numbers):
    assert with_numbers(given, ["cats", "dogs", "a,b"]) == numbers


@pytest.mark.parametrize(("names", "way"), [(["cats", "dogs"], "did you mean 'cats'"), ([], "class's number")])
def test_an_unknown_class_is_refused(names, way):
    with pytest.raises(LitGANError, match=way):
        with_numbers("catz", names)


@pytest.fixture
def pets():
    for name in ("cats", "dogs"):
        Path("pets", name).mkdir(parents=True)
        for number in range(20):
            Image.effect_noise((8, 8), 50).save(f"pets/{name}/{number}.png")
    return ImageFolder("pets", image_size=8, channels=1, batch_size=8, classes=True)


def test_a_checkpoint_names_the_classes_of_its_folder(pets):
    save("x.ckpt", pets, classes=2)
    assert given_generators("x.ckpt").class_names == ["cats", "dogs"]
    for label in ("dogs", "1"):
        main(["sample", "x.ckpt", "--seed=0", f"--labels={label}", f"--output={label}.png"])
    assert pixels("dogs.png") == pixels("1.png")
    main(["export", "x.ckpt", "--onnx=false"])
    assert given_generators("generator").class_names == ["cats", "dogs"]
    checkpoint = torch.load("x.ckpt", weights_only=True)
    del checkpoint["ImageFolder"]
    torch.save(checkpoint, "old.ckpt")
    assert given_generators("old.ckpt").class_names == []
    of_data = ["--data=ImageFolder", "--data.folder=pets", "--data.classes=true", "--data.image_size=8"]
    of_data += ["--data.channels=1", "--data.batch_size=8"]
    main(["sample", "old.ckpt", "--seed=0", "--labels=dogs", "--output=old.png", *of_data])
    assert pixels("old.png") == pixels("1.png")


def test_garments_have_names_in_every_file(capsys):
    save("x.ckpt", FashionMNISTSample(image_size=8))
    main(["export", "x.ckpt", "--onnx=false"])
    main(["export", "x.ckpt", "--onnx=false", "--output=old"])
    description = json.loads(Path("old/generator.json").read_text())
    del description["class_names"]
    Path("old/generator.json").write_text(json.dumps(description))
    for where in ("x.ckpt", "generator", "old"):
        assert given_generators(where).class_names[8] == "Bag"
    assert "did you mean 'Sneaker'" in refused(capsys, "sample", "x.ckpt", "--labels=sneakers")


def test_a_run_resumed_on_other_classes_says_so(pets):
    pets.prepare_data()
    pets.setup("fit")
    with pytest.warns(UserWarning, match="wolves"):
        pets.load_state_dict({"class_names": ["cats", "wolves"]})
    pets.load_state_dict(pets.state_dict())
    pets.load_state_dict({})
