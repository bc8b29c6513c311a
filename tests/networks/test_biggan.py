"""BigGAN's networks against the counts and tables of their paper."""

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized
from torch.testing import assert_close

from lit_gan.networks import BigGANDiscriminator, BigGANGenerator
from lit_gan.networks.biggan import LinearBatchNorm
from lit_gan.networks.residual import SelfAttention
from lit_gan.networks.spectral import SpectrallyNormalised

# What the first layer and each block of G make, and each block of D, in units of the width, with the sizes in px.
# G from 128 px on: tables 4 to 6 of arXiv:1809.11096; the others as in the first author's code, D at 512 px by analogy.
TABLES = {
    32: ([4, 4, 4, 4], [(4, 16), (4, 8), (4, 8), (4, 8)]),
    64: ([16, 16, 8, 4, 2], [(1, 32), (2, 16), (4, 8), (8, 4), (16, 4)]),
    128: ([16, 16, 8, 4, 2, 1], [(1, 64), (2, 32), (4, 16), (8, 8), (16, 4), (16, 4)]),
    256: ([16, 16, 8, 8, 4, 2, 1], [(1, 128), (2, 64), (4, 32), (8, 16), (8, 8), (16, 4), (16, 4)]),
    512: ([16, 16, 8, 8, 4, 2, 1, 1], [(1, 256), (1, 128), (2, 64), (4, 32), (8, 16), (8, 8), (16, 4), (16, 4)]),
}


def parameters(network):
    return sum(p.numel() for p in network.parameters())


@pytest.fixture
def unnormalised(monkeypatch):
    """Leave out the power iterations, which add no weights and are slow without numbers."""
    monkeypatch.setattr(SpectrallyNormalised, "normalise", lambda self, *kinds: None)


@pytest.mark.usefixtures("unnormalised")
@pytest.mark.parametrize(
    ("width", "generator", "discriminator"), [(96, 70_433_988, 87_982_370), (64, 31_978_628, 39_448_258)]
)
def test_as_many_parameters_as_in_the_paper(width, generator, discriminator):
    """At 128 px on ImageNet; table 1 has 158.3 M for both at width 96, without the shared embedding of 1000·128.

    To the last weight as in the first author's code and in google/compare_gan's test of it.
    """
    with torch.device("meta"):
        networks = (
            BigGANGenerator(128, latent_dim=120, num_classes=1000, width=width, attention=64),
            BigGANDiscriminator(128, num_classes=1000, width=width, attention=64),
        )
    assert tuple(map(parameters, networks)) == (generator, discriminator)
    if width == 96:
        assert round((generator - 128_000 + discriminator) / 1e6, 1) == 158.3


@pytest.mark.usefixtures("unnormalised")
@pytest.mark.parametrize("size", TABLES)
def test_layers_are_the_tables(size):
    with torch.device("meta"):
        generator, discriminator = BigGANGenerator(size, width=2), BigGANDiscriminator(size, width=2)
        sizes = []
        for block in (*generator.blocks, *discriminator.blocks):
            block.register_forward_hook(lambda module, inputs, output: sizes.append(tuple(output.shape[1:3])))
        discriminator(generator(torch.randn(2, 128)))
    features, rows = TABLES[size]
    assert generator.linear.out_features == 2 * features[0] * 16
    assert sizes == [*((2 * f, 8 * 2**i) for i, f in enumerate(features[1:])), *((2 * f, px) for f, px in rows)]


@pytest.mark.usefixtures("unnormalised")
def test_widths_are_the_papers_and_at_32_px_the_authors():
    with torch.device("meta"):
        assert parameters(BigGANGenerator(128)) == parameters(BigGANGenerator(128, width=96))
        assert parameters(BigGANDiscriminator(128)) == parameters(BigGANDiscriminator(128, width=96))
        assert parameters(BigGANGenerator(32)) == parameters(BigGANGenerator(32, width=64))
        assert parameters(BigGANDiscriminator(32)) == parameters(BigGANDiscriminator(32, width=64))


def test_each_block_sees_its_part_of_z_and_the_class():
    generator = BigGANGenerator(32, latent_dim=10, num_classes=3, width=1)
    assert generator.chunks == [3, 3, 2, 2]
    seen = []
    for block in generator.blocks:
        block.register_forward_hook(lambda module, inputs, output: seen.append(inputs[1]))
    z, labels = torch.randn(2, 10), torch.tensor([2, 0])
    generator(z, labels)
    for condition, part in zip(seen, (z[:, 3:6], z[:, 6:8], z[:, 8:]), strict=True):
        assert torch.equal(condition, torch.cat([generator.embedding.weight[labels], part], 1))


