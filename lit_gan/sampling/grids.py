"""What a generator knows, as pictures: interpolations, a ladder of truncations, a grid of classes, a morph."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from lit_gan._utils.arguments import at_least, at_least_one, within
from lit_gan._utils.errors import LitGANError
from lit_gan.data.images import grid
from lit_gan.sampling.generator import GeneratorSource, TrainedGenerator
from lit_gan.sampling.paths import PathKind, closed_loop, interpolate, path_for

__all__ = ["class_grid", "interpolations", "morph", "new_seed", "rows", "truncation_ladder"]

Labels = Tensor | Iterable[int] | int | None

_STOPS = 4  # latents that a loop of a morph goes through


def interpolations(
    model: GeneratorSource,
    n: int = 8,
    steps: int = 8,
    kind: PathKind | None = None,
    labels: Labels = None,
    *,
    ema: bool = True,
    seed: int | None = None,
    truncation: float = 1.0,
) -> Tensor:
    """Return images on the ways between ``n`` pairs of latents, ``(n, steps, C, H, W)`` in [-1, 1].

    Args:
        model: whose generator.
        n: pairs, ≥ 1.
        steps: images on each way, ≥ 2, with both ends.
        kind: ``"linear"``, ``"spherical"``, or None for that which suits ``model.latent``
            (:func:`lit_gan.sampling.paths.path_for`).
        labels: one for each way, or one for all, as in :meth:`lit_gan.LitGAN.sample`.
        ema: of the averaged generator, where there is one.
        seed: the same seed gives the same pairs.
        truncation: as in :meth:`lit_gan.LitGAN.sample`.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range, or labels for a generator that takes none.
    """
    at_least_one(n=n)
    at_least(2, steps=steps)
    within("(0, 1]", truncation=truncation)
    trained = model.trained_generator(ema)
    z, classes = trained.draw(n, labels, seed, each=2)
    ways = interpolate(z[::2], z[1::2], steps, _kind(trained, kind))
    return _images(trained, ways, classes, truncation)


def morph(
    model: GeneratorSource,
    n: int = 16,
    steps: int = 16,
    kind: PathKind | None = None,
    labels: Labels = None,
    *,
    ema: bool = True,
    seed: int | None = None,
    truncation: float = 1.0,
) -> Tensor:
    """Return the frames of ``n`` images that go through four latents each and end where they began.

    Args:
        model: whose generator.
        n: images in a frame, ≥ 1.
        steps: frames from one latent to the next, ≥ 1.
        kind: as in :func:`interpolations`.
        labels: likewise.
        ema: likewise.
        seed: likewise.
        truncation: likewise.

    Returns:
        ``(4·steps, n, C, H, W)`` in [-1, 1].

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range, or labels for a generator that takes none.
    """
    at_least_one(n=n, steps=steps)
    within("(0, 1]", truncation=truncation)
    trained = model.trained_generator(ema)
    z, classes = trained.draw(n, labels, seed, each=_STOPS)
    ways = closed_loop(z.unflatten(0, (n, _STOPS)), steps, _kind(trained, kind))
    return _images(trained, ways, classes, truncation).transpose(0, 1)


def truncation_ladder(
    model: GeneratorSource,
    truncation: Sequence[float] = (0.3, 0.5, 0.7, 1.0),
    n: int = 8,
    labels: Labels = None,
    *,
    ema: bool = True,
    seed: int | None = None,
) -> Tensor:
    """Return images of the same latents at each truncation, ``(n, truncations, C, H, W)`` in [-1, 1].

    Args:
        model: whose generator.
        truncation: each ψ in (0, 1], as in :meth:`lit_gan.LitGAN.sample`.
        n: latents, ≥ 1.
        labels: as in :func:`interpolations`.
        ema: likewise.
        seed: likewise.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range, no truncation, or labels for a generator that takes none.
    """
    if not truncation:
        raise LitGANError(f"truncation={truncation!r} names none: give some numbers in (0, 1], like [0.5, 1.0]")
    for psi in truncation:
        within("(0, 1]", truncation=psi)
    seed = new_seed(seed)
    return torch.stack([model.sample(n, labels, ema=ema, seed=seed, truncation=psi) for psi in truncation], 1)


def class_grid(
    model: GeneratorSource, n: int = 8, *, ema: bool = True, seed: int | None = None, truncation: float = 1.0
) -> Tensor:
    """Return images of the same latents in each class, ``(n, num_classes, C, H, W)`` in [-1, 1].

    What stays the same along a row is what z says of an image whatever its class.

    Args:
        model: whose generator is conditional and says its ``num_classes``.
        n: latents, ≥ 1.
        ema: as in :func:`interpolations`.
        seed: likewise.
        truncation: likewise.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range, or a generator without classes.
    """
    trained = model.trained_generator(ema)
    classes = len(trained.label_counts)
    if not classes:
        name = type(trained.network).__name__
        raise LitGANError(f"{name} has no num_classes, of which a grid would show each: leave labels=all out")
    seed = new_seed(seed)
    columns = [model.sample(n, label, ema=ema, seed=seed, truncation=truncation) for label in range(classes)]
    return torch.stack(columns, 1)


def rows(images: Tensor) -> Tensor:
    """Return images ``(N, K, C, H, W)`` as one uint8 picture ``(C, H', W')`` of N rows and K columns."""
    return grid(images.flatten(0, 1), columns=images.shape[1])


def _kind(trained: TrainedGenerator, kind: PathKind | None) -> PathKind:
    return path_for(trained.latent, trained.latent_dim) if kind is None else kind


def new_seed(seed: int | None = None) -> int:
    """Return ``seed``, or a random one where it is None: by it the same latents can be drawn again."""
    return int(torch.randint(2**31, ())) if seed is None else seed


def _images(trained: TrainedGenerator, z: Tensor, classes: Tensor | None, truncation: float) -> Tensor:
    """Return images of latents ``(N, K, D)``, those of a row in one class, ``(N, K, C, H, W)``."""
    labels = None if classes is None else classes.repeat_interleave(z.shape[1])
    return trained.images(z.flatten(0, 1), labels, truncation).unflatten(0, z.shape[:2])
