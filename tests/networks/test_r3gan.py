"""R3GAN's networks against table 9 of their paper: layers, parameters, initial weights, what they compute."""

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate
from torch.testing import assert_close

from lit_gan.losses import RelativisticPaired
from lit_gan.networks import R3GANDiscriminator, R3GANGenerator
from lit_gan.networks.r3gan import ResidualBlock
from lit_gan.networks.resampling import Down, Up
from lit_gan.penalties.gradient import squared_gradient_norm

# Table 9 of arXiv:2501.05441: size, classes, channels and groups from 4 px up, parameters of G and D in millions.
IMAGENET = {"width": 1536, "group_size": 32}
TABLE = {
    "Stacked MNIST": (32, None, {}, [768] * 4, [96] * 4, 20.73, 20.68),
    "CIFAR-10": (32, 10, {}, [768] * 4, [96] * 4, 20.78, 21.28),
    "FFHQ-256": (256, None, {}, [768] * 4 + [384, 192, 96], [96] * 4 + [48, 24, 12], 23.06, 23.01),
    "FFHQ-64": (64, None, {}, [768] * 4 + [384], [96] * 4 + [48], 22.43, 22.38),
    "ImageNet-32": (32, 1000, IMAGENET, [1536] * 4, [96] * 4, 82.91, 86.55),
    "ImageNet-64": (64, 1000, {**IMAGENET, "wide_stages": 5}, [1536] * 5, [96] * 5, 103.57, 107.21),
}


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def blocks(network):
    return [module for module in network.modules() if isinstance(module, ResidualBlock)]


@pytest.mark.parametrize("setting", TABLE)
def test_layers_and_parameters_are_the_papers(setting):
    size, classes, options, widths, groups, g_millions, d_millions = TABLE[setting]
    with torch.device("meta"):
        generator = R3GANGenerator(size, num_classes=classes, **options)
        discriminator = R3GANDiscriminator(size, num_classes=classes, **options)
    assert generator.latent_dim == 64
    assert round(parameters(generator) / 1e6, 2) == g_millions
    assert round(parameters(discriminator) / 1e6, 2) == d_millions
    rows = [(width, group) for width, group in zip(widths, groups, strict=True) for _ in range(2)]
    for network, expected in ((generator, rows), (discriminator, rows[::-1])):
        found = [(block.reduce.out_channels, block.grouped.groups) for block in blocks(network)]
        assert found == expected
        assert {block.expand.out_channels / block.expand.in_channels for block in blocks(network)} == {2}


def test_counts_in_figures():
    """Every weight and bias at 256 px; table 2 of the paper says 23.058M and 23.010M. By hand for a small pair."""
    with torch.device("meta"):
        assert parameters(R3GANGenerator(256)) == 23_057_952
        assert parameters(R3GANDiscriminator(256)) == 23_009_568
    # 8 px, 4 channels, 8 inside in one group: a block has 4·8 + 8, 8·8·9 + 8 and 8·4; two for each of two sizes
    inside = 4 * (40 + 584 + 32)
    assert parameters(R3GANGenerator(8, 3, 5, width=4)) == 5 * 4 + 4 * 16 + inside + 4 * 3
    assert parameters(R3GANDiscriminator(8, 3, width=4)) == 3 * 4 + inside + 4 * 16 + 4
    assert parameters(R3GANGenerator(8, 3, 5, 10, width=4)) == 10 * 5 + 10 * 4 + 4 * 16 + inside + 4 * 3
    assert parameters(R3GANDiscriminator(8, 3, 10, width=4)) == 3 * 4 + inside + 4 * 16 + 4 * 4 + 10 * 4


@pytest.mark.parametrize(
    ("width", "group_size", "groups"), [(8, 16, 1), (4, 16, 1), (24, 16, 3), (20, 16, 5), (3, 16, 3), (8, 1, 16)]
)
def test_groups_at_any_width(width, group_size, groups):
    """Groups of 16 channels, or of the greatest common divisor of 16 and the 2·width channels."""
    block = ResidualBlock(width, group_size, 2)
    assert block.grouped.groups == groups
    assert block(torch.randn(1, width, 4, 4)).shape == (1, width, 4, 4)


