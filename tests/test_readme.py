"""What the README says is run: its code, and its commands, on a few steps."""

import json
import re
import shlex
import statistics
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import pytorch_lightning as pl
from PIL import Image

from benchmarks import bf16, quality, soak, stacked_mnist
from benchmarks import evaluation as costs
from benchmarks.mode_coverage import summary
from benchmarks.scaling import lines
from lit_gan.cli import main
from tests.support.small import names_of_a_module

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
QUICK = {"max_epochs": 1, "limit_train_batches": 2, "limit_val_batches": 1, "accelerator": "cpu", "logger": False}
QUIET = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands(text: str = README) -> list[list[str]]:
    lines = "\n".join(blocks("bash", text)).replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("lit-gan ")]


def test_code(monkeypatch, tmp_path, capsys):
    """Block after block, as a reader would type them."""
    monkeypatch.chdir(tmp_path)
    real = pl.Trainer
    monkeypatch.setattr(pl, "Trainer", lambda **options: real(**{**options, **QUICK, **QUIET}))
    names = names_of_a_module("readme")
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), names)
    assert names["images"].shape == (64, 1, 32, 32)
    assert names["Squares"]().needs_real is False
    assert "'modes/veegan': tensor(25.)" in capsys.readouterr().out


def some_pictures(folder: Path, n: int) -> None:
    folder.mkdir()
    for i in range(n):
        Image.effect_noise((70, 80 + i), 50).save(folder / f"{i}.png")


@pytest.mark.slow
def test_commands(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["lit-gan"])
    monkeypatch.setenv("LIT_GAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    some_pictures(tmp_path / "PICTURES", 40)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    limits = [f"--trainer.{name}={value}" for name, value in QUICK.items() if name != "logger"]
    limits += ["--trainer.val_check_interval=1"]
    for arguments in commands():
        paths = [str(p) for a in arguments for p in (sorted(tmp_path.glob(a)) if "*" in a else [a])]
        main(paths + (limits if arguments[0] == "fit" else []))
    assert (tmp_path / "grid.png").exists()
    assert len(list(tmp_path.glob("lightning_logs/*/samples/*.png"))) == 4
    assert len(list(tmp_path.glob("lightning_logs/*/densities.gif"))) == 2
    assert len(list(tmp_path.glob("generator/*"))) == 4
    assert (tmp_path / "lightning_logs" / "version_0" / "report.html").exists()
    assert len(commands()) == 7


@pytest.mark.extended
def test_commands_about_runs(tmp_path):
    """In processes of their own: the first starts another one, the second goes on with what it left."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    several, last = commands((ROOT / "docs" / "runs.md").read_text())
    lit_gan = [str(Path(sys.executable).with_name("lit-gan"))]
    for epochs, arguments in enumerate((several, last), start=1):
        limits = [f"--trainer.{name}={value}" for name, value in QUICK.items() if name != "logger"]
        limits += [f"--trainer.max_epochs={epochs}"]
        done = subprocess.run(
            [*lit_gan, *arguments, *limits], cwd=tmp_path, capture_output=True, text=True, timeout=100
        )
        assert done.returncode == 0, done.stderr
    assert "the run had 2 devices and has 1 now" in done.stderr
    assert len(list(tmp_path.glob("lightning_logs/version_1/checkpoints/epoch=1-step=4.ckpt"))) == 1


@pytest.mark.parametrize("name", ["step", "memory", "data_path", "start", "watching", "sampling"])
def test_the_tables_of_speed_are_what_the_benchmarks_wrote(name):
    written = {"step": ["step", "step_xeon"]}.get(name, [name])
    lines = [
        import_module(f"benchmarks.{name}").LINE.format(**row) for file in written for row in results(file)["rows"]
    ]
    missing = [line for line in lines if line not in (ROOT / "benchmarks" / "README.md").read_text()]
    assert lines
    assert not missing
    if name == "step":
        assert [line for line in lines[:4] if line not in README] == []
    if name == "watching":
        assert all(row["monitor"] < 0.03 * row["seconds"] for row in results(name)["rows"])


def results(name: str):
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())


def test_the_other_tables_are_what_the_benchmarks_wrote():
    table, mathematics = (ROOT / "benchmarks" / "README.md").read_text(), (ROOT / "docs" / "mathematics.md").read_text()
    for row in results("false_alarms")["rows"]:
        rate = f"{row['rejected']}/{row['seeds']} | {row['rate_low']:.3f}–{row['rate_high']:.3f}"
        assert f"| {row['case']} | {rate} | {row['accuracy']:.3f} | {row['jsd_lower_bound']:.4f} |" in table
    for row in results("manifold")["rows"]:
        times = f"{row['seconds']:.1f} | {row['products']:.1f} | {row['ratio']:.2f}"
        assert f"| {row['metric']} | {times} | {row['mib']:.0f} |" in table
        assert row["mib"] < 2000
    scaling = (ROOT / "docs" / "scaling.md").read_text()
    assert [line for line in lines(results("scaling")["rows"]) if line not in scaling] == []
    evaluation = (ROOT / "docs" / "evaluation.md").read_text()
    for rung, scores in results("corruptions")["rows"].items():
        digits = {"fid": 1, "kid": 3, "is": 1, "precision": 2, "recall": 2, "density": 2, "coverage": 2}
        shown = " | ".join(f"{scores[name]:.{n}f}" for name, n in digits.items())
        assert f"| {rung} | {shown} |" in evaluation
    for measured in (results("evaluation"), results("evaluation_5000")):
        assert [row for row in measured["rows"] if costs.line(row, measured["images"]) not in evaluation] == []
    rows = results("mode_coverage")["rows"]
    for kind, name in {(row["mixture"], row["contender"]) for row in rows}:
        mine = [row for row in rows if (row["mixture"], row["contender"]) == (kind, name)]
        assert len(mine) == 5
        assert summary(mine) in table
    rows = results("quality")["rows"]
    for name in quality.CONTENDERS:
        assert len({row["seed"] for row in rows if row["contender"] == name}) == 3
        assert quality.line(name, rows) in table
        assert quality.line(name, rows) in README
    for precision in bf16.PRECISIONS:
        assert bf16.line(precision, results("bf16")["rows"]) in table
    (soaked,) = results("soak")["rows"]
    assert soak.line(soaked) in table
    assert sum(soaked["kills"].values()) >= 50
    assert soaked["differing"] == []
    assert soaked["memory_growth"] < 0.02
    assert soaked["files"][0] == soaked["files"][1]
    stacked = [stacked_mnist.line(row) for row in results("stacked_mnist")["rows"]]
    assert len(stacked) == 2
    assert [line for line in stacked if line not in table] == []
    runs = results("learned")["rows"]
    for name in runs[0]:
        values = [run[name] for run in runs]
        assert f"| {name} | {statistics.median(values):.4f} | {max(values):.4f} |" in mathematics


@pytest.mark.parametrize("name", results("presets")["rows"])
def test_a_preset_says_what_the_benchmark_measured(name):
    said = re.search(r"# Cost: ([\d.,]+) s of", (ROOT / "examples" / "configs" / f"{name}.yaml").read_text())
    if said:  # the others are no presets but examples
        assert float(said[1].replace(",", "")) == pytest.approx(
            statistics.median(results("presets")["rows"][name]), rel=0.1
        )


@pytest.mark.parametrize("target", re.findall(r"(?:\]\(|src=\")(?!http)(.*?)[)\"]", README))
def test_links_lead_somewhere(target):
    assert (ROOT / target).exists()
