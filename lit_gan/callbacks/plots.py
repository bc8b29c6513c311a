"""Callbacks that draw densities, D and V(G, D) during training; they need the extra ``plots``."""

from typing import Any, ClassVar

import torch
from pytorch_lightning import LightningModule, Trainer
from torch import Tensor
from torch.nn.functional import pad

from lit_gan._utils.arguments import at_least_one
from lit_gan._utils.errors import LitGANError
from lit_gan._utils.modes import evaluating
from lit_gan.callbacks.drawing import PictureCallback
from lit_gan.callbacks.figures import draw_curves, draw_maps, draw_value, new_figure
from lit_gan.data import GaussianMixture
from lit_gan.gan import LitGAN
from lit_gan.theory import Mixture, js_divergence, optimal_discriminator

__all__ = ["DensityPlot", "ValuePlot"]

_CELLS = {1: 400, 2: 96}  # cells of the grid along each axis, by number of dimensions
_FINER = 4  # points along each axis of a cell, over which a density is averaged


class DensityPlot(PictureCallback):
    """Pictures of the learned D and the exact D* = p_data/(p_data + p_g), if p_data is a :class:`GaussianMixture`.

    In one dimension p_data, p_g, D and D* are curves, in two D and D* are maps. Both densities are averages over the
    cells of a grid. p_g, of the raw generator, is its ``log_density`` if it has one and z is normal, else a histogram
    of its samples, smoothed over neighbouring cells, as p_data then is. D is the sigmoid of ``loss.log_ratio``, its
    estimate of log p_data/p_g, and is left out if the game fixes none.

    Args:
        every_n_steps: generator updates between pictures.
        movie: whether to make ``densities.gif`` of the run's pictures when fit ends.
        samples: number of samples in the histogram.

    Raises:
        ImportError: matplotlib is not installed; the extra ``plots`` installs it.
        TypeError: an argument of a wrong type.
        ValueError: the data are not a :class:`GaussianMixture`, so that p_data is not known, or D is
            conditional or :class:`lit_gan.networks.Packed`.

    Reference: Goodfellow et al. 2014, arXiv:1406.2661, figure 1 and equation 2.
    """

    name: ClassVar[str] = "densities"

    def __init__(self, every_n_steps: int = 500, movie: bool = True, samples: int = 200_000) -> None:
        super().__init__(every_n_steps, movie)
        at_least_one(samples=samples)
        self.samples = samples

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Raise before training if matplotlib is missing or this data or discriminator cannot be drawn."""
        super().setup(trainer, pl_module, stage)
        if stage != "fit":
            return
        new_figure()
        data = getattr(trainer, "datamodule", None)
        if not isinstance(data, GaussianMixture):
            given = "loaders" if data is None else type(data).__name__
            raise LitGANError(
                f"DensityPlot needs data of known density and was given {given}: fit a GaussianMixture, or leave it out"
            )
        if isinstance(pl_module, LitGAN) and pl_module.condition_modes["discriminator"] != "not at all":
            name = type(pl_module.discriminator).__name__
            raise LitGANError(f"DensityPlot draws one D(x), and {name} is conditional, D(x | y): leave it out")
        if isinstance(pl_module, LitGAN) and pl_module.pack > 1:
            k = pl_module.pack
            raise LitGANError(f"DensityPlot draws one D(x), and Packed judges {k} points together: leave it out")

    @torch.no_grad()
    def draw(self, model: LitGAN) -> Tensor:
        """Return the picture of densities and discriminators as a uint8 tensor ``(3, H, W)``."""
        data = getattr(model.trainer, "datamodule", None)
        assert isinstance(data, GaussianMixture)
        reach = 5 * data.mixture.stds[:, None]
        low, high = float((data.mixture.means - reach).min()), float((data.mixture.means + reach).max())
        dimensions = data.mixture.means.shape[1]
        edges = torch.linspace(low, high, _CELLS[dimensions] + 1, dtype=torch.float64)
        p_data, p_g = densities(model, data.mixture, edges, self.samples)
        exact = optimal_discriminator(p_data, p_g)
        if dimensions == 1:
            exact[p_data + p_g < 1e-3 * p_data.max()] = torch.nan  # both densities are near 0: a gap in the curve
        learned = _learned(model, _centres(edges), dimensions)
        ds = ({} if learned is None else {"D, learned": learned}) | {"D*": exact}
        title = f"{model.trainer.global_step} generator updates{_jsd(p_data, p_g, edges)}"
        if dimensions == 1:
            curves = {"p_data": p_data, "p_g": p_g}
            return draw_curves(_centres(edges), curves, ds, title, top=2 * float(p_data.max()))
        return draw_maps(ds, [low, high] * 2, title)


def densities(model: LitGAN, mixture: Mixture, edges: Tensor, samples: int) -> tuple[Tensor, Tensor]:
    """Return p_data and the raw generator's p_g as averages over the cells of a grid, both smoothed or neither.

    Args:
        model: a model whose generator makes points ``(N, 1)`` or ``(N, 2)``.
        mixture: p_data.
        edges: edges of the cells along each axis, evenly spaced.
        samples: number of samples in the histogram, if the generator's ``log_density`` is not used.

    Returns:
        Both ``(cells,)`` or ``(cells, cells)``, in float64.
    """
    dimensions, cell = mixture.means.shape[1], float(edges[1] - edges[0])
    steps = torch.special.ndtr((edges - mixture.means[..., None]) / mixture.stds[:, None, None]).diff() / cell
    axes = "kx" if dimensions == 1 else "kx,ky"
    p_data = torch.einsum(f"k,{axes}->{'xy'[:dimensions]}", mixture.weights, *steps.unbind(1))
    log_density = getattr(model.generator, "log_density", None)
    if log_density is not None and model.latent == "normal":
        fine = torch.linspace(float(edges[0]), float(edges[-1]), _FINER * (len(edges) - 1) + 1, dtype=torch.float64)
        p_g = log_density(_grid(_centres(fine), dimensions).to(model.device)).exp().cpu()
        return p_data, _coarse(p_g, len(edges) - 1, dimensions)
    x = model.sample(samples, ema=False, seed=0, batch_size=20_000).double().cpu()
    p_g = torch.histogramdd(x, bins=[edges] * dimensions).hist / samples / cell**dimensions
    return _smooth(p_data), _smooth(p_g)


def _centres(edges: Tensor) -> Tensor:
    return (edges[1:] + edges[:-1]) / 2


def _grid(axis: Tensor, dimensions: int) -> Tensor:
    """Return the points of a grid, ``(N, D)``."""
    return torch.cartesian_prod(*[axis] * dimensions).reshape(-1, dimensions)


def _coarse(fine: Tensor, cells: int, dimensions: int) -> Tensor:
    """Return the means over ``_FINER`` neighbours along each axis."""
    return fine.reshape([cells, _FINER] * dimensions).mean(tuple(range(1, 2 * dimensions, 2)))


def _smooth(density: Tensor) -> Tensor:
    """Return the density smoothed by the kernel (¼, ½, ¼) along each axis."""
    for axis in range(density.ndim):
        padded = pad(density.transpose(axis, -1), (1, 1))
        density = (padded[..., :-2] / 4 + padded[..., 1:-1] / 2 + padded[..., 2:] / 4).transpose(axis, -1)
    return density


def _learned(model: LitGAN, axis: Tensor, dimensions: int) -> Tensor | None:
    """Return the sigmoid of the log density ratio that D has learned on a grid, or None if the game fixes none."""
    with evaluating(model.discriminator):
        logits = model.logits(_grid(axis, dimensions).to(model.device, model.players.float_type))
    ratio = model.loss.log_ratio(logits)
    return None if ratio is None else ratio.sigmoid().double().cpu().reshape([len(axis)] * dimensions)


def _jsd(p_data: Tensor, p_g: Tensor, edges: Tensor) -> str:
    """Return the title's part about the JSD; an empty string if a density has mass outside the grid."""
    cell = float(edges[1] - edges[0]) ** p_data.ndim
    if max(abs(float(p.sum()) * cell - 1) for p in (p_data, p_g)) > 1e-3:
        return ""
    return f", JSD(p_data‖p_g) = {float(js_divergence(p_data, p_g, cell)):.3f} nats"


