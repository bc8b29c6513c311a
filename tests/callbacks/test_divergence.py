"""DivergenceStop on real runs whose score is made up: when it stops, what it leaves, what it says, and resuming."""

import math
import os
import re
import warnings

import pytest
import torch
from pytorch_lightning import Callback
from pytorch_lightning.callbacks import ModelCheckpoint

from lit_gan import LitGAN, LitGANError
from lit_gan._utils.checkpoint_file import read_checkpoint
from lit_gan.callbacks import DivergenceStop
from lit_gan.networks import MLPDiscriminator, MLPGenerator
from lit_gan.sampling.from_checkpoint import load_generators
from lit_gan.training.checkpoint_io import PlainCheckpointIO
from tests.support.processes import on_ranks
from tests.support.small import PlainDiscriminator, PlainGenerator, loader, trainer
from tests.training.test_non_finite import SpoilGradient

NAN, INF = math.nan, math.inf
DATA = torch.rand(24, 1, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
PLAYERS = ("generator.", "discriminator.", "ema_generator.")
stops = pytest.mark.filterwarnings("ignore:val/fid was bad")


class Scores(Callback):
    """Logs one score after another, each at the end of a validation, none for None; keeps the networks of each."""

    def __init__(self, scores, name="val/fid", on_rank=None):
        self.scores, self.name, self.on_rank, self.networks = scores, name, on_rank or {}, []

    def on_validation_epoch_end(self, trainer, pl_module):
        if trainer.sanity_checking:
            return
        score = self.scores[len(self.networks)]
        self.networks.append(networks(pl_module))
        if score is not None:
            pl_module.log(self.name, torch.tensor(float(self.on_rank.get(trainer.global_rank, score))))


def networks(model):
    return {name: t.clone() for name, t in model.state_dict().items() if name.startswith(PLAYERS)}


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def play(folder, scores, stop=None, ckpt_path=None, **options):
    """Train an epoch for each score at the most; return model, stop and scores."""
    torch.manual_seed(0)
    model = LitGAN(PlainGenerator(), PlainDiscriminator())
    logged, stop = Scores(scores), stop or DivergenceStop()
    callbacks = [*options.pop("callbacks", []), stop, logged]
    options = {"max_epochs": len(scores), **options}
    trainer(folder, callbacks=callbacks, **options).fit(model, loader(DATA), loader(DATA), ckpt_path=ckpt_path)
    return model, stop, logged


@stops
@pytest.mark.parametrize(
    ("scores", "options", "looked"),
    [
        ([10.0, 21, 22, 23, 9], {}, 4),
        ([10.0, 21, 22, 20, 23, 9], {}, 6),  # 20 is not more than twice as bad
        ([40.0, 90, 10, 50, 50, 50, 9], {}, 6),  # of the best so far
        ([10.0, 13, 13, 9], {"factor": 1.25, "patience": 2}, 3),
        ([10.0, 21, NAN, INF, 9], {}, 4),
        ([10.0, NAN, 9, NAN, 12], {"patience": 2}, 5),
        ([NAN, NAN, NAN, 9], {}, 3),
        ([0.8, 0.3, 0.5, 0.3, 0.3, 0.9], {"mode": "max", "patience": 2}, 5),
        ([0.3, 0.8, 0.4, 0.4, 0.9], {"mode": "max", "patience": 2}, 5),
        ([-8.0, -15, -17, -17, -1], {"mode": "max", "patience": 2}, 4),  # a log-likelihood
        ([-8.0, -5, -3, -3, -9], {"patience": 2}, 4),
        ([0.0, 1e-9, -1], {"patience": 1}, 2),
        ([1e-4, 9e-3, 8e-3, -1e-4, 9e-3, 0.02, 0.03, 0], {"patience": 2, "margin": 0.01}, 7),
        ([5.0, 14, 15, 16, 9], {"patience": 2, "margin": 10}, 5),
        ([10.0, 30, None, 30, None, 30, 9], {}, 6),  # a score that is not logged anew does not count
        ([10.0, 30, 30, 30, 9], {}, 4),  # one that is the same again does
    ],
)
def test_stops_after_as_many_bad_scores_in_succession(tmp_path, scores, options, looked):
    logged = play(tmp_path, scores, DivergenceStop(**options))[2]
    assert len(logged.networks) == looked


def test_goes_back_to_the_best_weights_says_so_and_saves_them(tmp_path):
    last = ModelCheckpoint(tmp_path / "saved", save_last=True, save_top_k=0)
    message = (
        r"val/fid was bad 3 times in succession, at last 1300 after 144 images, and its best was 20 after 72 images: "
        r"the run stops, and the model has the best one's weights again, which are in "
        rf"{re.escape(str(tmp_path))}/best\.pt too$"
    )
    with pytest.warns(UserWarning, match=message):
        model, stop, logged = play(
            tmp_path, [30.0, 25, 20, 500, 600, 1300, 1], callbacks=[last], enable_checkpointing=True
        )
    assert int(model.images_seen) == 6 * 24
    assert equal(networks(model), logged.networks[2])
    assert not equal(logged.networks[5], logged.networks[2])
    saved = read_checkpoint(tmp_path / "saved/last.ckpt")["state_dict"]
    assert all(torch.equal(saved[name], tensor) for name, tensor in networks(model).items())
    assert stop.state_dict()["bad"] == 0


@stops
def test_the_file_of_the_best_is_taken_by_all_that_takes_weights(tmp_path):
    torch.manual_seed(0)
    model = LitGAN(MLPGenerator(4, 1, latent_dim=3, width=8), MLPDiscriminator(4, 1, width=8))
    stop, logged = DivergenceStop(patience=1), Scores([3.0, 2, 50])
    fitted = trainer(tmp_path, callbacks=[stop, logged], max_epochs=3)
    fitted.fit(model, loader(DATA), loader(DATA))
    path = tmp_path / "best.pt"
    best = LitGAN.load_from_checkpoint(path)
    content = read_checkpoint(path)
    assert (content["global_step"], content["lit_gan_data"]) == (12, None)
    assert equal(networks(best), logged.networks[1])
    assert int(best.images_seen) == 2 * 24
    assert torch.equal(load_generators(path).sample(4, seed=1), best.sample(4, seed=1))
    warm = LitGAN(MLPGenerator(4, 1, latent_dim=3, width=8), MLPDiscriminator(4, 1, width=8), warm_start=str(path))
    assert torch.equal(warm.sample(4, seed=1, ema=False), best.sample(4, seed=1, ema=False))
    trainer(tmp_path).validate(warm, loader(DATA), ckpt_path=path, verbose=False)
    with pytest.raises(LitGANError, match="no states of two optimizers"):
        trainer(tmp_path, max_epochs=4).fit(warm, loader(DATA), ckpt_path=path)


@stops
def test_stops_without_going_back(tmp_path):
    model, stop, logged = play(tmp_path, [30.0, 500, 600, 700, 1], DivergenceStop(restore=False))
    assert equal(networks(model), logged.networks[3])
    assert stop.state_dict() == {"best": 30, "images": 24, "step": 6, "bad": 0, "weights": {}}
    assert list(tmp_path.iterdir()) == []


def test_without_a_finite_score_there_is_nothing_to_go_back_to(tmp_path):
    with pytest.warns(UserWarning, match=r"at last nan after 48 images, and none was finite: the run stops$"):
        model, _, logged = play(tmp_path, [INF, NAN, 1], DivergenceStop(patience=2))
    assert equal(networks(model), logged.networks[1])


def test_a_full_disk_leaves_the_weights_in_the_model(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("best.pt could not be written: make room")

    monkeypatch.setattr(PlainCheckpointIO, "save_checkpoint", full)
    with pytest.warns(UserWarning, match=r"weights again; best\.pt could not be written: make room$"):
        model, _, logged = play(tmp_path, [10.0, 30, 1], DivergenceStop(patience=1))
    assert equal(networks(model), logged.networks[0])


@stops
def test_a_run_that_may_not_stop_goes_on_from_the_best(tmp_path):
    model, _, logged = play(tmp_path, [10.0, 30, 9, 8, 1], DivergenceStop(patience=1), min_epochs=4)
    assert len(logged.networks) == 4
    assert not equal(networks(model), logged.networks[0])


def test_only_watches_a_run_that_goes_well(tmp_path):
    model, _, logged = play(tmp_path, [3.0, 2, 1])
    torch.manual_seed(0)
    alone = LitGAN(PlainGenerator(), PlainDiscriminator())
    trainer(tmp_path, max_epochs=3).fit(alone, loader(DATA), loader(DATA))
    assert equal(networks(model), networks(alone))
    assert equal(networks(model), logged.networks[2])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("restore", [True, False])
def test_a_loss_that_is_not_finite_leaves_the_best_weights(tmp_path, caplog, restore):
    spoil = SpoilGradient("generator.net.2.bias", {15})
    stop, scores = DivergenceStop(restore=restore), Scores([20.0, 30, 40])
    torch.manual_seed(0)
    model = LitGAN(PlainGenerator(), PlainDiscriminator())
    with caplog.at_level("INFO"), pytest.raises(FloatingPointError, match="turn 15; the last good step"):
        trainer(tmp_path, callbacks=[spoil, stop, scores], max_epochs=3).fit(model, loader(DATA), loader(DATA))
    assert equal(networks(model), scores.networks[0]) == restore
    said = "The best val/fid was 20 after 24 images, and the model has the best one's weights again, which are in"
    assert (f"{said} {tmp_path}" in caplog.text) == restore
    assert (tmp_path / "best.pt").exists() == restore


def test_a_loss_that_is_not_finite_before_the_first_score_stops_the_run_as_ever(tmp_path):
    with pytest.raises(FloatingPointError, match="turn 2;"):
        play(tmp_path, [20.0], callbacks=[SpoilGradient("generator.net.2.bias", {2})])
    assert list(tmp_path.iterdir()) == []


def test_another_error_changes_nothing(tmp_path):
    class Fails(Callback):
        def on_train_epoch_start(self, trainer, pl_module):
            if trainer.current_epoch == 2:
                self.before = networks(pl_module)
                raise KeyError("of a user")

    fails = Fails()
    torch.manual_seed(0)
    model = LitGAN(PlainGenerator(), PlainDiscriminator())
    callbacks = [fails, DivergenceStop(), Scores([20.0, 30, 40])]
    with pytest.raises(KeyError, match="of a user"):
        trainer(tmp_path, callbacks=callbacks, max_epochs=3).fit(model, loader(DATA), loader(DATA))
    assert equal(networks(model), fails.before)
    assert not (tmp_path / "best.pt").exists()


def test_a_name_that_nothing_logs_is_said_once(tmp_path):
    message = (
        r"DivergenceStop watches 'val/fld', and nothing has logged that by the end of the first validation: there are "
        r"(\S+, )*val/fid, "
    )
    with pytest.warns(UserWarning, match=message) as said:
        play(tmp_path, [1.0, 30, 40], DivergenceStop("val/fld"))
    assert sum("val/fld" in str(warning.message) for warning in said) == 1


def test_a_run_without_validation_is_told(tmp_path):
    with pytest.warns(UserWarning, match="reads 'val/fid' when a validation ends, and this run has none"):
        play(tmp_path, [1.0], limit_val_batches=0)


def test_validations_outside_of_fit_and_before_it_do_not_count(tmp_path):
    stop = DivergenceStop(patience=1)
    torch.manual_seed(0)
    model = LitGAN(PlainGenerator(), PlainDiscriminator())
    watched = trainer(tmp_path, callbacks=[stop, Scores([1.0, 50])], max_epochs=1, num_sanity_val_steps=1)
    watched.fit(model, loader(DATA), loader(DATA))
    watched.validate(model, loader(DATA), verbose=False)
    assert stop.state_dict()["bad"] == 0
    assert stop.state_dict()["best"] == 1


@stops
def test_stops_in_the_midst_of_an_epoch(tmp_path):
    model, _, logged = play(
        tmp_path, [10.0, 5, 30, 40, 1, 1], DivergenceStop(patience=2), val_check_interval=2, max_epochs=2
    )
    assert int(model.images_seen) == 4 * 8
    assert equal(networks(model), logged.networks[1])


@stops
def test_each_run_begins_anew_and_two_scores_are_watched_apart(tmp_path):
    fid, kid = DivergenceStop(), DivergenceStop("val/kid", margin=0.01)
    with pytest.warns(UserWarning, match="watches 'val/kid'"):
        play(tmp_path, [10.0, 30, 30], fid, callbacks=[kid])
    play(tmp_path, [50.0, 60], fid)
    assert fid.state_dict()["best"] == 50
    assert fid.state_key != kid.state_key


@stops
def test_a_resumed_run_goes_back_to_the_best_of_the_one_before(tmp_path):
    """A checkpoint, of tensors and plain data alone, after one bad score of three."""
    whole = play(tmp_path, [30.0, 10, 500, 600, 700, 1])[2]
    saved = ModelCheckpoint(tmp_path / "saved", filename="{epoch}", save_top_k=-1)
    play(tmp_path, [30.0, 10, 500], callbacks=[saved], enable_checkpointing=True)
    path = tmp_path / "saved/epoch=2.ckpt"
    state = read_checkpoint(path)["callbacks"][DivergenceStop().state_key]
    assert (state["best"], state["images"], state["bad"]) == (10, 48, 1)
    model, stop, resumed = play(tmp_path, [600.0, 700, 1, 1, 1, 1], ckpt_path=path)
    assert len(resumed.networks) == 2
    assert equal(resumed.networks[1], whole.networks[4])
    assert equal(networks(model), whole.networks[1])
    assert stop.state_dict()["images"] == 48


def play_on_a_rank(folder, scores, on_rank):
    torch.manual_seed(int(os.environ["LOCAL_RANK"]))
    model = LitGAN(PlainGenerator(), PlainDiscriminator())
    logged = Scores(scores, on_rank=on_rank)
    options = {"max_epochs": len(scores), "devices": 2, "strategy": "ddp"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = trainer(folder, callbacks=[DivergenceStop(patience=2), logged], **options)
        fitted.fit(model, loader(DATA), loader(DATA))
    now, best = networks(model), logged.networks[1]
    return len(logged.networks), equal(now, best), {name: tensor.numpy() for name, tensor in now.items()}


@pytest.mark.parametrize("on_rank", [{}, {1: 15.0}])
def test_two_processes_stop_together_and_go_back_to_one_model(tmp_path, on_rank):
    """Even where a score is that of one process only: the first one's counts."""
    first, second = on_ranks(play_on_a_rank, tmp_path, [20.0, 10, 30, 40, 1], on_rank)
    assert first[:2] == second[:2] == (4, True)
    assert all((first[2][name] == second[2][name]).all() for name in first[2])
    saved = read_checkpoint(tmp_path / "best.pt")["state_dict"]
    assert all((saved[name].numpy() == tensor).all() for name, tensor in first[2].items())
    assert int(saved["images_seen"]) == 48


def fail_on_a_rank(folder):
    torch.manual_seed(0)
    model, rank = LitGAN(PlainGenerator(), PlainDiscriminator()), int(os.environ["LOCAL_RANK"])
    spoil = SpoilGradient("generator.net.2.bias", {5} if rank == 1 else {})
    logged, options = Scores([20.0, 10]), {"max_epochs": 2, "devices": 2, "strategy": "ddp"}
    with warnings.catch_warnings(), pytest.raises(FloatingPointError, match="turn 5;"):
        warnings.simplefilter("ignore")
        fitted = trainer(folder, callbacks=[DivergenceStop(), spoil, logged], **options)
        fitted.fit(model, loader(DATA), loader(DATA))
    return equal(networks(model), logged.networks[0])


def test_two_processes_go_back_where_a_gradient_of_one_is_not_finite(tmp_path):
    assert on_ranks(fail_on_a_rank, tmp_path) == [True, True]
    assert int(read_checkpoint(tmp_path / "best.pt")["state_dict"]["images_seen"]) == 24


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"monitor": 3}, TypeError, "monitor=3 is no str: give an instance of one, like 'val/fid'"),
        ({"mode": "best"}, ValueError, "mode='best' must be 'min', where a lower score is better, or 'max'"),
        ({"factor": 1}, ValueError, r"factor=1 must be a number in \(1, ∞\)"),
        ({"factor": "2"}, TypeError, "factor='2' must be a number"),
        ({"patience": 0}, ValueError, "patience=0 must be at least 1"),
        ({"margin": -0.1}, ValueError, r"margin=-0.1 must be a number in \[0, ∞\)"),
    ],
)
def test_wrong_arguments_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        DivergenceStop(**options)
