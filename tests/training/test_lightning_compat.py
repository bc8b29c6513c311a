"""Each thing that lit_gan uses of Lightning without its documentation promising it still does what it is used for."""

import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.distributed import DistributedSamplerWrapper
from pytorch_lightning import Callback
from pytorch_lightning.cli import LightningCLI
from pytorch_lightning.plugins import MixedPrecision
from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.strategies.launchers import _SubprocessScriptLauncher
from torch.utils.data import DataLoader, SequentialSampler, TensorDataset, WeightedRandomSampler

from lit_gan.training import lightning_compat as compat
from tests.support.small import loader, trainer

PRIVATE = re.compile(r"\b(trainer|strategy|loop|launcher|cli|connector|logger)\._[a-z]\w*")
INTERNAL = re.compile(r"(pytorch_lightning|lightning_fabric)\.(loops|trainer\.connectors|strategies\.launchers)")


def test_nothing_undocumented_is_used_elsewhere():
    files = [p for p in Path(compat.__file__).parents[1].rglob("*.py") if p.name != "lightning_compat.py"]
    found = [
        f"{p.name}: {m[0]}"
        for p in files
        for m in (*PRIVATE.finditer(p.read_text()), *INTERNAL.finditer(p.read_text()))
    ]
    assert len(files) > 100
    assert found == []


def test_each_function_says_why_and_has_a_test():
    for name in compat.__all__:
        assert "Why: " in getattr(compat, name).__doc__, name
        assert name in Path(__file__).read_text(), name


class Plain(pl.LightningModule):
    """Trains one number by hand, and calls ``look`` in each step."""

    def __init__(self, look=None):
        super().__init__()
        self.automatic_optimization = False
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.look = look

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)

    def training_step(self, batch, batch_idx):
        if self.look is not None:
            self.look(self)
        optimizer = self.optimizers()
        self.manual_backward(self.weight * batch[0].sum())
        optimizer.step()

    def validation_step(self, batch, batch_idx):
        pass


def data(n=12):
    return loader(torch.ones(n, 1))  # of batches of four


def test_loaders_are_replaced_and_restored(tmp_path):
    seen, fitted = [], trainer(tmp_path, max_epochs=1)
    original = fitted.strategy.process_dataloader

    def replacement(given):
        seen.append(given)
        return given

    compat.replace_loaders_and_wrapper(fitted.strategy, replacement)
    given = data()
    fitted.fit(Plain(), given)
    assert seen == [given], "the strategy's method makes the loaders"
    compat.restore_loaders_and_wrapper(fitted.strategy)
    assert fitted.strategy.process_dataloader == original


def test_a_model_is_not_wrapped_for_ddp():
    strategy = DDPStrategy()
    assert callable(DDPStrategy.configure_ddp)
    compat.replace_loaders_and_wrapper(strategy, lambda given: given)
    assert strategy.configure_ddp() is None
    compat.restore_loaders_and_wrapper(strategy)
    assert strategy.configure_ddp.__func__ is DDPStrategy.configure_ddp


def test_the_default_checkpoint_plugin_is_known(tmp_path):
    assert compat.writes_pickles(trainer(tmp_path).strategy)

    class Own(type(trainer(tmp_path).strategy.checkpoint_io)):
        pass

    assert not compat.writes_pickles(trainer(tmp_path, plugins=[Own()]).strategy)


def test_callbacks_are_removed(tmp_path):
    class Mine(Callback):
        pass

    fitted = trainer(tmp_path, callbacks=[Mine(), Callback()])
    compat.remove_callbacks(fitted, Mine)
    assert not any(isinstance(c, Mine) for c in fitted.callbacks)
    assert any(type(c) is Callback for c in fitted.callbacks)


@pytest.mark.parametrize("shares", [True, False])
def test_whether_samples_are_shared(tmp_path, shares):
    assert compat.shares_samples(trainer(tmp_path, use_distributed_sampler=shares)) is shares


def test_the_sampler_in_lightnings_wrapper_is_found():
    sampler = WeightedRandomSampler([1.0, 2.0], 2)
    assert compat.whole_sampler(DistributedSamplerWrapper(sampler, num_replicas=2, rank=0)) is sampler
    other = SequentialSampler([1, 2])
    assert compat.whole_sampler(other) is other


def test_position_and_batches_are_counted(tmp_path):
    seen = []

    def look(module):
        seen.append((compat.position_in_epoch(module.trainer), compat.batches_trained(module.trainer)))

    trainer(tmp_path, max_epochs=2).fit(Plain(look), data())
    # Lightning counts a batch as begun before the step: the loader asks between batches.
    assert [batches for _, batches in seen] == [0, 1, 2, 3, 4, 5]
    assert [epoch for (epoch, _), _ in seen] == [0, 0, 0, 1, 1, 1]
    assert [batch for (_, batch), _ in seen] == [1, 2, 3, 1, 2, 3]


def state_after(tmp_path, **ends):
    fitted = trainer(tmp_path, **{"max_epochs": 9, **ends})
    fitted.fit(Plain(), data())
    fitted.save_checkpoint(tmp_path / "end.ckpt")
    return torch.load(tmp_path / "end.ckpt", weights_only=True)


def test_an_epoch_that_ended_early_is_gone_on_with(tmp_path):
    loop = state_after(tmp_path, max_steps=4)["loops"]["fit_loop"]
    assert loop["epoch_progress"]["current"]["processed"] == 2, "over, for Lightning: or there is nothing to undo"
    compat.undo_early_end(loop)
    current = loop["epoch_progress"]["current"]
    assert (current["ready"], current["processed"], current["completed"]) == (2, 1, 1)
    whole = state_after(tmp_path, max_steps=3)["loops"]["fit_loop"]
    before = dict(whole["epoch_progress"]["current"])
    compat.undo_early_end(whole)
    assert whole["epoch_progress"]["current"] == before, "an epoch that is over stays so"


