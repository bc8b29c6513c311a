"""EquilibriumMonitor on real runs: its numbers against theory, its verdicts, and that it only watches."""

import json
import math
import re
from functools import partial

import pytest
import torch
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.plugins import MixedPrecision
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.data import DataLoader, IterableDataset, SubsetRandomSampler, TensorDataset, WeightedRandomSampler

from lit_gan import LitGAN
from lit_gan.callbacks import EquilibriumMonitor
from lit_gan.callbacks.equilibrium import coverage
from lit_gan.data import GaussianMixture
from lit_gan.losses import FDivergence, Minimax, NonSaturating, RelativisticPaired
from lit_gan.networks import GaussianGenerator, MLPDiscriminator, MLPGenerator, Packed
from lit_gan.optim import GANAdam
from lit_gan.theory import js_divergence, jsd_lower_bound, value
from lit_gan.training.held_out import HeldOut, density_ratios
from lit_gan.training.noise import Noise
from tests.support.processes import on_ranks
from tests.support.small import Batches, PlainDiscriminator, PlainGenerator, loader, trainer

NUMBERS = {
    *("value", "value_train", "memorising_gap", "jsd_lower_bound", "jsd_low", "jsd_high", "d_accuracy"),
    *("calibration_error", "spread", "coverage"),
    *("gradient_norm/g", "gradient_norm/d", "update_to_weight/g", "update_to_weight/d"),
}
whatever_it_says = pytest.mark.filterwarnings("ignore:at step .* the game")
DATA = torch.rand(64, 1, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1


def points(**options) -> LitGAN:
    return LitGAN(MLPGenerator(features=2, latent_dim=2, width=32), MLPDiscriminator(features=2, width=32), **options)


def play(tmp_path, gan, monitor, data=None, **options):
    torch.manual_seed(0)
    data = GaussianMixture(std=0.2, train_size=2048, held_out_size=512) if data is None else data
    options = {"max_epochs": -1, "max_steps": 24, **options}
    fitted = trainer(tmp_path, callbacks=[monitor], **options)
    fitted.fit(gan, data)
    return fitted


@whatever_it_says
def test_numbers_go_to_the_logger_at_generator_updates(tmp_path):
    log = CSVLogger(tmp_path, "log")
    monitor = EquilibriumMonitor(every_n_steps=8)
    fitted = play(tmp_path, points(d_steps_per_g_step=2), monitor, logger=log)
    lines = (tmp_path / "log/version_0/metrics.csv").read_text().splitlines()
    header = lines[0].split(",")
    rows = [dict(zip(header, line.split(","), strict=True)) for line in lines[1:]]
    measured = [row for row in rows if row["equilibrium/value"]]
    assert [row["step"] for row in measured] == ["8", "16", "24"]
    assert {f"equilibrium/{name}" for name in NUMBERS} == {n for n in header if n.startswith("equilibrium/")}
    assert set(monitor.history[0]) == NUMBERS | {"step"}
    assert fitted.callback_metrics["equilibrium/value"] == pytest.approx(monitor.history[-1]["value"])
    records = [json.loads(line) for line in (tmp_path / "log/version_0/verdicts.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == [8, 16, 24]
    assert records[-1]["says"] == str(monitor.verdict)


def test_values_are_those_of_the_same_samples_by_hand(tmp_path):
    monitor = EquilibriumMonitor(every_n_steps=4, n=100)
    gan, data = points(), GaussianMixture(std=0.2, train_size=2048, held_out_size=512)
    play(tmp_path, gan, monitor, data, max_steps=4)
    z = torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
    chosen, train = (torch.cat([x for x, _ in part._batches]) for part in (monitor._held_out, monitor._train))
    for samples, split in ((chosen, "val"), (train, "train")):
        assert samples.shape == (100, 2)
        assert {tuple(x) for x in samples.tolist()} <= {tuple(x) for x in data.load(split)[0].tolist()}
    with torch.no_grad():
        real, fake = gan.logits(chosen), gan.logits(gan(z))
    now = monitor.history[-1]
    v = value(real.double(), fake.double())
    assert now["value"] == pytest.approx(float(v), rel=1e-6)
    assert now["jsd_lower_bound"] == pytest.approx(float(jsd_lower_bound(v)), rel=1e-5)
    assert now["jsd_low"] < now["jsd_lower_bound"] < now["jsd_high"]
    with torch.no_grad():
        v_train = value(gan.logits(train).double(), fake.double())
    assert now["value_train"] == pytest.approx(float(v_train), rel=1e-6)
    assert now["memorising_gap"] == pytest.approx(float(v_train - v), abs=1e-6)


def test_gradient_norms_and_steps_are_those_of_plain_sgd(tmp_path):
    """SGD at rate 0.1 moves the weights by 0.1 times their gradient."""
    sgd = partial(torch.optim.SGD, lr=0.1)
    gan = points(generator_optimizer=sgd, discriminator_optimizer=sgd, gradient_clip=None)
    monitor = EquilibriumMonitor(every_n_steps=3)
    before = {}

    class Remember(EquilibriumMonitor):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            player = "g" if optimizer is trainer.optimizers[0] else "d"
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            weights = torch.cat([p.detach().flatten().clone() for p in parameters])
            before[player] = (weights, torch.cat([p.grad.flatten().clone() for p in parameters]))

    torch.manual_seed(0)
    fitted = trainer(tmp_path, callbacks=[monitor, Remember()], max_steps=3, max_epochs=-1, limit_val_batches=1)
    fitted.fit(gan, GaussianMixture(std=0.2, train_size=2048, held_out_size=512))
    for player, (weights, gradient) in before.items():
        now = monitor.history[-1]
        assert now[f"gradient_norm/{player}"] == pytest.approx(float(gradient.norm()), rel=1e-4)
        ratio = float(0.1 * gradient.norm() / weights.norm())
        assert now[f"update_to_weight/{player}"] == pytest.approx(ratio, rel=1e-3)


@whatever_it_says
def test_it_only_watches(tmp_path):
    """With and without the monitor a run, with dropout and shuffled data, ends with the same bits."""
    finals = []
    for callbacks in ([EquilibriumMonitor(every_n_steps=2)], []):
        torch.manual_seed(0)
        critic = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.Dropout(0.5), torch.nn.Linear(16, 1))
        gan = LitGAN(MLPGenerator(features=2, latent_dim=2, width=8), critic)
        data = GaussianMixture(train_size=1024, held_out_size=64, batch_size=32)
        trainer(tmp_path, callbacks=callbacks, max_steps=9, max_epochs=-1).fit(gan, data)
        assert all(len(monitor.history) == 4 for monitor in callbacks)
        finals.append(torch.cat([p.detach().flatten() for p in gan.parameters()]))
        assert critic.training
    assert torch.equal(*finals)


@whatever_it_says
def test_a_game_without_a_log_ratio_is_calibrated_and_says_so(tmp_path):
    monitor = EquilibriumMonitor(every_n_steps=8)
    play(tmp_path, points(loss=RelativisticPaired()), monitor)
    assert monitor.history[-1]["calibrated"] == 1
    assert 0 < monitor.history[-1]["d_accuracy"] < 1


@whatever_it_says
def test_an_augmented_discriminator_says_so(tmp_path):
    monitor = EquilibriumMonitor(every_n_steps=8)
    play(tmp_path, points(augment=torch.nn.Identity()), monitor)
    assert monitor.history[-1]["augmented"] == 1
    assert "calibrated" not in monitor.history[-1]


@whatever_it_says
def test_images_and_classes(tmp_path):
    labels = torch.arange(64) % 3
    gan = LitGAN(
        MLPGenerator(4, 1, num_classes=3, latent_dim=2, width=8), MLPDiscriminator(4, 1, num_classes=3, width=8)
    )
    monitor = EquilibriumMonitor(every_n_steps=4, n=40)
    fitted = trainer(tmp_path, callbacks=[monitor])
    fitted.fit(gan, loader((DATA * 127 + 128).to(torch.uint8), labels), loader(DATA, labels))
    assert len(monitor.history) == 4
    assert all(math.isfinite(number) for number in monitor.history[-1].values())


@whatever_it_says
def test_held_out_data_that_lightning_has_not_asked_for(tmp_path):
    monitor = EquilibriumMonitor(every_n_steps=8)
    play(tmp_path, points(), monitor, check_val_every_n_epoch=100)
    assert len(monitor.history) == 3


@pytest.mark.parametrize("val", [None, loader(DATA[:10])], ids=["none", "too few"])
def test_without_held_out_data_it_says_so(tmp_path, val):
    monitor = EquilibriumMonitor(every_n_steps=1)
    with pytest.warns(UserWarning, match=rf"there are {0 if val is None else 10} held-out samples over 1 processes"):
        trainer(tmp_path, callbacks=[monitor]).fit(LitGAN(PlainGenerator(), PlainDiscriminator()), loader(DATA), val)
    assert monitor.history == []


@whatever_it_says
def test_a_resumed_run_goes_on_with_its_history(tmp_path):
    data = GaussianMixture(std=0.2, train_size=2048, held_out_size=512)
    first, second = (EquilibriumMonitor(every_n_steps=4, n=64) for _ in range(2))
    before = play(tmp_path, points(), first, data, max_steps=10)
    before.save_checkpoint(tmp_path / "last.ckpt")
    trainer(tmp_path, callbacks=[second], max_epochs=-1, max_steps=16).fit(
        points(), data, ckpt_path=tmp_path / "last.ckpt"
    )
    assert [m["step"] for m in second.history] == [4, 8, 12, 16]
    assert second.history[:2] == first.history


def test_coverage_by_hand():
    real = torch.tensor([[0.0], [1.0], [2.0], [10.0]])
    assert coverage(real, torch.tensor([[0.5]]), k=1) == 0.5  # 0.5 from 0 and 1, which have neighbours at 1; 2 has not
    assert coverage(real, torch.tensor([[0.5], [4.0]]), k=1) == 0.75
    assert coverage(real, real, k=2) == 1


def test_coverage_is_the_same_far_from_zero():
    x = GaussianMixture(std=0.2, train_size=64, held_out_size=512).load("val")[0].double()
    near = coverage(x[:256], x[256:])
    assert coverage(x[:256] + 1e7, x[256:] + 1e7) == near
    assert 0.9 < near <= 1


def test_logits_on_a_gpu_are_judged():
    """Without one: torch's fake tensors have devices and nothing else."""
    noise = Noise(0, 3, "normal")
    with FakeTensorMode():
        held_out = HeldOut(noise, rank=0, world_size=1)
        held_out._real = held_out._fake = [torch.empty(3, device="cuda"), torch.empty(2, device="cuda")]
        assert [len(logits) for logits in held_out.logits()] == [5, 5]


def test_no_second_copy_of_the_weights_is_kept(tmp_path):
    monitor = EquilibriumMonitor(every_n_steps=8)
    play(tmp_path, points(), monitor, max_steps=9)
    assert len(monitor.history) == 1
    assert not any(move._before or move._parameters for move in monitor._moves.values())


@whatever_it_says
def test_a_turn_that_a_scaler_leaves_out_is_no_divergence(tmp_path):
    """Its first gradients are infinite, as they often are."""
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**60)
    plugin = MixedPrecision("16-mixed", "cpu", scaler=scaler)
    monitor = EquilibriumMonitor(every_n_steps=1)
    play(tmp_path, points(), monitor, max_steps=3, plugins=[plugin])
    assert len(monitor.history) == 3
    assert all(math.isfinite(number) for measured in monitor.history for number in measured.values())
    assert "gradient_norm/g" not in monitor.history[0]


def test_packs_are_counted_as_they_are_judged(tmp_path):
    gan = LitGAN(
        MLPGenerator(features=2, latent_dim=2, width=8), Packed(MLPDiscriminator(features=16), 8), RelativisticPaired()
    )
    monitor = EquilibriumMonitor(every_n_steps=1)
    with pytest.warns(UserWarning, match="there are 4 packs of 8 held-out samples over 1 processes"):
        trainer(tmp_path, callbacks=[monitor]).fit(gan, loader(torch.rand(16, 2)), loader(torch.rand(32, 2)))
    assert monitor.history == []


@pytest.mark.parametrize("seed", [1, 2])
def test_samples_are_the_same_where_a_sampler_draws(tmp_path, seed):
    x = torch.arange(512.0).reshape(256, 2)
    monitor = EquilibriumMonitor(every_n_steps=100, n=64)
    torch.manual_seed(seed)
    sampler = WeightedRandomSampler(torch.ones(256), 64)
    trainer(tmp_path, callbacks=[monitor], max_steps=1, max_epochs=-1).fit(
        points(), DataLoader(TensorDataset(x), 64, sampler=sampler), DataLoader(TensorDataset(x[:32]), 32)
    )
    order = torch.randperm(256, generator=torch.Generator().manual_seed(0))[:64]
    assert torch.cat([x for x, _ in monitor._train._batches]).equal(x[order])


# Verdicts


def test_a_fixed_generator_and_a_good_discriminator_bound_the_divergence_from_below(tmp_path):
    data = GaussianMixture("line", means=[-1.0, 2.0], std=0.7, train_size=20_000, batch_size=256)
    generator = GaussianGenerator(1, mean=0.0, std=1.0)
    optimizers = {"generator_optimizer": partial(GANAdam, lr=0.0), "discriminator_optimizer": partial(GANAdam, lr=3e-3)}
    gan = LitGAN(generator, MLPDiscriminator(features=1, width=32, depth=2), **optimizers)
    monitor = EquilibriumMonitor(every_n_steps=100, n=4096)
    play(tmp_path, gan, monitor, data, max_steps=300)
    x = torch.linspace(-9, 9, 9001, dtype=torch.float64)[:, None]
    jsd = float(js_divergence(data.mixture.density(x), generator.log_density(x).exp(), cell=18 / 9000))
    now = monitor.history[-1]
    assert now["jsd_low"] < jsd < now["jsd_high"] + 0.01
    assert now["jsd_lower_bound"] == pytest.approx(jsd, abs=0.02)
    assert monitor.verdict.state == "plays"


def fails(tmp_path, gan, data=None) -> set[str]:
    """Return what the monitor warned of in 200 steps."""
    with pytest.warns(UserWarning, match="the game") as warned:
        play(tmp_path, gan, EquilibriumMonitor(every_n_steps=20, n=256), data, max_steps=200)
    states = re.findall(r"at step \d+ the game (\w+):", " ".join(str(w.message) for w in warned))
    return set(states)


def test_a_saturated_game_stalls(tmp_path):
    """Minimax against a discriminator that learns three hundred times as fast, on data that are easy to tell."""
    gan = LitGAN(
        GaussianGenerator(2, std=3.0),
        MLPDiscriminator(features=2, width=32),
        loss=Minimax(),
        generator_optimizer=partial(GANAdam, lr=1e-5),
        discriminator_optimizer=partial(GANAdam, lr=3e-3),
    )
    data = GaussianMixture(size=20.0, std=0.2, train_size=2048, held_out_size=512)
    assert fails(tmp_path, gan, data) == {"stalls"}


def test_a_generator_that_ignores_its_latents_collapses(tmp_path):
    class Deaf(MLPGenerator):
        def forward(self, z, labels=None):
            return super().forward(0.01 * z)

    gan = LitGAN(Deaf(features=2, latent_dim=2, width=32), MLPDiscriminator(features=2, width=32))
    assert "collapses" in fails(tmp_path, gan)


def test_learning_rates_that_are_far_too_high_diverge(tmp_path):
    high = partial(GANAdam, lr=0.3)
    assert "diverges" in fails(tmp_path, points(generator_optimizer=high, discriminator_optimizer=high))


def test_a_discriminator_that_learns_its_few_images_by_heart_memorises(tmp_path):
    """Data and samples are the same uniform noise, so that there is nothing else to tell them by."""

    class Noise(torch.nn.Module):
        latent_dim = 64

        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(()))

        def forward(self, z):
            return (self.scale * z).reshape(-1, 1, 8, 8)

    noise = torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    still, fast = partial(GANAdam, lr=0.0), partial(GANAdam, lr=1e-3)
    gan = LitGAN(
        Noise(),
        MLPDiscriminator(8, 1, width=256),
        latent="uniform",
        generator_optimizer=still,
        discriminator_optimizer=fast,
    )
    monitor = EquilibriumMonitor(every_n_steps=20, n=32)
    batches = Batches(noise[:32], batch_size=8)
    with pytest.warns(UserWarning, match="memorises: V is .* on training data"):
        trainer(tmp_path, callbacks=[monitor], max_epochs=-1, max_steps=200).fit(gan, batches, Batches(noise[32:]))
    assert monitor.history[-1]["value_train"] > monitor.history[-1]["value"] + 0.5


