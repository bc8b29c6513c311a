"""Entry point of ``lit-gan``: runs the command, and reports a user's error in one sentence with exit code 2."""

import errno
import sys
import warnings
from collections.abc import Iterator, Sequence

from lit_gan._utils.errors import LitGANError
from lit_gan._utils.suggestions import likely
from lit_gan._utils.version import __version__
from lit_gan.cli.commands import COMMANDS, TRAINING
from lit_gan.cli.own_parts import own_parts

__all__ = ["main", "refusal"]

_LIGHTNING = ("pytorch_lightning", "lightning_fabric", "wandb")
"""Lightning, and what its logger says of a key that is not there."""
_BUGS = (AssertionError, AttributeError, LookupError, NameError)
"""Types of errors that are bugs, not a user's mistake, even if Lightning raises them."""
_DISK = (errno.ENOSPC, errno.EROFS)  # of a full disk, and of one that cannot be written, which may name no file


def main(args: Sequence[str] | None = None) -> None:
    """Run ``lit-gan``.

    A user's error is printed to stderr as one sentence, with exit code 2; ``--debug`` shows its traceback.

    Args:
        args: the arguments after ``lit-gan``; None for those of this process.
    """
    given = sys.argv[1:] if args is None else args
    arguments = [argument for argument in given if argument != "--debug"]
    if args is None:
        sys.argv[1:] = arguments  # LightningCLI reads it, and starts other processes with it
    try:
        with own_parts(arguments):
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
        meant = likely(first, (*TRAINING, *COMMANDS))
        _refuse(f"argument subcommand: invalid choice: {first!r} (choose from {names}){meant}")


def _train(arguments: list[str] | None) -> None:
    from lit_gan.cli.training import LitGANCLI
    from lit_gan.training.distributed import destroy_process_group

    warnings.filterwarnings("ignore", message=".*treespec, LeafSpec.*")  # caused by Lightning: users cannot avoid it
    LitGANCLI(args=arguments)
    destroy_process_group()


def _refuse(said: str) -> None:
    line = " ".join(said.split())  # what a stranger's file says in it must not control the terminal
    print("error: " + "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line), file=sys.stderr)
    sys.exit(2)


def refusal(error: BaseException) -> str | None:
    """Return the message of an error that a user's mistake causes; None for a bug.

    Args:
        error: any exception. A user's mistake is a :class:`lit_gan.LitGANError`, also if jsonargparse wrapped it, an
            error raised by Lightning, or one about a file.
    """
    for cause in _chain(error):
        if isinstance(cause, LitGANError):
            return str(cause)
    return _of_lightning(error) or _of_a_file(error)


def _of_lightning(error: BaseException) -> str | None:
    """Return the message of an error that Lightning raises, about an option of its Trainer for instance; else None."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    module = "" if traceback is None else str(traceback.tb_frame.f_globals.get("__name__"))
    return str(error) if module.partition(".")[0] in _LIGHTNING and not isinstance(error, _BUGS) else None


def _of_a_file(error: BaseException) -> str | None:
    """Return the message of an error about a file or a disk, or for a config that is not UTF-8; else None."""
    if isinstance(error, UnicodeDecodeError):
        return f"a config file is no text in UTF-8 ({error.reason} at byte {error.start})"
    if not isinstance(error, OSError) or not (error.filename or error.errno in _DISK):
        return None
    return f"{error.filename or 'a file cannot be written'}: {error.strerror}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield ``error`` and the errors that caused it: jsonargparse wraps what a part's constructor raises."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
