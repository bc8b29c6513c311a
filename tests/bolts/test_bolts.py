"""lit_gan.bolts, in processes of its own: bolts rewrites numpy's names, and the other tests are not to see that."""

import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from importlib.util import find_spec
from pathlib import Path

import pytest

from lit_gan._utils.config import rebuild
from tests.support.layouts import idx_set

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "bolts.md").read_text()
BEFORE, *AFTER = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
WRITE_A_CHECKPOINT = """
import lit_gan.bolts
from pl_bolts.models.gans import GAN
from pytorch_lightning import Trainer

writer = Trainer(logger=False, accelerator="cpu")
writer.strategy.connect(GAN(1, 28, 28))
writer.save_checkpoint("bolts.ckpt")
"""
with_bolts = pytest.mark.skipif(
    find_spec("pl_bolts") is None, reason="no lightning-bolts: pip install --no-deps lightning-bolts==0.7.0"
)


def python(*arguments, cwd):
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )


@with_bolts
@pytest.mark.slow
def test_against_the_real_package():
    """Its warnings are off, but for pytest, which turns all of them on again."""
    done = python("-m", "pytest", "-q", "-W", "ignore:The feature", "tests/bolts/own_process.py", cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\d\d passed in", done.stdout, re.MULTILINE), done.stdout


@with_bolts
@pytest.mark.extended
def test_the_page_runs(tmp_path):
    """The script after, the rest of the page, and then its checkpoint in a process that knows nothing of bolts."""
    idx_set(tmp_path, "FashionMNIST")
    (tmp_path / "page.py").write_text("\n".join([WRITE_A_CHECKPOINT, *AFTER]))
    done = python("page.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "under review" not in done.stderr
    assert "FutureWarning" not in done.stderr
    run = tmp_path / "lightning_logs" / "version_0"
    written = sorted(str(path.relative_to(run)) for path in run.rglob("*.png"))
    assert written == [*(f"latent_space/step-{n:06d}.png" for n in (5, 10, 15, 20)), "samples/step-000020.png"]
    checkpoint = next(run.rglob("*.ckpt"))
    done = python("-m", "lit_gan", "sample", str(checkpoint), "--output", "grid.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "grid.png").exists()


def test_before_and_after_differ_in_what_the_page_says():
    before, after = BEFORE.splitlines(), AFTER[0].splitlines()
    assert [line for line in after if line not in before] == [
        "from lit_gan.bolts import GAN, LatentDimInterpolator  # before anything of pl_bolts",
        "from lit_gan.callbacks import SampleGrid",
        "callbacks = [SampleGrid(n=8), LatentDimInterpolator(interpolate_epoch_interval=5)]",
    ]


@pytest.mark.parametrize("found", ["none", "0.6.0.post1"])
def test_without_this_version_it_says_how_to_get_it(found, monkeypatch):
    def version(name):
        if found == "none":
            raise PackageNotFoundError(name)
        return found

    monkeypatch.setattr("importlib.metadata.version", version)
    says = (
        rf"lit_gan.bolts needs lightning-bolts 0.7.0 and there is {found}: pip install --no-deps lightning-bolts==0.7.0"
    )
    with pytest.raises(ImportError, match=f"^{says}$"):
        import lit_gan.bolts  # noqa: F401
    for path in ("lit_gan.bolts.DCGANGenerator", "lit_gan.bolts.networks.DCGANGenerator"):
        with pytest.raises(ValueError, match=rf"^the checkpoint's generator is '{path}': {says}$"):
            rebuild({"class_path": path, "init_args": {}}, "generator")
    assert "pl_bolts" not in sys.modules
