"""The mathematics drawn while it happens: densities and discriminators, V(G, D) on its way. The extra ``plots``."""

from typing import Any, ClassVar

import torch
from pytorch_lightning import LightningModule, Trainer
from torch import Tensor

from lit_gan.arguments import at_least_one
from lit_gan.callbacks.pictures import PictureCallback
from lit_gan.data import GaussianMixture
from lit_gan.module import LitGAN
from lit_gan.plots import draw_curves, draw_maps, draw_value, new_figure
from lit_gan.sampling import evaluating
from lit_gan.theory import js_divergence, optimal_discriminator

__all__ = ["DensityPlot", "ValuePlot"]

_CELLS = {1: 400, 2: 96}  # of the grid along an axis, by dimensions


class DensityPlot(PictureCallback):
    """Draws the learned D beside the exact D* = p_data/(p_data + p_g), where p_data is a :class:`GaussianMixture`.

    On a line: p_data, p_g, D and D* as curves. In a plane: D and D* as maps. p_g is the generator's own
    ``log_density``, where it has one and z is normal, and a smoothed histogram of its samples elsewhere; both of the
    raw generator. D is sigmoid(log p_data/p_g), as ``loss.log_ratio`` says, and is left out where a game fixes none.

    Args:
        every_n_steps: generator updates between pictures.
        movie: whether the pictures become ``densities.gif`` when fit ends.
        samples: for the histogram.

    Raises:
        ImportError: matplotlib is not there; the extra ``plots`` brings it.
        ValueError: the data are no :class:`GaussianMixture`, so that p_data is not known.

    Reference: Goodfellow et al. 2014, arXiv:1406.2661, figure 1 and equation 2.
    """

    name: ClassVar[str] = "densities"

    def __init__(self, every_n_steps: int = 500, movie: bool = True, samples: int = 200_000) -> None:
        super().__init__(every_n_steps, movie)
        self.samples = samples

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse what cannot be drawn before anything is trained."""
        super().setup(trainer, pl_module, stage)
        new_figure()
        data = getattr(trainer, "datamodule", None)
        if not isinstance(data, GaussianMixture):
            raise ValueError(
                f"DensityPlot needs data of known density, a GaussianMixture, and the data are {type(data).__name__}: "
                "leave it out"
            )

    @torch.no_grad()
    def draw(self, model: LitGAN) -> Tensor:
        """Return the picture of this moment."""
        data = getattr(model.trainer, "datamodule", None)
        assert isinstance(data, GaussianMixture)
        mixture = data.mixture
        low, high = (mixture.means - 5 * mixture.stds[:, None]).min(), (mixture.means + 5 * mixture.stds[:, None]).max()
        dimensions = mixture.means.shape[1]
        edges = torch.linspace(float(low), float(high), _CELLS[dimensions] + 1, dtype=torch.float64)
        axis = (edges[1:] + edges[:-1]) / 2
        points = torch.cartesian_prod(*[axis] * dimensions).reshape(-1, dimensions)
        shape = [len(axis)] * dimensions
        p_data = mixture.density(points).reshape(shape)
        p_g = generated_density(model, points, edges, self.samples).reshape(shape)
        exact = optimal_discriminator(p_data, p_g)
        if dimensions == 1:
            exact[p_data + p_g < 1e-3 * p_data.max()] = torch.nan  # a ratio of next to nothing: a gap in the curve
        learned = _learned(model, points)
        ds = ({} if learned is None else {"D, learned": learned.reshape(shape)}) | {"D*": exact}
        title = f"{model.trainer.global_step} generator updates{_jsd(p_data, p_g, edges)}"
        if dimensions == 1:
            densities = {"p_data": p_data, "p_g": p_g}
            return draw_curves(axis, densities, ds, title, top=2 * float(p_data.max()))
        return draw_maps(ds, [float(low), float(high)] * 2, title)


def generated_density(model: LitGAN, points: Tensor, edges: Tensor, samples: int) -> Tensor:
    """Return p_g of the raw generator at the centres of a grid's cells, ``(N,)`` in float64.

    Its own ``log_density`` where it has one and z is normal; else a histogram, smoothed over neighbouring cells.

    Args:
        model: whose generator makes points ``(N, 1)`` or ``(N, 2)``.
        points: the centres, ``(N, D)``.
        edges: of the cells along each axis, evenly spaced.
        samples: for the histogram.
    """
    log_density = getattr(model.generator, "log_density", None)
    if log_density is not None and model.latent == "normal":
        density: Tensor = log_density(points.to(model.device)).exp().cpu()
        return density
    x = model.sample(samples, ema=False, seed=0, batch_size=20_000).double().cpu()
    dimensions, cell = x.shape[1], float(edges[1] - edges[0])
    counts = torch.histogramdd(x, bins=[edges] * dimensions).hist
    smooth = torch.tensor([0.25, 0.5, 0.25], dtype=torch.float64)
    for axis in range(dimensions):
        counts = counts.transpose(axis, -1)
        padded = torch.nn.functional.pad(counts, (1, 1))
        counts = sum(w * padded.narrow(-1, i, counts.shape[-1]) for i, w in enumerate(smooth)).transpose(axis, -1)
    return (counts / samples / cell**dimensions).flatten()


def _learned(model: LitGAN, points: Tensor) -> Tensor | None:
    """Return sigmoid of the log density ratio that the discriminator has learned, None where the game fixes none."""
    with evaluating(model.discriminator):
        logits = model.logits(points.to(model.device, model.float_type))
    ratio = model.loss.log_ratio(logits)
    return None if ratio is None else ratio.sigmoid().double().cpu()


def _jsd(p_data: Tensor, p_g: Tensor, edges: Tensor) -> str:
    """Return what the title says of the divergence; nothing while samples lie beyond the frame."""
    cell = float(edges[1] - edges[0]) ** p_data.ndim
    if abs(float(p_g.sum()) * cell - 1) > 1e-3:
        return ""
    return f", JSD(p_data‖p_g) = {float(js_divergence(p_data, p_g, cell)):.3f} nats"


class ValuePlot(PictureCallback):
    """Draws V(G, D) of all validations so far against its equilibrium −log 4, as ``value/step-….png``.

    Args:
        every_n_validations: validations between pictures; one comes when fit ends in any case.

    Raises:
        ImportError: matplotlib is not there; the extra ``plots`` brings it.
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
        """Begin anew, and refuse to where nothing can be drawn."""
        super().setup(trainer, pl_module, stage)
        new_figure()
        self._values = []

    def state_dict(self) -> dict[str, Any]:
        """Return the values so far."""
        return {"values": [list(pair) for pair in self._values]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the values of a checkpoint."""
        self._values = [(step, v) for step, v in state_dict["values"]]

    def on_train_batch_end(self, *args: Any) -> None:
        """Do nothing: there is news at validations only."""

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remember V(G, D), and draw at each ``every_n_validations``-th."""
        v = trainer.callback_metrics.get("val/value")
        if v is None or trainer.sanity_checking:
            return
        self._values.append((float(trainer.global_step), float(v)))
        if len(self._values) % self.every_n_validations == 0:
            self._write(trainer, pl_module)

    def draw(self, model: LitGAN) -> Tensor | None:
        """Return the curve, once there are two values."""
        if len(self._values) < 2:
            return None
        steps, values = zip(*self._values, strict=True)
        return draw_value(steps, values, "0: D tells all apart; −log 4: D cannot tell")
