"""Checks of arguments that are probabilities, densities or logits."""

from torch import Tensor

from lit_gan._utils.arguments import instance_of
from lit_gan._utils.errors import LitGANError

__all__ = ["check_cell", "check_logits", "check_pair"]

_TOLERANCE = 1e-3  # of a total mass from 1: quadrature on a fine grid errs far less, a forgotten cell size more


def check_pair(p: Tensor, q: Tensor, cell: float) -> tuple[Tensor, Tensor]:
    """Return ``p`` and ``q``, in float64 if they are not floating-point; refuse any that is not a distribution.

    Args:
        p: probabilities, or densities on a grid, of any shape.
        q: of the same shape as ``p``.
        cell: size of a grid cell (length, area, …) for densities; 1 for probabilities.

    Raises:
        TypeError: a list, or anything else that is not a tensor.
        ValueError: shapes that differ, a negative or infinite number or NaN, a total mass that is not 1, a ``cell``
            that is not positive and finite.
    """
    for name, given in (("p", p), ("q", q)):
        instance_of(name, given, Tensor, "torch.tensor([0.5, 0.5])")
    if p.shape != q.shape:
        raise LitGANError(f"p has the shape {tuple(p.shape)} and q {tuple(q.shape)}: give both on the same points")
    check_cell(cell)
    return _checked("p", p, cell), _checked("q", q, cell)


def check_cell(cell: float) -> None:
    """Refuse a size of a grid cell that is not positive and finite."""
    if not 0 < cell < float("inf"):
        raise LitGANError(f"cell={cell} must be positive: the size of a grid cell, or 1 for probabilities")


def check_logits(real_logits: Tensor, fake_logits: Tensor) -> None:
    """Refuse an empty tensor of real or fake logits, whose mean would be NaN."""
    real, fake = real_logits.numel(), fake_logits.numel()
    if not (real and fake):
        raise LitGANError(f"{real} real and {fake} fake logits: give one of each at least")


def _checked(name: str, p: Tensor, cell: float) -> Tensor:
    """Return ``p`` in floating point; refuse it if it is negative, not finite or of a total mass other than 1."""
    p = p if p.is_floating_point() else p.double()
    if not p.isfinite().all() or (p < 0).any():
        bad = p[~(p >= 0) | ~p.isfinite()].flatten()[0]
        raise LitGANError(f"{name} holds {float(bad):.4g}: probabilities and densities are finite and not negative")
    mass = float(p.detach().double().sum()) * cell
    if abs(mass - 1) > _TOLERANCE:
        raise LitGANError(
            f"{name} sums to {mass:.6g} instead of 1: divide it by its sum, or give cell=, the size of a grid cell, "
            "for a density (and a grid wide enough)"
        )
    return p
