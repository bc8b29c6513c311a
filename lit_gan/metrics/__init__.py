"""Metrics that torchmetrics lacks, fed by ``update(samples, real)``; ``compute()`` returns a dict of scalars."""

from lit_gan.metrics.frechet import FrechetDistance, frechet_distance
from lit_gan.metrics.manifold import DensityCoverage, PrecisionRecall
from lit_gan.metrics.mode_coverage import ModeCoverage
from lit_gan.metrics.two_sample import ClassifierTwoSample

__all__ = [
    "ClassifierTwoSample",
    "DensityCoverage",
    "FrechetDistance",
    "ModeCoverage",
    "PrecisionRecall",
    "frechet_distance",
]
