"""How often the classifier two-sample test rejects at the 5 % level: with nothing to find, and with something.

    .venv/bin/python -m benchmarks.false_alarms [SEEDS]

A row is one pair of distributions, drawn and tested anew with each seed: SEEDS times where both are the same, a fifth
of it where they differ. The interval is Wilson's, 95 %.
"""

import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from benchmarks.clock import results, write
from lit_gan.data import FashionMNISTSample, GaussianMixture
from lit_gan.metrics import ClassifierTwoSample

LEVEL = 0.05
Draw = Callable[[torch.Generator], tuple[Tensor, Tensor]]  # real and fake samples
RING = GaussianMixture("ring").mixture
IMAGES, CLASSES = FashionMNISTSample().load("train")


def points(rng: torch.Generator, n: int = 1000, modes: int = 8, wider: float = 1.0) -> Tensor:
    """Draw ``n`` points of the ring's first ``modes`` modes, their distance from the mode's mean times ``wider``."""
    x, mode = RING.sample(4 * n, rng)
    x, mode = x[mode < modes][:n], mode[mode < modes][:n]
    means = RING.means[mode].float()
    return means + wider * (x - means)


def halves(
    rng: torch.Generator, n: int = 500, real: range = range(10), fake: range = range(10)
) -> tuple[Tensor, Tensor]:
    """Draw ``n`` Fashion-MNIST images of some classes, and others, never the same ones, of some classes."""
    order = torch.randperm(len(IMAGES), generator=rng)
    first = order[torch.isin(CLASSES[order], torch.tensor(real))][:n]
    rest = order[~torch.isin(order, first)]
    return IMAGES[first], IMAGES[rest[torch.isin(CLASSES[rest], torch.tensor(fake))][:n]]


def blurred(rng: torch.Generator) -> tuple[Tensor, Tensor]:
    real, fake = halves(rng)
    return real, gaussian_blur(fake, [3, 3], [0.5, 0.5])


def noisy(rng: torch.Generator) -> tuple[Tensor, Tensor]:
    real, fake = halves(rng)
    noise = 10 * torch.randn(fake.shape, generator=rng)
    return real, (fake + noise).round().clamp(0, 255).to(torch.uint8)


def shifted(rng: torch.Generator) -> tuple[Tensor, Tensor]:
    return torch.randn(1000, 1, generator=rng), torch.randn(1000, 1, generator=rng) + 0.5


def cases() -> Iterator[tuple[str, bool, Draw]]:
    """Yield name, whether both distributions are the same, and how to draw from them."""
    yield "ring of 8, 1000 + 1000 points: the same", True, lambda rng: (points(rng), points(rng))
    yield "Fashion-MNIST 28 px, 500 + 500 images: the same", True, halves
    yield "N(0, 1) and N(½, 1), 1000 + 1000", False, shifted
    yield "ring, one mode of 8 missing", False, lambda rng: (points(rng), points(rng, modes=7))
    yield "ring, modes twice as wide", False, lambda rng: (points(rng), points(rng, wider=2))
    yield "Fashion-MNIST, shirts for T-shirts", False, lambda rng: halves(rng, 400, range(1), range(6, 7))
    yield "Fashion-MNIST, one class of 10 missing", False, lambda rng: halves(rng, fake=range(9))
    yield "Fashion-MNIST, blurred by half a pixel", False, blurred
    yield "Fashion-MNIST, noise of 10/255", False, noisy


def measure(draw: Draw, seeds: int) -> dict[str, float]:
    """Draw and test ``seeds`` times."""
    scores, start = [], time.perf_counter()
    for seed in range(seeds):
        metric = ClassifierTwoSample(seed=seed)
        for samples, real in zip(draw(torch.Generator().manual_seed(seed)), (True, False), strict=True):
            metric.update(samples, real=real)
        scores.append({name: float(score) for name, score in metric.compute().items()})
    rejected = sum(score["p_value"] < LEVEL for score in scores)
    low, high = wilson(rejected, seeds)
    means = {name: statistics.mean(score[name] for score in scores) for name in ("accuracy", "jsd_lower_bound")}
    seconds = (time.perf_counter() - start) / seeds
    return {"rejected": rejected, "seeds": seeds, "rate_low": low, "rate_high": high, **means, "seconds": seconds}


def wilson(successes: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """Return Wilson's interval of a probability (Wilson 1927)."""
    share = successes / n
    centre, reach = share + z**2 / (2 * n), z * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    return max(0.0, (centre - reach) / (1 + z**2 / n)), min(1.0, (centre + reach) / (1 + z**2 / n))


def main(seeds: str = "100") -> None:
    torch.set_num_threads(1)  # the networks are small
    table = []
    print("| samples | rejected | rate, 95 % | accuracy | JSD bound, nats | s a test |\n|---|---|---|---|---|---|")
    for name, same, draw in cases():
        row = {"case": name, "same": same, **measure(draw, int(seeds) if same else max(1, int(seeds) // 5))}
        table.append(row)
        print(
            f"| {name} | {row['rejected']}/{row['seeds']} | {row['rate_low']:.3f}–{row['rate_high']:.3f} "
            f"| {row['accuracy']:.3f} | {row['jsd_lower_bound']:.4f} | {row['seconds']:.2f} |",
            flush=True,
        )
    write(results("false_alarms"), table, threads=torch.get_num_threads(), level=LEVEL)


if __name__ == "__main__":
    main(*sys.argv[1:])
