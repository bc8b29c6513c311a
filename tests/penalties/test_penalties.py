"""Gradient penalties are exact on a critic whose gradient is known."""

import math
from dataclasses import dataclass, replace
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.testing import assert_close
from torch.utils.data import DataLoader, TensorDataset

from lit_gan import LitGAN, penalties
from lit_gan.networks import (
    BigGANDiscriminator,
    DCGANDiscriminator,
    DCGANGenerator,
    Packed,
    SNGANDiscriminator,
)
from lit_gan.optim import GANAdam
from lit_gan.penalties import (
    DRAGAN,
    R1,
    R2,
    WGANGP,
    AuxiliaryClassifier,
    Consistency,
    LeCam,
    OrthogonalWeights,
    PathLength,
    Penalty,
    Reconstruction,
    Turn,
)
from lit_gan.schedules import Linear
from tests.support.small import Batches, PlainDiscriminator, PlainGenerator, trainer

PENALTIES = [
    cls
    for cls in (getattr(penalties, n) for n in penalties.__all__)
    if isinstance(cls, type) and issubclass(cls, Penalty) and cls is not Penalty
]


def turn(critic, real, fake) -> Turn:
    real, fake = real.clone().requires_grad_(), fake.clone().requires_grad_()

    def network(images, labels=None):
        return critic(images)[:, 0]

    logits = network(real), network(fake), network
    return Turn(real, fake, torch.zeros(len(fake), 1), None, *logits, discriminator=critic)


def linear_turn(weight):
    critic = nn.Linear(len(weight), 1).double()
    critic.weight.data[:] = weight
    x = torch.randn(5, len(weight), dtype=torch.float64)
    return critic, turn(critic, x, x + 1)


@pytest.mark.parametrize("cls", [R1, R2])
def test_a_linear_critic_pays_half_weight_times_its_squared_norm(cls):
    weight = torch.tensor([3.0, -4.0], dtype=torch.float64)
    critic, record = linear_turn(weight)
    penalty = cls(weight=6.0)(record)
    assert_close(penalty, torch.tensor(6 / 2 * 25.0, dtype=torch.float64))
    (gradient,) = torch.autograd.grad(penalty, critic.weight)
    assert_close(gradient, 6 * weight[None])


def test_r1_looks_at_real_images_and_r2_at_fakes():
    def critic(x):  # D(x) = x²/2, so ‖∇D(x)‖² = x²
        return x.square() / 2

    record = turn(critic, torch.tensor([[1.0], [3.0]]), torch.tensor([[2.0], [4.0]]))
    assert_close(R1(weight=2.0)(record), torch.tensor(5.0))
    assert_close(R2(weight=2.0)(record), torch.tensor(10.0))


def test_each_sample_of_images_is_summed_over_pixels():
    def critic(x):
        return x.flatten(1).sum(1, keepdim=True)

    record = turn(critic, torch.zeros(3, 2, 4, 4), torch.zeros(3, 2, 4, 4))
    assert_close(R1(weight=2.0)(record), torch.tensor(32.0))


@pytest.mark.parametrize(("cls", "norm"), [(WGANGP, 5.0), (DRAGAN, 5.0)])
def test_a_linear_critic_pays_for_the_distance_of_its_norm_from_one(cls, norm):
    weight = torch.tensor([3.0, -4.0], dtype=torch.float64)
    critic, record = linear_turn(weight)
    penalty = cls(weight=6.0)(record)
    assert_close(penalty, torch.tensor(6 * (norm - 1) ** 2, dtype=torch.float64))
    (gradient,) = torch.autograd.grad(penalty, critic.weight)
    assert_close(gradient, 6 * 2 * (norm - 1) * weight[None] / norm)


def test_a_flat_critic_pays_one_and_has_a_finite_gradient():
    critic, record = linear_turn(torch.zeros(2, dtype=torch.float64))
    penalty = WGANGP(weight=1.0)(record)
    assert penalty == 1
    (gradient,) = torch.autograd.grad(penalty, critic.weight)
    assert_close(gradient, torch.zeros(1, 2, dtype=torch.float64))


