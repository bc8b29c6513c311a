"""Callbacks that draw, score, diagnose and stop a run, and do not change the game."""

from lit_gan.callbacks.divergence import DivergenceStop
from lit_gan.callbacks.equilibrium import EquilibriumMonitor
from lit_gan.callbacks.generative import GenerativeMetrics
from lit_gan.callbacks.neighbours import NearestNeighbours
from lit_gan.callbacks.plots import DensityPlot, ValuePlot
from lit_gan.callbacks.samples import Interpolation, SampleGrid, SampleWriter
from lit_gan.callbacks.wandb_axis import WandbAxis

__all__ = [
    "DensityPlot",
    "DivergenceStop",
    "EquilibriumMonitor",
    "GenerativeMetrics",
    "Interpolation",
    "NearestNeighbours",
    "SampleGrid",
    "SampleWriter",
    "ValuePlot",
    "WandbAxis",
]
