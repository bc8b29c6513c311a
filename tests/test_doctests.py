"""The examples in docstrings run, and every loss, penalty, schedule, metric and theory function has one."""

import doctest
import inspect
import warnings
from importlib import import_module
from pathlib import Path

import pytest

import lit_gan
from lit_gan import losses, metrics, penalties, schedules, theory
from lit_gan.metrics import copying
from tests.support.public import NO_PARTS

WITH_EXAMPLES = (losses, penalties, schedules, metrics, copying, theory)
SKIPPED = ("lit_gan.bolts", "lit_gan.__main__")  # need lightning-bolts; run the command
ROOT = Path(lit_gan.__file__).parent
FILES = [path.relative_to(ROOT.parent).with_suffix("") for path in sorted(ROOT.rglob("*.py"))]
MODULES = [".".join(path.parts).removesuffix(".__init__") for path in FILES]
MODULES = [name for name in MODULES if not name.startswith(SKIPPED)]  # importing lit_gan.bolts changes other packages


def public(module):
    found = [getattr(module, name) for name in module.__all__]
    parts = [x for x in found if (inspect.isclass(x) or inspect.isfunction(x)) and x not in NO_PARTS]
    return [
        x for x in parts if not (inspect.isclass(x) and issubclass(x, tuple))
    ]  # results are shown where they are from


@pytest.mark.parametrize(
    "part", [pytest.param(x, id=f"{m.__name__}.{x.__name__}") for m in WITH_EXAMPLES for x in public(m)]
)
def test_each_has_an_example(part):
    assert ">>> " in inspect.getdoc(part)


def with_examples(name: str) -> bool:
    return ">>> " in inspect.getsource(import_module(name))


@pytest.mark.parametrize("name", [name for name in MODULES if with_examples(name)])
def test_examples_run(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        failed, tried = doctest.testmod(import_module(name))
    assert failed == 0
    assert tried > 0
