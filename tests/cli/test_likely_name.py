"""A mistyped command, option, class, word or key ends in the name that is likely meant, if there is one."""

from pathlib import Path

import pytest

from lit_gan._utils.suggestions import choices, likely
from lit_gan.data import LSUN, CelebA, GaussianMixture
from lit_gan.metrics.evaluation.scores import Scorer
from tests.support.commands import refused

FIT = ("fit", "--model.generator=MLPGenerator", "--model.discriminator=MLPDiscriminator")

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["samples", "x.ckpt"], "sample"),
        (["Evaluate"], "evaluate"),
        (["--conifg", "a.yaml"], "--config"),
        (["fit", "--conifg", "a.yaml"], "--config"),
        ([*FIT, "--model.genrator=x"], "--model.generator"),
        ([*FIT, "--model.los=Hinge"], "--model.loss"),
        ([*FIT, "--trainer.max_epcohs", "3"], "--trainer.max_epochs"),
        ([*FIT, "--model.loss", "Higne"], "Hinge"),
        ([*FIT, "--model.loss", "lit_gan.loses.Hinge"], "Hinge"),
        ([*FIT, "--model.generator.widht", "3"], "width"),
        ([*FIT, "--trainer.callbacks+=SampelGrid"], "SampleGrid"),
        ([*FIT, "--data.imagesize", "3"], "image_size"),
        ([*FIT, "--model.latent", "norml"], "normal"),
        (["sample", "x.ckpt", "--ouput=y.png"], "--output"),
        (["sample", "x.ckpt", "--seeds=1-9"], "--seed"),
        (["sample", "x.ckpt", "-n", "5"], "--n"),
        (["sample", "x.ckpt", "--interpolate=liner"], "linear"),
        (["sample", "x.ckpt", "--config=sample.yaml"], "output"),
        (["evaluate", "x", "--metric=[fid]"], "--metrics"),
        (["evaluate", "x", "--extracter=Mine"], "--extractor"),
        (["evaluate", "x", "--data=FashionMNISTSmple"], "FashionMNISTSample"),
        (["report", "x", "--pictrues=3"], "--pictures"),
    ],
)
def test_the_likely_name(arguments, meant, capsys):
    Path("sample.yaml").write_text("ouput: x.png")
    said = refused(capsys, *arguments)
    assert said.splitlines()[-1].endswith(f"; did you mean '{meant}'?"), said


@pytest.mark.parametrize(
    ("config", "meant"),
    [
        ("model: {genrator: MLPGenerator}", "model.generator"),
        ("model: {generator: {class_path: MLPGenerator, init_args: {widht: 3}}}", "width"),
        ("model: {generator: MLPGeneratr}", "MLPGenerator"),
        ("model: {generator: {clas_path: MLPGenerator}}", "class_path"),
        ("data: {class_path: ImageFoldr}", "ImageFolder"),
    ],
)
def test_the_likely_key_of_a_config(config, meant, capsys):
    Path("a.yaml").write_text(config)
    assert f"did you mean '{meant}'?" in refused(capsys, "fit", "--config=a.yaml")


@pytest.mark.parametrize("arguments", [["zzz"], ["sample", "x.ckpt", "--zzz=1"], [*FIT, "--model.loss=zzz"]])
def test_a_name_that_is_like_none_suggests_none(arguments, capsys):
    assert "did you mean" not in refused(capsys, *arguments)


@pytest.mark.parametrize(
    ("make", "meant"),
    [
        (lambda: Scorer(["fidd"], None), "fid"),
        (lambda: GaussianMixture(kind="rng"), "ring"),
        (lambda: CelebA(attributes="smiling"), "Smiling"),
        (lambda: LSUN(classes="bedrooms"), "bedroom"),
    ],
)
def test_parts_made_in_code_name_it_too(make, meant):
    with pytest.raises(ValueError, match=f"did you mean '{meant}'"):
        make()


def test_names_are_compared_without_case_and_any_value_is_compared():
    assert likely("HINGE", ["Hinge"]) == "; did you mean 'Hinge'?"
    assert likely(3, ["ring"]) == likely("", ["ring"]) == likely("ring", []) == ""
    assert choices(iter(["ring", "grid"]), "gird") == "ring, grid; did you mean 'grid'?"
