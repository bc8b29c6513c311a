"""Scores of generated against real samples, and their protocol: one pass over each, shared by all devices."""

from lit_gan.metrics.evaluation.engine import Evaluation, Report
from lit_gan.metrics.evaluation.sources import GeneratedSamples, RealSamples

__all__ = ["Evaluation", "GeneratedSamples", "RealSamples", "Report"]
