"""SNGAN's networks against the tables of their paper, counted by hand."""

import itertools
import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from lit_gan.networks import SNGANDiscriminator, SNGANGenerator
from lit_gan.networks.residual import DownBlock, SelfAttention, UpBlock

# Tables 4 to 6 of arXiv:1802.05957: what the dense layer and each block of the generator make, then (channels, px)
# after each block of the discriminator. 64 px has no table: the channels are those of the authors' code.
TABLES = {
    32: ([256, 256, 256, 256], [(128, 16), (128, 8), (128, 8), (128, 8)]),
    48: ([512, 256, 128, 64], [(64, 24), (128, 12), (256, 6), (512, 3), (1024, 3)]),
    64: ([1024, 512, 256, 128, 64], [(64, 32), (128, 16), (256, 8), (512, 4), (1024, 4)]),
    128: ([1024, 1024, 512, 256, 128, 64], [(64, 64), (128, 32), (256, 16), (512, 8), (1024, 4), (1024, 4)]),
}


def pairs(items):
    return list(itertools.pairwise(items))


def convolution(inputs, outputs, size):
    return inputs * outputs * size**2 + outputs


def generator_count(size, norm=2):
    """Weights and biases of table (a): dense, blocks with two norms, two 3×3 and a 1×1; norm, 3×3."""
    features, start = TABLES[size][0], size // 2 ** (len(TABLES[size][0]) - 1)
    count = 129 * features[0] * start**2
    for a, b in pairs(features):
        count += norm * (a + b) + convolution(a, b, 3) + convolution(b, b, 3) + convolution(a, b, 1)
    return count + 2 * features[-1] + convolution(features[-1], 3, 3)


def discriminator_count(size):
    """Weights and biases of table (b): blocks with two 3×3, and a 1×1 where size or channels change; dense."""
    rows = [(3, size), *TABLES[size][1]]
    count = 0
    for i, ((a, before), (b, after)) in enumerate(pairs(rows)):
        hidden = b if i == 0 else a
        count += convolution(a, hidden, 3) + convolution(hidden, b, 3)
        count += convolution(a, b, 1) if a != b or before != after else 0
    return count + rows[-1][0] + 1


