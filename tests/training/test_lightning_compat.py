"""Each thing that lit_gan uses of Lightning without its documentation promising it still does what it is used for."""

import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from lightning_fabric.utilities.distributed import DistributedSamplerWrapper
from pytorch_lightning import Callback
from pytorch_lightning.cli import LightningCLI
from pytorch_lightning.plugins import MixedPrecision
from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.strategies.launchers import _SubprocessScriptLauncher
from torch.utils.data import DataLoader, SequentialSampler, TensorDataset, WeightedRandomSampler

from lit_gan.training import lightning_compat as compat
from lit_gan.training import lightning_counts as counts
from tests.support.small import OneNumber, ones, trainer

PRIVATE = re.compile(r"\b(trainer|strategy|loop|launcher|cli|connector|logger)\._[a-z]\w*")
INTERNAL = re.compile(r"(pytorch_lightning|lightning_fabric)\.(loops|trainer\.connectors|strategies\.launchers)")


def test_nothing_undocumented_is_used_elsewhere():
    known = ("lightning_compat.py", "lightning_counts.py")
    files = [p for p in Path(compat.__file__).parents[1].rglob("*.py") if p.name not in known]
    found = [
        f"{p.name}: {m[0]}"
        for p in files
        for m in (*PRIVATE.finditer(p.read_text()), *INTERNAL.finditer(p.read_text()))
    ]
    assert len(files) > 100
    assert found == []


@pytest.mark.parametrize("module", [compat, counts])
def test_each_function_says_why_and_has_a_test(module):
    tests = Path(__file__).with_name(f"test_{Path(module.__file__).name}").read_text()
    for name in module.__all__:
        assert "Why: " in getattr(module, name).__doc__, name
        assert name in tests, name


def test_loaders_are_replaced_and_restored(tmp_path):
    seen, fitted = [], trainer(tmp_path, max_epochs=1)
    original = fitted.strategy.process_dataloader

    def replacement(given):
        seen.append(given)
        return given

    compat.replace_loaders_and_wrapper(fitted.strategy, replacement)
    given = ones()
    fitted.fit(OneNumber(), given)
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


def test_training_loaders_are_found_in_any_collection(tmp_path):
    fitted, loaders = trainer(tmp_path, max_epochs=1), {"a": ones(), "b": [ones()]}
    assert compat.training_loaders(fitted) == []
    model = OneNumber()
    model.training_step = lambda batch, batch_idx: None
    fitted.fit(model, loaders)
    assert compat.training_loaders(fitted) == [loaders["a"], *loaders["b"]]


def test_metrics_are_restored(tmp_path):
    fitted = trainer(tmp_path, max_epochs=1)
    fitted.fit(OneNumber(), ones())
    compat.restore_metrics(fitted, {"val/fid": torch.tensor(3.0)})
    assert fitted.callback_metrics["val/fid"] == 3


def test_validation_loaders_are_found_before_a_validation(tmp_path):
    found, held_out = [], ones(8)
    model = OneNumber(lambda module: found.extend(compat.find_validation_loaders(module.trainer)))
    trainer(tmp_path, limit_train_batches=1).fit(model, ones(), held_out)
    assert found[0].dataset is held_out.dataset
    found.clear()
    trainer(tmp_path, limit_train_batches=1).fit(model, ones())
    assert found == []


def test_hooks_see_a_validation(tmp_path):
    seen = []

    def look(module):
        with compat.as_validation(module.trainer):
            seen.append((module.trainer.validating, module.trainer.training))
        seen.append((module.trainer.validating, module.trainer.training))

    trainer(tmp_path, limit_train_batches=1).fit(OneNumber(look), ones())
    assert seen == [(True, False), (False, True)]


def test_validation_is_in_the_runs_precision(tmp_path):
    with compat.validation_precision(trainer(tmp_path, precision="bf16-mixed")):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16


def test_a_step_is_not_counted(tmp_path):
    class Uncounted(OneNumber):
        hooks = 0

        def on_before_optimizer_step(self, optimizer):
            self.hooks += 1

        def training_step(self, batch, batch_idx):
            self.manual_backward(self.weight * batch[0].sum())
            compat.step_uncounted(self.trainer, self.optimizers().optimizer)

    model, fitted = Uncounted(), trainer(tmp_path)
    fitted.fit(model, ones())
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
            super().__init__(OneNumber, run=False, save_config_callback=None, seed_everything_default=False)

    assert callable(LightningCLI._parse_ckpt_path)
    CLI()
    assert called == [True]


def test_the_loader_of_a_data_set_is_given_to_the_strategy(tmp_path):
    """By ``process_dataloader``, which :func:`replace_loaders_and_wrapper` replaces, and nothing else before a fit."""
    fitted = trainer(tmp_path)
    calls = []
    compat.replace_loaders_and_wrapper(fitted.strategy, lambda given: calls.append(type(given)) or given)
    fitted.fit(
        OneNumber(), DataLoader(TensorDataset(torch.ones(4, 1)), 2), DataLoader(TensorDataset(torch.ones(4, 1)), 2)
    )
    assert calls == [DataLoader, DataLoader]


def test_checkpoint_content(tmp_path):
    model, data = OneNumber(), ones(4)
    run = trainer(tmp_path)
    run.fit(model, data)
    run.save_checkpoint(tmp_path / "all.ckpt")
    written = torch.load(tmp_path / "all.ckpt", weights_only=True)
    assert compat.checkpoint_content(run).keys() == written.keys() >= {"state_dict", "callbacks", "loops"}
