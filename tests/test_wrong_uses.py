"""Every wrong use ends in one sentence of the right exception, before an optimizer steps, and leaves no half a file."""

import re
import sys

import numpy as np
import pytest
import yaml
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from lit_gan import LitGAN, LitGANError
from tests.wrong_uses import USES
from tests.wrong_uses.use import files_in, said

pytestmark = pytest.mark.slow

READ = {
    "config.yaml": lambda path: yaml.safe_load(path.read_text())["model"],
    "hparams.yaml": lambda path: yaml.safe_load(path.read_text())["model"],
    ".npy": lambda path: len(np.load(path)),  # decoded pictures, that another run takes
    ".npz": lambda path: len(np.load(path)["targets"]),
}
LONGEST = 600  # characters: some name all the parts there are


@pytest.mark.parametrize("name", USES)
def test_a_wrong_use(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIT_GAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "argv", ["lit-gan"])
    trained = []
    monkeypatch.setattr(LitGAN, "_step", lambda *_: trained.append("a step"))
    wrong = USES[name]
    wrong.given()
    before = files_in(tmp_path)
    error, sentence = said(wrong)
    assert isinstance(error, wrong.error), f"it ended in {error!r}"
    assert isinstance(error, (LitGANError, SystemExit, MisconfigurationException)), f"a bug, for the command: {error!r}"
    assert wrong.error is not SystemExit or error.code == 2
    assert re.search(wrong.says, sentence), sentence
    assert "\n" not in sentence
    assert len(sentence) < LONGEST
    assert not trained
    for path in files_in(tmp_path) - before:
        assert path.name in READ or path.suffix in READ, f"{path} was left behind"
        assert READ.get(path.name, READ.get(path.suffix))(path), "what is left behind is whole"


def test_there_are_many():
    sentences = {wrong.says for wrong in USES.values()}
    assert len(sentences) == len(USES) > 150, "each has a sentence of its own"
