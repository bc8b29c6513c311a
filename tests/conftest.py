"""Fixtures and settings that all tests share."""

import os
from tempfile import TemporaryDirectory

import pytest
import pytorch_lightning as pl
import torch
from hypothesis import HealthCheck, settings
from torch import Tensor

from tests.support.small import trainer

_CACHES = TemporaryDirectory()
os.environ |= {"HF_HOME": _CACHES.name, "HF_HUB_OFFLINE": "1"}  # read when datasets is first imported
os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = _CACHES.name  # and when hypothesis first writes

settings.register_profile(
    "lit_gan",
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,  # nothing depends on how fast the machine is
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("lit_gan")


@pytest.fixture
def images() -> Tensor:
    return torch.rand(24, 1, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture
def fit(tmp_path):
    """Fit a model on a loader and return its trainer."""

    def run(model: pl.LightningModule, data, val=None, ckpt_path=None, **options) -> pl.Trainer:
        fitted = trainer(tmp_path, **options)
        fitted.fit(model, data, val, ckpt_path=ckpt_path)
        return fitted

    return run


@pytest.fixture
def any_checksum(monkeypatch):
    """Let torchvision take small files laid out as the real ones, whose MD5 sums it knows."""
    monkeypatch.setattr("torchvision.datasets.utils.check_md5", lambda path, md5, **options: True)
