"""Draw held-out V(G, D) of a run against the equilibrium: python examples/plot_value.py RUN_FOLDER [PICTURE].

Needs the extra ``plots``: pip install "lit-gan[plots]".
"""

import csv
import sys
from pathlib import Path

from lit_gan.theory import EQUILIBRIUM_VALUE


def main(run_folder: str, picture: str | None = None) -> Path:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with (Path(run_folder) / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["val/value"]]
    steps, values = ([float(row[name]) for row in rows] for name in ("step", "val/value"))
    figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    axes.plot(steps, values, marker=".", label="V(G, D) on held-out data")
    axes.axhline(EQUILIBRIUM_VALUE, color="black", linestyle="--", label="equilibrium, −log 4")
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.set(xlabel="generator updates", ylabel="nats", title="0: D tells all apart; −log 4: D cannot tell")
    axes.legend()
    path = Path(picture) if picture else Path(run_folder) / "value.png"
    figure.savefig(path, dpi=120)
    plt.close(figure)
    print(f"V went from {values[0]:.3f} to {values[-1]:.3f}, −log 4 is {EQUILIBRIUM_VALUE:.3f}: {path}")
    return path


if __name__ == "__main__":
    main(*sys.argv[1:])
