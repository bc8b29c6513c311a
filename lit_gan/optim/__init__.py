"""Optimizers for both players, and the moving average of the generator; schedules are in :mod:`lit_gan.schedules`."""

from lit_gan.optim.optimizers import ClippedRMSprop, GANAdam, OptimizerFactory, make_optimizer

__all__ = ["ClippedRMSprop", "GANAdam", "OptimizerFactory", "make_optimizer"]
