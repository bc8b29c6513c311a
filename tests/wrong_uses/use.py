"""What a wrong use is, and how it is made in an empty folder."""

import contextlib
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from lit_gan.cli import main


class Wrong(NamedTuple):
    """A wrong use: what is called, the exception that it must end in, and what its one sentence must say."""

    use: Callable[[], Any]
    error: type[BaseException]
    says: str
    """A regular expression."""
    given: Callable[[], Any] = lambda: None
    """Makes the files that the use finds in the current folder."""


def command(*arguments: str) -> Callable[[], None]:
    """Return a run of ``lit-gan``."""
    return lambda: main(arguments)


def said(wrong: Wrong) -> tuple[BaseException | None, str]:
    """Make a wrong use in the current folder; return what it raised and the sentence that it ended in."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed), contextlib.redirect_stdout(io.StringIO()):
            wrong.use()
    except (Exception, SystemExit) as error:
        if not isinstance(error, SystemExit):
            return error, str(error)
        return error, re.sub(r"^(tip: .*\n)?error: ", "", printed.getvalue()).removesuffix("\n")
    return None, ""


def files_in(folder: Path) -> set[Path]:
    """Return the files below a folder."""
    return {path for path in folder.rglob("*") if path.is_file()}
