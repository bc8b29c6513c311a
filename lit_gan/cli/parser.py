"""Argument parsers of the commands, made from the signatures of their functions, with errors of one sentence."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from jsonargparse import ArgumentParser, auto_cli

from lit_gan._utils.errors import LitGANError
from lit_gan._utils.kinds import KINDS, import_parts, import_path
from lit_gan.cli.commands import COMMANDS, Command
from lit_gan.cli.likely_name import with_likely_name
from lit_gan.cli.sentences import sentence

__all__ = ["CommandParser", "OneSentence", "refuse_empty", "run_command"]


_MAY_BE_EMPTY = re.compile(r"--trainer\.(logger|callbacks|profiler)\..*(?<!dir)$")
"""Options that are names, prefixes or the like of Lightning's parts; their folders end in ``dir``."""


class OneSentence:
    """Mixin for a jsonargparse parser that reports an error in one sentence and names the parts that fit."""

    exit_on_error: bool
    _actions: list[Any]
    _option_string_actions: dict[str, Any]

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Print ``message`` as one sentence and exit with code 2; the parser of a part passes it on unchanged."""
        error: Callable[..., NoReturn] = super().error  # type: ignore[misc]
        error(with_likely_name(sentence(message), self._options()) if self.exit_on_error else message, ex)

    def _options(self) -> list[str]:
        """Return the options of this parser and of its commands."""
        commands = [
            parser for action in self._actions for parser in (getattr(action, "_name_parser_map", None) or {}).values()
        ]
        return [option for parser in (self, *commands) for option in parser._option_string_actions]

    def print_usage(self, file: Any = None) -> None:
        """Print nothing, since the usage would hide the error's sentence; ``--help`` prints it."""


class CommandParser(OneSentence, ArgumentParser):
    """Parser of a command whose options are the arguments of a function."""

    def _options(self) -> list[str]:
        parts = [part for name, command in COMMANDS.items() if self.prog.endswith(name) for part in command.parts]
        return [*super()._options(), *(f"--{part}" for part in parts)]


def run_command(name: str, command: Command, arguments: Sequence[str]) -> Any:
    """Call a command's function with parsed ``arguments``, and return its result.

    Options that are parts are added to the parser only if they are given or ``--help`` or a config needs them, so that
    a usage error imports neither torch nor Lightning.
    """
    refuse_empty(arguments)
    wanted = {part for part in command.parts for argument in arguments if _may_be_of(part, argument)}
    if any(argument.startswith(("-h", "--help", "--config", "--print_config")) for argument in arguments):
        wanted = set(command.parts)
    function = _with_parts(import_path(command.function), command.parts, wanted)
    return auto_cli(function, args=list(arguments), prog=f"lit-gan {name}", parser_class=CommandParser)


def refuse_empty(arguments: Sequence[str]) -> None:
    """Raise a ValueError for an empty value, which would stand for the current folder, or for a default."""
    for before, argument in zip(["", *arguments], arguments, strict=False):
        if argument and not re.fullmatch(r"--[\w.+]+=", argument):
            continue
        name = argument.rstrip("=") or (before if before.startswith("--") else "an argument")
        if not _MAY_BE_EMPTY.match(name):
            raise LitGANError(f"{name} is empty: give a value, or leave it out")


def _may_be_of(part: str, argument: str) -> bool:
    """Return whether an argument may be an option of a part; a short form that fits no other option is one."""
    name = argument.partition("=")[0]
    return name.startswith(f"--{part}") or (len(name) > 2 and f"--{part}".startswith(name))


def _with_parts(function: Callable[..., Any], parts: Mapping[str, str], wanted: set[str]) -> Callable[..., Any]:
    """Return a function that takes the arguments of ``function`` except the ``parts`` that are not ``wanted``."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    signature = inspect.signature(function)
    kept = [
        p.replace(annotation=_type_of(parts[name], p.default)) if name in parts else p
        for name, p in signature.parameters.items()
        if name not in parts or name in wanted
    ]
    call.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]
    call.__annotations__ = {p.name: p.annotation for p in kept} | {"return": None}
    call.__doc__ = function.__doc__
    return call


def _type_of(kind: str, default: Any) -> Any:
    """Return the type of an argument that is a part; if its default is a tuple, of a list of parts or their names."""
    import_parts(kind)
    base = import_path(KINDS[kind].base)
    return Sequence[str | base] | str if isinstance(default, tuple) else base | None  # type: ignore[valid-type]
