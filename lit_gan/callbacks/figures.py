"""Matplotlib figures of densities, discriminators and V(G, D), as uint8 pictures; they need the extra ``plots``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from lit_gan._utils.extras import optional
from lit_gan.theory import EQUILIBRIUM_VALUE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_curves", "draw_maps", "draw_value", "new_figure", "picture_of"]


def new_figure(width: float = 6.4, height: float = 3.6) -> "Figure":
    """Return an empty matplotlib figure that never opens a window.

    Args:
        width: in inches.
        height: in inches.

    Raises:
        ImportError: matplotlib is not installed; the extra ``plots`` installs it.
    """
    optional("matplotlib", "plots", "this picture")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def picture_of(figure: "Figure") -> Tensor:
    """Return a figure as a uint8 picture ``(3, H, W)``."""
    canvas: Any = figure.canvas
    canvas.draw()
    return torch.from_numpy(np.asarray(canvas.buffer_rgba())[..., :3].copy()).permute(2, 0, 1)


def draw_curves(
    x: Tensor, densities: dict[str, Tensor], discriminators: dict[str, Tensor], title: str, top: float | None = None
) -> Tensor:
    """Return a picture of densities on a line and, below them, of discriminators in [0, 1].

    Args:
        x: the points, ``(N,)``.
        densities: by name, ``(N,)`` each.
        discriminators: by name, ``(N,)`` each; if empty, the lower half is left out.
        title: text above both halves.
        top: upper limit of the density axis, for the same axis in a sequence of pictures; None for a fitted one.
    """
    figure = new_figure(8.4, 4.8 if discriminators else 3.2)
    axes = figure.subplots(2 if discriminators else 1, squeeze=False, sharex=True)[:, 0]
    _lines(axes[0], x, densities, "density")
    axes[0].set(title=title, ylim=(0, top))
    if discriminators:
        _lines(axes[1], x, discriminators, "D")
        axes[1].axhline(0.5, color="grey", linewidth=0.8)
        axes[1].set(ylim=(-0.02, 1.02))
    return picture_of(figure)


def _lines(axes: Any, x: Tensor, curves: dict[str, Tensor], name: str) -> None:
    for (label, curve), style in zip(curves.items(), ("-", "-", "--", ":") * len(curves), strict=False):
        axes.plot(x.numpy(), curve.numpy(), style, label=label)
    axes.set_ylabel(name)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)  # next to the axes, so that it hides nothing


def draw_maps(maps: dict[str, Tensor], extent: Sequence[float], title: str) -> Tensor:
    """Return a picture of maps side by side, each of values in [0, 1]: red is 1, white ½, blue 0.

    Args:
        maps: by name, ``(W, H)`` each, the first index along x, the second along y.
        extent: limits of the axes, (left, right, bottom, top), the same for all maps.
        title: text above the maps.
    """
    figure = new_figure(4 * len(maps) + 0.8, 4.2)
    figure.suptitle(title)
    axes = figure.subplots(1, len(maps), squeeze=False)[0]
    for ax, (name, values) in zip(axes, maps.items(), strict=True):
        shown = ax.imshow(values.T.numpy(), origin="lower", extent=extent, vmin=0, vmax=1, cmap="RdBu_r")
        ax.set_title(name)
    figure.colorbar(shown, ax=axes, shrink=0.8)
    return picture_of(figure)


def draw_value(steps: Sequence[float], values: Sequence[float], title: str) -> Tensor:
    """Return a picture of V(G, D) over generator updates, with the equilibrium −log 4 and the bound 0.

    Args:
        steps: generator updates.
        values: V(G, D) in nats, one for each of ``steps``.
        title: text above the curve.
    """
    figure = new_figure()
    axes = figure.subplots()
    axes.plot(steps, values, marker=".", label="V(G, D) on held-out data")
    axes.axhline(EQUILIBRIUM_VALUE, color="black", linestyle="--", label="equilibrium, −log 4")
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.set(xlabel="generator updates", ylabel="nats", title=title)
    axes.legend()
    return picture_of(figure)