def test_a_good_game_is_left_in_peace(tmp_path):
    monitor = EquilibriumMonitor(every_n_steps=50, n=512)
    data = GaussianMixture("line", means=[-1.5, 1.0], std=[0.5, 0.8], train_size=50_000)
    gan = LitGAN(
        MLPGenerator(features=1, latent_dim=1, width=32), MLPDiscriminator(features=1, width=32), NonSaturating()
    )
    play(tmp_path, gan, monitor, data, max_steps=500)  # a warning would be an error
    assert monitor.verdict.state in ("plays", "equilibrium")
    assert len(monitor.history) == 10


def test_what_is_out_of_range_is_refused():
    with pytest.raises(ValueError, match="every_n_steps=0 must be at least 1"):
        EquilibriumMonitor(every_n_steps=0)
    with pytest.raises(ValueError, match="n=15 samples say too little: take 16 at least"):
        EquilibriumMonitor(n=15)


# What a review found


class Stream(IterableDataset):
    """Points without a length."""

    def __iter__(self):
        return iter(GaussianMixture(std=0.2).load("val")[0][:200])


@whatever_it_says
@pytest.mark.parametrize("val", [DataLoader(Stream(), 32), {"a": DataLoader(Stream(), 32)}], ids=["stream", "dict"])
def test_validation_loaders_of_any_form(tmp_path, val):
    monitor = EquilibriumMonitor(every_n_steps=2, n=64)
    fitted = trainer(tmp_path, callbacks=[monitor], max_steps=4, max_epochs=-1)
    fitted.fit(points(), DataLoader(Stream(), 32), val)
    assert len(monitor._held_out) == 64
    assert "value_train" in monitor.history[0], "64 samples of the stream have come by then"


