"""A logger whose package is not installed is refused by name, before anything is made."""

import sys
from pathlib import Path

import pytest

from lit_gan import LitGANError
from lit_gan.cli.loggers import check_loggers, loggers_in
from tests.support.commands import refused

PACKAGES = {
    "TensorBoardLogger": ("tensorboard", "tensorboardX"),
    "CometLogger": ("comet_ml",),
    "MLFlowLogger": ("mlflow",),
    "WandbLogger": ("wandb",),
    "LitLogger": ("litlogger",),
}

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def without_them(monkeypatch):
    for package in (package for packages in PACKAGES.values() for package in packages):
        monkeypatch.setitem(sys.modules, package, None)


def only_line(capsys, *arguments) -> str:
    (said,) = refused(capsys, *arguments).splitlines()
    return said


@pytest.mark.parametrize("name", PACKAGES)
def test_the_package_is_named(name, capsys):
    prefix = "pytorch_lightning.loggers." if name == "CometLogger" else ""
    said = only_line(capsys, "fit", "--trainer.logger", f"{prefix}{name}")
    assert PACKAGES[name][0] in said
    assert "pip install" in said


@pytest.mark.parametrize("option", ["--trainer.logger=[CSVLogger,CometLogger]", "--trainer.logger+=CometLogger"])
def test_one_of_several(option, capsys):
    assert "comet-ml" in only_line(capsys, "fit", option)


def test_a_logger_of_a_config(capsys):
    networks = ["--model.generator=MLPGenerator", "--model.discriminator=MLPDiscriminator"]
    Path("a.yaml").write_text(
        "trainer: {logger: [{class_path: TensorBoardLogger, init_args: {save_dir: x}}, {class_path: CSVLogger, "
        "init_args: {save_dir: x}}]}"
    )
    assert "tensorboard" in only_line(capsys, "fit", "--config=a.yaml", *networks)


def test_one_of_two_packages_is_enough(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", pytest)
    check_loggers(["TensorBoardLogger"])


def test_the_extra_is_named():
    for name in ("TensorBoardLogger", "WandbLogger"):
        with pytest.raises(ImportError, match=rf"{PACKAGES[name][0]}.*\[{PACKAGES[name][0]}\]") as caught:
            check_loggers([name])
        assert isinstance(caught.value, LitGANError)


@pytest.mark.parametrize("argument", ["--trainer.logger=own.CometLogger", "--trainer.logger=CSVLogger", "true", "own"])
def test_other_loggers_pass(argument):
    check_loggers(loggers_in([argument]))
