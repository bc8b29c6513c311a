"""Refuse files, functions and signatures of lit_gan that are too long to be read at once, and files of one name.

    python scripts/sizes.py     # make lint runs it

A file has at most 300 lines, one of networks 400; a function 40, from ``def`` to its end; one that is no constructor
seven arguments. Exceptions are listed with their reason.
"""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path("lit_gan")
FILE, NETWORKS_FILE, FUNCTION, ARGUMENTS = 300, 400, 40, 7
SAME_NAMES = {"__init__.py", "base.py"}
LONG = {
    "cli/evaluate.py:evaluate": "the options of a command and their help",
    "cli/sample.py:sample": "the options of a command and their help",
    "cli/export.py:export": "the options of a command and their help",
    "gan.py:__init__": "the arguments of LitGAN",
}
MANY_ARGUMENTS = {
    "cli/evaluate.py:evaluate": "the options of a command",
    "cli/sample.py:sample": "the options of a command",
    "cli/export.py:export": "the options of a command",
    "sampling/grids.py:interpolations": "public, and called by keywords since 0.1",
    "sampling/grids.py:morph": "public, and called by keywords since 0.1",
}


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the functions and methods of a file."""
    return (node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


def too_long(path: Path) -> Iterator[str]:
    """Yield a line for each thing in a file that is too long."""
    source, name = path.read_text(encoding="utf-8"), path.relative_to(PACKAGE).as_posix()
    most = NETWORKS_FILE if "networks" in path.parts else FILE
    if (lines := source.count("\n")) > most:
        yield f"{path}: {lines} lines, at most {most}: split it by ideas"
    for function in functions(ast.parse(source)):
        place, lines = f"{name}:{function.name}", (function.end_lineno or 0) - function.lineno
        if lines > FUNCTION and place not in LONG:
            yield f"{path}:{function.lineno}: {function.name} has {lines} lines, at most {FUNCTION}: give parts names"
        given = function.args
        count = sum(a.arg not in ("self", "cls") for a in (*given.posonlyargs, *given.args, *given.kwonlyargs))
        if count > ARGUMENTS and function.name != "__init__" and place not in MANY_ARGUMENTS:
            yield f"{path}:{function.lineno}: {function.name} takes {count} arguments, at most {ARGUMENTS}: group them"


def main() -> int:
    """Print what is refused; return 1 if there is anything."""
    files, by_name = sorted(PACKAGE.rglob("*.py")), defaultdict(list)
    for path in files:
        by_name[path.name].append(str(path))
    found = [line for path in files for line in too_long(path)]
    found += [f"{' and '.join(p)}: one name" for n, p in by_name.items() if len(p) > 1 and n not in SAME_NAMES]
    print(*found, sep="\n", end="\n" if found else "")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
