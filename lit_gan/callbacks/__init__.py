"""What only watches the game."""

from lit_gan.callbacks.equilibrium import EquilibriumMonitor
from lit_gan.callbacks.plots import DensityPlot, ValuePlot
from lit_gan.callbacks.samples import SampleGrid, SampleWriter

__all__ = ["DensityPlot", "EquilibriumMonitor", "SampleGrid", "SampleWriter", "ValuePlot"]