@whatever_it_says
def test_numbers_of_training_data_wait_until_a_stream_has_given_enough(tmp_path):
    monitor = EquilibriumMonitor(every_n_steps=1, n=64)
    fitted = trainer(tmp_path, callbacks=[monitor], max_steps=3, max_epochs=-1)
    fitted.fit(points(), DataLoader(Stream(), 32), DataLoader(Stream(), 32))
    assert ["value_train" in measured for measured in monitor.history] == [False, True, True]


def test_held_out_data_sorted_by_class_are_chosen_from_all_classes(tmp_path):
    x, labels = GaussianMixture(std=0.2).load("val")
    order = labels.argsort()
    val = DataLoader(TensorDataset(x[order], labels[order]), 64)
    monitor = EquilibriumMonitor(every_n_steps=100, n=256)
    trainer(tmp_path, callbacks=[monitor], max_steps=1, max_epochs=-1).fit(
        points(), DataLoader(TensorDataset(x), 64), val
    )
    chosen = torch.cat([x for x, _ in monitor._held_out._batches])
    assert chosen.std(0).min() > 0.5 * x.std(0).min()


def test_a_sampler_that_leaves_samples_to_training_is_respected(tmp_path):
    data = TensorDataset(torch.cat([torch.zeros(64, 2), torch.ones(64, 2)]))
    loaders = [DataLoader(data, 16, sampler=SubsetRandomSampler(range(i, i + 64))) for i in (0, 64)]
    monitor = EquilibriumMonitor(every_n_steps=100, n=32)
    trainer(tmp_path, callbacks=[monitor], max_steps=1, max_epochs=-1).fit(points(), *loaders)
    for samples, held_out in ((monitor._train, 0), (monitor._held_out, 1)):
        assert len(samples) == 32
        assert all((x == held_out).all() for x, _ in samples._batches)


