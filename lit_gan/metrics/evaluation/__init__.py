"""Scores of generated samples against real ones: one pass over each, on all devices, with the protocol they are of."""

from lit_gan.metrics.evaluation.engine import Evaluation, Report
from lit_gan.metrics.evaluation.sources import GeneratedSamples, RealSamples

__all__ = ["Evaluation", "GeneratedSamples", "RealSamples", "Report"]
