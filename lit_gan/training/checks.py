"""Checks of LitGAN's arguments, its optimizers and the Trainer's options, made before anything is trained."""

import copy
import re
from types import SimpleNamespace
from typing import Any, cast

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import BatchSizeFinder, Callback, LearningRateFinder, WeightAveraging
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter
from torch.optim import Optimizer

from lit_gan._utils.arguments import at_least_one, instance_of, positive, shown
from lit_gan._utils.dtypes import slowdown_in_bfloat16
from lit_gan._utils.errors import LitGANError, LitGANTypeError
from lit_gan.losses import AdversarialLoss
from lit_gan.penalties import Penalty
from lit_gan.schedules import Schedule, always_within
from lit_gan.training.distributed import check_strategy
from lit_gan.training.players import Players

__all__ = ["check_beta2", "check_optimizers", "check_parts", "check_trainer"]

_HELD_OUT = ("val/value", "val/jsd_lower_bound", "val/d_accuracy")
_MUCH_SLOWER = 2.5  # small layers are up to twice as slow in bfloat16 on processors that multiply in it


def check_parts(**arguments: Any) -> None:
    """Refuse arguments of LitGAN of a wrong type (a class in place of an object, say) or out of their range.

    Args:
        arguments: all of LitGAN's that it keeps as attributes, by name.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of its range.
    """
    model = SimpleNamespace(**arguments)
    instance_of("generator", model.generator, nn.Module, "DCGANGenerator()")
    instance_of("discriminator", model.discriminator, nn.Module, "DCGANDiscriminator()")
    instance_of("loss", model.loss, AdversarialLoss, "NonSaturating()")
    _check_needs_real(model.loss)
    if model.generator is model.discriminator:
        raise LitGANError(f"generator and discriminator are one {type(model.generator).__name__}: make two networks")
    for player in ("generator", "discriminator"):
        _check_initialised(player, getattr(model, player))
        if any(isinstance(p, UninitializedParameter) for p in getattr(model, player).parameters()):
            raise LitGANError(f"the {player} has lazy parameters without a shape: call it once on a batch before")
    _check_penalties(model.penalties)
    if model.augment is not None:
        instance_of("augment", model.augment, nn.Module, "torch.nn.Identity()")
        _check_initialised("augment", model.augment)
    _check_optimizers(model)
    if model.latent not in ("normal", "uniform"):
        raise LitGANError(f'latent={model.latent!r} is neither "normal" nor "uniform"')
    if model.on_non_finite not in ("stop", "skip"):
        raise LitGANError(f'on_non_finite={model.on_non_finite!r} is neither "stop" nor "skip"')
    at_least_one(d_steps_per_g_step=model.d_steps_per_g_step, micro_batches=model.micro_batches)
    instance_of("share_fakes", model.share_fakes, bool, "True")
    if model.share_fakes and model.micro_batches > 1:
        raise LitGANError(
            f"share_fakes=True keeps the graph of a whole batch between the turns, micro_batches={model.micro_batches} "
            "splits the batch to have less of it: use one or the other"
        )
    positive(gradient_clip=model.gradient_clip)
    always_within("(0, ∞)", ema_half_life=model.ema_half_life)


def _check_initialised(name: str, module: nn.Module) -> None:
    if "_parameters" not in vars(module):
        raise LitGANTypeError(
            f"{name} is a {type(module).__name__} without super().__init__() in its __init__: call it"
        )


def _check_needs_real(loss: AdversarialLoss) -> None:
    """Refuse a game whose generator's loss fails without real logits but not with them, if it does not ask for them."""
    logits = torch.zeros(2)
    if not loss.needs_real and _fails(loss, logits) and not _fails(loss, logits, logits):
        raise LitGANTypeError(
            f"{type(loss).__name__}.generator fails without real logits: let the class say needs_real = True"
        )


def _fails(loss: AdversarialLoss, *logits: Tensor) -> bool:
    """Return whether a copy of a game raises an error when it computes the generator's loss."""
    try:
        with torch.random.fork_rng(devices=[]):
            copy.deepcopy(loss).generator(*logits)
    except Exception:  # of a user's own code
        return True
    return False