def seen_by(penalty, real, fake):
    """Return where the penalty looks at the critic."""
    seen = []

    def critic(x):
        seen.append(x.detach().clone())
        return x.sum(1, keepdim=True)

    record = turn(critic, real, fake)
    seen.clear()
    penalty(record)
    return seen[0]


def test_wgan_gp_looks_between_data_and_samples():
    torch.manual_seed(0)
    real, fake = torch.zeros(500, 2), torch.tensor([1.0, 10.0]).expand(500, 2)
    x = seen_by(WGANGP(), real, fake)
    assert_close(x[:, 1], 10 * x[:, 0])  # one ε for each pair
    assert 0 <= x.min() < 0.05
    assert 9.5 < x.max() <= 10
    assert x[:, 0].mean() == pytest.approx(0.5, abs=0.05)


def test_dragan_looks_around_the_data():
    torch.manual_seed(0)
    real = 3 * torch.randn(2000, 2)
    x = seen_by(DRAGAN(noise=0.5), real, real + 100)
    assert float((x - real).std()) == pytest.approx(0.5 * float(real.std()), rel=0.05)
    assert float((x - real).mean()) == pytest.approx(0, abs=0.1)


class Flip(nn.Module):
    def forward(self, x):
        return x.flip(1)


def test_consistency_by_hand():
    """D(x) = x₀, so that the flip changes it by x₁ − x₀."""
    record = turn(
        lambda x, labels=None: x[:, :1], torch.tensor([[1.0, 3.0], [0.0, 0.0]]), torch.tensor([[0.0, 1.0]] * 2)
    )
    assert_close(Consistency(Flip(), weight=2.0)(record), torch.tensor(2 * (4 + 0) / 2))
    assert_close(Consistency(Flip(), 2.0, fake_weight=3.0)(record), torch.tensor(4.0 + 3 * 1.0))


def logits_turn(real, fake):
    real, fake = torch.tensor(real), torch.tensor(fake)
    return Turn(
        real[:, None], fake[:, None], torch.zeros(len(fake), 1), None, real, fake, lambda x, labels=None: x[:, 0]
    )


def test_lecam_by_hand():
    """Two turns: the first sets both averages, the second moves them by a tenth."""
    lecam = LeCam(weight=2.0, decay=0.9)
    assert_close(lecam(logits_turn([1.0, 3.0], [-1.0, -1.0])), torch.tensor(2 * ((4 + 16) / 2 + 9.0)))
    real, fake = 0.9 * 2 + 0.1 * 0, 0.9 * -1 + 0.1 * 1
    expected = 2 * ((0 - fake) ** 2 + (1 - real) ** 2)
    assert_close(lecam(logits_turn([0.0, 0.0], [1.0, 1.0])), torch.tensor(expected))
    assert_close(lecam.averages, torch.tensor([real, fake]))


def test_path_length_of_a_linear_generator():
    """G(z) = A·z: Jᵀy = Aᵀy with y ~ N(0, I) for vectors; the first turn's average is its own mean."""
    torch.manual_seed(0)
    a = torch.tensor([[2.0, 0.0], [0.0, 0.0], [0.0, 0.0]], dtype=torch.float64)
    z = torch.randn(20_000, 2, dtype=torch.float64, requires_grad=True)
    fake = z @ a.T
    record = Turn(fake.detach(), fake, z, None, None, fake[:, 0], lambda x, labels=None: x[:, 0])
    path = PathLength(weight=1.0)
    penalty = path(record)
    # lengths are |2y|, y normal: mean 2√(2/π), variance 4(1 − 2/π)
    assert float(path.averages[0]) == pytest.approx(2 * (2 / torch.pi) ** 0.5, rel=0.02)
    assert float(penalty) == pytest.approx(4 * (1 - 2 / torch.pi), rel=0.05)


def test_path_length_of_images_is_independent_of_their_size():
    torch.manual_seed(0)
    means = []
    for size in (4, 16):
        z = torch.randn(2000, 1, requires_grad=True)
        fake = z[:, :, None, None].expand(-1, 1, size, size)
        path = PathLength()
        path(Turn(fake.detach(), fake, z, None, None, z[:, 0], lambda x, labels=None: x[:, 0, 0, 0]))
        means.append(float(path.averages[0]))
    assert means[0] == pytest.approx(means[1], rel=0.1)


