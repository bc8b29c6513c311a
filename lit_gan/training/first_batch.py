"""Checks of data and networks against each other, on the first batch before anything is trained."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from torch import Tensor, nn

from lit_gan._utils.errors import LitGANError, LitGANTypeError
from lit_gan._utils.modes import evaluating
from lit_gan._utils.randomness import random_states, set_random_states
from lit_gan.data.images import to_float
from lit_gan.penalties import AuxiliaryClassifier, Consistency
from lit_gan.sampling.conditions import needs_labels
from lit_gan.training.buffers import BufferSnapshot
from lit_gan.training.players import Players

__all__ = ["check_first_batch", "check_range"]


def check_first_batch(players: Players, latent_dim: int, images: Tensor, labels: Tensor | None) -> None:
    """Refuse data and networks that do not fit: range, labels, shapes, bounded outputs, gradients that are cut off.

    Args:
        players: whose networks are run on two samples, in evaluation mode.
        latent_dim: length of z.
        images: as they come from the data, on the networks' device.
        labels: int64 ``(N,)``, or None.

    Raises:
        TypeError: the generator does not return a tensor.
        ValueError: the first misfit found, with both values.
    """
    check_range(images)
    for player, mode in players.condition_modes.items():
        if labels is None and mode != "not at all":
            _check_unlabelled(player, getattr(players, player))
    for penalty in players.penalties.values():
        penalty.check(players.generator, players.discriminator, labels)
    _check_classifier(players)
    # Validation may come first, in inference mode: the checks need gradients, and tensors that are not inference ones.
    networks = (players.generator, players.discriminator)
    augmentations = [] if players.augment is None else [players.augment]
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        evaluating(*networks),
        _undisturbed(images.device, *augmentations),
    ):
        real = to_float(images[:2].clone(), players.float_type)
        two_labels = None if labels is None else labels[:2].clone()
        fake = _generate(players, latent_dim, real, two_labels)
        _check_shape(fake, real, players.generator)
        _check_unbounded(_judge(players, fake, two_labels), players.discriminator)
        transforms = [p.transform for p in players.penalties.values() if isinstance(p, Consistency)]
        for change in (*augmentations, *transforms):
            _judge(players, _change(change, fake), two_labels, change)


@contextmanager
def _undisturbed(device: torch.device, *augmentations: nn.Module) -> Iterator[None]:
    """Restore the random states and the augmentations' buffers on leaving the context."""
    states, buffers = random_states(device), BufferSnapshot(*augmentations)
    try:
        yield
    finally:
        set_random_states(states, device)
        buffers.restore()


def _judge(players: Players, images: Tensor, labels: Tensor | None, change: nn.Module | None = None) -> Tensor:
    """Return logits of ``images``; refuse images that the discriminator cannot take, or a gradient that is cut off.

    If ``change`` has made the images, it is named in the error, and the gradient is not checked.
    """
    images = images.detach().requires_grad_() if change is None else images
    name = f"the discriminator ({type(players.discriminator).__name__})"
    changed = "" if change is None else f" of {type(change).__name__}"
    try:
        logits = players.judge(images, labels)
    except RuntimeError as error:
        raise LitGANError(
            f"{name} cannot take {_size(images)} samples{changed}, what the data and the generator have: make it one "
            f"that does ({_first_line(error)})"
        ) from error
    if change is None and not _depends_on(logits, images):
        raise LitGANError(f"{name} gives logits without a gradient to its images: look for detach, no_grad or rounding")
    return logits


def _change(change: nn.Module, images: Tensor) -> Tensor:
    """Return ``change(images)``; refuse a change that fails, or that passes no gradient back to the images."""
    name, images = f"the augmentation ({type(change).__name__})", images.detach().requires_grad_()
    try:
        changed = change(images)
    except (RuntimeError, NotImplementedError, IndexError) as error:
        raise LitGANError(f"{name} cannot take {_size(images)} samples: leave it out ({_first_line(error)})") from error
    if changed.ndim != images.ndim:
        raise LitGANError(
            f"{name} cannot take {_size(images)} samples: leave it out (it makes {_size(changed)} of them)"
        )
    if not _depends_on(changed, images):
        raise LitGANError(f"{name} passes no gradient back to the images, from which the generator could learn")
    return changed


def _depends_on(result: Tensor, images: Tensor) -> bool:
    if not result.requires_grad:
        return False
    return torch.autograd.grad(result.sum(), images, allow_unused=True, retain_graph=True)[0] is not None


def _check_classifier(players: Players) -> None:
    taught = any(isinstance(p, AuxiliaryClassifier) and p.player == "discriminator" for p in players.penalties.values())
    if getattr(players.discriminator, "conditioning", None) == "classifier" and not taught:
        rank_zero_warn(
            'the discriminator has conditioning="classifier" and no penalty teaches its classifier, so that it ignores '
            'classes: add AuxiliaryClassifier(), and AuxiliaryClassifier(player="generator") beside it'
        )