def _check_optimizers(model: SimpleNamespace) -> None:
    for name, example in (
        ("lr_schedule", "Cosine(end=0.1, images=1_000_000)"),
        ("beta2_schedule", "Linear(0.9, 0.99)"),
    ):
        if getattr(model, name) is not None:
            instance_of(name, getattr(model, name), Schedule, example)
    always_within("[0, ∞)", lr_schedule=model.lr_schedule)
    always_within("[0, 1)", beta2_schedule=model.beta2_schedule)
    for name in ("generator_optimizer", "discriminator_optimizer"):
        factory: Any = getattr(model, name)
        if isinstance(factory, Optimizer) or not callable(factory):
            raise LitGANTypeError(
                f"{name}={shown(factory)} is not a way to make an optimizer from parameters: give a class, or "
                "functools.partial(torch.optim.Adam, lr=1e-4)"
            )


def _check_penalties(penalties: dict[str, Penalty]) -> None:
    instance_of("penalties", penalties, dict, '{"r1": R1(weight=10)}')
    for name, penalty in penalties.items():
        instance_of(f"penalties[{name!r}]", penalty, Penalty, "R1(weight=10)")
        penalty.check_fields()
        if isinstance(penalty, nn.Module):
            _check_initialised(f"penalties[{name!r}]", penalty)
        if not isinstance(name, str) or not re.fullmatch(r"[\w/ -]+", name):
            raise LitGANError(
                f"penalties[{name!r}]: a name is a log key, a string of letters, digits, _, /, - and blanks, "
                "without a dot, like 'r1'"
            )
        if isinstance(penalty, nn.Module) and sum(other is penalty for other in penalties.values()) > 1:
            raise LitGANError(f"penalties[{name!r}] is there twice, and its averages would be: make two of them")


def check_beta2(schedule: Schedule | None, optimizers: list[Optimizer]) -> None:
    """Refuse a schedule of β2 for an optimizer without β2."""
    for optimizer in optimizers:
        if schedule is not None and any("betas" not in group for group in optimizer.param_groups):
            raise LitGANError(
                f"beta2_schedule={schedule} and {type(optimizer).__name__}, which has no β2: leave the schedule out, "
                "or take GANAdam for both players"
            )


def check_optimizers(trainer: Trainer, players: Players, beta2_schedule: Schedule | None) -> None:
    """Refuse what a subclass's ``configure_optimizers`` returns if it is not an optimizer for each player.

    Args:
        trainer: about to fit, with its optimizers.
        players: whose parameters the optimizers hold, the generator's first.
        beta2_schedule: of both optimizers; None for none.

    Raises:
        ValueError: there are not two optimizers, they are in the wrong order, one has no β2 to schedule, or there are
            learning rate schedulers, which nothing would step.
    """
    optimizers = trainer.optimizers
    if len(optimizers) != 2:
        raise LitGANError(
            f"configure_optimizers returns {len(optimizers)} optimizers: return [generator's, discriminator's]"
        )
    for optimizer, player, other in zip(optimizers, players.networks, reversed(players.networks.values()), strict=True):
        foreign = {id(p) for p in other.parameters()}
        if any(id(p) in foreign for group in optimizer.param_groups for p in group["params"]):
            raise LitGANError(
                f"configure_optimizers returns an optimizer with parameters of the other player in the {player}'s "
                "place: return [generator's, discriminator's]"
            )
    check_beta2(beta2_schedule, optimizers)
    _warn_of_untrained(trainer)
    for config in trainer.lr_scheduler_configs:
        raise LitGANError(
            f"configure_optimizers returns {type(config.scheduler).__name__}, which nothing would step: use "
            "LitGAN(lr_schedule=Cosine(end=0.1, images=1_000_000)), a factor by images seen"
        )


def _warn_of_untrained(trainer: Trainer) -> None:
    """Warn of parameters that require a gradient and are in no optimizer: of a subclass's third network, say."""
    held = {id(p) for optimizer in trainer.optimizers for group in optimizer.param_groups for p in group["params"]}
    names = [name for name, p in trainer.lightning_module.named_parameters() if p.requires_grad and id(p) not in held]
    if names:
        rank_zero_warn(
            f"{shown(names)} are in no optimizer, so nothing trains them: add them to one in configure_optimizers "
            "(add_param_group), or call requires_grad_(False) on them"
        )