def of_a_generator(network) -> Turn:
    x = torch.zeros(1, 2)
    return Turn(x, x, x, None, None, x[:, 0], lambda images, labels=None: images[:, 0], generator=network)


def test_orthogonal_weights_by_hand():
    """Rows (1, 1), (0, 2) and (1, −1): products 2, 0 and −2, each twice; lengths do not count."""
    network = nn.Sequential(nn.Linear(2, 3), nn.Embedding(4, 2), nn.BatchNorm1d(3))
    network[0].weight.data = torch.tensor([[1.0, 1.0], [0.0, 2.0], [1.0, -1.0]])
    penalty = OrthogonalWeights(weight=0.5)(of_a_generator(network))
    assert_close(penalty, torch.tensor(0.5 * 2 * (4 + 0 + 4.0)))
    (gradient,) = torch.autograd.grad(penalty, network[0].weight)
    assert_close(gradient, 0.5 * 4 * torch.tensor([[0.0, 4.0], [0.0, 4.0], [0.0, -4.0]]))


def test_orthogonal_filters_pay_nothing_and_look_at_what_is_optimised():
    torch.manual_seed(0)
    convolution = nn.Conv2d(3, 8, 3).double()
    assert OrthogonalWeights(weight=1.0)(of_a_generator(convolution)) > 0.1
    convolution.weight.data = 3 * nn.init.orthogonal_(convolution.weight.data)
    assert OrthogonalWeights(weight=1.0)(of_a_generator(convolution)) < 1e-20
    tall = nn.Linear(2, 5, bias=False).double()
    products = tall.weight @ tall.weight.T
    apart = (products * (1 - torch.eye(5, dtype=torch.float64))).square().sum()
    assert_close(OrthogonalWeights(weight=1.0)(of_a_generator(tall)), apart)
    normalised = torch.nn.utils.parametrizations.spectral_norm(nn.Linear(2, 2, bias=False).double())
    with torch.no_grad():
        normalised.parametrizations.weight.original.copy_(torch.tensor([[5.0, 0.0], [5.0, 5.0]]))
    before = normalised.parametrizations.weight[0]._u.clone()
    assert OrthogonalWeights(weight=1.0)(of_a_generator(normalised)) == 2 * 25**2
    assert torch.equal(normalised.parametrizations.weight[0]._u, before)


def test_filters_of_transposed_and_grouped_convolutions():
    """A transposed convolution has its filters along the second dimension; groups have no input in common."""
    up = nn.ConvTranspose2d(3, 1, 2, bias=False).double()
    assert OrthogonalWeights(weight=1.0)(of_a_generator(up)).item() == pytest.approx(0, abs=1e-12), "one filter"
    grouped = nn.Conv2d(2, 4, 1, groups=2, bias=False).double()
    with torch.no_grad():
        grouped.weight.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0])[:, None, None, None])
    assert OrthogonalWeights(weight=1.0)(of_a_generator(grouped)) == 2 * (2**2 + 12**2)


class Decoding(nn.Module):
    def reconstructions(self, images):
        assert not images.requires_grad
        return [(images + 2, images), (images.flip(1), images)]


def test_reconstruction_by_hand():
    """Errors 2 and |x₁ − x₀|, each a mean over pixels, of the real images alone."""
    x, fake = torch.tensor([[1.0, 4.0], [0.0, 0.0]], requires_grad=True), torch.tensor([[7.0, 9.0]])
    record = Turn(x, fake, fake, None, x[:, 0], fake[:, 0], lambda x, labels=None: x[:, 0], discriminator=Decoding())
    assert_close(Reconstruction(weight=2.0)(record), torch.tensor(2 * (2 + 3 / 2)))


def test_reconstruction_is_refused_before_training_where_nothing_is_decoded(fit, images):
    gan = LitGAN(PlainGenerator(), PlainDiscriminator(), penalties={"r": Reconstruction()})
    before = [p.clone() for p in gan.parameters()]
    with pytest.raises(ValueError, match=r"PlainDiscriminator has no reconstructions\(images\): take FastGANDiscrim"):
        fit(gan, Batches(images))
    assert all(torch.equal(a, b) for a, b in zip(gan.parameters(), before, strict=True))


