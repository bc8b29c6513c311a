"""How close learning comes to theory, over five seeds.

    .venv/bin/python -m benchmarks.learned [SEEDS]

What the examples ``optimal_discriminator`` (a line, a plane) and ``one_dimension`` print, for each seed; the worst and
the median are printed, and all kept in ``results/learned.json``. Four minutes.
"""

import statistics
import sys
from typing import Any

from benchmarks.clock import ALONE, quiet, results, write
from examples import kl_directions, one_dimension, optimal_discriminator

QUIET: dict[str, Any] = {**ALONE, "accelerator": "cpu"}


def measured(seed: int) -> dict[str, float]:
    """Return every claim's distance from theory for one seed."""
    numbers = {}
    for dimensions in (1, 2):
        found = optimal_discriminator.main(dimensions, seed, pictures=False, **QUIET)
        name = f"D learned, {dimensions}-D: "
        for p in ("p_data", "p_g"):
            numbers[f"{name}mean distance of D from D*, under {p}"] = found[f"|D - D*| under {p}"]
        numbers[f"{name}C(G) − V(G, D), nats"] = found["C(G) = -log 4 + 2 JSD"] - found["V(G, D)"]
    found = one_dimension.main(seed, pictures=False, **QUIET)
    numbers["both trained, 1-D: JSD(p_data‖p_g), nats"] = found["JSD(p_data, p_g)"]
    numbers["both trained, 1-D: mean distance of D from ½, under p_data"] = found["|D - 1/2| under p_data"]
    for divergence, mean, std in (("kl", 0.0, 4.36**0.5), ("reverse_kl", 1.997, 0.605)):
        generator = kl_directions.train(divergence, seed, **QUIET)  # type: ignore[arg-type]
        numbers[f"one mode by f-GAN, {divergence}: distance of μ"] = abs(generator.mu.item() - mean)
        numbers[f"one mode by f-GAN, {divergence}: distance of σ"] = abs(generator.log_sigma.exp().item() - std)
    return numbers


def main(seeds: str = "5") -> None:
    quiet()
    runs = [measured(seed) for seed in range(int(seeds))]
    print(f"| over {seeds} seeds | median | worst |\n|---|---|---|")
    for name in runs[0]:
        values = [run[name] for run in runs]
        print(f"| {name} | {statistics.median(values):.4f} | {max(values):.4f} |")
    write(results("learned"), runs)


if __name__ == "__main__":
    main(*sys.argv[1:])
