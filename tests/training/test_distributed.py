"""Two processes on gloo: one game, bit-equal players, the same update as one process with the whole batch."""

import os
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
import torch.distributed as dist
from pytorch_lightning import Callback
from torch import nn
from torch.testing import assert_close
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from lit_gan import LitGAN
from lit_gan.callbacks import SampleGrid, SampleWriter
from lit_gan.losses import Minimax, RelativisticPaired
from lit_gan.networks import (
    DCGANDiscriminator,
    DCGANGenerator,
    MLPDiscriminator,
    MLPGenerator,
    SNGANDiscriminator,
    SNGANGenerator,
    StyleGAN2Discriminator,
    StyleGAN2Generator,
)
from lit_gan.penalties import R1, R2, Consistency, PathLength
from tests.support.processes import on_ranks
from tests.support.small import trainer

pytestmark = pytest.mark.slow

SAMPLES, WHOLE = 48, 16
CASES = {
    "plain": {},
    "k": {"d_steps_per_g_step": 3},
    "penalties": {"penalties": {"r1": R1(0.5, every=2), "r2": R2(0.5)}},
    "consistency": {"penalties": {"cr": Consistency(nn.Hardtanh(-0.5, 0.5), 0.5, fake_weight=0.5)}},
    "minimax, micro-batches, clipped": {"loss": Minimax(), "micro_batches": 2, "gradient_clip": 0.1},
    "relativistic": {"loss": RelativisticPaired()},
    "shared": {"share_fakes": True, "d_steps_per_g_step": 2},
    "no average": {"ema_half_life": None},
    "classes": {"classes": 3},
    "bf16": {"precision": "bf16-mixed"},
}


class Watch(Callback):
    """Records what each process sees, draws and sends."""

    def __init__(self):
        self.seen, self.drawn, self.sent, self.labels = [], [], [], []

    def on_train_start(self, trainer, pl_module):
        pl_module.generator.register_forward_pre_hook(self._latents)
        send = dist.all_reduce
        self._restore = send

        def counting(tensor, *args, **kwargs):
            self.sent.append(tensor.numel())
            return send(tensor, *args, **kwargs)

        dist.all_reduce = counting

    def _latents(self, module, inputs):
        if module.training:
            self.drawn.append(inputs[0].clone())

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.seen += batch[0].flatten(1)[:, 0].tolist()

    def on_train_end(self, trainer, pl_module):
        dist.all_reduce = self._restore


def data(classes=None, shape=(2,)):
    images = torch.linspace(-1, 1, SAMPLES).reshape(-1, *[1] * len(shape)).expand(SAMPLES, *shape).contiguous()
    labels = torch.arange(SAMPLES) % (classes or 1)
    return TensorDataset(images, labels)


