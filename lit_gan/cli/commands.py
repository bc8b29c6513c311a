"""Table of the commands of ``lit-gan`` and the functions that they call."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

__all__ = ["COMMANDS", "TRAINING", "Command"]


class Command(NamedTuple):
    """A command of ``lit-gan``: a function whose arguments are the options and whose docstring is the help text."""

    function: str
    """Import path of the function. Its module imports torch only when the function runs: usage errors import it too."""
    parts: Mapping[str, str] = MappingProxyType({})
    """Arguments that are parts, by name, with their kind (``lit_gan._utils.kinds``); parsing them imports torch."""


COMMANDS = {
    "sample": Command("lit_gan.cli.sample.sample", {"data": "data", "extractor": "extractor"}),
    "evaluate": Command(
        "lit_gan.cli.evaluate.evaluate", {"data": "data", "metrics": "metric", "extractor": "extractor"}
    ),
    "export": Command("lit_gan.cli.export.export", {"generator": "network"}),
    "report": Command("lit_gan.cli.report.report"),
}
TRAINING = ("fit", "validate", "test", "predict")
"""Commands of LightningCLI, in ``lit_gan.cli.training``."""