def test_widths_halve_after_the_wide_stages():
    def widths(**options):
        return [block.reduce.out_channels for block in blocks(R3GANGenerator(64, 1, 3, **options))][::2]

    assert widths(width=16) == [16, 16, 16, 16, 8]
    assert widths(width=16, wide_stages=1) == [16, 8, 4, 2, 1]
    assert widths(width=2, wide_stages=1) == [2, 1, 1, 1, 1]
    assert widths(width=2, wide_stages=9) == [2] * 5


@pytest.mark.parametrize(
    ("size", "start"), [(8, 4), (10, 5), (12, 6), (14, 7), (28, 7), (48, 6), (64, 4), (96, 6), (128, 4)]
)
def test_other_sizes(size, start):
    generator, discriminator = R3GANGenerator(size, 2, 3, width=2), R3GANDiscriminator(size, 2, width=2)
    assert generator.basis.shape == discriminator.basis.shape == (2, start, start)
    images = generator(torch.randn(2, 3))
    assert images.shape == (2, 2, size, size)
    assert discriminator(images).shape == (2,)


# Initial weights


def test_blocks_are_the_identity_at_first():
    x = torch.randn(2, 8, 5, 5)
    assert torch.equal(ResidualBlock(8, 16, 4)(x), x)


def test_weights_start_as_in_the_paper():
    """Section 3: 0 at a block's end, the rest by L^(-1/4), here with L = 8; He's gain for a slope of 0.2."""
    torch.manual_seed(0)
    for network in (R3GANGenerator(32, width=64), R3GANDiscriminator(32, width=64)):
        assert len(blocks(network)) == 8
        for block in blocks(network):
            assert not block.reduce.weight.any()
            for layer in (block.expand, block.grouped):
                expected = math.sqrt(2 / 1.04) * 8**-0.25 / math.sqrt(layer.weight[0].numel())
                assert abs(layer.weight.std() / expected - 1) < 0.05
                assert not layer.bias.any()
        assert abs(network.linear.weight.std() * 8 - 1) < 0.15  # 64 inputs in both


def test_signals_keep_their_size_at_first():
    """Variance 1 from z to the last features and through D's head; 1/classes where a class's vector comes in."""
    torch.manual_seed(0)
    generator = R3GANGenerator(8, 1, 64, width=256)
    assert abs((generator.basis * generator.linear(torch.randn(500, 64))[:, :, None, None]).var() - 1) < 0.1
    assert abs(R3GANGenerator(8, 1, 64, 25, width=4).input.embedding.weight.std() - 1 / 5) < 0.02
    features = torch.randn(500, 256, 4, 4)
    for classes, variance in ((None, 1), (4, 1 / 4)):
        logits = []
        for _ in range(30):  # many heads: each has its own w
            network = R3GANDiscriminator(8, 1, classes, width=256)
            network.layers = nn.Identity()
            network.image_size, network.channels = 4, 256
            logits.append(network(features, torch.arange(500) % 4))
        assert abs(torch.stack(logits).var() / variance - 1) < 0.15


# What they compute


@pytest.mark.parametrize("resample", [Up(16), Down(8)])
def test_resampling_keeps_constants_but_at_the_border(resample):
    y = resample(torch.full((1, 3, 8, 8), 2.0))
    assert_close(y[..., 1:-1, 1:-1], torch.full_like(y[..., 1:-1, 1:-1], 2.0))
    assert (y[..., 0, :] < 2).all(), "zeros lie around"


def test_resampling_is_bilinear():
    x = torch.randn(2, 3, 6, 6, dtype=torch.float64)
    up = interpolate(x, scale_factor=2, mode="bilinear")
    down = interpolate(x, scale_factor=0.5, mode="bilinear", antialias=True)
    for resample, expected in ((Up(12), up), (Down(6), down)):
        y = resample.double()(x)
        assert_close(y[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1])


def test_down_weighs_neighbours_by_eighths():
    rows = [[3, 3, 1, 0, 0, 0], [0, 1, 3, 3, 1, 0], [0, 0, 0, 1, 3, 3]]
    assert_close(Down(6).matrix, torch.tensor(rows) / 8)


def test_up_is_the_transpose_of_four_downs():
    x, y = torch.randn(1, 2, 4, 4).double(), torch.randn(1, 2, 8, 8).double()
    assert_close((Up(8).double()(x) * y).sum(), 4 * (x * Down(8).double()(y)).sum())


