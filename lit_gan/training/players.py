"""The two players: generator and discriminator, how to call them, and the modules that belong to each."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from lit_gan._utils.dtypes import at_least_float32
from lit_gan._utils.errors import LitGANError
from lit_gan.augment import AdaptiveAugment, Augmentation
from lit_gan.networks.packed import Packed
from lit_gan.penalties import Penalty, Player, Turn
from lit_gan.sampling.conditions import ConditionMode, condition_mode

__all__ = ["Players", "compiled_in_place", "condition_modes", "pack_size", "read_logits"]


class Players(NamedTuple):
    """Both networks of a game and what belongs to each; a view of a model, made when it is needed.

    It is not an ``nn.Module``, so that the names in a model's state dict do not depend on it.

    Args:
        generator: the generator's network.
        discriminator: the discriminator's network.
        augment: applied to images before the discriminator, to which it belongs; None for no augmentation.
        penalties: by name; those that are modules have a state, which belongs to their player.
        condition_modes: how each network takes classes, by player.
        generate: ``generate(z, labels)`` gives images of the raw generator.
        judge: ``judge(images, labels)`` gives logits, without augmentation.
    """

    generator: nn.Module
    discriminator: nn.Module
    augment: nn.Module | None
    penalties: Mapping[str, Penalty]
    condition_modes: Mapping[Player, ConditionMode]
    generate: Callable[[Tensor, Tensor | None], Tensor]
    judge: Callable[[Tensor, Tensor | None], Tensor]

    @property
    def networks(self) -> dict[Player, nn.Module]:
        """Both networks, by player."""
        return {"generator": self.generator, "discriminator": self.discriminator}

    @property
    def float_type(self) -> torch.dtype:
        """The dtype of the generator's weights, in which images and latents are given to the networks."""
        return next(self.generator.parameters()).dtype

    @property
    def pack(self) -> int:
        """The number of samples that the discriminator judges together: 1, or k if it is packed."""
        return pack_size(self.discriminator)

    @property
    def measurement_flags(self) -> dict[str, float]:
        """Flags logged next to V(G, D), empty if the discriminator judges single images without augmentation.

        ``augmented`` = 1 for augmented images, ``packed`` = k for packs of k images.
        """
        flags = {} if self.augment is None else {"augmented": 1.0}
        return flags if self.pack == 1 else flags | {"packed": float(self.pack)}

    def judge_augmented(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Augment images and return the discriminator's logits of them, as in training."""
        return self.judge(images if self.augment is None else self.augment(images), labels)

    def augmentations(self) -> list[Augmentation]:
        """Return the modules in ``augment`` to which each turn's logits of real images are passed."""
        return [] if self.augment is None else [m for m in self.augment.modules() if isinstance(m, Augmentation)]

    def tell_augmentations(self, turn: Turn) -> None:
        """Pass the logits of real images to augmentations; an adaptive one adjusts its strength to them."""
        if turn.real_logits is not None:
            for augmentation in self.augmentations():
                augmentation.follow(turn.images_seen, turn.real_logits.detach())

    def augmentation_strength(self) -> dict[str, Tensor]:
        """Return the probability of an adaptive augmentation by log key; an empty dict without one."""
        return {"augment/p": a.probability for a in self.augmentations() if isinstance(a, AdaptiveAugment)}  # noqa: B035

    def modules_of(self, player: Player) -> list[nn.Module]:
        """Return the modules that belong to a player: its network, its stateful penalties, D's augmentation."""
        states = [p for p in self.penalties.values() if isinstance(p, nn.Module) and p.player == player]
        if player == "generator":
            return [self.generator, *states]
        return [self.discriminator, *states] + ([] if self.augment is None else [self.augment])


def compiled_in_place(part: Any) -> Any:
    """Return a module without the wrappers of ``torch.compile``, in which what they wrapped runs compiled.

    Weights then have the same names in a checkpoint as without compilation. Anything else is returned as it is.

    Args:
        part: a module, compiled, with compiled modules in it, or neither; changed in place.
    """
    if not isinstance(part, nn.Module) or "_modules" not in vars(part):  # not initialised, refused later
        return part
    if isinstance(wrapped := getattr(part, "_orig_mod", None), nn.Module):
        compiled: Callable[..., Any] = cast(Any, part).dynamo_ctx(wrapped._call_impl)
        wrapped._compiled_call_impl = compiled  # as nn.Module.compile does
        part = wrapped
    for name, child in part.named_children():
        setattr(part, name, compiled_in_place(child))
    return part


def condition_modes(generator: nn.Module, discriminator: nn.Module) -> dict[Player, ConditionMode]:
    """Return how each network takes classes, by player."""
    return {"generator": condition_mode(generator), "discriminator": condition_mode(discriminator)}


def pack_size(discriminator: nn.Module) -> int:
    """Return how many samples a discriminator judges together: 1, or k of :class:`lit_gan.networks.Packed`."""
    return discriminator.k if isinstance(discriminator, Packed) else 1


def read_logits(logits: object, discriminator: nn.Module, images: int) -> Tensor:
    """Return a discriminator's output as logits ``(N,)``, in float32 at least; one for each pack of k.

    Args:
        logits: the discriminator's output.
        discriminator: the network, for its pack size and for the error.
        images: number of images that it was given.

    Raises:
        ValueError: the output is not one number for each image or pack.
    """
    n = -(-images // pack_size(discriminator))
    if not isinstance(logits, Tensor) or logits.numel() != n:
        what = f"logits of shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
        raise LitGANError(
            f"the discriminator ({type(discriminator).__name__}) returns {what} for {images} images: "
            "it must return logits (N,) or (N, 1)"
        )
    return at_least_float32(logits.reshape(n))