def check_trainer(trainer: Trainer, averages: bool) -> None:
    """Refuse Trainer options that cannot work with two players: clipping, accumulation, callbacks, precision.

    Warn of bfloat16 on a processor that is slow in it, and of a Trainer that has trained before.

    Args:
        trainer: about to fit.
        averages: whether the model has an averaged generator, whose steps are too small for 16-bit weights.

    Raises:
        ValueError: an option cannot work; LitGAN's argument to use in its place is named, if there is one.
    """
    if trainer.gradient_clip_val:
        raise LitGANError(
            f"Trainer(gradient_clip_val={trainer.gradient_clip_val}) cannot clip two players: "
            f"use LitGAN(gradient_clip={trainer.gradient_clip_val}), which clips each for itself"
        )
    if trainer.accumulate_grad_batches != 1:
        raise LitGANError(
            f"Trainer(accumulate_grad_batches={trainer.accumulate_grad_batches}) cannot accumulate for two players: "
            f"multiply the batch size by it and use LitGAN(micro_batches={trainer.accumulate_grad_batches})"
        )
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        _check_callback(callback, trainer)
    check_strategy(trainer.strategy)
    if averages and trainer.precision in ("bf16-true", "16-true"):
        raise LitGANError(
            f"precision={trainer.precision!r} rounds the steps of the moving average away: take "
            f"{trainer.precision.replace('true', 'mixed')!r}, or LitGAN(ema_half_life=None)"
        )
    _warn_of_slow_bfloat16(trainer)
    _warn_of_earlier_fit(trainer)


def _check_callback(callback: Callback, trainer: Trainer) -> None:
    """Refuse a callback of Lightning's that cannot work with two players; warn of one that would do nothing."""
    name, monitor = type(callback).__name__, getattr(callback, "monitor", None)
    if isinstance(callback, (BatchSizeFinder, LearningRateFinder)):
        raise LitGANError(
            f"{name} trains one optimizer before fit has started, and a GAN has two: compare "
            "short runs, Trainer(max_steps=20), by hand; micro_batches saves memory at any batch size"
        )
    if isinstance(callback, WeightAveraging):
        raise LitGANError(
            f"{name} would average both players and the counters of images: use LitGAN(ema_half_life=10_000), which "
            "averages the generator"
        )
    if monitor in _HELD_OUT and not trainer.enable_validation:
        raise LitGANError(
            f"{name} monitors {monitor!r}, which is measured on held-out data, and there are none: give fit "
            "val_dataloaders, without limit_val_batches=0, or monitor a loss, like 'loss/d'"
        )
    if "'train_time_interval': datetime" in callback.state_key:
        rank_zero_warn(
            f"{name}(train_time_interval=...) saves nothing: Lightning reads it in automatic optimization alone, use "
            "every_n_train_steps"
        )


def _warn_of_slow_bfloat16(trainer: Trainer) -> None:
    """Warn if training would be in bfloat16 on a processor that is much slower in it than in float32."""
    if str(trainer.precision).startswith("bf16") and trainer.strategy.root_device.type == "cpu":
        slower = slowdown_in_bfloat16()
        if slower > _MUCH_SLOWER:
            rank_zero_warn(
                f"precision={trainer.precision!r} is {slower:.1f} times slower than float32 on this processor, as "
                "measured on a small convolution now: use precision='32-true'"
            )


def _warn_of_earlier_fit(trainer: Trainer) -> None:
    """Warn if the Trainer's counters, which it keeps from an earlier fit, leave a new model less to train, or nothing.

    A model that goes on, or a checkpoint that is resumed, is the counters' own.
    """
    step, epoch = trainer.global_step, trainer.current_epoch
    over = 0 <= trainer.max_steps <= step or 0 <= (trainer.max_epochs or -1) <= epoch
    is_new = not cast(Tensor, trainer.lightning_module.d_steps)
    if trainer.ckpt_path is None and (step or epoch) and (over or is_new):
        rank_zero_warn(
            f"this Trainer counts on from an earlier fit, at generator update {step} and epoch {epoch} of "
            f"max_steps={trainer.max_steps} and max_epochs={trainer.max_epochs}: "
            f"{'nothing is trained' if over else 'only the rest is trained'}, make a new Trainer for each fit"
        )