def test_the_first_features_are_the_basis_times_a_linear_map():
    generator = R3GANGenerator(8, 2, 3, width=5).double()
    z = torch.randn(2, 3).double()
    features = generator.basis * (z @ generator.linear.weight.T)[:, :, None, None]
    assert_close(generator(z), generator.layers(features))
    assert_close(generator(3 * z), 3 * generator(z), msg="blocks are the identity at first: linear in z")


def test_the_logit_is_the_papers():
    """D(x) = embed(c)·D'(x), appendix D; without classes the last layer has one output."""
    x, labels = torch.randn(3, 1, 8, 8).double(), torch.tensor([2, 0, 2])
    plain, projecting = R3GANDiscriminator(8, 1, width=4).double(), R3GANDiscriminator(8, 1, 3, width=4).double()
    for network in (plain, projecting):
        phi = torch.stack([(network.layers(x)[:, c] * network.basis[c]).sum((1, 2)) for c in range(4)], 1)
        features = phi @ network.linear.weight.T
        if network is plain:
            assert_close(network(x), features[:, 0])
        else:
            assert_close(network(x, labels), (features * network.embedding.weight[labels]).sum(1))


def test_images_are_unbounded_in_training_and_samples_are_not():
    torch.manual_seed(0)
    generator, z = R3GANGenerator(8, 1, 4, width=4), 10 * torch.randn(50, 4)
    images = generator(z)
    assert images.abs().max() > 1
    assert torch.equal(generator.eval()(z), images.clamp(-1, 1))


def test_every_weight_learns_once_blocks_do():
    """A zero at each block's end keeps the layers before it still for one step, and no longer."""
    torch.manual_seed(0)
    labels = torch.tensor([0, 1, 2, 0])
    networks = R3GANGenerator(16, 1, 5, 3, width=8), R3GANDiscriminator(16, 1, 3, width=8)

    def still():
        for network in networks:
            network.zero_grad()
        networks[1](networks[0](torch.randn(4, 5), labels), labels).square().sum().backward()
        return {name for network in networks for name, p in network.named_parameters() if not p.grad.any()}

    assert {name.split(".")[2] for name in still()} == {"expand", "grouped"}
    for network in networks:
        for block in blocks(network):
            nn.init.normal_(block.reduce.weight)
    assert still() == set()


def test_penalties_go_through_twice():
    """The gradient of R1 by autograd equals the one by differences, at a weight of each kind."""
    torch.manual_seed(0)
    network, x = R3GANDiscriminator(8, 1, width=2).double(), torch.randn(3, 1, 8, 8).double().requires_grad_()
    for block in blocks(network):
        nn.init.normal_(block.reduce.weight)

    def penalty():
        return squared_gradient_norm(network(x), x)

    value = penalty()
    value.backward()
    for weight in (network.basis, network.linear.weight, network.layers[0].weight, blocks(network)[0].grouped.weight):
        slope, direction = weight.grad, torch.randn_like(weight)
        with torch.no_grad():
            weight += 1e-6 * direction
        assert_close((penalty() - value) / 1e-6, (slope * direction).sum(), rtol=1e-3, atol=1e-6)
        with torch.no_grad():
            weight -= 1e-6 * direction


def test_plays_the_papers_game_towards_less_loss():
    """Some steps of RpGAN with R1 and R2 on a batch: D tells two fixed batches apart, in bfloat16 too."""
    torch.manual_seed(0)
    real, fake = torch.rand(8, 1, 8, 8) * 2 - 1, torch.zeros(8, 1, 8, 8)
    for precision in (torch.float32, torch.bfloat16):
        network, losses = R3GANDiscriminator(8, 1, width=8), []
        optimizer = torch.optim.Adam(network.parameters(), 1e-2, betas=(0.0, 0.9))
        for _ in range(15):
            x, y = real.clone().requires_grad_(), fake.clone().requires_grad_()
            with torch.autocast("cpu", precision, enabled=precision is not torch.float32):
                logits = network(x).float(), network(y).float()
                loss = RelativisticPaired().discriminator(*logits)
                whole = loss + 0.01 * (squared_gradient_norm(logits[0], x) + squared_gradient_norm(logits[1], y))
            optimizer.zero_grad()
            whole.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < 0.3 * losses[0]
