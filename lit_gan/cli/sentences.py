"""Error messages of jsonargparse, shortened to one sentence with the wrong value and what to write instead."""

import inspect
import re

from lit_gan._utils.kinds import KIND_OF_ARGUMENT, KINDS, import_path, public_classes

__all__ = ["sentence"]

_OUTSIDE_MODEL = {"data": "data", "callbacks": "trainer.callbacks", "logger": "trainer.logger"}
_KIND_OF_OPTION = {_OUTSIDE_MODEL.get(name, f"model.{name}"): KINDS[kind] for name, kind in KIND_OF_ARGUMENT.items()}


def sentence(message: str) -> str:
    """Return a jsonargparse error message as one line about the innermost argument that is wrong.

    Args:
        message: the message; for an argument that is a part, it contains the message about the part's own argument.
    """
    keys = re.findall(r'Parser key "([\w.]+)"', message)
    if not keys:
        return _in_general(" ".join(message.split()))
    outer, inner = keys[0], keys[-1]
    detail = message.rpartition(f'Parser key "{inner}":')[2]
    said = _of_option(detail) or _of_class(detail, outer, inner) or _of_value(detail) or ": " + " ".join(detail.split())
    return f"--{outer}{'' if inner == outer else f': {inner}'}{said}"


def _in_general(message: str) -> str:
    """Return a message that is not about one argument, with options spelt as on the command line."""
    if message.startswith("Unexpected config"):
        return "a config file holds options by name, like model: {latent: normal}, and this one holds none"
    if "arguments are required" in message:
        return re.sub(r"(?<= )(?:fit|validate|test|predict)\.(?=\w)", "--", message)
    return message


def _of_option(detail: str) -> str | None:
    """Return a clause that names the options of a part if one is unknown or missing; else None."""
    path = re.search(r"class_path[ =]'([\w.]+)'", detail)
    option = re.search(r"Option '(.+?)' is not accepted|arguments are required: (.+)", detail)
    if not path or not option:
        return None
    name = path[1].rpartition(".")[2]
    takes = ", ".join(inspect.signature(import_path(path[1])).parameters)
    return f": {name} has no option {option[1]!r}: it takes {takes}" if option[1] else f": {name} needs {option[2]}"


def _of_class(detail: str, outer: str, inner: str) -> str | None:
    """Return a clause that names the fitting classes if a class is unknown or does not fit; else None."""
    if wrong := re.search(r"Import path (\S+) does not correspond to a subclass of (\w+)", detail):
        return f"={wrong[1]} is no {wrong[2]}{_instead(outer)}"
    if missing := re.search(r"Problem with given class_path '(\S+)':\s+(No module .+|.*has no attribute.+)", detail):
        return f"={missing[1]} cannot be imported ({missing[2]}){_instead(outer)}"
    unknown = re.search(r"Expected a dot import path string: (\S+)", detail)
    if not unknown or {"int", "float", "str"} & set(_wanted(detail)):
        return None
    return f": there is no {unknown[1]!r}{_instead(outer if inner == outer else inner)}"


def _of_value(detail: str) -> str | None:
    """Return a clause that names the types and words that an option accepts if its value does not fit; else None."""
    value = re.search(r"(?:Got|Given) value: (.+?)(?:\. Got value|\n|$)", detail)
    wanted = _wanted(detail[: value.start()]) if value else []
    schedules_too = ["a schedule"] if "schedules.Schedule" in detail else []
    return f"={value[1]} is none of what it takes, {', '.join(wanted + schedules_too)}" if value and wanted else None


def _wanted(detail: str) -> list[str]:
    """Return the built-in types and the literal words that an option accepts, without classes."""
    found = re.findall(r"Expected an? <class '(int|float|bool|str|list|dict)'>|Expected <class '(\w+)'>", detail)
    words = re.findall(r"Expected an? typing\.Literal\[(.+?)\]", detail)
    return [*dict.fromkeys(n for pair in found for n in pair if n not in ("", "NoneType")), *words]


def _instead(key: str) -> str:
    """Return a clause that names the public parts that fit an argument."""
    if key not in _KIND_OF_OPTION:
        return ": give the import path of a class"
    base = import_path(_KIND_OF_OPTION[key].base)
    classes = [cls for cls in public_classes(_KIND_OF_OPTION[key]) if issubclass(cls, base)]
    names = [cls.__name__ for cls in classes if not inspect.isabstract(cls)]
    player = key.removeprefix("model.").capitalize()
    names = [name for name in names if name.endswith(player)] or names
    return f"; take one of {', '.join(names)}, or the import path of a class of your own"
