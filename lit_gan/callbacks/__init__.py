"""What only watches the game."""

from lit_gan.callbacks.samples import SampleGrid, SampleWriter

__all__ = ["SampleGrid", "SampleWriter"]
