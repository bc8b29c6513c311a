"""Draw held-out V(G, D) of a run against the equilibrium: python examples/plot_value.py RUN_FOLDER [PICTURE].

From the run's log alone; :class:`lit_gan.callbacks.ValuePlot` draws the same during training. Needs the extra
``plots``: pip install ".[plots]", in a clone of lit_gan.
"""

import csv
import sys
from pathlib import Path

from lit_gan.callbacks.figures import draw_value
from lit_gan.data.images import save_png
from lit_gan.theory import EQUILIBRIUM_VALUE


def main(run_folder: str, picture: str | None = None) -> Path:
    with (Path(run_folder) / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["val/value"]]
    steps, values = ([float(row[name]) for row in rows] for name in ("step", "val/value"))
    image = draw_value(steps, values, "0: D tells all apart; −log 4: D cannot tell")
    path = save_png(image, picture or Path(run_folder) / "value.png")
    print(f"V went from {values[0]:.3f} to {values[-1]:.3f}, −log 4 is {EQUILIBRIUM_VALUE:.3f}: {path}")
    return path


if __name__ == "__main__":
    main(*sys.argv[1:])
