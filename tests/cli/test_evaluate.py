"""``lit-gan evaluate``: the numbers of training, folders against each other, refusals in one sentence."""

import json
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from lit_gan import LitGAN
from lit_gan.callbacks import GenerativeMetrics
from lit_gan.cli import main
from lit_gan.data import FashionMNISTSample
from lit_gan.networks import DCGANDiscriminator, DCGANGenerator
from tests.support.small import trainer

EXTRACTOR = """
import torch
class Tiny(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(64, 5, generator=torch.Generator().manual_seed(0)))
    def forward(self, images):
        grey = images.float().mean(1, keepdim=True)
        small = torch.nn.functional.adaptive_avg_pool2d(grey, 8)
        return torch.tanh((small.flatten(1) / 127.5 - 1) @ self.weight)
"""


@pytest.fixture(autouse=True)
def extractor_and_cache(tmp_path, in_an_empty_folder, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setenv("LIT_GAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delitem(sys.modules, "tiny", raising=False)
    Path("tiny.py").write_text(EXTRACTOR)


def test_a_checkpoint_scores_as_it_did_in_training(capsys):
    import tiny

    torch.manual_seed(0)
    model = LitGAN(DCGANGenerator(8, 1, 4, width=4), DCGANDiscriminator(8, 1, width=4))
    callback = GenerativeMetrics(["fid", "precision_recall"], tiny.Tiny(), n_fake=300, n_real=400)
    fitted = trainer(Path.cwd(), callbacks=[callback], limit_train_batches=5, limit_val_batches=1)
    fitted.fit(model, FashionMNISTSample(image_size=8))
    fitted.save_checkpoint("x.ckpt")
    of_data = ["--data=FashionMNISTSample", "--data.image_size=8", "--extractor=tiny.Tiny"]
    numbers = ["--metrics=[fid,precision_recall]", "--n_fake=300", "--n_real=400", "--sets=2", "--floor=true"]
    main(["evaluate", "x.ckpt", *of_data, *numbers[:3]])
    report = json.loads(Path("evaluation.json").read_text())
    assert report["scores"] == pytest.approx(callback.report.scores, rel=1e-5)
    assert report["protocol"]["ema"]
    printed = capsys.readouterr().out
    assert "fid_Tiny" in printed
    assert "300 generated samples of the averaged generator, 400 real ones (train)" in printed
    main(["evaluate", "x.ckpt", *of_data, *numbers, "--output=more.json"])
    more = json.loads(Path("more.json").read_text())
    assert set(more["spread"]) == set(more["floor"]) == set(report["scores"])
    assert "real against real" in capsys.readouterr().out


def pictures(folder, n, size=16, low=0):
    Path(folder).mkdir()
    for i in range(n):
        pixels = torch.randint(low, 256, (size, size, 3), generator=torch.Generator().manual_seed(i)).byte()
        Image.fromarray(pixels.numpy()).save(Path(folder) / f"{i}.png")


def test_two_folders_against_each_other(capsys):
    for folder, low in (("a", 0), ("b", 0), ("c", 150)):
        pictures(folder, 40, low=low)
    scores = {}
    for folder in ("b", "c"):
        main(["evaluate", folder, "--real=a", "--extractor=tiny.Tiny"])
        scores[folder] = json.loads(Path("evaluation.json").read_text())["scores"]["fid_Tiny"]
    assert scores["b"] == pytest.approx(0, abs=1e-6), "the same pictures"
    assert scores["c"] > 0.1
    pictures("d", 20, size=8)
    main(["evaluate", "d", "--real=a", "--extractor=tiny.Tiny", "--image_size=16"])
    assert "20 generated samples, 40 real ones (a)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["a"], "a is a folder: give --real"),
        (["a", "--real=a", "--sets=0"], "sets=0 must be at least 1"),
        (["a", "--real=a", "--n_fake=20"], "a is a folder, of which all is scored: leave out n_fake"),
        (["a", "--real=a", "--seed=3"], "a is a folder, of which all is scored: leave out n_fake"),
        (["a", "--real=a", "--ema=false"], "a is a folder, of which all is scored: leave out n_fake"),
        (["x.ckpt", "--data=FashionMNISTSample", "--channels=1"], "none of --real, --image_size and --channels"),
        (["a", "--real=a", "--channels=2"], "channels=2 must be 1 (grey) or 3"),
        (["x.ckpt", "--data=FashionMNISTSample", "--n_fake=5"], "n_fake=5 must be at least 10"),
        (["a", "--real=broken"], "0.png cannot be read"),
        (["a", "--real=phone"], "0.heic cannot be read"),
        (["a", "--real=floats", "--image_size=16"], "0.tif cannot be read (a picture of floating-point numbers has no"),
        (["none.ckpt", "--data=FashionMNISTSample"], "there is no checkpoint none.ckpt"),
        (["none.ckpt"], "none.ckpt is no folder of pictures, so a checkpoint: give --data"),
        (["a", "--real=none"], "there is no folder none"),
        (
            ["a", "--real=mixed", "--metrics=[precision_recall]"],
            "mixed holds pictures of 16×16 and 8×8 pixels: give",
        ),
        (["a", "--real=small"], "real samples are (3, 8, 8) and generated ones (3, 16, 16)"),
        (["a", "--real=a", "--metrics=[fidd]"], "there is no 'fidd'"),
        (["a", "--real=a", "--metrics=[is]"], "'is' needs class logits, and Tiny has none"),
        (["a", "--real=one"], "covariances need 2 of each at least"),
    ],
)
def test_what_makes_no_sense_ends_in_one_sentence(capsys, arguments, sentence):
    pictures("a", 12)
    pictures("small", 12, size=8)
    pictures("mixed", 2)
    pictures("one", 1)
    pictures("broken", 2)
    Path("broken/0.png").write_bytes(Path("broken/0.png").read_bytes()[:200])
    Image.new("RGB", (8, 8)).save("mixed/z.png")
    Path("phone").mkdir()
    Path("phone/0.heic").write_bytes(b"what Pillow reads with a plug-in")
    Path("floats").mkdir()
    Image.new("F", (16, 16)).save("floats/0.tif")
    with pytest.raises(SystemExit) as caught:
        main(["evaluate", *arguments, "--extractor=tiny.Tiny"])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert "Traceback" not in error
    assert not Path("evaluation.json").exists()
