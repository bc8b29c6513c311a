"""What only watches the game, and what ends it."""

from lit_gan.callbacks.divergence import DivergenceStop
from lit_gan.callbacks.equilibrium import EquilibriumMonitor
from lit_gan.callbacks.plots import DensityPlot, ValuePlot
from lit_gan.callbacks.samples import SampleGrid, SampleWriter

__all__ = ["DensityPlot", "DivergenceStop", "EquilibriumMonitor", "SampleGrid", "SampleWriter", "ValuePlot"]
