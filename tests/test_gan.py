"""The training step: against the same step by hand, and in its parts."""

import copy
import functools
from contextlib import nullcontext
from dataclasses import dataclass

import pytest
import torch
from pytorch_lightning import Callback
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.plugins.precision import MixedPrecision
from torch import nn
from torch.testing import assert_close

from lit_gan import LitGAN
from lit_gan.losses import Minimax, NonSaturating, RelativisticPaired
from lit_gan.networks import DCGANDiscriminator, DCGANGenerator, MLPDiscriminator, MLPGenerator
from lit_gan.optim import ClippedRMSprop, GANAdam
from lit_gan.penalties import R1, R2, PathLength, Penalty
from lit_gan.sampling.conditions import sample_labels
from lit_gan.sampling.generator import draw_latents
from lit_gan.schedules import Linear
from lit_gan.theory import accuracy, value
from tests.support.small import Batches, PlainDiscriminator, PlainGenerator, loader, trainer

SGD = functools.partial(torch.optim.SGD, lr=0.1)


def plain_gan(**options) -> LitGAN:
    torch.manual_seed(0)
    return LitGAN(PlainGenerator(), PlainDiscriminator(), **options)


class Watch(Callback):
    """Calls a function of the model after each batch."""

    def __init__(self, function):
        self.function, self.seen = function, []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.seen.append(self.function(pl_module))


def weights(network: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten().clone() for p in network.parameters()])


# The step as a whole


