"""The table of commands: a row for each, with the function that it calls."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

__all__ = ["COMMANDS", "TRAINING", "Command"]


class Command(NamedTuple):
    """A command of ``lit-gan``; its options are the arguments of a function, its help the function's docstring."""

    function: str
    """Import path of the function. Its module is imported for a usage error, so it imports torch only when it runs."""
    parts: Mapping[str, str] = MappingProxyType({})
    """Arguments that are parts, by name, with the import path of their base, for which torch must be imported."""


COMMANDS = {
    "sample": Command(
        "lit_gan.cli.sample.sample",
        {"data": "pytorch_lightning.LightningDataModule", "extractor": "torch.nn.Module"},
    ),
    "evaluate": Command(
        "lit_gan.cli.evaluate.evaluate",
        {
            "data": "pytorch_lightning.LightningDataModule",
            "metrics": "lit_gan.metrics.evaluation.scores.MetricsByName",
            "extractor": "torch.nn.Module",
        },
    ),
    "export": Command("lit_gan.cli.export.export", {"generator": "torch.nn.Module"}),
    "report": Command("lit_gan.cli.report.report"),
}
TRAINING = ("fit", "validate", "test", "predict")
"""The commands of LightningCLI, ``lit_gan.cli.training``."""
