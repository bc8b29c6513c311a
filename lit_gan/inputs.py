"""What comes from outside, understood or refused in one sentence before work is lost: batches, networks, trainers."""

import inspect
from typing import TYPE_CHECKING, Any

import torch
from pytorch_lightning import Trainer
from torch import Tensor, nn

from lit_gan.images import to_float
from lit_gan.sampling import evaluating

if TYPE_CHECKING:
    from lit_gan.module import LitGAN

__all__ = [
    "at_least",
    "check_batch",
    "check_game",
    "check_trainer",
    "positive",
    "read_latent_dim",
    "takes_labels",
    "unpack",
]


def unpack(batch: Any) -> tuple[Tensor, Tensor | None]:
    """Return ``(images, labels)`` of a batch ``x``, ``(x,)``, ``(x, labels)`` or ``{"image": x, "label": labels}``."""
    if isinstance(batch, dict):
        if "image" not in batch:
            raise ValueError(f'a batch has the keys {sorted(batch)}: lit_gan reads "image" and, optionally, "label"')
        return batch["image"], batch.get("label")
    if isinstance(batch, Tensor):
        return batch, None
    if isinstance(batch, (tuple, list)) and 1 <= len(batch) <= 2 and all(isinstance(t, Tensor) for t in batch):
        return batch[0], batch[1] if len(batch) == 2 else None
    raise TypeError(
        f"a batch is a {type(batch).__name__}: lit_gan takes x, (x,), (x, labels) or a dict with image and label, "
        "x and labels being tensors"
    )


def takes_labels(network: nn.Module) -> bool:
    """Tell whether ``network`` is given labels: its ``forward`` names them, or requires a second argument.

    A network whose ``num_classes`` is None is unconditional, whatever its ``forward`` says.
    """
    if getattr(network, "num_classes", 0) is None:
        return False
    parameters = list(inspect.signature(network.forward).parameters.values())
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in positional if p.default is p.empty]
    return any(p.name == "labels" for p in positional[1:]) or len(required) > 1


def at_least(name: str, value: int, least: int) -> int:
    """Return ``value``, refused where it is below ``least``."""
    if value < least:
        raise ValueError(f"{name}={value} must be at least {least}")
    return value


def positive(name: str, value: float | None) -> float | None:
    """Return ``value``, refused where it is a number that is not above 0."""
    if value is not None and not value > 0:
        raise ValueError(f"{name}={value} must be positive, or None to go without")
    return value


def read_latent_dim(generator: nn.Module, given: int | None) -> int:
    """Return the length of z: what is given, or what the generator says; refused where they contradict."""
    own: int | None = getattr(generator, "latent_dim", None)
    latent_dim = own if given is None else given
    if latent_dim is None:
        raise ValueError(f"{type(generator).__name__} has no latent_dim: pass LitGAN(latent_dim=...), the length of z")
    if own not in (None, latent_dim):
        raise ValueError(f"latent_dim={given} contradicts {type(generator).__name__}.latent_dim={own}: leave it out")
    return at_least("latent_dim", latent_dim, 1)


def check_trainer(trainer: Trainer) -> None:
    """Refuse options of the Trainer that a two-player game needs on LitGAN instead, and more than one device."""
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
    if trainer.world_size > 1:
        raise ValueError(
            f"{trainer.world_size} devices: this version of lit_gan trains on one, take Trainer(devices=1)"
        )


def check_batch(images: Tensor) -> None:
    """Refuse an empty batch and one that holds NaN or infinity."""
    if images.numel() == 0:
        raise ValueError(f"a batch is empty, of shape {tuple(images.shape)}: look at the data set and its sampler")
    if images.is_floating_point() and not images.isfinite().all():
        bad = int((~images.isfinite()).flatten(1).any(1).sum()) if images.ndim > 1 else images.numel()
        raise ValueError(f"{bad} of {len(images)} images of a batch hold NaN or infinity: look at the data set")


def check_game(model: "LitGAN", images: Tensor, labels: Tensor | None) -> None:
    """Refuse data and networks that do not fit each other, on the first batch, before anything is trained.

    Args:
        model: whose networks are run on two samples, in evaluation mode.
        images: as they come from the data, on the model's device.
        labels: as they come from the data, or None.

    Raises:
        ValueError: the first misfit found, with both values.
    """
    _check_range(images)
    for player in ("generator", "discriminator"):
        _check_labels(player, getattr(model, player), labels)
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


def _generate(model: "LitGAN", real: Tensor, labels: Tensor | None) -> Tensor:
    try:
        with torch.no_grad():
            return model(real.new_zeros(len(real), model.latent_dim), labels)
    except RuntimeError as error:
        raise ValueError(
            f"the generator ({type(model.generator).__name__}) cannot take latents of shape "
            f"({len(real)}, {model.latent_dim}): its forward must take (N, latent_dim) ({_first_line(error)})"
        ) from error


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
    if low >= 0 and high > 0:
        raise ValueError(
            f"float images lie in [{low:.4g}, {high:.4g}], so probably in [0, 1], lit_gan needs [-1, 1]: "
            "give uint8, or scale them, 2 * x - 1"
        )


def _check_labels(player: str, network: nn.Module, labels: Tensor | None) -> None:
    classes = getattr(network, "num_classes", None)
    if labels is None and (classes is not None or _requires_labels(network)):
        raise ValueError(
            f"the {player} is conditional and the batches carry no labels: give batches (images, labels), "
            f"or an unconditional {player}"
        )
    if labels is not None and classes is not None and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(
            f"labels lie in [{int(labels.min())}, {int(labels.max())}], the {player} has num_classes={classes}: "
            f"labels must lie in [0, {classes - 1}]"
        )


def _requires_labels(network: nn.Module) -> bool:
    parameters = inspect.signature(network.forward).parameters.values()
    return takes_labels(network) and sum(p.default is p.empty for p in parameters) > 1


def _check_shape(fake: Tensor, real: Tensor, generator: nn.Module) -> None:
    if fake.shape == real.shape:
        return
    kind = "images" if real.ndim == 4 else "vectors"
    way_out = (
        f"set image_size={fake.shape[-1]} on the data or {real.shape[-1]} on the generator"
        if real.ndim == fake.ndim == 4 and fake.shape[-1] != real.shape[-1]
        else f"set channels={real.shape[1]} on the generator and the discriminator"
        if real.ndim == fake.ndim == 4
        else f"give a generator of {_size(real)} {kind}"
    )
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
