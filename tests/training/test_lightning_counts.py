"""Lightning's counts of epochs and batches are where they are looked for, and a saved run goes on from any of them."""

import pytest
import torch
from pytorch_lightning import Callback

from lit_gan.training import lightning_counts as counts
from tests.support.small import OneNumber, ones, trainer


def test_position_and_batches_are_counted(tmp_path):
    seen = []

    def look(module):
        seen.append((counts.position_in_epoch(module.trainer), counts.batches_trained(module.trainer)))

    trainer(tmp_path, max_epochs=2).fit(OneNumber(look), ones())
    # Lightning counts a batch as begun before the step: the loader asks between batches.
    assert [batches for _, batches in seen] == [0, 1, 2, 3, 4, 5]
    assert [epoch for (epoch, _), _ in seen] == [0, 0, 0, 1, 1, 1]
    assert [batch for (_, batch), _ in seen] == [1, 2, 3, 1, 2, 3]


def state_after(tmp_path, **ends):
    fitted = trainer(tmp_path, **{"max_epochs": 9, **ends})
    fitted.fit(OneNumber(), ones())
    fitted.save_checkpoint(tmp_path / "end.ckpt")
    return torch.load(tmp_path / "end.ckpt", weights_only=True)


def counts_of(loop):
    return tuple(loop["epoch_progress"]["current"][name] for name in ("ready", "processed", "completed"))


def test_an_epoch_that_ended_early_is_gone_on_with(tmp_path):
    loop = state_after(tmp_path, max_steps=4)["loops"]["fit_loop"]
    assert counts_of(loop)[1] == 2, "over, for Lightning: or there is nothing to settle"
    assert counts.settle_counts(loop, validating=False) == counts.Unfinished(epoch=True)
    assert counts_of(loop) == (2, 1, 1)
    whole = state_after(tmp_path, max_steps=3)["loops"]["fit_loop"]
    before = dict(whole["epoch_progress"]["current"])
    assert counts.settle_counts(whole, validating=False) == counts.Unfinished()
    assert whole["epoch_progress"]["current"] == before, "an epoch that is over stays so"


def test_an_epoch_is_counted_as_over_again(tmp_path):
    fitted = trainer(tmp_path, max_epochs=9, max_steps=4)
    fitted.fit(OneNumber(), ones())
    before = fitted.fit_loop.state_dict()["epoch_progress"]
    loop = fitted.fit_loop.state_dict()
    counts.settle_counts(loop, validating=False)
    fitted.fit_loop.load_state_dict(loop)
    assert fitted.fit_loop.state_dict()["epoch_progress"] != before
    counts.count_epoch_as_over(fitted)
    assert fitted.fit_loop.state_dict()["epoch_progress"] == before


class Saves(Callback):
    """Saves once, in a hook, when so many batches were counted."""

    def __init__(self, folder, hook, batches):
        self.folder, self.batches = folder, batches
        setattr(self, hook, lambda trainer, *_: self.save(trainer))

    def save(self, trainer):
        if trainer.fit_loop.epoch_loop.batch_progress.total.processed == self.batches and self.batches:
            self.batches = 0
            trainer.save_checkpoint(self.folder / "end.ckpt")


POINTS = [  # hook, batches, (batch, validation) that are unfinished, (ready, processed) of batches and of epochs
    ("on_train_batch_start", 4, (False, False), (1, 1), (2, 1)),
    ("on_train_batch_end", 4, (True, True), (1, 1), (2, 1)),
    ("on_train_batch_end", 3, (True, True), (3, 3), (1, 0)),
    ("on_validation_batch_start", 3, (True, True), (3, 3), (1, 0)),
    ("on_validation_end", 3, (True, False), (3, 3), (1, 0)),
    ("on_train_epoch_end", 3, (False, False), (3, 3), (1, 1)),
    ("on_train_epoch_start", 3, (False, False), (3, 3), (1, 1)),
]


@pytest.mark.parametrize(("hook", "batches", "unfinished", "batch", "epoch"), POINTS)
def test_counts_are_settled_at_any_point(tmp_path, hook, batches, unfinished, batch, epoch):
    fitted = trainer(tmp_path, max_epochs=3, callbacks=[Saves(tmp_path, hook, batches)])
    fitted.fit(OneNumber(), ones(), ones())
    loop = torch.load(tmp_path / "end.ckpt", weights_only=True)["loops"]["fit_loop"]
    found = counts.settle_counts(loop, validating=None)
    assert (found.batch, found.validation, found.epoch) == (*unfinished, False)
    for progress, (ready, processed) in (("epoch_loop.batch_progress", batch), ("epoch_progress", epoch)):
        current, total = loop[progress]["current"], loop[progress]["total"]
        assert (current["ready"], current["processed"]) == (ready, processed)
        assert len({total[name] - current[name] for name in total}) == 1
        assert current["completed"] == processed


