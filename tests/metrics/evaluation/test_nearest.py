"""NearestImages tells copies from samples that vary too little, on garments."""

import pytest
import torch

from lit_gan.data import FashionMNISTSample
from lit_gan.metrics.evaluation import RealSamples
from lit_gan.metrics.evaluation.nearest import NearestImages
from tests.support.small import loader


@pytest.fixture(scope="module")
def garments():
    data = FashionMNISTSample(image_size=16)
    data.setup("fit")
    return data.train_dataloader().dataset.samples[:2500]


@pytest.mark.parametrize("copies", [True, False])
def test_samples_near_the_mean_image_are_no_copies(garments, copies):
    centres = (garments[:5] if copies else garments[:2000].mean(0, dtype=torch.float32, keepdim=True)).float()
    noise = torch.randn(500, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    samples = (centres.repeat(500 // len(centres), 1, 1, 1) + 1.3 * noise).round().clamp(0, 255).byte()
    memory = NearestImages(RealSamples(loader(garments[:2000])), RealSamples(loader(garments[2000:])))
    _, test = memory.search(RealSamples(loader(samples)), 1)
    assert test.z < -3
    assert ("as copies are" in str(test)) == copies
    assert ("less varied than the data" in str(test)) == (not copies)


def test_one_held_out_image_gives_the_test_without_variety(garments):
    memory = NearestImages(RealSamples(loader(garments[:50])), RealSamples(loader(garments[50:51])))
    _, test = memory.search(RealSamples(loader(garments[:20])), 1)
    assert test.closer == 1
