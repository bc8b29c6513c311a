"""Paths between latents: straight lines, arcs around the origin, and closed loops."""

from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import normalize, one_hot

from lit_gan._utils.arguments import at_least
from lit_gan._utils.errors import LitGANError
from lit_gan.sampling.generator import Latent

__all__ = ["PathKind", "check_path", "closed_loop", "interpolate", "path_for"]

PathKind = Literal["linear", "spherical"]

_ROUNDED = 1e-12  # a perpendicular part of a unit vector shorter than this is float64 rounding error
_TINY = 1e-300  # lower bound of the length that a vector is divided by, so that 0 stays 0


def path_for(latent: Latent, latent_dim: int) -> PathKind:
    """Return the kind of path on which latents stay typical: spherical for ``"normal"``, linear for ``"uniform"``.

    Normal latents lie near the sphere of radius √D. A straight line between two of them leaves it: half-way the length
    is √(D/2), which a generator hardly ever sees. Uniform latents fill a cube, in which a straight line stays and which
    an arc leaves. In one dimension an arc does not exist, so the path is linear.

    Reference: White 2016, arXiv:1609.04468, section 2.1.
    """
    return "spherical" if latent == "normal" and latent_dim > 1 else "linear"


def check_path(kind: PathKind, latent_dim: int) -> None:
    """Raise if the path is impossible for latents of this length.

    Raises:
        ValueError: an unknown kind, or spherical paths in one dimension.
    """
    if kind not in get_args(PathKind):
        raise LitGANError(f'kind={kind!r} is neither "linear" nor "spherical"')
    if kind == "spherical" and latent_dim < 2:
        raise LitGANError(f'kind="spherical" and latents of length {latent_dim}, which cannot turn: take "linear"')


def interpolate(a: Tensor, b: Tensor, steps: int, kind: PathKind = "spherical") -> Tensor:
    """Return the latents on the paths from ``a`` to ``b``, ``(N, steps, D)``, both ends included.

    - ``"linear"``: (1 − t)·a + t·b.
    - ``"spherical"``: ((1 − t)‖a‖ + t‖b‖)·(cos(tω)·â + sin(tω)·û), where ω is the angle between a and b, and û the unit
      vector perpendicular to â in their plane, on b's side. The direction turns at constant angular speed, and the
      length changes linearly. If ‖a‖ = ‖b‖, this is Shoemake's slerp.

    Parallel latents (ω = 0), and the origin with any other, are joined by a straight line. Between opposite latents
    (ω = π) every half circle is equally short: û is then the coordinate axis along which |â| is smallest, made
    perpendicular to â.

    Args:
        a: latents ``(N, D)`` at which the paths begin.
        b: latents ``(N, D)`` at which they end.
        steps: number of latents on each path, ≥ 2; t runs from 0 to 1 in equal steps.
        kind: ``"linear"`` or ``"spherical"``; :func:`path_for` returns the one that suits a distribution.

    Raises:
        TypeError: ``steps`` is not a whole number.
        ValueError: another shape, fewer than two steps, an unknown kind, or spherical paths in one dimension.

    Reference: Shoemake 1985, "Animating rotation with quaternion curves"; White 2016, arXiv:1609.04468.
    """
    at_least(2, steps=steps)
    if a.ndim != 2 or a.shape != b.shape:
        raise LitGANError(f"latents of shape {tuple(a.shape)} and {tuple(b.shape)}: give (N, D), as many of both")
    check_path(kind, a.shape[1])
    t = torch.linspace(0, 1, steps, dtype=torch.float64)[:, None]
    x, y = (ends.detach().double().cpu()[:, None] for ends in (a, b))  # float64 on the CPU: some devices do not have it
    return (_straight(x, y, t) if kind == "linear" else _around(x, y, t)).to(a)


def closed_loop(z: Tensor, steps: int, kind: PathKind = "spherical") -> Tensor:
    """Return closed paths through all of ``z`` and back to the first, ``(N, K·steps, D)``, as frames of a movie.

    The last latent is one step before the first, so that the movie repeats without showing a frame twice.

    Args:
        z: ``(N, K, D)``: N loops, each through K latents, ≥ 2.
        steps: number of frames from each latent to the next, ≥ 1.
        kind: as in :func:`interpolate`.

    Raises:
        TypeError: ``steps`` is not a whole number.
        ValueError: another shape, ``steps`` below 1, an unknown kind, or spherical paths in one dimension.
    """
    at_least(1, steps=steps)
    if z.ndim != 3 or z.shape[1] < 2:
        raise LitGANError(f"latents of shape {tuple(z.shape)}: give (N, K, D), two in each loop at least")
    ways = interpolate(z.flatten(0, 1), z.roll(-1, 1).flatten(0, 1), steps + 1, kind)[:, :-1]
    return ways.reshape(len(z), -1, z.shape[2])


def _straight(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    return (1 - t) * a + t * b


def _around(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Return spherical paths from ``a`` to ``b``, both ``(N, 1, D)``, at the times ``t``, ``(steps, 1)``."""
    u, v = normalize(a, dim=-1, eps=_TINY), normalize(b, dim=-1, eps=_TINY)
    u, v = torch.where(_length(a) > 0, u, v), torch.where(_length(b) > 0, v, u)
    angle = 2 * torch.atan2(_length(u - v), _length(u + v))  # accurate near 0 and π, unlike an arc cosine
    side = _perpendicular(v, u)
    axis = one_hot(u.abs().argmin(-1), u.shape[-1]).to(u)
    side = normalize(torch.where(_length(side) > _ROUNDED, side, _perpendicular(axis, u)), dim=-1)
    return _straight(_length(a), _length(b), t) * (torch.cos(t * angle) * u + torch.sin(t * angle) * side)


def _length(x: Tensor) -> Tensor:
    return torch.linalg.vector_norm(x, dim=-1, keepdim=True)


def _perpendicular(x: Tensor, unit: Tensor) -> Tensor:
    """Return the component of ``x`` perpendicular to the unit vector ``unit``."""
    return x - (x * unit).sum(-1, keepdim=True) * unit