def train(folder, case, world_size, epochs=2, networks=None):
    """Fit at a batch of 16 over all processes; return the state, what was watched and the validation's numbers."""
    options = dict(CASES.get(case, {}))
    precision, classes = options.pop("precision", "32-true"), options.pop("classes", None)
    pl.seed_everything(3, verbose=False)
    if networks is None:
        networks = (
            MLPGenerator(features=2, latent_dim=4, width=8, num_classes=classes),
            MLPDiscriminator(features=2, width=8, num_classes=classes),
        )
    gan = LitGAN(*networks, **options)
    shape = (1, 16, 16) if isinstance(networks[0], (DCGANGenerator, SNGANGenerator, StyleGAN2Generator)) else (2,)
    watch = Watch()
    fitted = trainer(
        folder,
        max_epochs=epochs,
        strategy="ddp" if world_size > 1 else "auto",
        devices=world_size,
        precision=precision,
        callbacks=[watch, SampleGrid(every_n_steps=2, n=4)],
    )
    batches = DataLoader(data(classes, shape), WHOLE // world_size, shuffle=True)
    fitted.fit(gan, batches, DataLoader(data(classes, shape), WHOLE // world_size))
    fitted.save_checkpoint(folder / "end.ckpt")
    metrics = {name: float(value) for name, value in fitted.callback_metrics.items() if name.startswith("val/")}
    return {
        "state": gan.state_dict(),
        "steps": fitted.global_step,
        "metrics": metrics,
        "torch": torch.rand(3),
        **{name: getattr(watch, name) for name in ("seen", "drawn", "sent")},
    }


@pytest.fixture(scope="module", params=CASES)
def case(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("distributed")
    one = on_ranks(train, folder, request.param, 1, world_size=1)[0]
    return request.param, one, on_ranks(train, folder, request.param, 2)


def test_processes_hold_the_same_bits(case):
    _, _, (first, second) = case
    assert first["state"].keys() == second["state"].keys()
    assert [name for name, tensor in first["state"].items() if not tensor.equal(second["state"][name])] == []


def test_two_processes_make_the_update_of_one(case):
    name, one, (first, _) = case
    tolerance = 1e-2 if name == "bf16" else 1e-5
    for key, tensor in one["state"].items():
        assert_close(first["state"][key], tensor, rtol=0, atol=tolerance, msg=lambda m, key=key: f"{key}: {m}")
    assert first["steps"] == one["steps"] > 0
    assert first["metrics"].keys() == one["metrics"].keys() != set()
    for key, value in one["metrics"].items():
        assert first["metrics"][key] == pytest.approx(value, abs=1e-2 if name == "bf16" else 1e-4)


def test_processes_see_disjoint_data(case):
    _, one, ranks = case
    a, b = (set(rank["seen"][: SAMPLES // 2]) for rank in ranks)
    assert len(a) == len(b) == SAMPLES // 2
    assert not a & b
    assert sorted(ranks[0]["seen"] + ranks[1]["seen"]) == sorted(one["seen"])


def test_processes_draw_different_noise(case):
    """All are seeded alike by seed_everything, and Lightning does so once more at the start."""
    _, one, (first, second) = case
    a, b = torch.cat(first["drawn"]), torch.cat(second["drawn"])
    assert not any((row == b).all(1).any() for row in a)
    assert_close(torch.stack([first["drawn"][0], second["drawn"][0]], 1).flatten(0, 1), one["drawn"][0][: len(a)])
    assert not first["torch"].equal(second["torch"])


def test_a_turn_sends_its_players_elements_and_no_more(case):
    name, one, ranks = case
    size = {p: sum(t.numel() for n, t in one["state"].items() if n.startswith(p)) for p in ("discr", "gener")}
    k = CASES[name].get("d_steps_per_g_step", 1)
    turns = [e for i in range(1, 7) for e in ([size["discr"]] + [size["gener"]] * (i % k == 0))]
    for rank in ranks:
        sent = [n for n in rank["sent"] if n > 9]  # the rest are agreements, counts of classes, an epoch's last losses
        assert sent == turns


def networks_with_batch_norm():
    torch.manual_seed(0)
    return DCGANGenerator(16, 1, 4, width=4), DCGANDiscriminator(16, 1, width=4)


def train_with_batch_norm(folder, k):
    CASES["batch norm"] = {"d_steps_per_g_step": k}
    return train(folder, "batch norm", 2, networks=networks_with_batch_norm())


@pytest.mark.parametrize("k", [1, 2])
def test_statistics_of_batch_norm_are_averaged(tmp_path, k):
    """Each process normalises by its own samples; the running statistics are the mean of all."""
    first, second = on_ranks(train_with_batch_norm, tmp_path, k)
    assert [name for name, tensor in first["state"].items() if not tensor.equal(second["state"][name])] == []
    floats = {name: t for name, t in first["state"].items() if t.is_floating_point()}
    size = {p: sum(t.numel() for n, t in floats.items() if n.startswith(p)) for p in ("discr", "gener")}
    sent = [n for n in first["sent"] if n > 9]
    assert sent == [e for i in range(1, 7) for e in ([size["discr"]] + [size["gener"]] * (i % k == 0))]
    assert any("running_mean" in name and tensor.ne(0).any() for name, tensor in floats.items())


class Sometimes(nn.Module):
    """A discriminator one of whose layers only the second process uses."""

    def __init__(self):
        super().__init__()
        self.always, self.sometimes = MLPDiscriminator(features=2, width=4), nn.Linear(2, 1)

    def forward(self, x):
        return self.always(x) + (self.sometimes(x).flatten() if dist.get_rank() else 0)


def train_sometimes(folder):
    return train(folder, "plain", 2, networks=(MLPGenerator(features=2, latent_dim=4, width=8), Sometimes()))["state"]


def train_spectral(folder):
    CASES["spectral norm"] = {"d_steps_per_g_step": 2, "classes": 3}
    torch.manual_seed(int(os.environ["LOCAL_RANK"]))  # each process starts elsewhere
    pair = SNGANGenerator(16, 1, 4, 3, width=4, attention=8), SNGANDiscriminator(16, 1, 3, width=4, attention=8)
    return train(folder, "spectral norm", 2, networks=pair)["state"]


def test_singular_vectors_are_the_same_in_every_process(tmp_path):
    """Power iteration goes on from its buffers in each process: equal weights keep them equal."""
    first, second = on_ranks(train_spectral, tmp_path)
    assert any(name.endswith("._u") for name in first)
    assert [name for name, tensor in first.items() if not tensor.equal(second[name])] == []


def train_styles(folder):
    CASES["styles"] = {"d_steps_per_g_step": 2, "penalties": {"pl": PathLength(every=2)}}
    torch.manual_seed(int(os.environ["LOCAL_RANK"]))  # each process starts elsewhere
    pair = StyleGAN2Generator(16, 1, 4, width=4, mapping_depth=2), StyleGAN2Discriminator(16, 1, width=4)
    return train(folder, "styles", 2, networks=pair)["state"]


def test_mean_styles_and_noise_are_the_same_in_every_process(tmp_path):
    """Each process draws its own latents: an average of styles, and of path lengths, is the average of both."""
    first, second = on_ranks(train_styles, tmp_path)
    assert first["generator.mean_style"].any()
    assert [name for name, tensor in first.items() if not tensor.equal(second[name])] == []


def test_a_layer_that_one_process_uses(tmp_path):
    first, second = on_ranks(train_sometimes, tmp_path)
    assert all(tensor.equal(second[name]) for name, tensor in first.items())


def predict(folder):
    gan = LitGAN(MLPGenerator(16, 1, latent_dim=4, width=8), MLPDiscriminator(16, 1, width=8))
    pl.seed_everything(0, verbose=False)
    images = TensorDataset(torch.zeros(5, 1, 16, 16))
    predictor = trainer(folder, strategy="ddp", devices=2, callbacks=[SampleWriter(str(folder / "drawn"))])
    predictor.predict(gan, DataLoader(images, 1))
    one = predictor.validate(gan, DataLoader(images, 2), verbose=False)[0]
    return {"val": one["val/value"]}


def test_predicting_and_validating(tmp_path):
    first, second = on_ranks(predict, tmp_path)
    files = sorted((tmp_path / "drawn").iterdir())
    assert [p.name for p in files] == [f"{i:06d}.png" for i in range(5)]
    assert len({p.read_bytes() for p in files}) == 5
    assert first == second


class Stream(IterableDataset):
    """Deals itself, where it is told to."""

    def __init__(self, dealt):
        self.dealt = dealt

    def __iter__(self):
        rank, world_size = (dist.get_rank(), dist.get_world_size()) if self.dealt else (0, 1)
        return iter(data()[i] for i in range(rank, SAMPLES, world_size))


def watch_stream(folder, dealt):
    gan = LitGAN(MLPGenerator(features=2, latent_dim=4, width=8), MLPDiscriminator(features=2, width=8))
    watch = Watch()
    options = {"strategy": "ddp", "devices": 2, "callbacks": [watch], "use_distributed_sampler": not dealt}
    with warnings.catch_warnings(record=True) as caught:
        trainer(folder, **options).fit(gan, DataLoader(Stream(dealt), 8))
    return watch.seen, [str(warning.message) for warning in caught]


@pytest.mark.parametrize("dealt", [False, True])
def test_a_stream_that_every_process_reads_whole_is_said(tmp_path, dealt):
    (first, warned), (second, _) = on_ranks(watch_stream, tmp_path, dealt)
    said = any("a DataLoader cannot be dealt to 2 processes, each reads it as it is" in message for message in warned)
    assert said == bool(set(first) & set(second)) == (not dealt)


class Judged(Callback):
    def __init__(self):
        self.seen = []

    def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        self.seen += batch[0][:, 0].tolist()


def validate_shuffled(folder):
    gan = LitGAN(MLPGenerator(features=2, latent_dim=4, width=8), MLPDiscriminator(features=2, width=8))
    judged = Judged()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's advice against it
        trainer(folder, strategy="ddp", devices=2, callbacks=[judged]).validate(
            gan, DataLoader(data(), 4, shuffle=True), verbose=False
        )
    return judged.seen, torch.rand(2)


def test_validation_judges_each_image_once(tmp_path):
    """Nothing is seeded: the processes agree on an order, and draw different random numbers."""
    (first, noise), (second, other_noise) = on_ranks(validate_shuffled, tmp_path)
    assert len(set(first + second)) == len(first + second) == SAMPLES
    assert not noise.equal(other_noise)


SCRIPT = """
import os, signal, sys
import torch
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.callbacks import OnExceptionCheckpoint
from torch.utils.data import DataLoader, TensorDataset
from lit_gan import LitGAN
from lit_gan.networks import MLPDiscriminator, MLPGenerator

class Fail(Callback):
    def on_train_batch_end(self, trainer, model, *args):
        if trainer.global_rank == int(sys.argv[1]) and int(model.d_steps) == 5:
            if sys.argv[2] == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise RuntimeError("this is why")

torch.set_num_threads(1)
gan = LitGAN(MLPGenerator(features=2, latent_dim=3, width=8), MLPDiscriminator(features=2, width=8))
Trainer(
    accelerator="cpu", devices=2, strategy="ddp", max_epochs=-1, logger=False, enable_progress_bar=False,
    callbacks=[Fail(), OnExceptionCheckpoint(sys.argv[3])],
).fit(gan, DataLoader(TensorDataset(torch.randn(64, 2)), batch_size=8))
"""


@pytest.mark.parametrize(
    ("rank", "how"),
    [
        (0, "raise"),
        (1, "kill"),
        pytest.param(1, "raise", marks=pytest.mark.extended),
        pytest.param(0, "kill", marks=pytest.mark.extended),
    ],
)
def test_a_process_that_fails_takes_the_run_down(tmp_path, rank, how):
    """The real launcher, and a callback that saves after a failure, for which it would need the others."""
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    command = [sys.executable, str(script), str(rank), how, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2])
    assert done.returncode != 0
    assert ("this is why" in done.stderr) == (how == "raise")
