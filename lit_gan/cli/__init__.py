"""The ``lit-gan`` command line: ``commands.py`` lists its commands, each of which has a file here."""

from typing import TYPE_CHECKING, Any

from lit_gan.cli.entry import main

if TYPE_CHECKING:
    from lit_gan.cli.training import LitGANCLI as LitGANCLI

__all__ = ["LitGANCLI", "main"]


def __getattr__(name: str) -> Any:
    """Import LitGANCLI, and with it Lightning, when the name is first used."""
    if name == "LitGANCLI":
        from lit_gan.cli.training import LitGANCLI

        return LitGANCLI
    raise AttributeError(f"module 'lit_gan.cli' has no attribute {name!r}")
