"""Residual blocks, conditional batch norm and attention against their formulas, in float64."""

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d
from torch.testing import assert_close

from lit_gan.networks.layers import glorot
from lit_gan.networks.residual import ConditionalBatchNorm, DownBlock, SelfAttention, UpBlock


def drawn(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


def randomised(module):
    """Return a module in float64 with other weights than its first ones, which may be 0 or 1."""
    torch.manual_seed(0)
    for parameter in module.double().parameters():
        nn.init.normal_(parameter)
    return module


def convolved(conv, x):
    return conv2d(x, conv.weight, conv.bias, padding=conv.kernel_size[0] // 2)


def doubled(x):
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3)


def halved(x):
    return (x[:, :, ::2, ::2] + x[:, :, 1::2, ::2] + x[:, :, ::2, 1::2] + x[:, :, 1::2, 1::2]) / 4


class TestConditionalBatchNorm:
    x, labels = drawn(4, 2, 3, 5), torch.tensor([2, 0, 0, 1])

    def normalised(self, mean, variance):
        return (self.x - mean[:, None, None]) / (variance[:, None, None] + 1e-5).sqrt()

    def test_in_training_by_hand(self):
        norm = randomised(ConditionalBatchNorm(2, 3))
        out = norm(self.x, self.labels)
        x = self.normalised(self.x.mean((0, 2, 3)), self.x.var((0, 2, 3), unbiased=False))
        for i, y in enumerate(self.labels):
            expected = norm.scale.weight[y][:, None, None] * x[i] + norm.shift.weight[y][:, None, None]
            assert_close(out[i], expected)

    def test_in_evaluation_by_its_running_statistics(self):
        norm = randomised(ConditionalBatchNorm(2, 3)).eval()
        norm.norm.running_mean.copy_(drawn(2))
        norm.norm.running_var.copy_(drawn(2).square())
        x = self.normalised(norm.norm.running_mean, norm.norm.running_var)
        expected = norm.scale(self.labels)[:, :, None, None] * x + norm.shift(self.labels)[:, :, None, None]
        assert_close(norm(self.x, self.labels), expected)

    def test_starts_as_batch_norm_and_is_it_without_classes(self):
        plain = nn.BatchNorm2d(2).double()
        assert_close(ConditionalBatchNorm(2, 3).double()(self.x, self.labels), plain(self.x))
        assert_close(ConditionalBatchNorm(2, None).double()(self.x, None), plain(self.x))

    def test_stays_in_its_precision(self):
        norm = ConditionalBatchNorm(2, 3)
        with torch.autocast("cpu", torch.bfloat16):
            assert norm(self.x.bfloat16(), self.labels).dtype == torch.bfloat16


@pytest.mark.parametrize("classes", [None, 3])
def test_up_block_by_hand(classes):
    block, x, labels = randomised(UpBlock(2, 3, classes)), drawn(2, 2, 4, 4), torch.tensor([0, 2])
    h = convolved(block.conv1, doubled(block.norm1(x, labels).relu()))
    h = convolved(block.conv2, block.norm2(h, labels).relu())
    assert_close(block(x, labels), h + convolved(block.shortcut, doubled(x)))


@pytest.mark.parametrize(("inputs", "outputs", "down"), [(2, 2, False), (2, 3, False), (2, 2, True), (2, 3, True)])
def test_down_block_by_hand(inputs, outputs, down):
    block, x = randomised(DownBlock(inputs, outputs, down)), drawn(2, inputs, 4, 4)
    assert block.conv1.out_channels == inputs
    h = convolved(block.conv2, convolved(block.conv1, x.relu()).relu())
    shortcut = convolved(block.shortcut, x) if down or inputs != outputs else x
    assert_close(block(x), halved(h + shortcut) if down else h + shortcut)


@pytest.mark.parametrize(("inputs", "outputs"), [(2, 3), (3, 3)])
def test_wide_down_block_by_hand(inputs, outputs):
    block, x = randomised(DownBlock(inputs, outputs, down=True, wide=True)), drawn(2, inputs, 4, 4)
    assert block.conv1.out_channels == outputs
    h = convolved(block.conv2, convolved(block.conv1, x.relu()).relu())
    assert_close(block(x), halved(h + convolved(block.shortcut, x)))


def test_first_block_takes_the_image_as_it_is():
    block, x = randomised(DownBlock(1, 3, down=True, first=True)), drawn(2, 1, 4, 4)
    h = convolved(block.conv2, convolved(block.conv1, x).relu())
    assert_close(block(x), halved(h + convolved(block.shortcut, x)))


class TestSelfAttention:
    def test_by_hand(self):
        """Equations 1 to 3 of arXiv:1805.08318, one place after the other."""
        attend, x = randomised(SelfAttention(16)), drawn(2, 16, 2, 3)
        out = attend(x).flatten(2)
        w_f, w_g, w_h, w_v = (layer.weight[:, :, 0, 0] for layer in (attend.f, attend.g, attend.h, attend.v))
        assert w_f.shape == w_g.shape == w_h.shape == (2, 16)
        for n, places in enumerate(x.flatten(2)):
            columns = list(places.T)  # x_i
            for j, x_j in enumerate(columns):
                weights = [((w_f @ x_i) @ (w_g @ x_j)).exp() for x_i in columns]
                o = sum(b / sum(weights) * (w_h @ x_i) for b, x_i in zip(weights, columns, strict=True))
                assert_close(out[n, :, j], x_j + attend.gamma * (w_v @ o))

    def test_pooled_by_hand(self):
        """Keys and values are the largest of 2×2 places; each place still asks for itself."""
        attend, x = randomised(SelfAttention(16, pooled=True)), drawn(2, 16, 4, 4)
        w_f, w_g, w_h, w_v = (layer.weight[:, :, 0, 0] for layer in (attend.f, attend.g, attend.h, attend.v))
        assert (w_f.shape, w_g.shape, w_h.shape) == ((2, 16), (2, 16), (8, 16))
        for n, out in enumerate(attend(x).flatten(2)):
            blocks = [x[n, :, i : i + 2, j : j + 2].flatten(1) for i in (0, 2) for j in (0, 2)]
            keys, values = ([(w @ block).amax(1) for block in blocks] for w in (w_f, w_h))
            for j, x_j in enumerate(x[n].flatten(1).T):
                weights = [(key @ (w_g @ x_j)).exp() for key in keys]
                o = sum(b / sum(weights) * value for b, value in zip(weights, values, strict=True))
                assert_close(out[:, j], x_j + attend.gamma * (w_v @ o))

    @pytest.mark.parametrize("pooled", [False, True])
    def test_starts_as_the_identity_and_learns_to_look(self, pooled):
        attend, x = SelfAttention(4, pooled), drawn(2, 4, 3, 3).float()
        assert torch.equal(attend(x), x)
        attend(x).square().sum().backward()
        assert attend.gamma.grad != 0


@pytest.mark.parametrize("gain", [1.0, math.sqrt(2)])
def test_glorot_is_uniform_within_its_bound(gain):
    torch.manual_seed(0)
    for layer, inputs, outputs in (
        (nn.Conv2d(32, 64, 3), 32 * 9, 64 * 9),
        (nn.Linear(100, 200), 100, 200),
        (nn.Embedding(100, 200), 100, 200),
    ):
        weight, bound = glorot(layer, gain).weight.detach(), gain * math.sqrt(6 / (inputs + outputs))
        assert 0.99 * bound < weight.abs().max() <= bound * (1 + 1e-6)
        assert abs(weight.mean()) < 0.02 * bound
        assert weight.std() == pytest.approx(bound / math.sqrt(3), rel=0.02)
        assert isinstance(layer, nn.Embedding) or not layer.bias.any()