def by_hand(g, d, latents, images, batch_size, k, penalty, clip, share=False):
    """Algorithm 1 of arXiv:1406.2661 with the non-saturating loss and Adam, in plain PyTorch."""
    opt_g, opt_d = (torch.optim.Adam(n.parameters(), 2e-4, (0.5, 0.999)) for n in (g, d))
    bce = nn.BCEWithLogitsLoss()
    for i, x in enumerate(images.split(batch_size), start=1):
        fake = g(next(latents))
        x = x.clone().requires_grad_()
        on_real, on_fake = d(x), d(fake.detach())
        loss = bce(on_real, torch.ones_like(on_real)) + bce(on_fake, torch.zeros_like(on_fake))
        if penalty:
            (slope,) = torch.autograd.grad(on_real.sum(), x, create_graph=True)
            loss = loss + penalty / 2 * slope.pow(2).sum((1, 2, 3)).mean()
        opt_d.zero_grad()
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(d.parameters(), clip)
        opt_d.step()
        if i % k == 0:
            on_fake = d(fake if share else g(next(latents)))
            opt_g.zero_grad()
            bce(on_fake, torch.ones_like(on_fake)).backward()
            if clip:
                nn.utils.clip_grad_norm_(g.parameters(), clip)
            opt_g.step()


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize(("k", "penalty", "clip"), [(1, 0, None), (3, 0, None), (1, 10.0, None), (2, 1.0, 0.01)])
def test_the_step_is_the_papers_algorithm(fit, images, k, penalty, clip, share):
    penalties = {"r1": R1(penalty)} if penalty else None
    gan = plain_gan(d_steps_per_g_step=k, penalties=penalties, gradient_clip=clip, share_fakes=share).double()
    g, d, latents = copy.deepcopy(gan.generator), copy.deepcopy(gan.discriminator), []
    gan.generator.register_forward_pre_hook(
        lambda module, inputs: latents.append(inputs[0]) if module.training else None
    )
    fit(gan, Batches(images.double()), precision="64-true")
    assert len({z.sum().item() for z in latents}) == len(latents) == (6 if share else 6 + 6 // k)
    by_hand(g, d, iter(latents), images.double(), 4, k, penalty, clip, share)
    # Adam divides rounding errors by the root of tiny second moments; a wrong step differs by 1e-4.
    assert_close(weights(gan.generator), weights(g), rtol=0, atol=1e-9)
    assert_close(weights(gan.discriminator), weights(d), rtol=0, atol=1e-9)


# Whose parameters change


class Accomplice(Callback):
    """Records, at each optimizer step, whose gradients exist, and how the parameters moved."""

    def __init__(self):
        self.steps = []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        player = "generator" if optimizer is trainer.optimizers[0] else "discriminator"
        other = "discriminator" if player == "generator" else "generator"
        self.steps.append(player)
        assert all(p.grad is not None for p in getattr(pl_module, player).parameters())
        assert all(p.grad is None for p in getattr(pl_module, other).parameters())
        assert not any(p.requires_grad for p in getattr(pl_module, other).parameters())
        assert weights(getattr(pl_module, other)).equal(self.before[other]) or player == "generator"

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.before = {n: weights(getattr(pl_module, n)) for n in ("generator", "discriminator")}

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        assert all(p.grad is None for p in pl_module.parameters())
        assert weights(pl_module.discriminator).ne(self.before["discriminator"]).any()
        moved = bool(weights(pl_module.generator).ne(self.before["generator"]).any())
        assert moved == (self.steps[-1] == "generator")
        assert all(p.requires_grad for p in (*pl_module.generator.parameters(), *pl_module.discriminator.parameters()))


@pytest.mark.parametrize("options", [{"micro_batches": 2}, {"share_fakes": True}], ids=str)
@pytest.mark.parametrize("loss", [Minimax(), NonSaturating(), RelativisticPaired()])
def test_only_the_active_player_has_gradients_and_changes(fit, images, loss, options):
    watch = Accomplice()
    gan = plain_gan(loss=loss, d_steps_per_g_step=2, penalties={"r1": R1(), "r2": R2()}, **options)
    fit(gan, loader(images), callbacks=[watch])
    assert watch.steps == ["discriminator", "discriminator", "generator"] * 3


def test_the_discriminators_weights_stand_still_in_the_generators_turn(fit, images):
    gan, seen = plain_gan(generator_optimizer=SGD, discriminator_optimizer=SGD), []
    update = gan._update

    def watched(player, *args):
        before = {n: weights(getattr(gan, n)) for n in ("generator", "discriminator")}
        update(player, *args)
        seen.append((player, *(bool(weights(getattr(gan, n)).ne(before[n]).any()) for n in before)))

    gan._update = watched
    fit(gan, loader(images), limit_train_batches=1)
    assert seen == [("discriminator", False, True), ("generator", True, False)]


@dataclass(frozen=True)
class DrawsAgain(Penalty):
    """Of the discriminator, and lets the generator run within its turn."""

    weight: float = 1.0
    every: int = 1

    def __call__(self, turn):
        return self.weight * turn.network(turn.generator(turn.z.detach() + 1), turn.labels).square().mean()


def test_shared_images_count_once(fit):
    """In batch norm's statistics too, whatever a penalty of the discriminator does with the generator."""
    penalties = {"path": PathLength(), "again": DrawsAgain(), "r1": R1()}
    gan = LitGAN(
        DCGANGenerator(16, 1, 4, width=4), DCGANDiscriminator(16, 1, width=4), penalties=penalties, share_fakes=True
    )
    fit(gan, loader(torch.rand(8, 1, 16, 16) * 2 - 1), limit_train_batches=2)
    counts = [b.item() for n, b in gan.generator.named_buffers() if n.endswith("num_batches_tracked")]
    assert set(counts) == {2}


def test_shared_images_need_the_whole_batch():
    with pytest.raises(ValueError, match=r"share_fakes=True keeps the graph .* micro_batches=2 splits .* one or the"):
        plain_gan(share_fakes=True, micro_batches=2)
    with pytest.raises(TypeError, match="share_fakes"):
        plain_gan(share_fakes="no")


# Counting


@pytest.mark.parametrize(
    ("k", "batches", "epochs", "updates"), [(1, 6, 2, 12), (3, 6, 2, 4), (5, 3, 20, 12), (4, 3, 3, 2), (7, 6, 1, 0)]
)
def test_global_step_counts_generator_updates(fit, images, k, batches, epochs, updates):
    gan = plain_gan(d_steps_per_g_step=k)
    fitted = fit(gan, loader(images), limit_train_batches=batches, max_epochs=epochs)
    assert fitted.global_step == updates
    assert gan.d_steps == batches * epochs
    assert gan.images_seen == batches * epochs * 4
    assert gan.images_seen.dtype == torch.int64


@pytest.mark.parametrize("log_every_n_steps", [3, 4, 100])
def test_max_steps_checkpoints_and_logged_axes_follow_generator_updates(fit, images, tmp_path, log_every_n_steps):
    checkpoints = ModelCheckpoint(tmp_path, every_n_train_steps=2, save_top_k=-1, filename="{step}")
    fitted = fit(
        plain_gan(d_steps_per_g_step=3),
        loader(images),
        loader(images),
        max_epochs=-1,
        max_steps=4,
        callbacks=[checkpoints],
        enable_checkpointing=True,
        logger=CSVLogger(tmp_path, "log"),
        log_every_n_steps=log_every_n_steps,
    )
    assert fitted.global_step == 4
    assert sorted(p.name for p in tmp_path.glob("*.ckpt")) == ["step=2.ckpt", "step=4.ckpt"]
    rows = [line.split(",") for line in (tmp_path / "log/version_0/metrics.csv").read_text().splitlines()]
    steps = {name: [int(r[rows[0].index("step")]) for r in rows[1:] if r[i]] for i, name in enumerate(rows[0])}
    assert steps["val/value"] == [2, 4]
    logged = {3: [1, 2, 3, 4], 4: [1, 2, 4], 100: []}[log_every_n_steps]  # batch 8 of 12 comes after update 2
    assert steps.get("loss/g", []) == steps.get("loss/d", []) == logged
    if logged:
        seen, of_training = rows[0].index("images_seen"), rows[0].index("loss/d")
        trained = [float(r[seen]) for r in rows[1:] if r[of_training]]
        assert trained == [4 * log_every_n_steps * i for i in range(1, len(logged) + 1)]
        validated = [float(r[seen]) for r in rows[1:] if r[rows[0].index("val/value")]]
        assert validated == [24, 48], "those seen by then"


def test_default_checkpoints_are_named_by_generator_updates(fit, images, tmp_path):
    fitted = fit(
        plain_gan(d_steps_per_g_step=2),
        loader(images),
        loader(images),
        max_epochs=3,
        enable_checkpointing=True,
        logger=CSVLogger(tmp_path, "log"),
        log_every_n_steps=4,
    )
    assert fitted.checkpoint_callback.best_model_path.endswith("epoch=2-step=9.ckpt")


def test_a_metric_of_the_held_out_data_can_be_monitored(fit, images, tmp_path):
    best = ModelCheckpoint(tmp_path, monitor="val/jsd_lower_bound", filename="best")
    fit(plain_gan(), loader(images), loader(images), callbacks=[best], enable_checkpointing=True)
    assert best.best_model_score is not None


def test_lazy_penalties_are_due_at_each_kth_update_times_k(fit, images):
    plain, lazy = (
        plain_gan(penalties={"r1": penalty}, discriminator_optimizer=SGD, generator_optimizer=SGD)
        for penalty in (R1(3.0), R1(1.0, every=3))
    )
    torch.manual_seed(1)
    fit(plain, loader(images), limit_train_batches=1)
    torch.manual_seed(1)
    fit(lazy, loader(images), limit_train_batches=1)
    assert_close(weights(lazy.discriminator), weights(plain.discriminator))
    due = Watch(lambda model: sorted(model._due_penalties("discriminator")))
    fit(plain_gan(penalties={"r1": R1(1.0, every=3)}), loader(images), callbacks=[due])
    assert due.seen == [["r1"], [], []] * 2


# Micro-batches, clipping, EMA, schedules


@pytest.mark.parametrize("loss", [NonSaturating(), RelativisticPaired()])
@pytest.mark.parametrize("parts", [2, 3, 99])
def test_micro_batches_give_the_update_of_the_whole_batch(fit, images, loss, parts):
    results = []
    for micro_batches in (1, parts):
        gan = plain_gan(
            loss=loss, micro_batches=micro_batches, penalties={"r1": R1(), "r2": R2()}, generator_optimizer=SGD
        ).double()
        torch.manual_seed(1)
        fit(gan, loader(images.double()), precision="64-true")
        results.append(torch.cat([weights(gan.generator), weights(gan.discriminator)]))
    assert_close(results[1], results[0], rtol=1e-11, atol=1e-11)


def test_micro_batches_are_what_the_networks_see(fit, images):
    gan, sizes = plain_gan(micro_batches=3), []
    gan.discriminator.register_forward_pre_hook(lambda _, args: sizes.append(len(args[0])))
    fit(gan, loader(images, batch_size=8), limit_train_batches=1)
    assert sizes[1:] == [3, 3, 3, 3, 2, 2, 3, 3, 2], "behind the check of the first batch"


def test_each_player_is_clipped_for_itself(fit, images):
    moved = Watch(lambda m: [weights(m.generator), weights(m.discriminator)])
    gan = plain_gan(gradient_clip=1e-3, generator_optimizer=SGD, discriminator_optimizer=SGD)
    start = [weights(gan.generator), weights(gan.discriminator)]
    fit(gan, loader(images), callbacks=[moved], limit_train_batches=1)
    for before, after in zip(start, moved.seen[0], strict=True):
        assert float((after - before).norm()) == pytest.approx(0.1 * 1e-3, rel=1e-3)


@pytest.mark.parametrize("k", [1, 3])
def test_the_average_halves_its_distance_per_half_life(fit, images, k):
    gan = plain_gan(ema_half_life=8, d_steps_per_g_step=k, generator_optimizer=SGD)
    expected = weights(gan.generator)
    raw = Watch(lambda m: weights(m.generator))
    fit(gan, loader(images), callbacks=[raw], max_epochs=2)
    for after in raw.seen[k - 1 :: k]:
        expected = after + (expected - after) * 0.5 ** (4 * k / 8)
    assert_close(weights(gan.ema_generator), expected, rtol=1e-5, atol=1e-6)
    assert not any(p.requires_grad for p in gan.ema_generator.parameters())


def test_the_average_copies_buffers_and_stays_in_evaluation_mode(fit):
    gan = LitGAN(DCGANGenerator(16, 1, width=4), DCGANDiscriminator(16, 1, width=4))
    modes = Watch(lambda m: m.ema_generator.training)
    fit(gan, loader(torch.rand(8, 1, 16, 16) * 2 - 1), callbacks=[modes])
    assert modes.seen == [False, False]
    buffers = dict(gan.generator.named_buffers())
    assert buffers
    assert all(torch.equal(b, buffers[n]) for n, b in gan.ema_generator.named_buffers())


def test_without_a_half_life_there_is_no_average(fit, images):
    gan = plain_gan(ema_half_life=None)
    fit(gan, loader(images))
    assert gan.ema_generator is None
    assert gan.sample(2).shape == (2, 1, 4, 4)


def test_learning_rates_follow_images_seen(fit, images):
    gan = plain_gan(
        lr_schedule=Linear(1.0, 0.0, images=16),
        generator_optimizer=functools.partial(GANAdam, lr=4.0),
        discriminator_optimizer=functools.partial(GANAdam, lr=8.0),
    )
    rates = Watch(lambda m: [o.param_groups[0]["lr"] for o in m.trainer.optimizers])
    fit(gan, loader(images), callbacks=[rates])
    factors = [1, 0.75, 0.5, 0.25, 0, 0]
    assert rates.seen == [[4.0 * f, 8.0 * f] for f in factors]


def test_beta2_follows_images_seen(fit, images):
    gan = plain_gan(beta2_schedule=Linear(0.9, 0.99, images=16))
    betas = Watch(lambda m: [o.param_groups[0]["betas"] for o in m.trainer.optimizers])
    fit(gan, loader(images), callbacks=[betas])
    expected = [min(0.9 + 0.09 * n / 16, 0.99) for n in (0, 4, 8, 12, 16, 20)]
    assert [b[0] for b in betas.seen] == [b[1] for b in betas.seen]
    assert [b[0] for b in betas.seen] == [(0.5, pytest.approx(e)) for e in expected]


def test_an_optimizer_without_beta2_cannot_follow_a_schedule_of_it(fit, images):
    gan = plain_gan(beta2_schedule=Linear(0.9, 0.99), discriminator_optimizer=ClippedRMSprop)
    with pytest.raises(ValueError, match=r"ClippedRMSprop, which has no β2: leave the schedule out"):
        fit(gan, loader(images))
    assert gan.images_seen == 0


def test_the_half_life_may_follow_images_seen(fit, images):
    """A half-life that shrinks to next to nothing lets the average catch up with the generator."""
    gan = plain_gan(ema_half_life=Linear(1e9, 1e-3, images=24))
    fit(gan, loader(images))
    for averaged, parameter in zip(gan.ema_generator.parameters(), gan.generator.parameters(), strict=True):
        assert_close(averaged, parameter.detach())
    slow = plain_gan(ema_half_life=Linear(1e9, 1e9))
    start = weights(slow.ema_generator).clone()
    fit(slow, loader(images))
    assert_close(weights(slow.ema_generator), start, atol=1e-6, rtol=1e-6)


def test_a_loss_of_ones_own_and_an_exotic_game(fit, images):
    class Exotic(LitGAN):
        def generator_loss(self, turn):
            assert turn.real_logits is None
            assert turn.z.shape == (4, 3)
            return turn.network(turn.fake).square().mean()

    gan = Exotic(PlainGenerator(), PlainDiscriminator())
    before = weights(gan.generator)
    fit(gan, loader(images))
    assert weights(gan.generator).ne(before).any()
    assert weights(gan.generator).isfinite().all()


def test_augmentation_comes_before_the_discriminator_in_both_turns(fit, images):
    class Negative(nn.Module):
        calls = 0

        def forward(self, x):
            self.calls += 1
            return -x

    augment = Negative()
    seen = []
    gan = plain_gan(augment=augment)
    gan.discriminator.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach()))
    fit(gan, loader(images), limit_train_batches=1)
    assert augment.calls == 3 + 1, "real and fake for D, fake for G, and once in the check of the first batch"
    assert torch.equal(seen[2], -images[:4]), "behind the two of the check"


