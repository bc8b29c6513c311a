"""Commands that are run in this process."""

import pytest

from lit_gan.cli import main


def refused(capsys, *arguments) -> str:
    """Return what a command writes to standard error when it refuses its arguments, with exit code 2."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    return capsys.readouterr().err
