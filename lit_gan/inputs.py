"""What comes from outside, understood or refused in one sentence before work is lost: batches, networks, trainers."""

import inspect
from typing import TYPE_CHECKING, Any

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.strategies import SingleDeviceStrategy
from torch import Tensor, nn
from torch.optim import Optimizer

from lit_gan.arguments import at_least_one, instance_of
from lit_gan.images import to_float
from lit_gan.losses import AdversarialLoss
from lit_gan.penalties import Penalty
from lit_gan.sampling import LabelPassing, evaluating
from lit_gan.schedules import Schedule

if TYPE_CHECKING:
    from lit_gan.module import LitGAN

__all__ = [
    "check_game",
    "check_parts",
    "check_trainer",
    "label_passing",
    "read_batch",
    "read_labels",
    "read_latent_dim",
    "unpack",
]


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


def check_parts(
    generator: Any,
    discriminator: Any,
    loss: Any,
    penalties: Any,
    augment: Any,
    generator_optimizer: Any,
    discriminator_optimizer: Any,
    lr_schedule: Any,
) -> None:
    """Refuse parts of LitGAN that are of a wrong type: a class in place of an object, a list in place of a dict."""
    instance_of("generator", generator, nn.Module, "DCGANGenerator()")
    instance_of("discriminator", discriminator, nn.Module, "DCGANDiscriminator()")
    instance_of("loss", loss, AdversarialLoss, "NonSaturating()")
    instance_of("penalties", {} if penalties is None else penalties, dict, '{"r1": R1(weight=10)}')
    for name, penalty in (penalties or {}).items():
        instance_of(f"penalties[{name!r}]", penalty, Penalty, "R1(weight=10)")
    if augment is not None:
        instance_of("augment", augment, nn.Module, "torch.nn.Identity()")
    if lr_schedule is not None:
        instance_of("lr_schedule", lr_schedule, Schedule, "Cosine(end=0.1, images=1_000_000)")
    for player, factory in (("generator", generator_optimizer), ("discriminator", discriminator_optimizer)):
        if isinstance(factory, Optimizer) or not callable(factory):
            raise TypeError(
                f"{player}_optimizer={factory!r} is not a way to make an optimizer from parameters: give a class, or "
                "functools.partial(torch.optim.Adam, lr=1e-4)"
            )


def label_passing(network: nn.Module) -> LabelPassing:
    """Tell how ``network`` takes labels: by the keyword ``labels``, as a second required argument, or not at all.

    A network whose ``num_classes`` is None is unconditional, whatever its ``forward`` says.
    """
    if getattr(network, "num_classes", 0) is None:
        return "not at all"
    parameters = _forward_parameters(network)
    if any(p.name == "labels" and p.kind is not p.POSITIONAL_ONLY for p in parameters[1:]):
        return "by keyword"
    return "second" if sum(_is_required(p) for p in parameters) > 1 else "not at all"


def _forward_parameters(network: nn.Module) -> list[inspect.Parameter]:
    forward = getattr(network, "_orig_mod", network).forward  # a compiled network hides its own behind *args
    return list(inspect.signature(forward).parameters.values())