# Data of any kind


@pytest.mark.parametrize("stage", ["fit", "validate", "test"])
@pytest.mark.parametrize("parts", [list, lambda parts: {"first": parts[0], "second": parts[1]}], ids=["list", "dict"])
def test_several_loaders_of_held_out_data_are_judged_together(fit, images, tmp_path, stage, parts):
    more = -images[:10]
    split, whole = parts([loader(images), loader(more)]), loader(torch.cat([images, more]))
    metrics = []
    for held_out in (split, whole):
        gan, run = plain_gan(), trainer(tmp_path)
        run.fit(gan, loader(images), held_out) if stage == "fit" else getattr(run, stage)(gan, held_out)
        metrics.append(run.callback_metrics)
    name = "test/value" if stage == "test" else "val/value"
    assert name in metrics[0]
    assert metrics[0].keys() == metrics[1].keys()
    assert_close(metrics[0][name], metrics[1][name])


def test_the_first_batch_of_each_held_out_loader_is_checked(fit, images):
    with pytest.raises(ValueError, match=r"the data has 1×5×5 images"):
        fit(plain_gan(), loader(images), [loader(images), loader(torch.rand(8, 1, 5, 5) * 2 - 1)])


@pytest.mark.parametrize(
    "collate",
    [
        lambda x, y: x,
        lambda x, y: (x,),
        lambda x, y: [x, y],
        lambda x, y: {"image": x, "label": y},
        lambda x, y: {"image": x},
    ],
)
def test_batches_of_every_form(fit, images, collate):
    labels = torch.zeros(len(images), dtype=torch.int64)
    batches = [collate(x, y) for x, y in zip(images.split(4), labels.split(4), strict=True)]
    gan = plain_gan()
    fit(gan, torch.utils.data.DataLoader(batches, batch_size=None))
    assert gan.images_seen == 24


