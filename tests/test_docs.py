"""What the pages in docs say: their code runs, and what they name is there."""

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.small import names_of_a_module
from tests.test_readme import commands, some_pictures

ROOT = Path(__file__).parents[1]
PAGES = {page.name: page.read_text() for page in sorted((ROOT / "docs").glob("*.md"))}
MATHEMATICS = PAGES["mathematics.md"]
DEFINITION = re.compile(r"^\[([^\]]+)\]: (\S+)$", re.MULTILINE)  # [name]: target
REFERENCE = re.compile(r"\[([^\[\]]+)\]\[([^\[\]]+)\]")  # [text][name]
TARGET = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")  # [text](target), <img src="target">
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def prose(text):
    """Return a page without its code blocks."""
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def local_targets(text):
    found = [inline or tag for inline, tag in TARGET.findall(prose(text))] + [t for _, t in DEFINITION.findall(text)]
    return [target for target in found if not target.startswith(("http://", "https://"))]


def anchors(text):
    """Return what GitHub calls the headings of a page."""
    return [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in HEADING.findall(prose(text))]


TARGETS = sorted({(name, target) for name, text in PAGES.items() for target in local_targets(text)})
NAMED = sorted(set(re.findall(r"`((?:lit_gan|theory)(?:\.\w+)+)`", MATHEMATICS)))
USED = sorted(set(re.findall(r"\b(theory\.\w+)", MATHEMATICS)))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PAGES.keys() - {"bolts.md"}))  # tests/bolts runs it in a process of its own
def test_code_runs(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    names = names_of_a_module(f"docs_{name.removesuffix('.md')}")
    for match in re.finditer(r"^```python\n(.*?)^```", PAGES[name], re.DOTALL | re.MULTILINE):
        before = PAGES[name].count("\n", 0, match.start(1))  # so that a traceback names the page's own line
        exec(compile("\n" * before + match[1], f"docs/{name}", "exec"), names)


@pytest.mark.parametrize(("name", "target"), TARGETS)
def test_links_lead_somewhere(name, target):
    path, _, anchor = target.partition("#")
    page = ROOT / "docs" / path if path else ROOT / "docs" / name
    assert page.exists(), f"docs/{name} names {target}"
    if anchor:
        assert anchor in anchors(page.read_text())


@pytest.mark.parametrize("name", PAGES)
def test_references_are_defined_and_definitions_used(name):
    text = PAGES[name]
    assert {key for _, key in REFERENCE.findall(prose(text))} == {key for key, _ in DEFINITION.findall(text)}


def test_names_are_in_the_files_they_link_to():
    files = dict(DEFINITION.findall(MATHEMATICS))
    for text, key in REFERENCE.findall(prose(MATHEMATICS)):
        name = re.fullmatch(r"`(\w+)`", text)
        source = (ROOT / "docs" / files[key]).read_text()
        assert name is None or re.search(rf"^\s*(?:def|class) {name[1]}\b", source, re.MULTILINE), f"{text} in {key}"


def test_every_test_that_is_named_exists():
    named = set(re.findall(r"`(test_\w+)`", MATHEMATICS))
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert named
    assert named <= set(re.findall(r"^\s*def (test_\w+)", tests, re.MULTILINE))


@pytest.mark.parametrize("dotted", NAMED + USED)
def test_dotted_names_are_there(dotted):
    """lit_gan.a.b.c: the longest module there is, and attributes of it."""
    parts = (dotted if dotted.startswith("lit_gan") else f"lit_gan.{dotted}").split(".")
    found = importlib.import_module(parts[0])
    for i, part in enumerate(parts[1:], start=2):
        if not hasattr(found, part):
            importlib.import_module(".".join(parts[:i]))  # a module that nothing has imported yet
        found = getattr(found, part)


def test_commands_name_files_that_exist():
    commands = re.findall(r"`((?:python|lit-gan) [^`]+)`", MATHEMATICS)
    files = re.findall(r"\S+\.(?:py|yaml)\b", "\n".join(commands))
    assert files
    assert all((ROOT / file).exists() for file in files)


@pytest.fixture
def typed(tmp_path):
    """Run commands as a reader would type them, after each other, those that train on a few steps."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    few = {"max_epochs": 1, "limit_train_batches": 2, "limit_val_batches": 1, "accelerator": "cpu"}
    limits = [f"--trainer.{name}={value}" for name, value in few.items()]
    environment = os.environ | {"LIT_GAN_CACHE": str(tmp_path / "cache"), "WANDB_MODE": "offline"}

    def run(*lines, **names):
        for line in lines:
            arguments = [re.sub(r"^[A-Z]+", lambda m: names.get(m[0], m[0]), argument) for argument in line]
            paths = [str(p) for a in arguments for p in (sorted(tmp_path.glob(a)) if "*" in a else [a])]
            command = [Path(sys.executable).with_name("lit-gan"), *paths, *(limits if line[0] == "fit" else [])]
            done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200)
            assert done.returncode == 0, done.stderr

    return run


@pytest.mark.extended
def test_the_commands_for_own_pictures(typed, tmp_path):
    some_pictures(tmp_path / "pictures", 200)
    lines = commands(PAGES["own_pictures.md"])
    assert [line[0] for line in lines] == ["fit", "fit", "sample", "sample"]
    typed(*lines, PICTURES="pictures", RUN="lightning_logs/version_0")
    assert (tmp_path / "grid.png").exists()
    assert (tmp_path / "morph.gif").exists()
    assert len(json.loads((tmp_path / "lightning_logs" / "version_1" / "scores.json").read_text())) == 1


@pytest.mark.slow
def test_the_commands_that_score_and_log(typed, tmp_path):
    (scoring,), (logging,) = (commands(PAGES[name]) for name in ("evaluation.md", "wandb.md"))
    logging += ["--data=FashionMNISTSample", "--data.image_size=32"]  # its own would be fetched
    typed(commands()[0], scoring, logging)
    assert json.loads((tmp_path / "evaluation.json").read_text())["scores"].keys() == {"fid_lite0"}
    assert list(tmp_path.glob("wandb/offline-run-*"))


@pytest.mark.slow
@pytest.mark.parametrize("repository", ["https://example.org/a/b", pytest.param("", marks=pytest.mark.extended)])
def test_the_site_is_built_without_a_warning_and_links_to_the_repository(tmp_path, repository):
    pytest.importorskip("mkdocs", reason="mkdocs is not there")
    command = [Path(sys.executable).with_name("mkdocs"), "build", "--quiet", "--site-dir", tmp_path]
    environment = os.environ | {"REPOSITORY": repository, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    page = (tmp_path / "mathematics" / "index.html").read_text()
    assert f'<a href="{repository}/blob/main/lit_gan/theory/game.py"' in page or not repository
    assert "../lit_gan" not in page
    assert 'id="lit_gan.networks.SNGANGenerator"' in (tmp_path / "reference" / "networks" / "index.html").read_text()
