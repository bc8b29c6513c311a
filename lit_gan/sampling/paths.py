"""Paths between latents: straight, around the origin, and closed loops."""

from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import normalize, one_hot

from lit_gan._utils.arguments import at_least
from lit_gan._utils.errors import LitGANError
from lit_gan.sampling.generator import Latent

__all__ = ["PathKind", "check_path", "closed_loop", "interpolate", "path_for"]

PathKind = Literal["linear", "spherical"]

_ROUNDED = 1e-12  # below it, what is left of a unit vector in float64 is rounding
_TINY = 1e-300


def path_for(latent: Latent, latent_dim: int) -> PathKind:
    """Return the path whose latents a generator knows: spherical for ``"normal"``, linear for ``"uniform"``.

    Normal latents lie near the sphere of radius √D, which a straight line leaves for shorter ones, √(D/2) half-way,
    that are all but never drawn. Uniform ones fill a cube, which a straight line stays in and an arc leaves. In one
    dimension there are no arcs.

    Reference: White 2016, arXiv:1609.04468, section 2.1.
    """
    return "spherical" if latent == "normal" and latent_dim > 1 else "linear"


def check_path(kind: PathKind, latent_dim: int) -> None:
    """Refuse a path that there is not between latents of a length.

    Raises:
        ValueError: another kind, or spherical paths in one dimension.
    """
    if kind not in get_args(PathKind):
        raise LitGANError(f'kind={kind!r} is neither "linear" nor "spherical"')
    if kind == "spherical" and latent_dim < 2:
        raise LitGANError(f'kind="spherical" and latents of length {latent_dim}, which cannot turn: take "linear"')


def interpolate(a: Tensor, b: Tensor, steps: int, kind: PathKind = "spherical") -> Tensor:
    """Return the latents on the way from ``a`` to ``b``, ``(N, steps, D)``, both ends among them.

    - ``"linear"``: (1 − t)·a + t·b.
    - ``"spherical"``: the direction turns from a's to b's at constant angular speed, in the plane of both, and the
      length goes linearly: ((1 − t)‖a‖ + t‖b‖)·(cos(tω)·â + sin(tω)·û), ω being the angle between them and û the unit
      vector perpendicular to â on b's side. For latents of one length it is Shoemake's slerp.

    Parallel latents (ω = 0) are joined by a straight line, and so is the origin, which has no direction, with others.
    Of opposite ones (ω = π) all half circles are as short: û is the axis of which â has least, made perpendicular.

    Args:
        a: ``(N, D)``.
        b: likewise.
        steps: latents on each way, ≥ 2; t runs from 0 to 1 in equal steps.
        kind: which way; :func:`path_for` says which one suits a generator.

    Raises:
        TypeError: ``steps`` is no whole number.
        ValueError: another shape, fewer than two steps, another kind, or spherical ways in one dimension.

    Reference: Shoemake 1985, "Animating rotation with quaternion curves"; White 2016, arXiv:1609.04468.
    """
    at_least(2, steps=steps)
    if a.ndim != 2 or a.shape != b.shape:
        raise LitGANError(f"latents of shape {tuple(a.shape)} and {tuple(b.shape)}: give (N, D), as many of both")
    check_path(kind, a.shape[1])
    t = torch.linspace(0, 1, steps, dtype=torch.float64)[:, None]
    x, y = (ends.detach().double().cpu()[:, None] for ends in (a, b))  # float64, which not every device has
    return (_straight(x, y, t) if kind == "linear" else _around(x, y, t)).to(a)


def closed_loop(z: Tensor, steps: int, kind: PathKind = "spherical") -> Tensor:
    """Return latents that go through all of ``z`` and back to the first, ``(N, K·steps, D)``, as frames of a movie.

    The last is one step before the first, so that the movie runs on without a halt.

    Args:
        z: ``(N, K, D)``: N loops, each through K latents, ≥ 2.
        steps: from each latent to the next, ≥ 1.
        kind: as in :func:`interpolate`.

    Raises:
        TypeError: ``steps`` is no whole number.
        ValueError: another shape, and what :func:`interpolate` refuses.
    """
    at_least(1, steps=steps)
    if z.ndim != 3 or z.shape[1] < 2:
        raise LitGANError(f"latents of shape {tuple(z.shape)}: give (N, K, D), two in each loop at least")
    ways = interpolate(z.flatten(0, 1), z.roll(-1, 1).flatten(0, 1), steps + 1, kind)[:, :-1]
    return ways.reshape(len(z), -1, z.shape[2])


def _straight(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    return (1 - t) * a + t * b


def _around(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Return spherical ways from ``a`` to ``b``, both ``(N, 1, D)``; ``t`` is ``(steps, 1)``."""
    u, v = normalize(a, dim=-1, eps=_TINY), normalize(b, dim=-1, eps=_TINY)
    u, v = torch.where(_length(a) > 0, u, v), torch.where(_length(b) > 0, v, u)
    angle = 2 * torch.atan2(_length(u - v), _length(u + v))  # exact near 0 and π, where a cosine is not
    side = _perpendicular(v, u)
    axis = one_hot(u.abs().argmin(-1), u.shape[-1]).to(u)
    side = normalize(torch.where(_length(side) > _ROUNDED, side, _perpendicular(axis, u)), dim=-1)
    return _straight(_length(a), _length(b), t) * (torch.cos(t * angle) * u + torch.sin(t * angle) * side)


def _length(x: Tensor) -> Tensor:
    return torch.linalg.vector_norm(x, dim=-1, keepdim=True)


def _perpendicular(x: Tensor, unit: Tensor) -> Tensor:
    """Return what of ``x`` is perpendicular to ``unit``."""
    return x - (x * unit).sum(-1, keepdim=True) * unit