class Judge(nn.Module):
    """Takes a point's coordinates for the logits of its class."""

    def classify(self, x):
        return x


@pytest.mark.parametrize(("player", "images"), [("discriminator", 2), ("generator", 1)])
def test_auxiliary_classifier_by_hand(player, images):
    """Cross-entropy −log softmax: of real images log(1 + 3 + 4) − log 3 on the mean with log 2; of fakes log 2."""
    real = torch.tensor([[0.0, math.log(3), math.log(4)], [5.0, 5.0, -1e4]]).double()
    fake = torch.tensor([[7.0, 7.0, -1e4], [1.0, -1e4, 1.0]]).double()
    logits = torch.zeros(2).double()
    record = Turn(real, fake, fake, torch.tensor([1, 0]), logits, logits, Judge(), discriminator=Judge())
    of_real, of_fake = (math.log(8 / 3) + math.log(2)) / 2, math.log(2)
    expected = 2 * (of_fake + (of_real if images == 2 else 0))
    penalty = AuxiliaryClassifier(weight=2.0, player=player)(record)
    assert_close(penalty, torch.tensor(expected, dtype=torch.float64))


def classified(**options):
    shape = {"image_size": 8, "channels": 1, "num_classes": 3, "width": 4}
    return DCGANGenerator(**shape, latent_dim=3), DCGANDiscriminator(**shape, batch_norm=False, **options)


def test_both_players_learn_classes_by_the_auxiliary_classifier(fit):
    """Without a game, weight 0: three shades are three classes; D learns to tell them, G to make what D tells."""
    torch.manual_seed(0)
    labels = torch.arange(48) % 3
    images = ((labels - 1) * 0.8)[:, None, None, None].expand(48, 1, 8, 8) + 0.1 * torch.randn(48, 1, 8, 8)
    players = ("discriminator", "generator")

    class OnlyClasses(LitGAN):
        def discriminator_loss(self, turn):
            return 0 * turn.fake_logits.sum()

        def generator_loss(self, turn):
            return 0 * turn.fake_logits.sum()

    def trained(*paying):
        torch.manual_seed(0)
        penalties = {player: AuxiliaryClassifier(player=player) for player in paying}
        fast = {f"{player}_optimizer": partial(GANAdam, lr=0.003) for player in players}
        gan = OnlyClasses(*classified(conditioning="classifier"), penalties=penalties, ema_half_life=None, **fast)
        fit(gan, Batches(images.clamp(-1, 1), labels, batch_size=16), max_epochs=30)
        fake = gan.eval().sample(48, labels, seed=0)
        with torch.no_grad():
            return [cross_entropy(gan.discriminator.classify(x), labels) for x in (images.clamp(-1, 1), fake)]

    both, alone = trained(*players), trained("discriminator")
    assert both[0] < 0.5 * math.log(3), "D tells the classes of real images"
    assert both[1] < 0.5 * math.log(3) < alone[1], "and of generated ones, where G helps"


@pytest.mark.parametrize("cls", [DCGANDiscriminator, SNGANDiscriminator, BigGANDiscriminator])
def test_a_discriminator_with_a_classifier_does_not_judge_by_the_class(cls):
    critic, x = cls(16, 1, num_classes=3, width=2, conditioning="classifier").eval(), torch.randn(2, 1, 16, 16)
    assert critic.classify(x).shape == (2, 3)
    assert torch.equal(critic(x, torch.tensor([0, 1])), critic(x))
    with pytest.raises(ValueError, match=r'no classifier: give the discriminator num_classes and conditioning="class'):
        cls(16, 1, num_classes=3, width=2).classify(x)
    with pytest.raises(ValueError, match=r'conditioning="classifier" and num_classes=None: give the number'):
        cls(16, 1, width=2, conditioning="classifier")
    with pytest.raises(ValueError, match=r"conditioning='both' is neither \"projection\" nor \"classifier\""):
        cls(16, 1, width=2, conditioning="both")


