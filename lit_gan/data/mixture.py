"""Data module of points from Gaussian mixtures, whose known density allows exact checks of a game."""

import math
from typing import Literal

import torch
from torch import Tensor

from lit_gan._utils.arguments import at_least, at_least_one, positive
from lit_gan._utils.errors import LitGANError
from lit_gan._utils.randomness import Stream, derive_seed
from lit_gan._utils.suggestions import choices
from lit_gan.data.base import Split, TensorDataModule
from lit_gan.theory import Mixture

__all__ = ["GaussianMixture"]

Kind = Literal["ring", "grid", "line"]
Setting = Literal["veegan", "pacgan", "wgan_gp"]

_MODES: dict[Kind, int] = {"ring": 8, "grid": 25, "line": 2}
_SETTINGS: dict[tuple[Setting, Kind], tuple[float, float]] = {  # (size, std) of rings of 8, grids of 25 modes
    ("veegan", "ring"): (1.0, 0.01),
    ("veegan", "grid"): (4.0, 0.05),
    ("pacgan", "ring"): (1.0, 0.01),
    ("pacgan", "grid"): (4.0, 0.05),
    ("wgan_gp", "ring"): (2 / 1.414, 0.02 / 1.414),  # the authors divide by their rounded standard deviations
    ("wgan_gp", "grid"): (4 / 2.828, 0.05 / 2.828),
}


class GaussianMixture(TensorDataModule):
    """Points of a mixture of Gaussians, float32 ``(N, D)``, labelled with the mode that each is from, int64 ``(N,)``.

    The attribute ``mixture`` is the distribution, with its ``density``, ``log_density`` and ``sample``.

    Args:
        kind: ``"ring"``, modes on a circle, D = 2; ``"grid"``, on a square grid, D = 2; ``"line"``, on a line, D = 1.
        setting: ``"veegan"``, ``"pacgan"`` or ``"wgan_gp"``: the ring of 8 or grid of 25 of that paper, with its size
            and standard deviation.
        modes: number of modes; by default 8 (ring), 25 (grid) or 2 (line). A square number for a grid.
        size: radius of the ring, half the side of the grid, half the length of the line; 1 by default.
        std: standard deviation of all modes, or a list with one for each; 0.05 by default.
        means: positions of the modes on a line, in place of ``modes`` and ``size``.
        weights: relative weights of the modes, of any sum; equal by default.
        train_size: number of training points, drawn once; 100,000 as in PacGAN's code.
        held_out_size: number of held-out points, and of test points.
        batch_size: points per batch.
        seed: seed from which the points are drawn.
        num_workers: processes that load batches.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range, or one that another argument already determines.

    Reference: Srivastava et al. 2017, arXiv:1705.07761, section 4.1; Lin et al. 2017, arXiv:1712.04086, section 4.1;
    Gulrajani et al. 2017, arXiv:1704.00028, section 4 (the sizes are in the authors' code).
    """

    def __init__(
        self,
        kind: Kind = "ring",
        setting: Setting | None = None,
        modes: int | None = None,
        size: float | None = None,
        std: float | list[float] | None = None,
        means: list[float] | None = None,
        weights: list[float] | None = None,
        train_size: int = 100_000,
        held_out_size: int = 10_000,
        batch_size: int = 256,
        seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers)
        at_least_one(modes=modes, train_size=train_size, held_out_size=held_out_size)
        at_least(0, seed=seed)
        positive(size=size)
        self.kind, self.setting, self.train_size, self.held_out_size = kind, setting, train_size, held_out_size
        self.modes, self.size, self.std, self.means, self.weights = modes, size, std, means, weights
        self.seed = seed
        if kind not in _MODES:
            raise LitGANError(f"kind={kind!r} is none of {choices(_MODES, kind)}")
        if means is not None:
            if kind != "line":
                raise LitGANError(
                    f'means={means} are places on a line, and kind={kind!r}: give kind="line", or no means'
                )
            _refuse(f"means={means}", setting=setting, modes=modes, size=size)
            places = torch.tensor(means, dtype=torch.float64)[:, None]
        else:
            size, std = _measures(kind, setting, modes, size, std)
            places = _places(kind, modes or _MODES[kind], size)
        self.mixture = Mixture(places, 0.05 if std is None else std, weights)

    def load(self, split: Split) -> tuple[Tensor, Tensor]:
        """Return the points of a split and their modes; the same at each call."""
        n = self.train_size if split == "train" else self.held_out_size
        rng = torch.Generator().manual_seed(
            derive_seed(Stream.MIXTURE, self.seed, ("train", "val", "test").index(split))
        )
        return self.mixture.sample(n, rng)


def _measures(
    kind: Kind, setting: Setting | None, modes: int | None, size: float | None, std: float | list[float] | None
) -> tuple[float, float | list[float] | None]:
    """Return size and standard deviation, those of ``setting`` if it is given."""
    if setting is None:
        return 1.0 if size is None else size, std
    if (setting, kind) not in _SETTINGS:
        known = ", ".join(f"{s} of a {k}" for s, k in _SETTINGS)
        raise LitGANError(f"there is no setting {setting!r} of a {kind}: take {known}")
    _refuse(f"setting={setting!r}", modes=modes, size=size, std=std)
    return _SETTINGS[setting, kind]


def _refuse(given: str, **others: object) -> None:
    """Raise if one of ``others`` is given in addition to an argument that determines it."""
    for name, value in others.items():
        if value is not None:
            raise LitGANError(f"{given} decides what {name}={value!r} does as well: give one of them")


def _places(kind: Kind, modes: int, size: float) -> Tensor:
    """Return the modes' means, ``(K, D)``."""
    if kind == "ring":
        angle = torch.arange(modes, dtype=torch.float64) * (2 * math.pi / modes)
        return size * torch.stack([angle.cos(), angle.sin()], 1)
    side = modes if kind == "line" else math.isqrt(modes)
    ticks = torch.linspace(-size, size, side, dtype=torch.float64) if side > 1 else torch.zeros(1, dtype=torch.float64)
    if kind == "line":
        return ticks[:, None]
    if side**2 != modes:
        raise LitGANError(f"modes={modes} is no square number: a grid takes {side**2} or {(side + 1) ** 2}")
    return torch.cartesian_prod(ticks, ticks)
