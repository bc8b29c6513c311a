"""Empty values, files in place of folders and the reverse: refused before any work, with nothing written."""

from pathlib import Path

import pytest

from lit_gan import LitGANError
from lit_gan.cli.output import check_writable, output_file
from lit_gan.cli.parser import refuse_empty
from tests.cli.test_checkpoint_paths import save
from tests.support.commands import refused

pytestmark = pytest.mark.slow

NETWORKS = [
    f"--model.{p}{o}"
    for p in ("generator", "discriminator")
    for o in (f"=MLP{p.capitalize()}", ".image_size=8", ".channels=1", ".width=4")
]


def last_line(capsys, *arguments) -> str:
    return refused(capsys, *arguments).splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["sample", ""], "an argument"),
        (["sample", "x.ckpt", "--output="], "--output"),
        (["sample", "x.ckpt", "--output", ""], "--output"),
        (["report", "x", "--output="], "--output"),
        (["evaluate", "x", "--real="], "--real"),
        (["export", "x", "--scores="], "--scores"),
        (["fit", "--ckpt_path="], "--ckpt_path"),
        (["fit", "--trainer.default_root_dir="], "--trainer.default_root_dir"),
        (["fit", "--data=ImageFolder", "--data.folder="], "--data.folder"),
        (["fit", "--model.loss", ""], "--model.loss"),
        (["fit", "--trainer.logger=CSVLogger", "--trainer.logger.save_dir="], "--trainer.logger.save_dir"),
    ],
)
def test_an_empty_value_stands_for_no_folder(arguments, named, capsys, tmp_path):
    assert f"{named} is empty" in last_line(capsys, *arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("argument", ["--trainer.logger.name=", "--trainer.logger.prefix=", "--n=0", "runs/epoch=1"])
def test_names_and_prefixes_of_loggers_may_be_empty(argument):
    refuse_empty(["fit", argument])


def test_outputs_that_cannot_be_written(capsys):
    save("x.ckpt")
    Path("folder").mkdir()
    Path("folder.json").mkdir()
    Path("file").touch()
    data = ["--data=FashionMNISTSample", "--data.image_size=8", "--metrics=fid,fidd"]
    for output in ("folder", "folder.json", "x.csv"):
        assert f"output='{output}'" in last_line(capsys, "evaluate", "x.ckpt", *data, f"--output={output}")
    assert "file" in last_line(capsys, "evaluate", "x.ckpt", *data, "--output=file/x.json")
    assert "did you mean 'fid'?" in last_line(capsys, "evaluate", "x.ckpt", *data)
    assert "output='.png'" in last_line(capsys, "sample", "x.ckpt", "--output=.png")
    assert f"{10**30}" in last_line(capsys, "sample", "x.ckpt", f"--seed={10**30}")
    assert sorted(path.name for path in Path().iterdir()) == ["file", "folder", "folder.json", "x.ckpt"]
    assert not list(Path("folder").iterdir())


def test_the_folder_of_an_output_is_made():
    assert output_file("a/b/x.JSON", ".json").parent.is_dir()


def test_a_folder_that_is_read_only_is_refused(monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(OSError, match="here cannot be written to") as caught:
        check_writable(Path("here"))
    assert isinstance(caught.value, LitGANError)


def test_a_file_for_the_folder_of_checkpoints(capsys):
    Path("file").touch()
    checkpoints = ["--trainer.callbacks=ModelCheckpoint", "--trainer.callbacks.dirpath=file"]
    options = ["--data.image_size=8", "--trainer.accelerator=cpu"]
    assert "file' is a file" in last_line(capsys, "fit", *NETWORKS, *options, *checkpoints)
