"""FastGAN's networks against the layers of their paper, counted by hand."""

from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d, conv2d, leaky_relu
from torch.nn.utils.parametrize import is_parametrized
from torch.testing import assert_close

from lit_gan import LitGAN
from lit_gan.augment import DiffAugment
from lit_gan.losses import Hinge
from lit_gan.networks import FastGANDiscriminator, FastGANGenerator
from lit_gan.networks.fastgan import GatedConvolution, SkipExcitation
from lit_gan.networks.spectral import SpectrallyNormalised
from lit_gan.penalties import Reconstruction
from tests.support.small import Batches

# Channels at 256 px in the authors' code: of G at 4, 8, … px; of D from 256 to 8 px, and of its second look from 64 px.
GENERATOR = [1024, 512, 256, 128, 128, 64, 32]
DISCRIMINATOR, LOOK = [16, 32, 64, 128, 256, 512], [32, 64, 128, 256]


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def normed(inputs, outputs, size):
    return inputs * outputs * size**2 + 2 * outputs


def gate(low, high):
    return 16 * low * high + high**2


@pytest.fixture
def unnormalised(monkeypatch):
    """Leave out the power iterations, which add no weights and are slow without numbers."""
    monkeypatch.setattr(SpectrallyNormalised, "normalise", lambda self, *kinds: None)


@pytest.mark.usefixtures("unnormalised")
def test_parameters_at_256_px_by_hand():
    with torch.device("meta"):
        generator, discriminator = FastGANGenerator(256), FastGANDiscriminator(256)
    g, d = GENERATOR, DISCRIMINATOR
    count = 256 * 2 * g[0] * 16 + 4 * g[0] + 9 * g[-1] * 3 + gate(g[0], g[4]) + gate(g[1], g[5]) + gate(g[2], g[6])
    for i, (a, b) in enumerate(pairwise(g)):  # two convolutions to 8, 32 and 128 px, one to 16, 64 and 256
        count += normed(a, 2 * b, 3) + (normed(b, 2 * b, 3) if i % 2 == 0 else 0)
    assert parameters(generator) == count
    count = 9 * 3 * d[0] + normed(512, 1024, 1) + 16 * 1024 + gate(d[0], d[3]) + gate(d[1], d[4]) + gate(d[2], d[5])
    count += sum(normed(a, b, 4) + normed(b, b, 3) + normed(a, b, 1) for a, b in pairwise(d))
    count += 16 * 3 * LOOK[0] + sum(normed(a, b, 4) for a, b in pairwise(LOOK)) + 16 * LOOK[-1]
    for features in (512, 256, 256):
        decoder = [features, 128, 64, 64, 32]
        count += sum(normed(a, 2 * b, 3) for a, b in pairwise(decoder)) + 9 * 32 * 3
    assert parameters(discriminator) == count


