"""Images that show what a generator has learnt: interpolations, truncations, classes, and a looping morph."""

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

_STOPS = 4  # number of latents that one loop of a morph passes


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
    """Return images on the paths between ``n`` pairs of latents, ``(n, steps, C, H, W)`` in [-1, 1].

    Args:
        model: a LitGAN, or another source of a generator.
        n: number of pairs, ≥ 1.
        steps: number of images on each path, both ends included, ≥ 2.
        kind: ``"linear"``, ``"spherical"``, or None for the one that suits the distribution of the latents
            (:func:`lit_gan.sampling.paths.path_for`).
        labels: one class for each path, or one for all, as in :meth:`lit_gan.LitGAN.sample`.
        ema: whether to use the averaged generator, if there is one.
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
    """Return the frames of a looping movie of ``n`` images, each of which passes four latents and returns to the first.

    Args:
        model: as in :func:`interpolations`.
        n: number of images in a frame, ≥ 1.
        steps: number of frames from one latent to the next, ≥ 1.
        kind: as in :func:`interpolations`.
        labels: one class for each image, or one for all.
        ema: as in :func:`interpolations`.
        seed: the same seed gives the same latents.
        truncation: as in :meth:`lit_gan.LitGAN.sample`.

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
    """Return images of the same latents at each of several truncations, ``(n, truncations, C, H, W)`` in [-1, 1].

    Args:
        model: as in :func:`interpolations`.
        truncation: the values of ψ, each in (0, 1], as in :meth:`lit_gan.LitGAN.sample`.
        n: number of latents, ≥ 1.
        labels: one class for each latent, or one for all.
        ema: as in :func:`interpolations`.
        seed: the same seed gives the same latents.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range, an empty ``truncation``, or labels for a generator that takes none.
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

    Each row shows one latent: its images share what z determines independently of the class.

    Args:
        model: as in :func:`interpolations`; its generator is conditional and has a ``num_classes``.
        n: number of latents, ≥ 1.
        ema: as in :func:`interpolations`.
        seed: the same seed gives the same latents.
        truncation: as in :meth:`lit_gan.LitGAN.sample`.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range, or a generator without ``num_classes``.
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
    """Return images ``(N, K, C, H, W)`` in [-1, 1] as one uint8 picture ``(C, H', W')`` of N rows and K columns."""
    return grid(images.flatten(0, 1), columns=images.shape[1])


def _kind(trained: TrainedGenerator, kind: PathKind | None) -> PathKind:
    return path_for(trained.latent, trained.latent_dim) if kind is None else kind


def new_seed(seed: int | None = None) -> int:
    """Return ``seed``, or a random seed if it is None, so that the same latents can be drawn more than once."""
    return int(torch.randint(2**31, ())) if seed is None else seed


def _images(trained: TrainedGenerator, z: Tensor, classes: Tensor | None, truncation: float) -> Tensor:
    """Return images ``(N, K, C, H, W)`` of latents ``(N, K, D)``, with ``classes`` ``(N,)``, one for each row."""
    labels = None if classes is None else classes.repeat_interleave(z.shape[1])
    return trained.images(z.flatten(0, 1), labels, truncation).unflatten(0, z.shape[:2])
