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
    """Arguments that are parts, by name, with their kind (``lit_gan._utils.kinds``): for these torch is imported."""


COMMANDS = {
    "sample": Command("lit_gan.cli.sample.sample", {"data": "data", "extractor": "extractor"}),
    "evaluate": Command(
        "lit_gan.cli.evaluate.evaluate", {"data": "data", "metrics": "metric", "extractor": "extractor"}
    ),
    "export": Command("lit_gan.cli.export.export", {"generator": "network"}),
    "report": Command("lit_gan.cli.report.report"),
}
TRAINING = ("fit", "validate", "test", "predict")
"""The commands of LightningCLI, ``lit_gan.cli.training``."""