def test_a_part_of_z_reaches_only_what_comes_after():
    torch.manual_seed(0)
    generator, features = BigGANGenerator(32, 1, latent_dim=4, width=4).eval(), []
    for layer in (generator.linear, *generator.blocks):
        layer.register_forward_hook(lambda module, inputs, output: features.append(output))
    z = torch.randn(1, 4)
    for changed in (None, 0, 1, 2, 3):
        with torch.no_grad():
            generator(z if changed is None else z + torch.eye(4)[changed])
    first, *others = [features[i : i + 4] for i in range(0, 20, 4)]
    for part, other in enumerate(others):
        assert [torch.equal(a, b) for a, b in zip(first, other, strict=True)] == [i < part for i in range(4)]


def test_linear_batch_norm_by_hand():
    torch.manual_seed(0)
    norm, x, c = LinearBatchNorm(2, 3).double(), torch.randn(4, 2, 3, 5).double(), torch.randn(4, 3).double()
    normal = (x - x.mean((0, 2, 3), keepdim=True)) / (x.var((0, 2, 3), unbiased=False, keepdim=True) + 1e-5).sqrt()
    scale, shift = 1 + c @ norm.scale.weight.T, c @ norm.shift.weight.T
    assert_close(norm(x, c), scale[:, :, None, None] * normal + shift[:, :, None, None])


def test_all_is_normalised_but_the_generators_embedding():
    generator, discriminator = BigGANGenerator(16, num_classes=3, width=2), BigGANDiscriminator(16, 3, 3, width=2)
    for network in (generator, discriminator):
        layers = [m for m in network.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
        assert all(is_parametrized(layer, "weight") for layer in layers)
    assert not is_parametrized(generator.embedding)
    assert is_parametrized(discriminator.head.embedding, "weight")


@pytest.mark.parametrize("make", [BigGANGenerator, BigGANDiscriminator])
def test_weights_start_orthogonal(make):
    """What the optimizer holds: of the rows and columns the fewer are orthonormal; no bias."""
    torch.manual_seed(0)
    network = make(16, num_classes=5, width=4)
    matrices = [p.flatten(1) for p in network.parameters() if p.ndim > 1]
    assert len(matrices) > 10
    for w in matrices:
        product = w @ w.T if len(w) <= w.shape[1] else w.T @ w
        assert_close(product, torch.eye(len(product)), atol=1e-5, rtol=0)
    assert not any(p.any() for name, p in network.named_parameters() if name.endswith("bias"))


@pytest.mark.usefixtures("unnormalised")
def test_attention_is_where_it_is_asked_for():
    """At 64 px, on 2 widths of channels in the generator and 1 in the discriminator, as in the first author's code."""
    with torch.device("meta"):
        networks = BigGANGenerator(128, width=16, attention=64), BigGANDiscriminator(128, width=16, attention=64)
    inputs = torch.randn(1, 128), torch.randn(1, 3, 128, 128)
    for network, channels, x in zip(networks, (32, 16), inputs, strict=True):
        seen = []
        (attend,) = (m for m in network.modules() if isinstance(m, SelfAttention))
        attend.register_forward_hook(lambda module, inputs, output, seen=seen: seen.append(inputs[0].shape[1:]))
        network(x.to("meta"))
        assert seen == [(channels, 64, 64)]
        assert parameters(attend) == 2 * channels * channels // 8 + 2 * channels * channels // 2 + 1


@pytest.mark.parametrize(("size", "attention"), [(8, 8), (10, None), (48, 24), (56, 28), (80, 20), (224, None)])
def test_other_sizes(size, attention):
    generator = BigGANGenerator(size, 2, 7, width=1, attention=attention)
    discriminator = BigGANDiscriminator(size, 2, width=1, attention=None if size == 8 else attention)
    assert discriminator(generator(torch.randn(2, 7))).shape == (2,)


def test_refuses_what_it_has_no_layers_for():
    with pytest.raises(ValueError, match=r"latent_dim=3: z has 4 parts, .*: take 4 or more"):
        BigGANGenerator(32, latent_dim=3)
    for cls in (BigGANGenerator, BigGANDiscriminator):
        with pytest.raises(ValueError, match=r"image_size=1024 is 8 doublings, .* take 512 or less"):
            cls(1024)
        with pytest.raises(ValueError, match=f"attention=12: the blocks of this {cls.__name__}"):
            cls(32, attention=12)


def test_logit_is_a_sum_over_places_and_linear_in_the_classs_vector():
    torch.manual_seed(0)
    network, x = BigGANDiscriminator(16, 1, num_classes=3, width=2).double().eval(), torch.randn(3, 1, 16, 16).double()
    nn.init.ones_(network.head.linear.bias)
    phi = network.blocks(x).clamp(min=0).flatten(2).sum(2)
    w, b, v = network.head.linear.weight[0], network.head.linear.bias, network.head.embedding.weight
    labels = torch.tensor([2, 0, 1])
    assert_close(network(x, labels), phi @ w + b + (v[labels] * phi).sum(1))
