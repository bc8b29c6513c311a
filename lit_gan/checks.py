"""What cannot work, refused in one sentence before anything is trained: parts, trainers, data and networks."""

from typing import TYPE_CHECKING, Any

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.strategies import DDPStrategy, SingleDeviceStrategy, Strategy
from torch import Tensor, nn
from torch.optim import Optimizer

from lit_gan.arguments import at_least_one, instance_of, positive
from lit_gan.images import to_float
from lit_gan.labels import needs_labels
from lit_gan.losses import AdversarialLoss
from lit_gan.penalties import Penalty
from lit_gan.sampling import evaluating
from lit_gan.schedules import Schedule

if TYPE_CHECKING:
    from lit_gan.module import LitGAN

__all__ = ["check_beta2", "check_game", "check_parts", "check_strategy", "check_trainer", "read_latent_dim"]


def check_parts(model: "LitGAN") -> None:
    """Refuse parts of a wrong type: a class in place of an object, a list in place of a dict."""
    instance_of("generator", model.generator, nn.Module, "DCGANGenerator()")
    instance_of("discriminator", model.discriminator, nn.Module, "DCGANDiscriminator()")
    instance_of("loss", model.loss, AdversarialLoss, "NonSaturating()")
    instance_of("penalties", model.penalties, dict, '{"r1": R1(weight=10)}')
    for name, penalty in model.penalties.items():
        instance_of(f"penalties[{name!r}]", penalty, Penalty, "R1(weight=10)")
    if model.augment is not None:
        instance_of("augment", model.augment, nn.Module, "torch.nn.Identity()")
    for name, example in (
        ("lr_schedule", "Cosine(end=0.1, images=1_000_000)"),
        ("beta2_schedule", "Linear(0.9, 0.99)"),
    ):
        if getattr(model, name) is not None:
            instance_of(name, getattr(model, name), Schedule, example)
    for name in ("generator_optimizer", "discriminator_optimizer"):
        factory: Any = getattr(model, name)
        if isinstance(factory, Optimizer) or not callable(factory):
            raise TypeError(
                f"{name}={factory!r} is not a way to make an optimizer from parameters: give a class, or "
                "functools.partial(torch.optim.Adam, lr=1e-4)"
            )
    if model.latent not in ("normal", "uniform"):
        raise ValueError(f'latent={model.latent!r} is neither "normal" nor "uniform"')
    if model.on_non_finite not in ("stop", "skip"):
        raise ValueError(f'on_non_finite={model.on_non_finite!r} is neither "stop" nor "skip"')
    at_least_one(d_steps_per_g_step=model.d_steps_per_g_step, micro_batches=model.micro_batches)
    positive(gradient_clip=model.gradient_clip)
    if not isinstance(model.ema_half_life, Schedule):
        positive(ema_half_life=model.ema_half_life)


def check_beta2(schedule: Schedule | None, optimizers: list[Optimizer]) -> None:
    """Refuse a schedule of β2 for an optimizer that has none."""
    for optimizer in optimizers:
        if schedule is not None and any("betas" not in group for group in optimizer.param_groups):
            raise ValueError(
                f"beta2_schedule={schedule} and {type(optimizer).__name__}, which has no β2: leave the schedule out, "
                "or take GANAdam for both players"
            )


def read_latent_dim(generator: nn.Module, given: int | None) -> int:
    """Return the length of z: what is given, or what the generator says; refused where they contradict."""
    own: int | None = getattr(generator, "latent_dim", None)
    latent_dim = own if given is None else given
    if latent_dim is None:
        raise ValueError(f"{type(generator).__name__} has no latent_dim: pass LitGAN(latent_dim=...), the length of z")
    if own not in (None, latent_dim):
        raise ValueError(f"latent_dim={given} contradicts {type(generator).__name__}.latent_dim={own}: leave it out")
    at_least_one(latent_dim=latent_dim)
    return latent_dim


def check_trainer(trainer: Trainer, averages: bool) -> None:
    """Refuse options of the Trainer that a two-player game needs on LitGAN instead, and strategies for one network.

    Args:
        trainer: about to fit.
        averages: whether the model keeps a moving average.
    """
    if trainer.gradient_clip_val:
        raise ValueError(
            f"Trainer(gradient_clip_val={trainer.gradient_clip_val}) cannot clip two players: "
            f"use LitGAN(gradient_clip={trainer.gradient_clip_val}), which clips each for itself"
        )
    if trainer.accumulate_grad_batches != 1:
        raise ValueError(
            f"Trainer(accumulate_grad_batches={trainer.accumulate_grad_batches}) cannot accumulate for two players: "
            f"multiply the batch size by it and use LitGAN(micro_batches={trainer.accumulate_grad_batches})"
        )
    check_strategy(trainer.strategy)
    if averages and trainer.precision in ("bf16-true", "16-true"):
        raise ValueError(
            f"precision={trainer.precision!r} rounds the steps of the moving average away: take "
            f"{trainer.precision.replace('true', 'mixed')!r}, or LitGAN(ema_half_life=None)"
        )