class Resumes(OneNumber):
    """Ends what a saved run had begun, as LitGAN does."""

    def on_load_checkpoint(self, checkpoint):
        self.unfinished = counts.settle_counts(checkpoint["loops"]["fit_loop"], validating=None)

    def on_train_start(self):
        counts.finish_batch(self.trainer, getattr(self, "unfinished", counts.Unfinished()))


class Hooks(Callback):
    """Records the epochs' hooks, and each batch."""

    def __init__(self):
        self.calls = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.calls.append((trainer.current_epoch, batch_idx))

    def on_validation_end(self, trainer, pl_module):
        self.calls.append("validated")

    def on_train_epoch_end(self, trainer, pl_module):
        self.calls.append("epoch's end")


EPOCH = [(1, 0), (1, 1), (1, 2), "validated", "epoch's end"]


@pytest.mark.parametrize(
    ("hook", "batches", "first"),
    [
        ("on_train_batch_end", 3, ["validated", "epoch's end"]),
        ("on_validation_end", 3, ["epoch's end"]),
        ("on_train_epoch_end", 3, []),
    ],
)
@pytest.mark.parametrize("ends", [{"max_epochs": 2}, {"max_epochs": 9, "max_steps": 6}])
@pytest.mark.parametrize("model", [Resumes, OneNumber])
def test_a_batch_is_finished(tmp_path, model, ends, hook, batches, first):
    trainer(tmp_path, max_epochs=1, callbacks=[Saves(tmp_path, hook, batches)]).fit(model(), ones(), ones())
    hooks = Hooks()
    trainer(tmp_path, callbacks=[hooks], **ends).fit(model(), ones(), ones(), ckpt_path=tmp_path / "end.ckpt")
    if model is Resumes:
        assert hooks.calls == [*first, *EPOCH]
    elif hook == "on_train_batch_end":
        assert hooks.calls != [*first, *EPOCH], "Lightning does it itself by now: the function can go"


def test_a_finished_run_is_opened(tmp_path):
    fitted = trainer(tmp_path, max_epochs=9, max_steps=3)
    fitted.fit(OneNumber(), ones())
    fitted.should_stop = True
    close = counts.open_finished_run(fitted)
    assert (fitted.max_steps, fitted.should_stop) == (-1, False)
    assert not fitted.fit_loop.done
    close()
    assert (fitted.max_steps, fitted.should_stop) == (3, True)
    assert fitted.fit_loop.done


class Looks(Callback):
    """Reads what compat tells at a hook."""

    def __init__(self):
        self.seen = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.seen.append((*counts.batches_done(trainer), counts.is_within_batch(trainer)))

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.on_train_batch_start(trainer, pl_module, batch, batch_idx)


def test_batches_are_counted_when_they_are_done(tmp_path):
    trainer(tmp_path, max_epochs=1, callbacks=[looks := Looks()]).fit(OneNumber(), ones())
    done = [(n, last) for n in range(3) for last in (False, n == 2)]
    assert looks.seen == [(n + within, last, not within) for (n, last), within in zip(done, [0, 1] * 3, strict=True)]


class Numbers:
    """A loader with a state: how many numbers it has read, over all epochs."""

    def __init__(self):
        self.read = 0

    def __iter__(self):
        for _ in range(3):
            self.read += 1
            yield [torch.ones(1)]

    def state_dict(self):
        return {"read": self.read}

    def load_state_dict(self, state):
        self.read = state["read"]


def test_loaders_are_restored_at_an_epochs_end(tmp_path):
    fitted = trainer(tmp_path, max_epochs=1)
    fitted.fit(OneNumber(), Numbers())
    fitted.save_checkpoint(tmp_path / "end.ckpt")
    again = trainer(tmp_path, max_epochs=1)
    again.fit(OneNumber(), loader := Numbers(), ckpt_path=tmp_path / "end.ckpt")
    assert loader.read < 3, "Lightning does it itself by now: the function can go"
    assert counts.restore_loaders(again)
    assert loader.read == 3
    assert not counts.restore_loaders(again)


def test_a_position_is_rescaled(tmp_path):
    fitted = trainer(tmp_path, max_epochs=1)
    fitted.fit(OneNumber(), ones())
    progress = fitted.fit_loop.epoch_loop.batch_progress.current
    assert progress.ready == progress.completed == 3
    counts.rescale_epoch(fitted, before=3, now=6)
    assert (progress.ready, progress.started, progress.processed, progress.completed) == (6, 6, 6, 6)
    counts.rescale_epoch(fitted, before=6, now=float("inf"))
    assert progress.ready == 6