def _check_unlabelled(player: str, network: nn.Module) -> None:
    if needs_labels(network) or getattr(network, "num_classes", None) is not None:
        raise LitGANError(
            f"the {player} is conditional and the batches carry no labels: give batches (images, labels), "
            f"or an unconditional {player}"
        )


def _generate(players: Players, latent_dim: int, real: Tensor, labels: Tensor | None) -> Tensor:
    name = type(players.generator).__name__
    try:
        fake = players.generate(real.new_zeros(len(real), latent_dim), labels)
    except RuntimeError as error:
        raise LitGANError(
            f"the generator ({name}) cannot take latents of shape ({len(real)}, {latent_dim}): "
            f"its forward must take (N, latent_dim) ({_first_line(error)})"
        ) from error
    if not isinstance(fake, Tensor):
        raise LitGANTypeError(f"the generator ({name}) returns a {type(fake).__name__}: it must return images alone")
    if not fake.requires_grad:
        raise LitGANError(f"the generator ({name}) gives images without a gradient: look for detach, no_grad or numpy")
    return fake


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def _size(images: Tensor) -> str:
    return "×".join(map(str, images.shape[1:]))


def check_range(images: Tensor) -> None:
    """Refuse float images ``(N, C, H, W)`` that are not in [-1, 1], or seem to be in [0, 1]; pass any other data."""
    if images.ndim != 4 or not images.is_floating_point():
        return
    low, high = float(images.min()), float(images.max())
    if high > 1.01 or low < -1.01:
        raise LitGANError(
            f"float images lie in [{low:.4g}, {high:.4g}], lit_gan needs [-1, 1]: "
            "give uint8, or scale them, x / 127.5 - 1 if they are in [0, 255]"
        )
    if low >= 0 and high > 0 and len(images) > 1:  # a single image may be bright
        raise LitGANError(
            f"float images lie in [{low:.4g}, {high:.4g}], so probably in [0, 1], lit_gan needs [-1, 1]: "
            "give uint8, or scale them, 2 * x - 1"
        )


def _check_shape(fake: Tensor, real: Tensor, generator: nn.Module) -> None:
    if fake.shape == real.shape:
        return
    raise LitGANError(
        f"the generator ({type(generator).__name__}) makes {_size(fake)} samples, the data has {_size(real)} "
        f"{_kind(real)}: {_way_to_fit(fake, real)}"
    )


def _kind(samples: Tensor) -> str:
    return {2: "vectors", 4: "images"}.get(samples.ndim, "samples")


def _way_to_fit(fake: Tensor, real: Tensor) -> str:
    """Return advice for data and a generator of different shapes."""
    if real.ndim == 3 and fake.ndim == 4:
        return "if they are images, give (N, C, H, W), x[:, None]"
    if real.ndim == 4 and real.shape[-1] in (1, 3) and real.shape[1] not in (1, 3):
        return "give images (N, C, H, W), x.permute(0, 3, 1, 2)"
    if not real.ndim == fake.ndim == 4:
        return f"give a generator of {_size(real)} {_kind(real)}"
    if fake.shape[-2:] == real.shape[-2:]:
        return f"set channels={real.shape[1]} on the generator and the discriminator"
    if _is_square(fake) and _is_square(real):
        return f"set image_size={fake.shape[-1]} on the data or {real.shape[-1]} on the generator"
    height, width = fake.shape[-2:]
    return f"crop or resize the data to {height}×{width}, or give a generator of {_size(real)} images"


def _is_square(images: Tensor) -> bool:
    return images.shape[-2] == images.shape[-1]


# Prefixes of the names of autograd nodes that reshape, copy or clamp, behind which a bounded output is looked for.
_RESHAPING = (
    *("View", "Reshape", "Squeeze", "Unsqueeze", "Select", "Slice", "Permute", "TBackward"),
    *("ToCopy", "Clone", "Clamp"),
)
# Prefixes of the names of autograd nodes with a bounded output, and how an error names them.
_BOUNDED = {"Sigmoid": "a sigmoid", "Tanh": "a tanh", "Softmax": "a softmax", "Hardsigmoid": "a hard sigmoid"}
_BOUNDED |= {"Relu": "a ReLU", "Softplus": "a softplus"}


def _check_unbounded(logits: Tensor, discriminator: nn.Module) -> None:
    node = logits.grad_fn
    while node is not None and node.name().startswith(_RESHAPING) and node.next_functions:
        node = node.next_functions[0][0]
    for name, what in _BOUNDED.items():
        if node is not None and node.name().startswith(name):
            raise LitGANError(
                f"the discriminator ({type(discriminator).__name__}) ends in {what}: it must return unbounded logits, "
                "remove its last activation"
            )