def parameters(network):
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("size", TABLES)
def test_layers_and_parameters_are_the_papers(size):
    with torch.device("meta"):
        generator, discriminator = SNGANGenerator(size), SNGANDiscriminator(size)
        assert generator.linear.in_features == 128
        sizes = []
        for block in (*generator.blocks, *discriminator.blocks):
            block.register_forward_hook(lambda module, inputs, output: sizes.append(output.shape[1:]))
        discriminator(generator(torch.randn(2, 128)))
    features, rows = TABLES[size]
    made = [(f, size // 2**i) for i, f in enumerate(features[:0:-1])][::-1]
    assert [(c, h) for c, h, _ in sizes] == [*made, *rows]
    assert parameters(generator) == generator_count(size)
    assert parameters(discriminator) == discriminator_count(size)


def test_counts_in_figures():
    """The sums above, done once on paper for table 4. StudioGAN prints 4.28 M, and 4.30 M with ten classes."""
    assert parameters(SNGANGenerator()) == 4_276_739
    assert parameters(SNGANGenerator(num_classes=10)) == generator_count(32, norm=20) == 4_304_387
    assert parameters(SNGANDiscriminator()) == 1_053_825
    assert parameters(SNGANDiscriminator(num_classes=10)) == 1_053_825 + 10 * 128


def test_attention_is_where_sagan_has_it():
    """At 128 px, on features of 32 px: of 256 channels in the generator, of 128 in the discriminator."""
    with torch.device("meta"):
        networks = SNGANGenerator(128, attention=32), SNGANDiscriminator(128, attention=32)
    seen = {}
    for network, channels in zip(networks, (256, 128), strict=True):
        (attend,) = (m for m in network.modules() if isinstance(m, SelfAttention))
        attend.register_forward_hook(lambda m, inputs, output: seen.update({m: inputs[0].shape[1:]}))
        network(torch.randn(1, 128, device="meta") if channels == 256 else torch.randn(1, 3, 128, 128, device="meta"))
        assert seen[attend] == (channels, 32, 32)
        inner = channels // 8
        assert parameters(attend) == 4 * channels * inner + 1


def test_attention_follows_the_first_block_of_its_size():
    kinds = [type(module) for module in SNGANDiscriminator(32, width=2, attention=8).blocks]
    assert kinds == [DownBlock, DownBlock, SelfAttention, DownBlock, DownBlock]


@pytest.mark.parametrize(
    ("size", "attention"),
    [(8, None), (10, None), (14, None), (24, 12), (40, 20), (48, 12), (56, 14), (96, 24), (128, 16), (256, 16)],
)
def test_other_sizes(size, attention):
    generator = SNGANGenerator(size, 2, 3, width=1, attention=attention)
    discriminator = SNGANDiscriminator(size, 2, width=1, attention=attention)
    images = generator(torch.randn(2, 3))
    assert images.shape == (2, 2, size, size)
    assert discriminator(images).shape == (2,)


def test_refuses_attention_where_there_is_nothing_to_look_at():
    for cls, sizes in ((SNGANGenerator, "8, 16, 32"), (SNGANDiscriminator, "8, 16")):
        with pytest.raises(ValueError, match=f"attention=12: the blocks of this {cls.__name__} .* {sizes} px: take"):
            cls(32, attention=12)
        with pytest.raises(TypeError, match="attention='all' must be at least 1"):
            cls(32, attention="all")


@pytest.mark.parametrize("cls", [SNGANGenerator, SNGANDiscriminator])
def test_names_the_nearest_sizes_it_can_make(cls):
    with pytest.raises(ValueError, match="image_size=33 is not 4, 5, 6 or 7 doubled: take 32 or 40"):
        cls(33)


def test_logit_is_a_sum_over_places_and_linear_in_the_classs_vector():
    """Logit = wᵀφ + b + v_yᵀφ, φ the features after ReLU, summed, equation 3 of arXiv:1802.05637."""
    torch.manual_seed(0)
    network, x = SNGANDiscriminator(16, 1, num_classes=3, width=8).double().eval(), torch.randn(3, 1, 16, 16).double()
    nn.init.ones_(network.head.linear.bias)
    phi = network.blocks(x).clamp(min=0).flatten(2).sum(2)
    w, b, v = network.head.linear.weight[0], network.head.linear.bias, network.head.embedding.weight
    labels = torch.tensor([2, 0, 1])
    assert_close(network(x, labels), phi @ w + b + (v[labels] * phi).sum(1))
    assert_close(network(x, labels) - network(x, labels * 0), ((v[labels] - v[0]) * phi).sum(1))


def test_weights_start_as_in_the_authors_code():
    """Glorot's uniform, with a gain of √2 for the 3×3 of the blocks; SN makes the discriminator's scale meaningless."""
    torch.manual_seed(0)
    generator = SNGANGenerator(16, width=32)
    expected = {generator.linear: 1.0, generator.output[2]: 1.0}
    for block in generator.blocks:
        assert isinstance(block, UpBlock)
        expected |= {block.conv1: math.sqrt(2), block.conv2: math.sqrt(2), block.shortcut: 1.0}
    for layer, gain in expected.items():
        bound = gain * math.sqrt(6 / (layer.weight[0].numel() + layer.weight[:, 0].numel()))
        assert 0.99 * bound < layer.weight.abs().max() <= bound * (1 + 1e-6)
        assert not layer.bias.any()


def test_every_weight_learns():
    """Of both players through one logit, once attention looks; biases ahead of a batch norm have no effect."""
    torch.manual_seed(0)
    networks = SNGANGenerator(16, 1, 5, 3, width=8, attention=8), SNGANDiscriminator(16, 1, 3, width=8, attention=8)
    for network in networks:
        for module in network.modules():
            if isinstance(module, SelfAttention):
                nn.init.ones_(module.gamma)
    labels = torch.tensor([0, 1, 2, 0])
    networks[1](networks[0](torch.randn(4, 5), labels), labels).square().sum().backward()
    for network in networks:
        named = network.named_parameters()
        assert [n for n, p in named if p.grad is None or (p.ndim > 1 and not p.grad.any())] == []