@pytest.mark.usefixtures("unnormalised")
def test_features_have_the_sizes_of_the_authors_code():
    with torch.device("meta"):
        generator, discriminator = FastGANGenerator(256), FastGANDiscriminator(256)
        sizes = []
        for block in (*generator.blocks, discriminator.stem, *discriminator.blocks):
            block.register_forward_hook(lambda module, inputs, output: sizes.append(tuple(output.shape[1:3])))
        discriminator(generator(torch.randn(2, 256)))
    expected = [(c, 8 * 2**i) for i, c in enumerate(GENERATOR[1:])]
    assert sizes == expected + [(c, 256 // 2**i) for i, c in enumerate(DISCRIMINATOR)]
    assert len(generator.gates) == len(discriminator.gates) == 3


def test_gated_convolution_by_hand():
    torch.manual_seed(0)
    layer, x = GatedConvolution(2, 3, up=True).double().eval(), torch.randn(2, 2, 3, 3).double()
    twice = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    a, b = layer.layers[1](conv2d(twice, layer.layers[0].weight, padding=1)).split(3, 1)
    assert_close(layer(x), a * b.sigmoid())
    assert GatedConvolution(2, 3, up=False).double()(x).shape == (2, 3, 3, 3)


def test_skip_excitation_by_hand():
    """Equation 1: one number in (0, 1) for each channel of the larger features, from 4×4 means of the smaller ones."""
    torch.manual_seed(0)
    excite, low, high = (
        SkipExcitation(2, 3).double(),
        torch.randn(5, 2, 8, 8).double(),
        torch.randn(5, 3, 9, 9).double(),
    )
    first, last = excite.gate[1].weight, excite.gate[3].weight[:, :, 0, 0]
    hidden = torch.einsum("nchw,ochw->no", avg_pool2d(low, 2), first)
    assert_close(excite(low, high), (leaky_relu(hidden, 0.1) @ last.T).sigmoid()[:, :, None, None] * high)


def test_logit_is_the_mean_of_both_looks_at_all_places():
    torch.manual_seed(0)
    network, x = FastGANDiscriminator(32, 1, 3, width=4).double().eval(), torch.randn(2, 1, 32, 32).double()
    maps = network.judge(network._features(x)[-1]), network.judge_small(network.look(avg_pool2d(x, 2)))
    assert [m.shape for m in maps] == [(2, 1, 5, 5)] * 2, "8 px, 4×4 places at a time"
    labels = torch.tensor([2, 0])
    phi, v = network._features(x)[-1].mean((2, 3)), network.embedding.weight[labels]
    assert_close(network(x, labels), torch.stack(maps).mean((0, 2, 3, 4)) + (v * phi).sum(1))


@pytest.mark.parametrize("size", [8, 10, 16, 28, 48, 64])
def test_reconstructs_the_whole_a_quarter_and_the_smaller_image(size):
    """The quarters are those of the features that the decoder sees: elsewhere, nothing changes what it makes."""
    torch.manual_seed(0)
    network, x = FastGANDiscriminator(size, 2, width=2).eval(), torch.randn(2, 2, size, size)
    seen = set()
    for _ in range(20):
        whole, part, *smaller = (target for _, target in network.reconstructions(x))
        assert_close(whole, x if size <= 10 else avg_pool2d(x, 2))
        quarters = {(i, j): x.chunk(2, 2)[i].chunk(2, 3)[j] for i in (0, 1) for j in (0, 1)}
        (place,) = (place for place, quarter in quarters.items() if torch.equal(part, quarter))
        seen.add(place)
        assert len(smaller) == (size >= 32)
        assert all(torch.equal(image, avg_pool2d(x, 2)) for image in smaller)
    assert len(seen) == 4
    assert all(made.shape == target.shape for made, target in network.reconstructions(x))


def test_the_decoded_quarter_is_the_one_that_was_looked_at(monkeypatch):
    """A change of the features' upper left quarter alone changes what is made of it, and not of the lower right."""
    torch.manual_seed(0)
    network, x = FastGANDiscriminator(64, 1, width=4).eval(), torch.randn(1, 1, 64, 64)
    features, made = network._features(x), {}
    changed = [*features[:-2], features[-2].clone(), features[-1]]
    changed[-2][:, :, :8, :8] += 1
    for name, values in (("before", features), ("after", changed)):
        monkeypatch.setattr(network, "_features", lambda images, values=values: values)
        for corner in (0, 1):
            monkeypatch.setattr(torch, "randint", lambda high, size, corner=corner: torch.tensor(corner))
            made[name, corner] = network.reconstructions(x)[1][0]
    assert not torch.equal(made["before", 0], made["after", 0])
    assert torch.equal(made["before", 1], made["after", 1])


def test_all_is_normalised_but_the_generators_embedding():
    for network in (FastGANGenerator(16, 3, 5, 3, width=2), FastGANDiscriminator(32, 3, 3, width=2)):
        layers = [m for m in network.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
        assert all(is_parametrized(layer, "weight") for layer in layers)
    assert is_parametrized(network.embedding, "weight")
    assert not is_parametrized(FastGANGenerator(16, 3, 5, 3, width=2).input.embedding)


def test_learns_to_reconstruct(fit):
    """Four pictures: the decoders' error falls to less than two thirds in 60 turns."""
    torch.manual_seed(0)
    pictures = torch.rand(4, 1, 2, 2).repeat_interleave(8, 2).repeat_interleave(8, 3) * 2 - 1
    gan = LitGAN(
        FastGANGenerator(16, 1, 4, width=2),
        FastGANDiscriminator(16, 1, width=4),
        Hinge(),
        {"reconstruction": Reconstruction(weight=10.0)},
        DiffAugment(cutout=False),
    )

    @torch.no_grad()
    def error():
        return sum(float((made - image).abs().mean()) for made, image in gan.discriminator.reconstructions(pictures))

    before = error()
    fit(gan, Batches(pictures), max_epochs=60)
    assert error() < before * 2 / 3