def test_an_auxiliary_classifier_is_refused_before_training_where_there_is_none(fit):
    images, labels = torch.rand(8, 1, 8, 8) * 2 - 1, torch.arange(8) % 3
    maker, critic = classified(conditioning="classifier")
    unlabelled = DCGANGenerator(8, 1, 3, width=4)
    no_classes = Able((1, 8, 8))  # which may be called without labels
    for networks, batch, sentence in (
        (classified(), (images, labels), "DCGANDiscriminator has no classifier: take DCGANDiscriminator"),
        ((maker, PlainDiscriminator((1, 8, 8))), (images, labels), "PlainDiscriminator has no classifier"),
        ((unlabelled, critic), (images, labels), "DCGANGenerator takes no labels, so that its images have no class"),
        ((Labelled((1, 8, 8)), no_classes), (images,), "the batches carry no labels|the generator is conditional"),
    ):
        gan = LitGAN(*networks, penalties={"ac": AuxiliaryClassifier()})
        with pytest.raises(ValueError, match=sentence):
            fit(gan, Batches(*batch))
    with pytest.raises(ValueError, match='player=\'both\' is neither "discriminator" nor "generator"'):
        AuxiliaryClassifier(player="both")


def test_a_penalty_of_ones_own_for_a_player_that_there_is_none_of_is_refused():
    @dataclass(frozen=True)
    class Mine(Penalty):
        weight: float = 1.0
        every: int = 1
        player: str = "critic"

        def __call__(self, turn):
            return turn.fake_logits.mean()

    with pytest.raises(ValueError, match="Mine: player='critic' is neither"):
        Mine()


def test_packs_have_one_gradient_together():
    """D(x₁, x₂) = 3·x₁ − 4·x₂ on a line: ‖∇‖ = 5 for each pack."""
    critic = nn.Linear(2, 1, bias=False).double()
    critic.weight.data = torch.tensor([[3.0, -4.0]], dtype=torch.float64)
    packed = Packed(critic, 2)

    def network(x, labels=None):
        return packed(x)[:, 0]

    x = torch.randn(6, 1, dtype=torch.float64)
    real, fake = x.clone().requires_grad_(), (x + 1).requires_grad_()
    record = Turn(real, fake, torch.zeros(6, 1), None, network(real), network(fake), network)
    assert_close(R1(weight=2.0)(record), torch.tensor(25.0, dtype=torch.float64))
    assert_close(WGANGP(weight=1.0)(record), torch.tensor(16.0, dtype=torch.float64))


def test_a_weight_may_follow_the_images_seen():
    _, record = linear_turn(torch.tensor([3.0, -4.0], dtype=torch.float64))
    late = Turn(**{**vars(record), "images_seen": 50})
    assert_close(R1(weight=Linear(10.0, 0.0, images=100))(late), torch.tensor(5 / 2 * 25.0, dtype=torch.float64))


def make(cls, **options) -> Penalty:
    return Consistency(Flip(), **options) if cls is Consistency else cls(**options)


class Able(PlainDiscriminator):
    """A discriminator with all that penalties ask for."""

    def reconstructions(self, images):
        return [(images * 0 + self.last.weight.mean(), images)]

    def classify(self, images):
        return self.net(images)[:, :3]


class Labelled(PlainGenerator):
    def forward(self, z, labels=None):
        return super().forward(z)


class Network(nn.Sequential):
    def reconstructions(self, x):
        return [(self(x), x[:, :1]), (self(x).tanh(), x[:, 1:2])]

    def classify(self, x):
        return torch.cat([self(x), x[:, :2]], 1)


def played(cls):
    """Return the network of the penalty's player, its input, and a function of both that gives a turn."""
    network = Network(nn.Linear(3, 4), nn.Softplus(), nn.Linear(4, 1 if cls.player == "discriminator" else 3))
    x = torch.randn(5, 3)

    def record(network, x):
        if cls.player == "discriminator":
            return replace(turn(network, x, x + 1), labels=torch.arange(5) % 3)
        z = x.clone().requires_grad_()
        judge = x[:, 0], lambda images, labels=None: images[:, 0]
        return Turn(x, network(z), z, None, None, *judge, generator=network)

    return network, x, record


class Paid(nn.Module):
    """What a player pays, as a function of its network's weights."""

    def __init__(self, network, pay):
        super().__init__()
        self.network, self.pay = network, pay

    def forward(self, x):
        return self.pay(self.network, x)


