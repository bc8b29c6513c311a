"""StyleGAN2's networks: sizes as the authors' code prints them, styles, mixing, truncation, and its whole game."""

import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch.utils.data import DataLoader, TensorDataset

from lit_gan import LitGAN
from lit_gan.networks import DCGANDiscriminator, StyleGAN2Discriminator, StyleGAN2Generator
from lit_gan.networks.stylegan2 import DECAY
from lit_gan.penalties import R1, PathLength, Turn
from tests.support.small import trainer

IMAGES = torch.rand(24, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1


def count(module):
    return sum(p.numel() for p in module.parameters())


def generator(**options) -> StyleGAN2Generator:
    torch.manual_seed(0)
    small = {"image_size": 16, "channels": 1, "latent_dim": 6, "width": 4, "mapping_depth": 2}
    return StyleGAN2Generator(**{**small, **options})


def game(**options) -> LitGAN:
    torch.manual_seed(0)
    pair = StyleGAN2Generator(8, 1, 4, width=4, mapping_depth=2), StyleGAN2Discriminator(8, 1, width=4)
    return LitGAN(*pair, **options)


def fit(gan, folder, steps, **options):
    torch.manual_seed(1)
    fitted = trainer(folder, max_epochs=-1, max_steps=steps)
    fitted.fit(gan, DataLoader(TensorDataset(IMAGES), 4), **options)
    return fitted


class TestSizes:
    """Against the tables that the authors' code prints (in issues 181 and 182 of stylegan2-ada-pytorch, 394 of
    mmgeneration), which count noise strengths, and no noise and no average."""

    @pytest.mark.parametrize(
        ("size", "width", "g", "d"),
        [
            (1024, None, 30_370_060, 29_012_513),  # configuration F of the paper, FFHQ
            (256, 64, 24_767_458, 24_001_089),  # ADA's paper256, half of the width
        ],
    )
    def test_whole_networks(self, size, width, g, d):
        with torch.device("meta"):
            assert count(StyleGAN2Generator(size, width=width)) == g
            assert count(StyleGAN2Discriminator(size, width=width)) == d

    def test_layers(self):
        with torch.device("meta"):
            g, d = StyleGAN2Generator(1024), StyleGAN2Discriminator(1024)
        assert [count(layer) for layer in g.mapping.layers[::2]] == [262_656] * 8
        assert g.num_styles == 18
        assert [count(layer) for layer in g.blocks[0].layers] == [2_622_465]
        assert [count(layer) for layer in g.blocks[3].layers] == [2_622_465, 2_622_465]
        assert [count(layer) for layer in g.blocks[5].layers] == [1_442_561, 721_409]
        assert [count(g.blocks[i].to_image) for i in (0, 4, 5, 6)] == [264_195, 264_195, 132_099, 66_051]
        assert (count(d.from_image), count(d.blocks[0].skip)) == (128, 2048)
        assert [count(layer) for layer in d.blocks[0].layers] == [9248, 0, 18_496, 0]
        assert [count(layer) for layer in d.blocks[3].layers] == [590_080, 0, 1_180_160, 0]

    def test_cifar(self):
        """ADA's ``cifar`` from the layers above: 512 channels throughout, a mapping of 2, no shortcuts."""
        with torch.device("meta"):
            g = StyleGAN2Generator(32, mapping_depth=2)
            d = StyleGAN2Discriminator(32, residual=False, minibatch_group=32)
        assert count(g) == 2 * 262_656 + 512 * 16 + 7 * 2_622_465 + 4 * 264_195
        wide = 512 * 512 * 9 + 512
        assert count(d) == 4 * 512 + 6 * wide + (wide + 512 * 9) + (512 * 16 * 512 + 512) + 513

    @pytest.mark.parametrize("size", [8, 10, 12, 14, 24, 28, 48, 64])
    def test_other_sizes(self, size):
        images = generator(image_size=size, channels=2)(torch.randn(2, 6))
        assert images.shape == (2, 2, size, size)
        assert StyleGAN2Discriminator(size, 2, width=2)(images).shape == (2,)


class TestMapping:
    def test_only_the_direction_of_z_counts(self):
        g, z = generator().eval(), torch.randn(3, 6)
        assert_close(g(10 * z), g(z), rtol=1e-4, atol=1e-5)

    def test_by_hand_with_classes(self):
        g = generator(num_classes=3).double()
        z, labels = torch.randn(4, 6).double(), torch.tensor([2, 0, 1, 1])
        parts = [x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt() for x in (z, g.mapping.input.embedding(labels))]
        h = torch.cat(parts, 1)
        for layer in g.mapping.layers[::2]:
            h = h @ (0.01 * layer.weight / math.sqrt(h.shape[1])).T + 0.01 * layer.bias
            h = math.sqrt(2) * torch.where(h > 0, h, 0.2 * h)
        assert_close(g.mapping(z, labels), h)

    @torch.no_grad()
    def test_learns_a_hundred_times_slower(self):
        g = generator()
        assert float(g.mapping.layers[0].weight.std()) == pytest.approx(100, rel=0.3)
        assert float(g.blocks[0].layers[0].conv.weight.std()) == pytest.approx(1, rel=0.3)


class TestSynthesis:
    def test_in_evaluation_images_depend_on_their_latent_alone(self):
        g, z = generator().eval(), torch.randn(5, 6)
        for block in g.blocks:
            for layer in block.layers:
                layer.strength.data.fill_(1.0)
        assert torch.equal(g(z), g(z))
        assert_close(torch.cat([g(z[:2]), g(z[2:])]), g(z))
        g.train()
        assert not torch.equal(g(z), g(z))

    def test_is_bounded_in_evaluation_only(self):
        g, z = generator(), torch.randn(50, 6)
        for block in g.blocks:
            block.to_image.weight.data *= 10
        assert g(z).abs().max() > 1
        free = g.eval().synthesize(g.styles(z))
        assert free.abs().max() > 1
        assert torch.equal(g(z), free.clamp(-1, 1))

    def test_the_image_is_the_sum_over_sizes(self):
        """Where every size but the last adds nothing but its bias, 1: constants stay as they are, off the border."""
        g = generator().eval()
        for block in g.blocks:
            block.to_image.weight.data.zero_()
            block.to_image.bias.data.fill_(1.0)
        image = g.synthesize(g.styles(torch.randn(1, 6)))[0, 0]
        assert_close(image[6:10, 6:10], torch.full((4, 4), 3.0))

    def test_each_layer_follows_its_own_style(self):
        """The style of a size's image is that of the next size's first layer: 2·log₂(16) − 2 = 6 in all."""
        g = generator().eval()
        assert g.num_styles == 6
        w = g.styles(torch.randn(1, 6)).detach()
        seen = []
        for name, layer in g.named_modules():
            if name.endswith(("conv", "to_image")):
                layer.register_forward_hook(lambda m, inputs, output: seen.append(float(inputs[1][0, 0])))
        g.synthesize(w + torch.arange(6.0)[None, :, None])
        assert [round(s - float(w[0, 0, 0])) for s in seen] == [0, 1, 1, 2, 3, 3, 4, 5]

    def test_starts_at_the_scale_of_images(self):
        torch.manual_seed(0)
        images = StyleGAN2Generator(32, 3, 64, width=64)(torch.randn(16, 64))
        assert 0.5 < images.std() < 2.5


class TestMixing:
    def test_a_second_latent_takes_over_from_a_random_layer_on(self):
        g, z = generator(style_mixing=1.0), torch.randn(400, 6)
        w, own = g.styles(z), g.mapping(z, None)
        mine = (w - own[:, None]).abs().amax(2) < 1e-6  # (N, layers)
        takes_over = mine.sum(1)
        assert torch.equal(mine, torch.arange(6) < takes_over[:, None]), "one cut"
        assert takes_over.unique().tolist() == [1, 2, 3, 4, 5]
        assert 50 < int(takes_over.bincount()[1:].min()) < int(takes_over.bincount().max()) < 115
        last = w[takes_over < 5, -2:]
        assert torch.equal(last[:, 0], last[:, 1]), "of one other latent"

    @pytest.mark.parametrize(("probability", "low", "high"), [(0.0, 0, 0), (0.3, 80, 160), (0.9, 330, 390)])
    def test_as_often_as_asked(self, probability, low, high):
        g, z = generator(style_mixing=probability), torch.randn(400, 6)
        mixed = (g.styles(z) != g.mapping(z, None)[:, None]).any(2).any(1)
        assert low <= int(mixed.sum()) <= high

    def test_in_training_only_and_from_torchs_random_state(self):
        g, z = generator(style_mixing=1.0), torch.randn(4, 6)
        torch.manual_seed(5)
        once = g.styles(z)
        torch.manual_seed(5)
        assert torch.equal(g.styles(z), once)
        assert torch.equal(g.eval().styles(z), g.mapping(z, None)[:, None].expand(-1, 6, -1))

    def test_keeps_the_class(self):
        """Where the class alone makes the style, a mixed one is as it was."""
        g = generator(style_mixing=1.0, num_classes=3)
        g.mapping.layers[0].weight.data[:, :6] = 0
        z, labels = torch.randn(4, 6), torch.tensor([0, 1, 2, 0])
        assert_close(g.styles(z, labels), g.mapping(z, labels)[:, None].expand(-1, 6, -1))

    @pytest.mark.parametrize("value", [-0.1, 1.1])
    def test_is_a_probability(self, value):
        with pytest.raises(ValueError, match=rf"style_mixing={value} must be a number in \[0, 1\]"):
            StyleGAN2Generator(style_mixing=value)


class TestTruncation:
    def test_goes_along_the_line_from_the_mean_style(self):
        g, z = generator().eval(), torch.randn(3, 6)
        g.mean_style.normal_()
        mean = g.mean_style.expand(3, g.num_styles, -1)
        between = mean + 0.7 * (g.styles(z) - mean)
        assert_close(g(z, truncation=0.7), g.synthesize(between).clamp(-1, 1))
        assert_close(g(z, truncation=1e-7), g.synthesize(mean).clamp(-1, 1), rtol=1e-4, atol=1e-5)
        assert torch.equal(g(z, truncation=1.0), g(z))

    def test_the_mean_is_a_running_average_of_training(self):
        g, z = generator(style_mixing=0.0), torch.randn(3, 6)
        own = g.mapping(z, None).mean(0).detach()
        assert not g.mean_style.any()
        g(z)
        assert_close(g.mean_style, (1 - DECAY) * own)
        g(z)
        assert_close(g.mean_style, (1 - DECAY**2) * own)
        kept = g.mean_style.clone()
        g.styles(z)
        g.eval()(z)
        assert torch.equal(g.mean_style, kept), "in training passes alone"

    def test_samples_of_a_model_use_it(self):
        gan = game()
        gan.ema_generator.mean_style.normal_()
        images = gan.sample(4, seed=0, truncation=1e-7)
        mean = gan.ema_generator.mean_style.expand(1, gan.ema_generator.num_styles, -1)
        mean = gan.ema_generator.synthesize(mean).detach().clamp(-1, 1)
        assert_close(images, mean.expand(4, -1, -1, -1), rtol=1e-4, atol=1e-5)
        assert not torch.allclose(gan.sample(4, seed=0, truncation=0.5), gan.sample(4, seed=0))
        assert torch.equal(gan.sample(4, seed=0, truncation=1.0), gan.sample(4, seed=0))
        one_by_one = gan.sample(4, seed=0, truncation=0.5, batch_size=1)
        assert_close(one_by_one, gan.sample(4, seed=0, truncation=0.5))


class TestMeanStyleInTraining:
    """w̄ is a buffer of the generator: as batch norm's statistics in LitGAN."""

    def test_moves_in_the_generators_turns_alone(self, tmp_path):
        gan, before = game(d_steps_per_g_step=3), []

        def watch(g, inputs):
            if g.training:
                before.append(g.mean_style.tolist())

        gan.generator.register_forward_pre_hook(watch)
        fit(gan, tmp_path, 2)
        first, second = before[:4], before[4:]  # three turns of D and one of G, twice
        assert len(second) == 4
        assert first == 4 * [4 * [0.0]]
        assert second == 4 * second[:1] != first
        assert gan.generator.mean_style.tolist() != second[0]

    def test_the_average_has_its_copy(self, tmp_path):
        gan = game()
        fit(gan, tmp_path, 3)
        assert gan.generator.mean_style.any()
        assert torch.equal(gan.ema_generator.mean_style, gan.generator.mean_style)
        for ours, theirs in zip(gan.generator.blocks, gan.ema_generator.blocks, strict=True):
            for a, b in zip(ours.layers, theirs.layers, strict=True):
                assert torch.equal(a.noise, b.noise)

    @pytest.mark.parametrize("options", [{}, {"micro_batches": 2}], ids=["", "micro-batches"])
    def test_a_resumed_run_has_the_same_bits(self, tmp_path, options):
        """With noise, mixing and both lazy penalties."""

        def made():
            return game(penalties={"pl": PathLength(every=2), "r1": R1(every=3)}, **options)

        whole, half, resumed = made(), made(), made()
        fit(whole, tmp_path, 7)
        fit(half, tmp_path, 4).save_checkpoint(tmp_path / "half.ckpt")
        fit(resumed, tmp_path, 7, ckpt_path=tmp_path / "half.ckpt")
        for name, tensor in whole.state_dict().items():
            assert torch.equal(tensor, resumed.state_dict()[name]), name

    def test_a_checkpoint_brings_the_same_images_back(self, tmp_path):
        gan = game()
        fit(gan, tmp_path, 2).save_checkpoint(tmp_path / "x.ckpt")
        again = LitGAN.load_from_checkpoint(tmp_path / "x.ckpt")
        for truncation in (1.0, 0.5):
            images = gan.sample(3, seed=0, truncation=truncation)
            assert torch.equal(again.sample(3, seed=0, truncation=truncation), images)


class Linear(nn.Module):
    """G = Σ_l A_l·w_l at every pixel, w_l = z: a Jacobian that is known."""

    def __init__(self, factors):
        super().__init__()
        self.latent_dim = 2
        self.factors = nn.Parameter(torch.tensor(factors, dtype=torch.float64))  # (layers, 2)

    def styles(self, z, labels=None):
        self.seen = z
        return z[:, None].expand(-1, len(self.factors), -1)

    def synthesize(self, w):
        return (w * self.factors).sum((1, 2))[:, None, None, None].expand(-1, 1, 4, 4)

    def forward(self, z):
        return self.synthesize(self.styles(z))


class TestPathLengthAtTheStyle:
    def turn(self, network, n=40_000):
        torch.manual_seed(0)
        z = torch.randn(n, 2, dtype=torch.float64, requires_grad=True)
        return Turn(z, network(z), z, None, None, z[:, 0], lambda x, labels=None: x[:, 0], generator=network)

    def test_a_known_jacobian(self):
        """Jᵀy at layer l is A_l·Σy, Σy ~ N(0, 1) over 16 pixels of variance 1/16: ‖Jᵀy‖² = (Σy)²·mean over l of ‖A_l‖².

        For A = (3, 4), (0, 5), (5, 0), that is |5·Σy|: mean 5·√(2/π), variance 25·(1 − 2/π).
        """
        network, path = Linear([[3.0, 4.0], [0.0, 5.0], [5.0, 0.0]]), PathLength(weight=2.0)
        penalty = path(self.turn(network))
        assert float(path.averages[0]) == pytest.approx(5 * math.sqrt(2 / math.pi), rel=0.02)
        assert float(penalty.detach()) == pytest.approx(2 * 25 * (1 - 2 / math.pi), rel=0.05)
        assert len(network.seen) == 20_000, "half of the batch"
        (gradient,) = torch.autograd.grad(penalty, network.factors)
        assert_close(gradient / gradient[0, 0], network.factors.detach() / 3)  # E[(‖Jᵀy‖ − a)²] ~ Σ A²

    def test_the_weight_is_the_papers(self):
        """γ‖J‖² with J summed over layers and y of variance 1 is 2‖J‖² with the mean and y/r: γ = 2/(r²·layers)."""
        for r in (32, 256, 1024):
            gamma = math.log(2) / (r**2 * (math.log(r) - math.log(2)))
            with torch.device("meta"):
                layers = StyleGAN2Generator(r, width=1).num_styles
            assert gamma == pytest.approx(2 / (r**2 * layers))

    @pytest.mark.parametrize("n", [1, 2, 5])
    def test_of_the_generator_by_hand(self, n):
        """One forward of its own; its second derivatives reach the mapping; w̄ stays."""
        g, path = generator(num_classes=3).double(), PathLength(weight=2.0)
        z, labels = torch.randn(n, 6).double().requires_grad_(), torch.arange(n) % 3
        fake = g(z, labels)
        record = Turn(fake.detach(), fake, z, labels, None, fake[:, 0, 0, 0], lambda x, y=None: x[:, 0], generator=g)
        kept = g.mean_style.clone()
        torch.manual_seed(3)
        penalty = path(record)
        torch.manual_seed(3)
        half = (n + 1) // 2
        w = g.styles(z[:half], labels[:half])
        images = g.synthesize(w)
        (jacobian,) = torch.autograd.grad((images * torch.randn_like(images) / 16).sum(), w)
        lengths = jacobian.square().sum(2).mean(1).sqrt()
        assert_close(penalty, 2 * (lengths - path.averages[0]).square().mean())
        assert_close(path.averages[0], lengths.mean().float())
        assert torch.equal(g.mean_style, kept)
        if n > 2:
            penalty.backward()
            assert g.mapping.layers[0].weight.grad.abs().sum() > 0
            assert g.constant.grad.isfinite().all()

    def test_other_generators_are_followed_from_z(self):
        network = Linear([[3.0, 4.0]])
        network.styles = None
        z = torch.randn(20_000, 2, dtype=torch.float64, requires_grad=True)
        fake = network.synthesize(z[:, None])
        path = PathLength()
        path(Turn(z, fake, z, None, None, z[:, 0], lambda x, labels=None: x[:, 0], generator=network))
        assert float(path.averages[0]) == pytest.approx(5 * math.sqrt(2 / math.pi), rel=0.03)

    def test_trains(self, tmp_path):
        """After the rehearsal on the first batch, which leaves noise, w̄ and random numbers as they were."""
        gan = game(penalties={"pl": PathLength(every=1)})
        fit(gan, tmp_path, 2)
        assert gan.penalties["pl"].turns == 2
        assert 0 < float(gan.penalties["pl"].averages) < float("inf")


class TestDiscriminator:
    def test_judges_each_image_for_itself_without_the_deviation(self):
        torch.manual_seed(0)
        x = torch.randn(4, 1, 16, 16)
        for group in (None, 4):
            d = StyleGAN2Discriminator(16, 1, width=4, minibatch_group=group)
            alone = torch.cat([d(x[:2]), d(x[2:])])
            assert torch.allclose(d(x), alone, atol=1e-5) == (group is None)

    def test_classes_by_hand(self):
        torch.manual_seed(0)
        d, x, labels = StyleGAN2Discriminator(16, 1, 3, width=4).double(), torch.randn(3, 1, 16, 16).double(), [2, 0, 1]
        phi = d.head.linear(d.last(d.deviation(d.blocks(d.from_image(x)))))
        embedded = d.head.embedding.weight[labels]
        directions = d.head.classes(embedded / (embedded.square().mean(1, keepdim=True) + 1e-8).sqrt())
        assert_close(d(x, torch.tensor(labels)), (phi * directions).sum(1) / math.sqrt(phi.shape[1]))

    def test_starts_with_logits_of_unit_size(self):
        torch.manual_seed(0)
        logits = torch.stack([StyleGAN2Discriminator(16, 1, width=16)(torch.randn(8, 1, 16, 16)) for _ in range(20)])
        assert 0.3 < logits.detach().std() < 2


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_gradients_flow_in_both_precisions(precision, tmp_path):
    gan = game(penalties={"r1": R1(), "pl": PathLength(every=1)})
    fitted = trainer(tmp_path, max_steps=2, precision=precision)
    fitted.fit(gan, DataLoader(TensorDataset(IMAGES), 8))
    assert all(p.isfinite().all() for p in gan.parameters())


def test_any_discriminator_will_do(tmp_path):
    gan = LitGAN(StyleGAN2Generator(8, 1, 4, width=4), DCGANDiscriminator(8, 1, width=4))
    fit(gan, tmp_path, 1)
    assert gan.sample(2).abs().max() <= 1


def test_the_sum_of_images_and_the_logit_are_not_rounded_under_autocast():
    generator, discriminator = StyleGAN2Generator(16, 1, 8, width=4), StyleGAN2Discriminator(16, 1, width=4)
    with torch.autocast("cpu", torch.bfloat16):
        images = generator(torch.randn(4, 8))
        assert images.dtype == discriminator(images).dtype == torch.float32


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (lambda: StyleGAN2Generator(style_mixing=None), TypeError, "style_mixing=None must be a number in"),
        (lambda: StyleGAN2Discriminator(minibatch_group=1), ValueError, "minibatch_group=1 must be at least 2"),
    ],
)
def test_refusals(make, error, sentence):
    with pytest.raises(error, match=sentence):
        make()
