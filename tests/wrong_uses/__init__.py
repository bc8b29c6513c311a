"""Wrong uses of every kind, and the one sentence that each must end in.

python -m tests.wrong_uses        # the table: what was done, what was said
"""

from tests.wrong_uses import commands, data, exports, files, parts, training
from tests.wrong_uses.use import Wrong

__all__ = ["USES"]

USES: dict[str, Wrong] = {
    f"{module.__name__.rpartition('.')[2]}: {name}": wrong
    for module in (parts, training, data, files, commands, exports)
    for name, wrong in module.CASES.items()
}