def check_strategy(strategy: Strategy) -> None:
    """Refuse strategies that split one network with one optimizer over devices, and what LitGAN's averaging ignores."""
    if isinstance(strategy, SingleDeviceStrategy):
        return
    name = type(strategy).__name__
    if type(strategy) is not DDPStrategy:
        raise ValueError(
            f"{name} wraps the model for one optimizer and one backward pass, and a GAN has two of each: take "
            'Trainer(strategy="ddp"), in which each device holds both networks'
        )
    if strategy._ddp_comm_hook is not None or strategy._model_averaging_period is not None:
        raise ValueError(
            f"{name}: LitGAN averages gradients itself, so ddp_comm_hook and model_averaging_period would do nothing: "
            'take Trainer(strategy="ddp")'
        )


def check_game(model: "LitGAN", images: Tensor, labels: Tensor | None) -> None:
    """Refuse data and networks that do not fit each other, on the first batch, before anything is trained.

    Args:
        model: whose networks are run on two samples, in evaluation mode.
        images: as they come from the data, on the model's device.
        labels: int64 ``(N,)``, or None.

    Raises:
        ValueError: the first misfit found, with both values.
    """
    _check_range(images)
    for player, passing in model.passing.items():
        if labels is None and passing != "not at all":
            _check_unlabelled(player, getattr(model, player))
    # Validation may come first, without gradients; the walk back from the logits needs them, and tensors that allow it.
    with torch.inference_mode(False), torch.enable_grad(), evaluating(model.generator, model.discriminator):
        real = to_float(images[:2].clone(), model.float_type)
        two_labels = None if labels is None else labels[:2].clone()
        fake = _generate(model, real, two_labels)
        _check_shape(fake, real, model.generator)
        try:
            logits = model.logits(fake, two_labels)
        except RuntimeError as error:
            raise ValueError(
                f"the discriminator ({type(model.discriminator).__name__}) cannot take {_size(real)} samples, what "
                f"the data and the generator have: make it one that does ({_first_line(error)})"
            ) from error
    _check_unbounded(logits, model.discriminator)


def _check_unlabelled(player: str, network: nn.Module) -> None:
    if needs_labels(network) or getattr(network, "num_classes", None) is not None:
        raise ValueError(
            f"the {player} is conditional and the batches carry no labels: give batches (images, labels), "
            f"or an unconditional {player}"
        )


def _generate(model: "LitGAN", real: Tensor, labels: Tensor | None) -> Tensor:
    name = type(model.generator).__name__
    try:
        with torch.no_grad():
            fake = model(real.new_zeros(len(real), model.latent_dim), labels)
    except RuntimeError as error:
        raise ValueError(
            f"the generator ({name}) cannot take latents of shape ({len(real)}, {model.latent_dim}): "
            f"its forward must take (N, latent_dim) ({_first_line(error)})"
        ) from error
    if not isinstance(fake, Tensor):
        raise TypeError(f"the generator ({name}) returns a {type(fake).__name__}: it must return images alone")
    return fake


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def _size(images: Tensor) -> str:
    return "×".join(map(str, images.shape[1:]))


def _check_range(images: Tensor) -> None:
    if images.ndim == 2 or not images.is_floating_point():
        return
    low, high = float(images.min()), float(images.max())
    if high > 1.01 or low < -1.01:
        raise ValueError(
            f"float images lie in [{low:.4g}, {high:.4g}], lit_gan needs [-1, 1]: "
            "give uint8, or scale them, x / 127.5 - 1 if they are in [0, 255]"
        )
    if low >= 0 and high > 0 and len(images) > 1:  # one picture may be bright
        raise ValueError(
            f"float images lie in [{low:.4g}, {high:.4g}], so probably in [0, 1], lit_gan needs [-1, 1]: "
            "give uint8, or scale them, 2 * x - 1"
        )


def _check_shape(fake: Tensor, real: Tensor, generator: nn.Module) -> None:
    if fake.shape == real.shape:
        return
    kind = "vectors" if real.ndim == 2 else "images"
    if real.ndim == 3:
        way_out = "give images (N, C, H, W), x[:, None]"
    elif real.ndim == 4 and real.shape[-1] in (1, 3) and real.shape[1] not in (1, 3):
        way_out = "give images (N, C, H, W), x.permute(0, 3, 1, 2)"
    elif not real.ndim == fake.ndim == 4:
        way_out = f"give a generator of {_size(real)} {kind}"
    elif fake.shape[-2:] != real.shape[-2:]:
        way_out = f"set image_size={fake.shape[-1]} on the data or {real.shape[-1]} on the generator"
    else:
        way_out = f"set channels={real.shape[1]} on the generator and the discriminator"
    raise ValueError(
        f"the generator ({type(generator).__name__}) makes {_size(fake)} samples, the data has {_size(real)} {kind}: "
        f"{way_out}"
    )


_RESHAPING = (
    *("View", "Reshape", "Squeeze", "Unsqueeze", "Select", "Slice", "Permute", "TBackward"),
    *("ToCopy", "Clone", "Clamp"),
)
_BOUNDED = {"Sigmoid": "a sigmoid", "Tanh": "a tanh", "Softmax": "a softmax", "Hardsigmoid": "a hard sigmoid"}


def _check_unbounded(logits: Tensor, discriminator: nn.Module) -> None:
    node = logits.grad_fn
    while node is not None and node.name().startswith(_RESHAPING) and node.next_functions:
        node = node.next_functions[0][0]
    for name, what in _BOUNDED.items():
        if node is not None and node.name().startswith(name):
            raise ValueError(
                f"the discriminator ({type(discriminator).__name__}) ends in {what}: it must return unbounded logits, "
                "remove its last activation"
            )
