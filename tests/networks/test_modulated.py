"""StyleGAN2's layers against their formulas, written naively and in float64, and what they do to variances."""

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, pad
from torch.testing import assert_close

from lit_gan.networks.equalised import EqualisedConv, EqualisedLinear, Leaky, normalised
from lit_gan.networks.modulated import ModulatedConv, StyledConv
from lit_gan.networks.resampling import Up, blurred
from lit_gan.networks.stylegan2 import DiscriminatorBlock, MinibatchDeviation

LINE = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64)
KERNEL = torch.outer(LINE, LINE) / 64


def drawn(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


def randomised(module):
    """Return a module in float64 with other biases and strengths than 0."""
    torch.manual_seed(0)
    for parameter in module.double().parameters():
        nn.init.normal_(parameter)
    return module


def between_zeros(x):
    spread = x.new_zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
    spread[:, :, ::2, ::2] = x
    return spread


def filtered(x, before, after):
    """Return the sum over 4×4 neighbours, pixel by pixel."""
    x = pad(x, (before, after, before, after))
    out = x.new_zeros(*x.shape[:2], x.shape[2] - 3, x.shape[3] - 3)
    for i in range(4):
        for j in range(4):
            out += KERNEL[i, j] * x[:, :, i : i + out.shape[2], j : j + out.shape[3]]
    return out


class TestFilter:
    @pytest.mark.parametrize("size", [4, 5, 7])
    def test_by_hand(self, size):
        x = drawn(2, 3, size, size)
        assert_close(blurred(x, 1), filtered(x, 1, 1))
        assert_close(Up(2 * size).double()(x), 4 * filtered(between_zeros(x), 2, 1))

    def test_keeps_constants_away_from_the_border(self):
        ones = torch.ones(1, 2, 6, 6)
        assert_close(blurred(ones, 0), torch.ones(1, 2, 3, 3))
        doubled = Up(12)(ones)
        assert_close(doubled[:, :, 1:-1, 1:-1], torch.ones(1, 2, 10, 10))
        assert_close(doubled[0, 0, 0, :3], torch.tensor([0.5625, 0.75, 0.75]))  # zeros lie outside: 3/4

    def test_its_numbers_are_exact_in_bfloat16(self):
        point = torch.zeros(1, 1, 7, 7, dtype=torch.bfloat16)
        point[0, 0, 3, 3] = 1
        assert_close(blurred(point, 0)[0, 0], KERNEL.bfloat16(), rtol=0, atol=0)
        assert torch.equal(KERNEL.bfloat16().double(), KERNEL)


def naive(layer, x, styles):
    """Return a modulated convolution with kernels of their own for each sample: equations 1 to 3, one by one."""
    out = []
    for sample, style in zip(x, styles, strict=True):
        s = style @ layer.affine.weight.T / math.sqrt(len(style)) + layer.affine.bias
        w = s[:, None, None] * layer.weight / math.sqrt(layer.weight[0].numel())  # w′
        if layer.demodulate:
            w = w / (w.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()  # w″
        if not layer.up:
            h = conv2d(sample[None], w, padding=w.shape[-1] // 2)
        else:  # a pixel spreads over the kernel, mirrored where one gathers
            h = conv2d(pad(between_zeros(sample[None]), (2, 1, 2, 1)), w.flip(2, 3))
            h = 4 * filtered(h, 1, 1)
        out.append(h[0] + layer.bias[:, None, None])
    return torch.stack(out)


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize(("size", "up"), [(1, False), (3, False), (3, True)])
def test_modulated_convolution_by_hand(size, up, demodulate):
    """With first and second derivatives by features, styles and weights."""
    layer = randomised(ModulatedConv(3, 2, size, 4, up=up, demodulate=demodulate))
    inputs = drawn(2, 3, 5, 5).requires_grad_(), drawn(2, 4).requires_grad_()
    leaves = (*inputs, *layer.parameters())
    ways = []
    for function in (layer, lambda x, style: naive(layer, x, style)):
        out = function(*inputs)
        first = torch.autograd.grad(out.square().sum(), leaves, create_graph=True)
        second = torch.autograd.grad(sum(g.square().sum() for g in first), leaves)
        ways.append((out, *first, *second))
    for ours, theirs in zip(*ways, strict=True):
        assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


@torch.no_grad()
def test_demodulated_outputs_have_unit_variance_whatever_the_style():
    torch.manual_seed(0)
    layer = ModulatedConv(64, 32, 3, 8)
    x, styles = torch.randn(4, 64, 34, 34), 5 * torch.randn(4, 8)
    out = layer(x, styles)[:, :, 1:-1, 1:-1]  # zeros lie outside
    assert_close(out.var((2, 3)), torch.ones(4, 32), rtol=0.2, atol=0)
    assert float(out.var()) == pytest.approx(1, abs=0.02)
    plain = ModulatedConv(64, 32, 3, 8, demodulate=False)
    assert float(plain(x, styles).var()) > 5


def test_the_norm_is_taken_in_float32_under_autocast():
    torch.manual_seed(0)
    layer, seen = ModulatedConv(8, 4, 3, 8), {}
    layer.affine.register_forward_hook(lambda module, inputs, output: seen.update(style=output.dtype))
    x, styles = torch.randn(2, 8, 4, 4), torch.randn(2, 8)
    with torch.autocast("cpu", torch.bfloat16):
        half = layer(x, styles)
    assert (half.dtype, seen["style"]) == (torch.bfloat16, torch.float32)
    assert_close(half.float(), layer(x, styles), rtol=0.02, atol=0.02)


@torch.no_grad()
def test_equalised_layers_start_at_unit_variance():
    torch.manual_seed(0)
    x, images = torch.randn(500, 300), torch.randn(4, 40, 34, 34)
    for lr in (1.0, 0.01):
        layer = EqualisedLinear(300, 200, lr=lr)
        assert float(layer(x).var()) == pytest.approx(1, abs=0.03)
        assert float(layer.weight.std()) == pytest.approx(1 / lr, rel=0.02)
    assert float(EqualisedConv(40, 50, 3)(images)[:, :, 1:-1, 1:-1].var()) == pytest.approx(1, abs=0.05)
    assert float(EqualisedConv(40, 50, 1)(images).var()) == pytest.approx(1, abs=0.05)
    assert float(Leaky()(x).square().mean()) == pytest.approx(2 * (1 + 0.04) / 2, abs=0.02)
    assert_close(EqualisedLinear(3, 2, bias=1.0)(torch.zeros(1, 3)), torch.ones(1, 2))
    assert_close(EqualisedLinear(3, 2, lr=0.01, bias=1.0)(torch.zeros(1, 3)), torch.ones(1, 2))


def test_learning_rates_are_equalised():
    """One step of Adam moves every effective weight by lr/√inputs, by lr·lr_factor/√inputs in the mapping."""
    for inputs, factor in ((4, 1.0), (100, 1.0), (100, 0.01)):
        layer = EqualisedLinear(inputs, 3, lr=factor)
        before = (layer.weight * layer.scale).detach().clone()
        layer(torch.ones(2, inputs)).sum().backward()
        torch.optim.Adam(layer.parameters(), lr=0.1).step()
        moved = (before - layer.weight * layer.scale).abs()
        assert_close(moved, torch.full_like(moved, 0.1 * factor / math.sqrt(inputs)), rtol=1e-3, atol=1e-6)


def test_normalised_by_hand():
    x = torch.tensor([[3.0, 4.0], [0.0, 0.0]], dtype=torch.float64)
    assert_close(normalised(x)[0], x[0] / math.sqrt(12.5 + 1e-8))
    assert not normalised(x)[1].any()
    assert_close(normalised(1e3 * drawn(5, 7)).square().mean(1), torch.ones(5, dtype=torch.float64))


@pytest.mark.parametrize("residual", [True, False])
def test_discriminator_block_by_hand(residual):
    block, x = randomised(DiscriminatorBlock(2, 3, residual)), drawn(2, 2, 6, 6)

    def weight(layer):
        return layer.weight / math.sqrt(layer.weight[0].numel())

    def leaky(h):
        return math.sqrt(2) * torch.where(h > 0, h, 0.2 * h)

    first, _, second, _ = block.layers
    h = leaky(conv2d(x, weight(first), first.bias, padding=1))
    h = leaky(conv2d(filtered(h, 2, 2), weight(second), second.bias, stride=2))
    if residual:
        h = (h + conv2d(filtered(x, 1, 1)[:, :, ::2, ::2], weight(block.skip))) / math.sqrt(2)
        assert block.skip.bias is None
    assert_close(block(x), h)


class TestNoise:
    def test_is_fresh_in_training_and_fixed_in_evaluation(self):
        layer, x, style = randomised(StyledConv(2, 3, 5, 4)), drawn(2, 2, 5, 5), drawn(2, 4)
        assert not torch.equal(layer(x, style), layer(x, style))
        layer.eval()
        assert torch.equal(layer(x, style), layer(x, style))
        h = layer.conv(x, style) + layer.strength * layer.noise
        assert_close(layer(x, style), math.sqrt(2) * torch.where(h > 0, h, 0.2 * h))

    def test_starts_without_strength_and_learns_it(self):
        layer, x, style = StyledConv(2, 3, 5, 4).double(), drawn(2, 2, 5, 5), drawn(2, 4)
        assert torch.equal(layer(x, style), layer(x, style)), "no noise"
        layer(x, style).square().sum().backward()
        assert layer.strength.grad != 0

    def test_is_one_number_for_each_pixel_of_each_sample(self):
        layer = StyledConv(2, 3, 5, 4).double()
        layer.strength.data.fill_(1e3)
        out = layer(torch.zeros(2, 2, 5, 5).double(), torch.zeros(2, 4).double())
        assert_close(out[:, 0], out[:, 2])
        assert not torch.allclose(out[0], out[1])
        assert not torch.allclose(out[0, 0, 0], out[0, 0, 1])


def deviation(samples):
    """Return the number of one group: the mean over all features of the standard deviation over samples."""
    return (samples.var(0, unbiased=False) + 1e-8).sqrt().mean()


class TestMinibatchDeviation:
    @pytest.mark.parametrize(
        ("n", "groups"),
        [
            (8, [[0, 2, 4, 6], [1, 3, 5, 7]]),
            (4, [[0, 1, 2, 3]]),
            (3, [[0, 1, 2]]),
            (5, [[0, 1, 2, 3, 4]]),
            (7, [[0, 2, 4, 6], [1, 3, 5]]),
            (1, [[0]]),
        ],
    )
    def test_by_hand(self, n, groups):
        x = drawn(n, 3, 2, 2)
        out = MinibatchDeviation(4)(x)
        assert torch.equal(out[:, :3], x)
        for group in groups:
            assert_close(out[group, 3], deviation(x[group]).expand(len(group), 2, 2))
        assert sum(map(len, groups)) == n

    def test_means_about_the_same_at_every_batch_size(self):
        """Groups have 3 to 5 samples, and the std of m normal numbers is √(2/m)·Γ(m/2)/Γ((m − 1)/2) on average."""
        torch.manual_seed(0)
        low, exact, high = (math.sqrt(2 / m) * math.gamma(m / 2) / math.gamma((m - 1) / 2) for m in (3, 4, 5))
        for n in range(4, 40):
            mean = float(MinibatchDeviation(4)(torch.randn(n, 500, 4, 4))[:, -1].mean())
            assert low - 0.01 < mean < high + 0.01
            if n % 4 == 0:
                assert mean == pytest.approx(exact, abs=0.01)

    def test_has_finite_gradients_where_nothing_varies(self):
        x = torch.ones(4, 2, 3, 3, requires_grad=True)
        (first,) = torch.autograd.grad(MinibatchDeviation(4)(x).sum(), x, create_graph=True)
        first.square().sum().backward()
        assert x.grad.isfinite().all()

    def test_stays_precise_under_autocast(self):
        x = 100 + torch.randn(4, 8, 4, 4, generator=torch.Generator().manual_seed(0))
        with torch.autocast("cpu", torch.bfloat16):
            assert_close(MinibatchDeviation(4)(x)[:, -1], MinibatchDeviation(4)(x.double())[:, -1].float())