def test_a_generator_gone_wrong_is_said_and_training_goes_on(tmp_path):
    class Spoilt(MLPGenerator):
        def forward(self, z, labels=None):
            return super().forward(z) if self.training else super().forward(z) * torch.nan

    gan = LitGAN(Spoilt(features=2, latent_dim=2, width=8), MLPDiscriminator(features=2, width=8))
    monitor = EquilibriumMonitor(every_n_steps=2, n=64)
    with pytest.warns(UserWarning, match="diverges: value is nan at step 2"):
        play(tmp_path, gan, monitor, max_steps=4)
    assert gan.images_seen > 0


def test_a_ratio_that_is_infinite_is_calibrated_instead(tmp_path):
    """Pearson's critic is no density ratio below −2, where a discriminator may well be."""
    logits = torch.cat([torch.linspace(-3, 3, 100), torch.linspace(-4, 2, 100)])
    ratios = density_ratios(FDivergence("pearson"), *logits.split(100), logits)
    assert ratios.calibrated
    assert all(x.isfinite().all() for x in (ratios.real, ratios.fake, ratios.others))
    assert len(ratios.others) == 200
    inside = density_ratios(FDivergence("pearson"), torch.ones(4), torch.zeros(4))
    assert not inside.calibrated


def test_the_batch_size_of_training_bounds_the_memory(tmp_path):
    sizes = set()
    gan = points(micro_batches=2)
    gan.discriminator.register_forward_hook(lambda _, x, y: sizes.add(len(y)))
    data = GaussianMixture(train_size=256, held_out_size=256, batch_size=32)
    trainer(tmp_path, callbacks=[EquilibriumMonitor(every_n_steps=1, n=128)], max_steps=1, limit_val_batches=1).fit(
        gan, data
    )
    assert max(sizes) == 16