@pytest.mark.parametrize("cls", PENALTIES)
class TestEveryPenalty:
    def test_is_a_scalar_with_a_gradient_and_zero_at_weight_zero(self, cls):
        network, x, record = played(cls)
        penalty = make(cls)(record(network, x))
        assert penalty.shape == ()
        assert penalty.isfinite()
        gradients = torch.autograd.grad(penalty, network.parameters(), allow_unused=True)
        assert any(g is not None and g.abs().sum() > 0 for g in gradients)
        assert make(cls, weight=0.0)(record(network, x)) == 0

    def test_passes_a_second_order_gradient_check(self, cls, monkeypatch):
        network, x, record = played(cls)
        network, x = network.double(), x.double()
        penalty = make(cls)
        if isinstance(penalty, nn.Module):  # its averages have no gradient, and would move with the weights
            penalty(record(network, x))
            monkeypatch.setattr(penalty, "_update_averages", lambda *means: None)

        paid = Paid(network, lambda network, x: penalty(record(network, x)))

        def of_the_weights(*parameters):
            torch.manual_seed(0)  # some draw where they look
            return torch.func.functional_call(paid, dict(zip(names, parameters, strict=True)), (x,))

        names = [name for name, _ in paid.named_parameters()]
        assert torch.autograd.gradcheck(of_the_weights, tuple(paid.parameters()))

    def test_refuses_what_makes_no_sense(self, cls):
        with pytest.raises(ValueError, match=r"weight=-1.* must be a number in \[0, ∞\)"):
            make(cls, weight=-1.0)
        with pytest.raises(ValueError, match=r"every=0 must be at least 1"):
            make(cls, every=0)

    @pytest.mark.parametrize("options", [{}, {"micro_batches": 2}], ids=["", "micro-batches"])
    def test_trains_and_resumes_with_the_same_bits(self, cls, options, tmp_path):
        """Random points of view and memories included."""
        images, labels = torch.rand(24, 1, 4, 4) * 2 - 1, torch.arange(24) % 3

        def fit(steps, **more):
            torch.manual_seed(0)
            gan = LitGAN(Labelled(), Able(), penalties={"p": make(cls, every=2)}, **options)
            fitted = trainer(tmp_path, max_epochs=-1, max_steps=steps)
            fitted.fit(gan, DataLoader(TensorDataset(images, labels), 4), **more)
            return fitted, gan

        _, whole = fit(6)
        half, _ = fit(3)
        half.save_checkpoint(tmp_path / "half.ckpt")
        _, resumed = fit(6, ckpt_path=tmp_path / "half.ckpt")
        for name, tensor in whole.state_dict().items():
            assert torch.equal(tensor, resumed.state_dict()[name]), name
        if issubclass(cls, nn.Module):
            assert whole.penalties["p"].turns == 3 * options.get("micro_batches", 1)

    def test_bf16_gives_nearly_the_same(self, cls, tmp_path):
        images, logged = torch.rand(16, 1, 4, 4) * 2 - 1, []
        for precision in ("32-true", "bf16-mixed"):
            torch.manual_seed(0)
            gan = LitGAN(Labelled(), Able(), penalties={"p": make(cls)})
            fitted = trainer(tmp_path, max_steps=1, precision=precision, log_every_n_steps=1)
            fitted.fit(gan, Batches(images, torch.arange(16) % 3, batch_size=16))
            logged.append(float(fitted.callback_metrics["penalty/p"]))
        assert logged[1] == pytest.approx(logged[0], rel=0.05, abs=1e-3)


def test_a_classifier_that_nothing_teaches_is_warned_of(tmp_path):
    critic = DCGANDiscriminator(8, 1, num_classes=3, width=4, conditioning="classifier")
    gan = LitGAN(DCGANGenerator(8, 1, 4, num_classes=3, width=4), critic)
    with pytest.warns(UserWarning, match=r"no penalty teaches its classifier.*add AuxiliaryClassifier\(\)"):
        trainer(tmp_path, max_steps=1).fit(gan, Batches(torch.zeros(8, 1, 8, 8), torch.arange(8) % 3, batch_size=4))