class ValuePlot(PictureCallback):
    """Pictures of V(G, D) over all validations so far, with its equilibrium −log 4, as ``value/step-….png``.

    Args:
        every_n_validations: validations between pictures; one more is drawn when fit ends.

    Raises:
        ImportError: matplotlib is not installed; the extra ``plots`` installs it.
        TypeError: an argument of a wrong type.
        ValueError: ``every_n_validations`` below 1.

    Reference: Goodfellow et al. 2014, arXiv:1406.2661, theorem 1.
    """

    name: ClassVar[str] = "value"

    def __init__(self, every_n_validations: int = 5) -> None:
        super().__init__()
        at_least_one(every_n_validations=every_n_validations)
        self.every_n_validations = every_n_validations
        self._values: list[tuple[float, float]] = []

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Reset the state from an earlier fit; raise if matplotlib is not installed."""
        super().setup(trainer, pl_module, stage)
        if stage == "fit":
            new_figure()
        self._values = []

    def state_dict(self) -> dict[str, Any]:
        """Return V(G, D) of the validations so far, each with its generator updates."""
        return super().state_dict() | {"values": [list(pair) for pair in self._values]}

    def _wrote(self, state: dict[str, Any], model: LightningModule) -> bool:
        values = state.get("values")
        return isinstance(values, list) and all(
            isinstance(pair, list) and list(map(type, pair)) == [float, float] for pair in values
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the values of V(G, D) from a checkpoint."""
        super().load_state_dict(state_dict)
        self._values = [(step, v) for step, v in state_dict["values"]]

    def on_train_batch_end(self, *args: Any) -> None:
        """Do nothing: V(G, D) is new at validations only."""

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep V(G, D), and draw at each ``every_n_validations``-th validation."""
        v = trainer.callback_metrics.get("val/value")
        if v is None or trainer.sanity_checking:
            return
        self._values.append((float(trainer.global_step), float(v)))
        if len(self._values) % self.every_n_validations == 0:
            self._write(trainer, pl_module)

    def draw(self, model: LitGAN) -> Tensor | None:
        """Return the curve as a uint8 picture, or None if there are fewer than two values."""
        if len(self._values) < 2:
            return None
        steps, values = zip(*self._values, strict=True)
        return draw_value(steps, values, "0: D tells all apart; −log 4: D cannot tell")
