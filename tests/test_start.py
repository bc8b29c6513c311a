"""Importing lit_gan and what needs little of it stays cheap; import paths of earlier versions keep working."""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch

import lit_gan
from lit_gan import LitGAN, LitGANError
from lit_gan._utils.moved import MOVED, current_path
from lit_gan.cli import main
from lit_gan.cli.commands import COMMANDS
from lit_gan.cli.entry import refusal
from lit_gan.cli.export import export
from tests.support.formats import FOLDER

HEAVY = ("torch", "pytorch_lightning", "lightning_fabric", "torchmetrics", "torchvision", "matplotlib", "scipy")


def loaded(code: str, *names: str, cwd=None) -> list[str]:
    """Return which of some packages a process of its own has imported after ``code``."""
    script = f"import json, sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\n"
    script += f"print(json.dumps([name for name in {names!r} if name in sys.modules]))"
    path = os.pathsep.join([str(Path(lit_gan.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=cwd, env={**os.environ, "PYTHONPATH": path}
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


def test_importing_it_imports_nothing_heavy():
    assert loaded("import lit_gan; lit_gan.__version__", *HEAVY, "numpy", "jsonargparse") == []


def test_a_generator_is_loaded_by_torch_and_safetensors_alone(tmp_path):
    export(str(FOLDER / "format_0" / "minimax.ckpt"), str(tmp_path / "generator"), onnx=False)
    code = "import lit_gan; lit_gan.load_generator('generator').sample(2, seed=0)"
    assert loaded(code, *HEAVY, "safetensors", cwd=tmp_path) == ["torch", "safetensors"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["smaple", "x.ckpt"],
        *([command, "--nonsense"] for command in COMMANDS),
        ["sample", "x", "--n=many"],
    ],
    ids=" ".join,
)
def test_a_usage_error_imports_no_torch(arguments):
    assert loaded(f"from lit_gan.cli import main; main({arguments!r})", *HEAVY) == []


def test_each_command_has_its_help(capsys):
    for command in COMMANDS:
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert ended.value.code == 0
        shown = capsys.readouterr().out
        assert f"lit-gan {command}" in shown
        assert all(f"--{part}" in shown for part in COMMANDS[command].parts)


def test_a_mistyped_command_names_those_there_are(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["trian"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "'trian'" in said
    assert all(f"'{command}'" in said for command in ("fit", "predict", *COMMANDS))


def test_the_public_names_are_there():
    assert {"LitGAN", "LitGANError", "load_generator", "__version__"} <= set(dir(lit_gan))
    assert lit_gan.networks.DCGANGenerator is import_module("lit_gan.networks").DCGANGenerator
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        lit_gan.nonsense  # noqa: B018


@pytest.mark.parametrize("module", MOVED)
def test_earlier_import_paths_keep_working(module):
    before = import_module(module)
    for place in map(import_module, MOVED[module]):
        for name in place.__all__:
            assert getattr(before, name) is getattr(place, name)
            assert current_path(f"{module}.{name}") == f"{place.__name__}.{name}"
    with pytest.raises(AttributeError, match=f"{module}.*no 'nonsense'"):
        before.nonsense  # noqa: B018


def test_documented_paths_of_before_are_in_the_table():
    from lit_gan.evaluation import Evaluation, GeneratedSamples, RealSamples, Report  # noqa: F401
    from lit_gan.exploring import class_grid, interpolations, morph, rows, truncation_ladder  # noqa: F401
    from lit_gan.export import export, load_generator  # noqa: F401
    from lit_gan.images import grid, resize, save_png, to_float, to_uint8  # noqa: F401
    from lit_gan.latents import closed_loop, interpolate, path_for  # noqa: F401
    from lit_gan.plots import draw_value  # noqa: F401
    from lit_gan.verdict import Verdict, judge  # noqa: F401

    from lit_gan.metrics.extractors import EfficientNetLite0, InceptionV3, OwnExtractor, as_extractor  # noqa: F401
    from lit_gan.sampling import TrainedGenerator, draw_latents, evaluating  # noqa: F401


def test_a_refusal_is_known_by_its_class_and_not_by_the_source(monkeypatch):
    """Of an install without sources too: no traceback's text is looked at."""
    monkeypatch.setattr("linecache.getline", lambda *args: "")
    with pytest.raises(LitGANError) as refused:
        LitGAN.load_from_checkpoint("none.ckpt")
    assert refusal(refused.value) == str(refused.value)
    with pytest.raises(RuntimeError) as bug:
        torch.zeros(2).reshape(3)
    assert refusal(bug.value) is None


def test_a_sentence_does_not_control_the_terminal(capsys):
    """It may quote a stranger's file."""
    with pytest.raises(SystemExit):
        main(["sample", "\x1b[2Jnone\x07\ud800.ckpt"])
    assert capsys.readouterr().err == "error: there is no checkpoint \\x1b[2Jnone\\x07\\ud800.ckpt\n"


@pytest.mark.parametrize("debug", [False, True])
def test_debug_shows_the_traceback(capsys, debug):
    arguments = ["sample", "none.ckpt", *(["--debug"] if debug else [])]
    with pytest.raises(FileNotFoundError if debug else SystemExit, match=r"none\.ckpt" if debug else "2"):
        main(arguments)
    assert ("none.ckpt" in capsys.readouterr().err) is not debug


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_short_names_of_parts_are_known_to_a_command_alone(command, tmp_path):
    """In a process that has imported nothing else: jsonargparse knows imported classes alone."""
    examples = {"data": "FashionMNISTSample", "extractor": "EfficientNetLite0", "generator": "MLPGenerator"}
    parts = [f"--{part}={examples[part]}" for part in COMMANDS[command].parts if part in examples]
    given = [
        command,
        "none.ckpt",
        *parts,
        *(["--generator.features=2"] if "generator" in COMMANDS[command].parts else []),
    ]
    run = subprocess.run([sys.executable, "-m", "lit_gan", *given], capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 2
    assert "none.ckpt" in run.stderr or "neighbours" in run.stderr, "the parts are understood, and what follows is not"
