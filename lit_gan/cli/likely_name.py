"""The likely name of an option, a class or a word that is mistyped on the command line or in a config file."""

import re
from collections.abc import Iterable

from lit_gan._utils.suggestions import likely

__all__ = ["with_likely_name"]

_OPTION = re.compile(
    r"(?:unrecognized arguments: |ambiguous option: |does not accept option '|^Option ')([^\s=']+)(?!.*it takes)"
)
_WRONG = re.compile(r"there is no '(.+?)'|has no option '(.+?)'|=(\S+) (?:cannot be imported|is no )|=(\S+) is none of")
_LIST = re.compile(r"(?:take one of|what it takes,|it takes) (.+?)(?:, or the import path.*)?$")
_ALWAYS = ["class_path", "init_args"]  # keys of a part in a config file


def with_likely_name(said: str, options: Iterable[str]) -> str:
    """Return the sentence of a refusal, which ends with the name that was likely meant, if there is one.

    Args:
        said: the sentence, which holds the wrong name and, if that is not one of an option, a list of the right ones.
        options: the command's options, with their dashes.
    """
    if unknown := _OPTION.search(said):
        dashed = unknown[1].startswith("-")
        plain = [option for option in options if not option.endswith((".help", "+"))]
        return said + likely(unknown[1], plain if dashed else [option.lstrip("-") for option in plain])
    wrong, right = _WRONG.search(said), _LIST.search(said)
    if not wrong or not right:
        return said
    name = next(filter(None, wrong.groups())).rpartition(".")[2]
    more = _ALWAYS if "has no option" in said else []
    return said + likely(name, [*(word.strip("'") for word in right[1].split(", ")), *more])