@pytest.mark.parametrize("shape", [(1, 4, 4), (2, 4, 4), (3, 4, 4), (4, 4, 4), (2,), (5,)])
def test_images_of_any_channel_count_and_vectors(fit, shape):
    gan = LitGAN(PlainGenerator(shape), PlainDiscriminator(shape))
    fit(gan, loader(torch.rand(8, *shape) * 2 - 1), loader(torch.rand(8, *shape) * 2 - 1))
    assert gan.sample(5).shape == (5, *shape)


@pytest.mark.parametrize("shape", [(-1,), (-1, 1), (-1, 1, 1, 1)])
def test_logits_of_any_shape_with_one_per_image(fit, images, shape):
    gan = plain_gan()
    gan.discriminator.last = nn.Sequential(gan.discriminator.last, nn.Unflatten(1, (1,)))
    forward = gan.discriminator.forward
    gan.discriminator.forward = lambda x: forward(x).reshape(shape)
    fit(gan, loader(images))
    assert gan.logits(images).shape == (24,)


def test_uint8_images_are_scaled_to_minus_one_and_one(fit):
    gan, seen = plain_gan(), []
    gan.discriminator.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach()))
    images = torch.tensor([0, 255], dtype=torch.uint8).repeat(4, 8).reshape(4, 1, 4, 4)
    fit(gan, loader(images))
    assert torch.equal(seen[1], torch.tensor([-1.0, 1.0]).repeat(4, 8).reshape(4, 1, 4, 4))


