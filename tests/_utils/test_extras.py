"""The way out that an error about a missing package names is one that works: an extra of this project, from a clone."""

import ast
import re
from pathlib import Path

import pytest

from lit_gan._utils.extras import optional

ROOT = Path(__file__).parents[2]


def extras() -> set[str]:
    """Return the names of the extras that pyproject.toml declares."""
    section = (
        (ROOT / "pyproject.toml").read_text().partition("[project.optional-dependencies]\n")[2].partition("\n[")[0]
    )
    return set(re.findall(r"^([\w-]+) = \[", section, re.MULTILINE))


def test_each_extra_that_an_error_may_name_exists():
    calls = [node for path in ROOT.glob("lit_gan/**/*.py") for node in ast.walk(ast.parse(path.read_text()))]
    named = {
        node.args[1].value
        for node in calls
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "optional" and len(node.args) == 3
        if isinstance(node.args[1], ast.Constant)
    }
    assert named
    assert named <= extras()


def test_what_is_named_is_the_clone_and_no_distribution_of_an_index():
    with pytest.raises(ImportError, match=r'Part needs none_such: pip install "\.\[plots\]", in a clone'):
        optional("none_such", "plots", "Part")
    texts = [path for place in ("lit_gan", "docs", "examples") for path in (ROOT / place).rglob("*") if path.is_file()]
    for path in [ROOT / "README.md", *texts]:
        assert b"lit-gan[" not in path.read_bytes(), path