def test_a_resumed_monitor_knows_its_verdict():
    monitor = EquilibriumMonitor()
    numbers = dict.fromkeys(("value", "jsd_lower_bound", "jsd_low", "jsd_high", "d_accuracy"), 0.5)
    monitor.load_state_dict({"history": [{"step": 1.0, **numbers}]})
    assert monitor.verdict.state == "plays"


@pytest.mark.slow
@pytest.mark.parametrize("held_out", [64, 31])
def test_two_processes_measure_what_one_does(held_out):
    """At the same weights, samples and latents, unevenly dealt ones too: two players that do not learn."""
    both, (alone,) = on_ranks(measured, 2, held_out), on_ranks(measured, 1, held_out, world_size=1)
    for name in NUMBERS - {"gradient_norm/g", "gradient_norm/d", "update_to_weight/g", "update_to_weight/d"}:
        # the latents of the last, uneven batch are others
        assert both[0][name] == both[1][name] == pytest.approx(alone[name], abs=1e-6 if held_out == 64 else 1e-2), name


def measured(devices, held_out):
    monitor, still = EquilibriumMonitor(every_n_steps=1, n=64), partial(GANAdam, lr=0.0)
    torch.manual_seed(0)
    gan = points(generator_optimizer=still, discriminator_optimizer=still)
    options = {"devices": devices, "strategy": "ddp"} if devices > 1 else {}
    data = GaussianMixture(std=0.2, train_size=256, held_out_size=held_out, batch_size=64 // devices)
    trainer("unused", callbacks=[monitor], max_steps=1, max_epochs=-1, fast_dev_run=True, **options).fit(gan, data)
    return monitor.history[-1]