def test_labels_reach_networks_that_take_them_and_no_others(fit, images):
    seen = []

    class Conditional(PlainDiscriminator):
        def forward(self, x, y):
            seen.append(y)
            return super().forward(x) + y[:, None].float()

    labels = torch.arange(24)
    gan = LitGAN(PlainGenerator(), Conditional())
    fit(gan, loader(images, labels), limit_train_batches=1)
    assert [y.tolist() for y in seen] == [[0, 1]] + [[0, 1, 2, 3]] * 3


class LabelsThird(PlainGenerator):
    def forward(self, z, noise=None, labels=None):
        assert noise is None
        self.seen = labels
        return super().forward(z)


class LabelsByKeyword(PlainGenerator):
    def forward(self, z, *, labels):
        self.seen = labels
        return super().forward(z)


class LabelsAndMore(PlainGenerator):
    def forward(self, z, labels, **rest):
        assert not rest
        self.seen = labels
        return super().forward(z)


@pytest.mark.parametrize("cls", [LabelsThird, LabelsByKeyword, LabelsAndMore])
def test_labels_go_to_the_argument_of_their_name(fit, images, cls):
    gan = LitGAN(cls(), PlainDiscriminator())
    fit(gan, loader(images, torch.arange(24, dtype=torch.int32)), limit_train_batches=1)
    assert gan.generator.seen.tolist() == [0, 1, 2, 3]
    assert gan.sample(2, labels=7).shape == (2, 1, 4, 4)
    assert gan.ema_generator.seen.tolist() == [7, 7]


