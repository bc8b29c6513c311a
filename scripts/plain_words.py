"""Refuse words in docstrings and comments that a stranger to the project has to read twice.

    python scripts/plain_words.py [FILE OR FOLDER ...]     # of lit_gan by default; make lint runs it

CONTRIBUTING.md has the words to use instead.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

REFUSED = {
    r"(^|[.:;] )What\b": "begin with a verb, or a noun of the field: not 'What'",
    r"\b[Ff]orget\b": "reset, clear",
    r"\b[Bb]eside\b": "next to, in addition to, together with",
    r"\b(is|are|was|were) no\b(?! longer| more)": "is not a, is not",
    r"\b[Ww]here (it|its|there|they|their|not|none|nobody|one|this|that|these)\b": "if, when",
    r"\b(left|leave|leaves) out where\b": "if",
    r"\b[Ll]isten": "restore, install (a signal handler)",
    r"\bbehind \w+'s back\b": "say how: through .data, in place",
    r"\bby heart\b": "memorised",
    r"\baffair\b|\bmet by\b|\bstands between\b|\bpays\b": "say who does what to what",
    r"\bfor itself\b": "each on its own, separately",
    r"\bto come\b|\bwhatever comes\b": "say which errors",
}
"""Regular expressions of what is refused, and what to say instead."""


def texts(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each docstring and comment of a Python file."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            for number, line in enumerate(node.value.value.splitlines()):
                yield node.lineno + number, line.strip()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("# ")


def refused(path: Path) -> Iterator[str]:
    """Yield a line for each refused word in a file."""
    for line, text in texts(path.read_text(encoding="utf-8")):
        for pattern, instead in REFUSED.items():
            if found := re.search(pattern, text):
                yield f"{path}:{line}: {found[0].strip()!r}: {instead}"


def main(places: list[str]) -> int:
    """Print what is refused in the files of ``places``; return 1 if there is anything."""
    files = [f for place in map(Path, places) for f in (sorted(place.rglob("*.py")) if place.is_dir() else [place])]
    found = [line for file in files for line in refused(file)]
    print(*found, sep="\n", end="\n" if found else "")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["lit_gan"]))
