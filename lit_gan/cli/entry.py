"""The entry point of ``lit-gan``: chooses the command, and turns refusals into one sentence and exit code 2."""

import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from lit_gan._utils.errors import LitGANError
from lit_gan._utils.version import __version__
from lit_gan.cli.commands import COMMANDS, TRAINING

__all__ = ["main", "refusal"]

_LIGHTNING = ("pytorch_lightning", "lightning_fabric")
_BUGS = (AssertionError, AttributeError, LookupError, NameError)
"""Errors that no wrong use causes."""


def main(args: Sequence[str] | None = None) -> None:
    """Run ``lit-gan``. A refusal is one sentence on stderr and exit code 2; ``--debug`` shows its traceback.

    Args:
        args: what follows ``lit-gan``; that of this process if it is None.
    """
    given = sys.argv[1:] if args is None else args
    arguments = [argument for argument in given if argument != "--debug"]
    if args is None:
        sys.argv[1:] = arguments  # LightningCLI reads it, and starts other processes by it
    sys.path.insert(0, str(Path.cwd()))  # where parts of the user's own are found by their import path
    try:
        _run(arguments, None if args is None else arguments)
    except Exception as error:
        said = refusal(error)
        if said is None or "--debug" in given:
            raise
        _refuse(said)


def _run(arguments: list[str], for_lightning: list[str] | None) -> None:
    """Run the command that the first of ``arguments`` names."""
    first = next(iter(arguments), "-")
    if first == "--version":
        print(f"lit-gan {__version__}")
    elif first in COMMANDS:
        from lit_gan.cli.parser import run_command

        run_command(first, COMMANDS[first], arguments[1:])
    elif first in TRAINING or first.startswith("-"):
        _train(for_lightning)
    else:
        names = ", ".join(map(repr, (*TRAINING, *COMMANDS)))
        _refuse(f"argument subcommand: invalid choice: {first!r} (choose from {names})")


def _train(arguments: list[str] | None) -> None:
    from lit_gan.cli.training import LitGANCLI
    from lit_gan.training.distributed import destroy_process_group

    warnings.filterwarnings("ignore", message=".*treespec, LeafSpec.*")  # Lightning's own, which no user can mend
    LitGANCLI(args=arguments)
    destroy_process_group()


def _refuse(said: str) -> None:
    print(f"error: {' '.join(said.split())}", file=sys.stderr)
    sys.exit(2)


def refusal(error: BaseException) -> str | None:
    """Return the sentence of an error that a wrong use causes; None for a bug.

    Args:
        error: of lit_gan (:class:`lit_gan.LitGANError`), perhaps wrapped by jsonargparse, of Lightning, or of a file.
    """
    for cause in _chain(error):
        if isinstance(cause, LitGANError):
            return str(cause)
    return _of_lightning(error) or _of_a_file(error)


def _of_lightning(error: BaseException) -> str | None:
    """Return what Lightning refuses: an option of its Trainer, a metric to watch that nothing logs."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    module = "" if traceback is None else str(traceback.tb_frame.f_globals.get("__name__"))
    return str(error) if module.partition(".")[0] in _LIGHTNING and not isinstance(error, _BUGS) else None


def _of_a_file(error: BaseException) -> str | None:
    """Return what is wrong with a file that the system refuses, or a config file that is no text."""
    if isinstance(error, UnicodeDecodeError):
        return f"a config file is no text in UTF-8 ({error.reason} at byte {error.start})"
    return f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield ``error`` and what it was raised from: jsonargparse wraps what a part's constructor raises."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