def test_a_conditional_pair_trains_and_samples_by_class(fit, images):
    labels = torch.arange(24) % 3
    gan = LitGAN(
        MLPGenerator(4, 1, num_classes=5, latent_dim=2, width=8), MLPDiscriminator(4, 1, num_classes=5, width=8)
    )
    fit(gan, loader(images, labels), loader(images, labels))
    assert gan.label_counts.tolist() == [8, 8, 8, 0, 0]
    z_only = gan.sample(4, labels=1, seed=0)
    assert torch.equal(z_only, gan.sample(4, labels=[1, 1, 1, 1], seed=0))
    assert not torch.equal(z_only, gan.sample(4, labels=2, seed=0))
    drawn = sample_labels(3000, None, gan.label_counts, torch.Generator().manual_seed(0))
    assert_close(drawn.bincount(minlength=5) / 3000, torch.tensor([1 / 3, 1 / 3, 1 / 3, 0, 0]), atol=0.03, rtol=0)


# Precision


def test_bf16_mixed_reduces_in_float32(fit, images):
    logits = []
    gan = plain_gan(penalties={"r1": R1()})
    loss = gan.discriminator_loss
    gan.discriminator_loss = lambda turn: logits.append(turn.real_logits) or loss(turn)
    fit(gan, loader(images), loader(images), precision="bf16-mixed")
    assert logits[0].dtype == torch.float32
    assert logits[0].ne(logits[0].bfloat16()).sum() == 0, "the forward ran in bfloat16"
    assert gan.sample(2).dtype == torch.float32


@pytest.mark.parametrize("precision", ["64-true", "bf16-true"])
def test_other_precisions_train_and_sample(fit, images, precision):
    gan = plain_gan(penalties={"r1": R1()}, ema_half_life=None)
    fit(gan, loader(images), loader(images), precision=precision)
    assert gan.sample(2, seed=0).dtype == torch.float32


