"""Every public part is made, shown, saved and documented alike: a new one joins by being public.

One that has required arguments, or arguments that go only together, needs a line in ``tests/support/public.py``.
That games, penalties, networks and augmentations train is in ``tests/test_matrix.py``.
"""

import copy
import inspect
import json
import pickle
import re
from functools import partial
from types import ModuleType

import pytest
from jsonargparse import ArgumentParser
from torch import nn
from torch.optim import Optimizer

from lit_gan import LitGANError, augment, callbacks, data, losses, metrics, penalties, schedules
from lit_gan._utils.config import describe, describe_optimizer, rebuild
from lit_gan.data import HuggingFaceImages, ImageFolder
from tests.support.public import KINDS, PARTS, REQUIRED, made, parameters, variants

NOT_STORED = (callbacks, data, metrics)  # a checkpoint of LitGAN holds what the model is made of
FORMULAS = {augment: " ~ | ← ", losses: r"E\[", penalties: r"E[\[‖]|Σ ‖", schedules: r"f\(n\) = "}
WITHOUT_REFERENCE = (callbacks, schedules)  # they draw, or are named after their formula
OF_THE_USERS_OWN = (HuggingFaceImages, ImageFolder)  # pictures: no paper describes them
SOURCE = r'arXiv:\d{4}\.\d{4,5}\b|\d{4}, "\w'  # or a year and a title
NONSENSE = (-1, 0, 1.5, float("nan"), "nonsense", [])


def every(classes):
    return pytest.mark.parametrize("cls", [pytest.param(c, id=f"{_folder(PARTS[c])}-{c.__name__}") for c in classes])


def _folder(module):
    return module.__name__.rpartition(".")[2]


STORED = [cls for cls, module in PARTS.items() if module not in NOT_STORED]
REFERENCED = [c for c, module in PARTS.items() if module not in WITHOUT_REFERENCE and c not in OF_THE_USERS_OWN]
WITH_FORMULA = [cls for cls, module in PARTS.items() if module in FORMULAS]


@pytest.fixture(autouse=True)
def any_extra(monkeypatch):
    """Let constructors find the packages of all extras, which they do not use."""
    monkeypatch.setattr("lit_gan._utils.extras.import_module", ModuleType)


def shows(text: str, name: str, value) -> bool:
    """Tell whether ``text`` names an argument and its value; a module is a part of the structure."""
    if isinstance(value, nn.Module):
        ways = (f"{name}): {type(value).__name__}", f"{name}={value!r}", f"{name}={type(value).__name__}(…)")
        return any(way in text for way in ways)
    kept = [value, tuple(value)] if isinstance(value, list) else [value]
    return any(re.search(rf"\b{name}(=|: ){re.escape(repr(v))}(?![\w.])", text) for v in kept)


def section(cls: type, name: str) -> list[str]:
    """Return the names that a section of a class's docstring explains."""
    block = re.search(rf"^{name}:\n((?: +.*\n|\n)+)", inspect.cleandoc(cls.__doc__) + "\n", re.MULTILINE)
    names = re.findall(r"^    (\w[\w, ]*):", block[1], re.MULTILINE) if block else []
    return [name for line in names for name in line.split(", ")]


def refusal(cls: type, options) -> str | None:
    """Return the name of the error with which lit_gan refuses to make a part; None where it does not."""
    try:
        made(cls, options)
    except LitGANError as error:
        return "TypeError" if isinstance(error, TypeError) else "ValueError"
    except Exception:  # of torch's own
        return None


def absent(package: str) -> ModuleType:
    raise ImportError(package)


@every(PARTS)
def test_is_made_with_its_defaults_and_tells_its_arguments(cls):
    options = REQUIRED.get(cls, {})
    text = repr(made(cls, options))
    assert text.startswith(f"{cls.__name__} (" if issubclass(cls, Optimizer) else f"{cls.__name__}(")
    assert "object at 0x" not in text
    assert "\n" not in text or issubclass(cls, (nn.Module, Optimizer)), "one line, where there is no structure to show"
    for options in variants(cls):
        text = repr(made(cls, options))
        assert [name for name, value in options.items() if not shows(text, name, value)] == []


@every(PARTS)
def test_each_argument_has_been_changed(cls):
    """What ``variants`` promises, on which the tests of round trips rest."""
    seen = {"params"}.union(*variants(cls))
    assert [name for name in inspect.signature(cls).parameters if name not in seen] == [], "needs a line in TOGETHER"


@every(PARTS)
def test_comes_back_from_a_config(cls):
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--part", type=KINDS[PARTS[cls]])
    for options in variants(cls):
        given = {"class_path": cls.__name__, "init_args": describe(options)}
        saved = parser.dump(parser.parse_object({"part": given}), skip_none=False)  # as LightningCLI saves it
        part = parser.instantiate_classes(parser.parse_string(saved)).part
        if issubclass(cls, Optimizer):
            part = part(parameters())
        assert repr(part) == repr(made(cls, options))


@every(STORED)
def test_comes_back_from_a_checkpoint(cls):
    for options in variants(cls):
        part = made(cls, options)
        if issubclass(cls, Optimizer):
            plain = describe_optimizer(partial(cls, **options), parameters())
            again = rebuild(json.loads(json.dumps(plain)), "part")(parameters())
        else:
            again = rebuild(json.loads(json.dumps(describe(part))), "part")
        assert type(again) is cls
        assert repr(again) == repr(part)


@every(PARTS)
def test_is_copied_and_pickled(cls):
    for options in variants(cls):
        part = made(cls, options)
        assert repr(copy.deepcopy(part)) == repr(part)
        assert repr(pickle.loads(pickle.dumps(part))) == repr(part)


@every(PARTS)
def test_its_docstring_claims_and_explains(cls):
    claim, *rest = inspect.cleandoc(cls.__doc__).splitlines()
    assert claim.endswith(".")
    assert re.search(r"\. [A-Z]", claim) is None, "one sentence"
    assert not rest or not rest[0]
    assert section(cls, "Args") == list(inspect.signature(cls).parameters)


@every(PARTS)
def test_its_docstring_says_what_is_refused(cls, monkeypatch):
    required, names = REQUIRED.get(cls, {}), inspect.signature(cls).parameters
    refusals = {refusal(cls, {**required, name: value}) for name in names for value in NONSENSE}
    monkeypatch.setattr("lit_gan._utils.extras.import_module", absent)
    refusals.add(refusal(cls, required))
    assert refusals - {None} <= set(section(cls, "Raises"))


@every(REFERENCED)
def test_its_docstring_names_the_source(cls):
    reference = re.search(r"^Reference: (.+?)(\n\n|\Z)", inspect.cleandoc(cls.__doc__), re.MULTILINE | re.DOTALL)
    assert reference
    assert re.search(SOURCE, reference[1])


@every(WITH_FORMULA)
def test_its_docstring_has_the_formula(cls):
    assert re.search(FORMULAS[PARTS[cls]], cls.__doc__)