class Resumes(Plain):
    """Leaves an epoch that is over when it goes on, as LitGAN does."""

    def on_train_start(self):
        compat.leave_finished_epoch(self.trainer)


@pytest.mark.parametrize(("model", "epochs"), [(Resumes, [1]), (Plain, [])])
def test_no_empty_epoch_is_played(tmp_path, model, epochs):
    state_after(tmp_path, max_steps=3)
    begun = []

    class Epochs(Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            begun.append((trainer.current_epoch, batch_idx))

    fitted = trainer(tmp_path, max_epochs=9, max_steps=6, callbacks=[Epochs()])
    fitted.fit(model(), data(), ckpt_path=tmp_path / "end.ckpt")
    if epochs:
        assert begun == [(1, 0), (1, 1), (1, 2)]
    else:
        assert begun != [(1, 0), (1, 1), (1, 2)], "Lightning does it itself by now: the function can go"


def test_a_position_is_rescaled(tmp_path):
    fitted = trainer(tmp_path, max_epochs=1)
    fitted.fit(Plain(), data())
    progress = fitted.fit_loop.epoch_loop.batch_progress.current
    assert progress.ready == progress.completed == 3
    compat.rescale_epoch(fitted, before=3, now=6)
    assert (progress.ready, progress.started, progress.processed, progress.completed) == (6, 6, 6, 6)
    compat.rescale_epoch(fitted, before=6, now=float("inf"))
    assert progress.ready == 6


def test_validation_loaders_are_found_before_a_validation(tmp_path):
    found, held_out = [], data(8)
    model = Plain(lambda module: found.extend(compat.find_validation_loaders(module.trainer)))
    trainer(tmp_path, limit_train_batches=1).fit(model, data(), held_out)
    assert found[0].dataset is held_out.dataset
    found.clear()
    trainer(tmp_path, limit_train_batches=1).fit(model, data())
    assert found == []


def test_hooks_see_a_validation(tmp_path):
    seen = []

    def look(module):
        with compat.as_validation(module.trainer):
            seen.append((module.trainer.validating, module.trainer.training))
        seen.append((module.trainer.validating, module.trainer.training))

    trainer(tmp_path, limit_train_batches=1).fit(Plain(look), data())
    assert seen == [(True, False), (False, True)]


def test_validation_is_in_the_runs_precision(tmp_path):
    with compat.validation_precision(trainer(tmp_path, precision="bf16-mixed")):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16


def test_a_step_is_not_counted(tmp_path):
    class Uncounted(Plain):
        hooks = 0

        def on_before_optimizer_step(self, optimizer):
            self.hooks += 1

        def training_step(self, batch, batch_idx):
            self.manual_backward(self.weight * batch[0].sum())
            compat.step_uncounted(self.trainer, self.optimizers().optimizer)

    model, fitted = Uncounted(), trainer(tmp_path)
    fitted.fit(model, data())
    assert (fitted.global_step, model.hooks) == (0, 3)
    assert model.weight < 0


def test_a_scaler_is_seen(tmp_path):
    assert not compat.scales_gradients(trainer(tmp_path))
    plugin = MixedPrecision("16-mixed", "cpu", scaler=torch.amp.GradScaler("cpu"))
    assert compat.scales_gradients(trainer(tmp_path, plugins=[plugin]))


def test_a_hook_of_ddps_own_is_seen():
    assert not compat.averages_gradients_itself(DDPStrategy())
    assert compat.averages_gradients_itself(DDPStrategy(ddp_comm_hook=lambda state, bucket: None))
    assert compat.averages_gradients_itself(DDPStrategy(model_averaging_period=2))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows ends processes in another way")
def test_processes_that_the_trainer_started_are_ended():
    launcher = object.__new__(_SubprocessScriptLauncher)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        launcher.procs = [process]
        compat.end_other_processes(SimpleNamespace(strategy=SimpleNamespace(launcher=launcher)), seconds=0)
        assert process.wait(10) == -signal.SIGKILL
    compat.end_other_processes(SimpleNamespace(strategy=SimpleNamespace(launcher=None)), seconds=0)


def test_hyperparameters_are_not_merged_into_the_config(tmp_path, monkeypatch):
    """LightningCLI calls the method that is replaced, once, after parsing."""
    monkeypatch.setattr(sys, "argv", ["cli"])
    called = []

    class CLI(LightningCLI):
        def __init__(self):
            compat.ignore_hyperparameters(self, lambda: called.append(hasattr(self, "config")))
            super().__init__(Plain, run=False, save_config_callback=None, seed_everything_default=False)

    assert callable(LightningCLI._parse_ckpt_path)
    CLI()
    assert called == [True]


def test_the_loader_of_a_data_set_is_given_to_the_strategy(tmp_path):
    """By ``process_dataloader``, which :func:`replace_loaders_and_wrapper` replaces, and nothing else before a fit."""
    fitted = trainer(tmp_path)
    calls = []
    compat.replace_loaders_and_wrapper(fitted.strategy, lambda given: calls.append(type(given)) or given)
    fitted.fit(Plain(), DataLoader(TensorDataset(torch.ones(4, 1)), 2), DataLoader(TensorDataset(torch.ones(4, 1)), 2))
    assert calls == [DataLoader, DataLoader]