def test_a_penalised_turn_leaves_float16_and_the_scaler_works(fit, images):
    dtypes = []
    gan = plain_gan(penalties={"r1": R1(every=2)}, gradient_clip=1.0)
    gan.discriminator.last.register_forward_hook(lambda m, args, out: dtypes.append(out.dtype))
    plugin = MixedPrecision("16-mixed", "cpu", scaler=torch.amp.GradScaler("cpu"))
    before = weights(gan.discriminator)
    fit(gan, loader(images), plugins=[plugin], limit_train_batches=2)
    full, half = torch.float32, torch.float16
    assert dtypes[1:] == [full, full, half, half, half, half]
    assert weights(gan.discriminator).ne(before).any()
    assert weights(gan.discriminator).isfinite().all()


def test_an_overflow_skips_the_players_step_and_halves_the_scale(fit, images):
    gan = plain_gan()
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)
    before = [weights(gan.generator), weights(gan.discriminator)]
    fit(gan, loader(images), plugins=[MixedPrecision("16-mixed", "cpu", scaler=scaler)], limit_train_batches=1)
    assert torch.equal(weights(gan.generator), before[0])
    assert torch.equal(weights(gan.discriminator), before[1])
    assert scaler.get_scale() == 2.0**125


# Held-out data


def test_validation_measures_v_of_the_raw_generator_in_evaluation_mode(fit):
    torch.manual_seed(0)
    gan = LitGAN(DCGANGenerator(16, 1, width=4), DCGANDiscriminator(16, 1, width=4), ema_half_life=1e9)
    data = torch.rand(16, 1, 16, 16) * 2 - 1
    fitted = fit(gan, loader(data), loader(data))
    rng = torch.Generator().manual_seed(0)
    z = torch.empty(16, 100).normal_(generator=rng)
    gan.eval()
    with torch.no_grad():
        real, fake = gan.discriminator(data), gan.discriminator(gan.generator(z))
    assert fitted.callback_metrics["val/value"] == pytest.approx(float(value(real, fake)), abs=1e-5)
    assert fitted.callback_metrics["val/d_accuracy"] == float(accuracy(real, fake))
    assert "val/calibrated" not in fitted.callback_metrics


def test_a_game_without_a_log_ratio_is_tagged_calibrated(fit, images):
    fitted = fit(plain_gan(loss=RelativisticPaired()), loader(images), loader(images))
    assert fitted.callback_metrics["val/calibrated"] == 1
    assert {"val/value", "val/jsd_lower_bound", "val/d_accuracy"} <= fitted.callback_metrics.keys()


def test_validation_leaves_training_undisturbed(fit, images):
    results = []
    for val in (None, Batches(images)):
        gan = plain_gan()
        torch.manual_seed(3)
        fit(gan, Batches(images), val, max_epochs=2, val_check_interval=2, num_sanity_val_steps=2)
        results.append(weights(gan.generator))
    assert torch.equal(*results)


def test_latents_do_not_depend_on_the_default_type():
    draws = []
    for default in (torch.float32, torch.float64):
        torch.set_default_dtype(default)
        draws.append(draw_latents(4, 32, "normal", torch.zeros(1), torch.Generator().manual_seed(0)))
    torch.set_default_dtype(torch.float32)
    assert torch.equal(*draws)


def test_too_little_held_out_data_is_said(fit, images):
    with pytest.warns(UserWarning, match="3 held-out images are too few to measure"):
        fitted = fit(plain_gan(loss=RelativisticPaired()), loader(images), loader(images[:3], batch_size=1))
    assert "val/value" not in fitted.callback_metrics


