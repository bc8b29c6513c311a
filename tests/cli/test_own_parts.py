"""Of the current folder, perhaps a stranger's, the command imports what its arguments name, and nothing else."""

import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from lit_gan.cli import main
from lit_gan.cli.own_parts import own_parts
from tests.support.formats import FOLDER

CHECKPOINT = str(FOLDER / "format_1" / "minimax.ckpt")
BY_PYTHON = "importlib warnings contextlib collections keyword operator reprlib functools types"
"""Modules that ``python -m`` itself imports from the current folder, before lit_gan."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A current folder with two modules of the user's own, one that imports the other, and a link to no module."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    for name, text in {"own_loss": "import own_helper", "own_helper": "", "json": "", "absent_extra": ""}.items():
        monkeypatch.delitem(sys.modules, name, raising=name == "json")
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["fit", "--model.loss=own_loss.Own"], True),
        (["fit", "--model.loss", "own_loss.Own"], True),
        (["evaluate", "--metrics=[fid,own_loss.Own]"], True),
        (["fit", '--trainer.callbacks={"class_path": "own_loss.Own"}'], True),
        (["fit", "--config", "x.yaml"], True),
        (["fit", "--config=x.json"], True),
        (["fit", "--model.generator=x.yaml"], True),
        (["fit", "--own_loss.x=1"], False),
        (["export", "./own_loss.ckpt"], False),
        (["export", "own_loss/own_loss.ckpt", "--scores=x.json"], False),
        (["sample", "x.ckpt", "--n=4"], False),
        ([], False),
    ],
)
def test_only_what_the_arguments_name_is_imported(folder, arguments, found):
    before = list(sys.meta_path)
    with own_parts(arguments):
        assert (find_spec("own_loss") is not None) == found
        if found:
            import_module("own_loss")  # and with it own_helper
        else:
            assert find_spec("absent_extra") is None, "a package that is not installed"
        assert Path(import_module("json").__file__).parent != folder
    assert sys.meta_path == before


def test_a_checkpoint_of_a_modules_name_imports_that_module_never(folder):
    """``own_loss.ckpt`` looks like an import path; nothing else of the folder is found for it."""
    with own_parts(["export", "own_loss.ckpt"]):
        assert find_spec("absent_extra") is None
        assert find_spec("own_helper") is None
    assert "own_loss" not in sys.modules


@pytest.mark.slow
def test_a_strangers_folder_runs_nothing(tmp_path):
    for name in {*sys.stdlib_module_names, "torch", "numpy", "safetensors", "ruamel", "sitecustomize"}:
        if name.isidentifier() and name not in BY_PYTHON.split():
            (tmp_path / f"{name}.py").write_text(f"open('executed', 'a').write('{name} ')")
    run = [sys.executable, "-m", "lit_gan", "sample", CHECKPOINT, "--n=1", "--output=grid.png"]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "grid.png").exists()
    assert not (tmp_path / "executed").exists(), (tmp_path / "executed").read_text()


def test_a_missing_part_of_ones_own_is_a_sentence(folder, capsys):
    with pytest.raises(SystemExit):
        main(["export", CHECKPOINT, "--generator=absent_part.Own"])
    assert "absent_part" in capsys.readouterr().err