def _is_required(parameter: inspect.Parameter) -> bool:
    positional = (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    return parameter.kind in positional and parameter.default is parameter.empty


def unpack(batch: Any) -> tuple[Tensor, Any]:
    """Return ``(images, labels)`` of a batch ``x``, ``(x,)``, ``(x, labels)`` or ``{"image": x, "label": labels}``.

    Labels are None where there are none, and not looked at: :func:`read_labels` does, for networks that take them.
    """
    if isinstance(batch, dict):
        if "image" not in batch:
            raise ValueError(f'a batch has the keys {sorted(batch)}: lit_gan reads "image" and, optionally, "label"')
        batch = (batch["image"], batch.get("label"))
    if isinstance(batch, Tensor):
        batch = (batch,)
    if isinstance(batch, (tuple, list)) and 1 <= len(batch) <= 2 and isinstance(batch[0], Tensor):
        return batch[0], batch[1] if len(batch) == 2 else None
    raise TypeError(
        f"a batch is a {type(batch).__name__}: lit_gan takes x, (x,), (x, labels) or a dict with image and label, "
        "x being a tensor"
    )


def read_labels(labels: Any, n: int) -> Tensor:
    """Return ``labels`` as int64 ``(n,)``; refused where they are not one whole number for each of ``n`` images."""
    if not isinstance(labels, Tensor) or labels.is_floating_point() or labels.shape != (n,):
        kind = f"{labels.dtype} {tuple(labels.shape)}" if isinstance(labels, Tensor) else f"a {type(labels).__name__}"
        raise ValueError(f"labels are {kind}: give one class for each image, a tensor of integers of shape ({n},)")
    return labels.long()


def check_trainer(trainer: Trainer, averages: bool) -> None:
    """Refuse options of the Trainer that a two-player game needs on LitGAN instead, and more than one device.

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
    if not isinstance(trainer.strategy, SingleDeviceStrategy):
        raise ValueError(
            f"{type(trainer.strategy).__name__} on {trainer.world_size} device(s): this version of lit_gan trains on "
            'one device, take Trainer(devices=1, strategy="auto")'
        )
    if averages and trainer.precision in ("bf16-true", "16-true"):
        raise ValueError(
            f"precision={trainer.precision!r} rounds the steps of the moving average away: take "
            f"{trainer.precision.replace('true', 'mixed')!r}, or LitGAN(ema_half_life=None)"
        )


def read_batch(model: "LitGAN", batch: Any, first: bool) -> tuple[Tensor, Tensor | None]:
    """Return ``(images, labels)`` of a batch; labels are int64 ``(N,)``, or None where no network takes them.

    Args:
        model: that the batch is for.
        batch: in one of the forms of :func:`unpack`.
        first: of its stage; it is checked against the networks (:func:`check_game`).

    Raises:
        TypeError, ValueError: what is wrong with it. Values are looked at in the first batch, and in each one on the
            CPU: on a GPU a look would stall it.
    """
    images, labels = unpack(batch)
    look = first or images.device.type == "cpu"
    _check_images(images, look)
    conditional = [player for player, passing in model.passing.items() if passing != "not at all"]
    labels = read_labels(labels, len(images)) if conditional and labels is not None else None
    if look and labels is not None:
        for player in conditional:
            _check_label_range(player, getattr(model, player), labels)
    if first:
        check_game(model, images, labels)
    return images, labels


def _check_images(images: Tensor, values: bool) -> None:
    """Refuse a batch without images and, where ``values`` are looked at, one that holds NaN or infinity."""
    if images.numel() == 0:
        raise ValueError(f"a batch is empty, of shape {tuple(images.shape)}: look at the data set and its sampler")
    if values and images.is_floating_point() and not images.isfinite().all():
        bad = int((~images.isfinite()).flatten(1).any(1).sum())
        raise ValueError(f"{bad} of {len(images)} images of a batch hold NaN or infinity: look at the data set")


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
    two_labels = None if labels is None else labels[:2]
    # Validation may come first, without gradients; the walk back from the logits needs them.
    with torch.inference_mode(False), torch.enable_grad(), evaluating(model.generator, model.discriminator):
        real = to_float(images[:2], model.float_type)
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


def _check_label_range(player: str, network: nn.Module, labels: Tensor) -> None:
    classes = getattr(network, "num_classes", None)
    if classes is None:
        return
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise ValueError(
            f"labels lie in [{low}, {high}], the {player} has num_classes={classes}: "
            f"labels must lie in [0, {classes - 1}]"
        )


def _check_unlabelled(player: str, network: nn.Module) -> None:
    needed = [p for p in _forward_parameters(network)[1:] if _is_required(p)]
    if needed or getattr(network, "num_classes", None) is not None:
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
    if low >= 0 and high > 0 and len(images) >= 4:  # a few pictures may all be bright
        raise ValueError(
            f"float images lie in [{low:.4g}, {high:.4g}], so probably in [0, 1], lit_gan needs [-1, 1]: "
            "give uint8, or scale them, 2 * x - 1"
        )


def _check_shape(fake: Tensor, real: Tensor, generator: nn.Module) -> None:
    if fake.shape == real.shape:
        return
    kind = "images" if real.ndim == 4 else "vectors"
    if not real.ndim == fake.ndim == 4:
        way_out = f"give a generator of {_size(real)} {kind}"
    elif fake.shape[-2:] != real.shape[-2:]:
        way_out = f"set image_size={fake.shape[-1]} on the data or {real.shape[-1]} on the generator"
    else:
        way_out = f"set channels={real.shape[1]} on the generator and the discriminator"
    raise ValueError(
        f"the generator ({type(generator).__name__}) makes {_size(fake)} samples, the data has {_size(real)} {kind}: "
        f"{way_out}"
    )


_RESHAPING = ("View", "Reshape", "Squeeze", "Unsqueeze", "Select", "Slice", "ToCopy", "Clone", "Permute", "TBackward")
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