def test_an_empty_validation_loader_is_said(fit, images):
    class Nothing(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(())

    with pytest.warns(UserWarning, match="0 held-out images are too few"):
        fit(plain_gan(), loader(images), torch.utils.data.DataLoader(Nothing()))


def test_a_sanity_check_on_little_data_passes(fit, images):
    gan = plain_gan(loss=RelativisticPaired())
    fitted = fit(gan, loader(images), loader(images, batch_size=1), num_sanity_val_steps=2)
    assert "val/value" in fitted.callback_metrics


def test_test_and_validate_without_training(tmp_path, images):
    gan = plain_gan()
    log = {"logger": CSVLogger(tmp_path)}
    (validated,) = trainer(tmp_path, **log).validate(gan, loader(images), verbose=False)
    (tested,) = trainer(tmp_path, **log).test(gan, loader(images), verbose=False)
    assert validated["val/value"] == tested["test/value"]
    (unlogged,) = trainer(tmp_path).validate(gan, loader(images), verbose=False)
    assert unlogged == validated


# Sampling


def test_a_seed_gives_the_same_images_and_none_gives_others():
    gan = plain_gan()
    assert torch.equal(gan.sample(5, seed=1), gan.sample(5, seed=1))
    assert torch.allclose(gan.sample(5, seed=1), gan.sample(5, seed=1, batch_size=2))
    assert not torch.equal(gan.sample(5, seed=1), gan.sample(5, seed=2))
    assert not torch.equal(gan.sample(5), gan.sample(5))


def test_sampling_without_a_seed_follows_torchs():
    gan = plain_gan()
    torch.manual_seed(8)
    first = gan.sample(3)
    torch.manual_seed(8)
    assert torch.equal(gan.sample(3), first)


def test_sampling_with_a_seed_leaves_torchs_random_state_alone():
    gan = plain_gan()
    torch.manual_seed(8)
    expected = torch.rand(1)
    torch.manual_seed(8)
    gan.sample(3, seed=0)
    assert torch.equal(torch.rand(1), expected)


def test_samples_come_from_the_average_in_evaluation_mode_without_gradients():
    gan = LitGAN(DCGANGenerator(16, 1, width=4), DCGANDiscriminator(16, 1, width=4))
    gan.train()
    with torch.no_grad():
        gan.ema_generator.layers[-2].weight.zero_()
    assert gan.sample(2).abs().max() == 0
    raw = gan.sample(2, ema=False, seed=0)
    assert raw.abs().max() > 0
    assert not raw.requires_grad
    assert_close(gan.sample(2, ema=False, seed=0, batch_size=1), raw, msg="no batch statistics")
    assert gan.generator.training


def test_truncation_shrinks_the_latents():
    gan, seen = plain_gan(), []
    gan.ema_generator.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    gan.sample(4, seed=0)
    gan.sample(4, seed=0, truncation=0.5)
    assert torch.equal(seen[1], seen[0] / 2)


def test_uniform_latents_fill_minus_one_to_one():
    gan, seen = plain_gan(latent="uniform"), []
    gan.ema_generator.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    gan.sample(1000, seed=0, batch_size=1000)
    assert seen[0].min() < -0.99
    assert 0.99 < seen[0].max() <= 1
    assert seen[0].mean().abs() < 0.05


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_sampling_at_any_precision(dtype):
    assert plain_gan().to(dtype).sample(3, seed=0).dtype == torch.float32


def test_predict_makes_one_image_for_each_of_the_batch(tmp_path, images):
    labels = torch.arange(24) % 3
    for gan in (
        plain_gan(),
        LitGAN(MLPGenerator(4, 1, num_classes=3, latent_dim=2), MLPDiscriminator(4, 1, num_classes=3)),
    ):
        predicted = trainer(tmp_path).predict(gan, loader(images, labels, batch_size=10))
        assert [len(p) for p in predicted] == [10, 10, 4]


class Fails(Callback):
    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        raise RuntimeError("as asked")


@pytest.mark.parametrize("callbacks", [[], [Fails()]])
def test_a_trainer_is_left_to_other_models(tmp_path, images, callbacks):
    fitted = trainer(tmp_path, callbacks=callbacks)
    before = set(vars(fitted.strategy)), list(fitted.callbacks)
    with pytest.raises(RuntimeError, match="as asked") if callbacks else nullcontext():
        fitted.fit(plain_gan(), loader(images))
    assert (set(vars(fitted.strategy)), list(fitted.callbacks)) == before
    assert not fitted.strategy.checkpoint_io.strict


def test_latents_follow_the_model_if_it_is_changed(images, fit):
    gan, drawn = plain_gan(), []
    gan.latent = "uniform"
    gan.generator.register_forward_pre_hook(lambda module, inputs: drawn.append(inputs[0]))
    fit(gan, loader(images))
    z = torch.cat(drawn)
    assert len(z) > 40
    assert z.abs().max() <= 1
