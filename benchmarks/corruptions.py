"""A ladder of corruptions of Fashion-MNIST: which way each score moves, and how far, in EfficientNet-Lite0's features.

    .venv/bin/python -m benchmarks.corruptions

The reference is 4,500 training images; each rung is 4,500 others, changed. The first rung, unchanged, is the floor:
real images against real ones.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from benchmarks.clock import results, write
from benchmarks.evaluation import samples
from lit_gan.data import FashionMNISTSample
from lit_gan.metrics.evaluation import Evaluation
from lit_gan.metrics.evaluation.scores import Scorer
from lit_gan.metrics.extractors import EfficientNetLite0

METRICS = ("fid", "kid", "is", "precision_recall", "density_coverage")
COLUMNS = ("fid", "kid", "is", "precision", "recall", "density", "coverage")
Images = tuple[Tensor, Tensor]


def noisy(images: Tensor, sigma: float) -> Tensor:
    """Return images with normal noise of ``sigma`` grey levels."""
    noise = sigma * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    return (images + noise).round().clamp(0, 255).to(torch.uint8)


RUNGS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "unchanged": lambda x, y: x,
    "blurred, σ 0.5 px": lambda x, y: gaussian_blur(x, [5, 5], [0.5, 0.5]),
    "blurred, σ 1 px": lambda x, y: gaussian_blur(x, [5, 5], [1.0, 1.0]),
    "noise of σ 5": lambda x, y: noisy(x, 5),
    "noise of σ 20": lambda x, y: noisy(x, 20),
    "without 2 classes": lambda x, y: cycled(x[y < 8], len(x)),
    "without 5 classes": lambda x, y: cycled(x[y < 5], len(x)),
    "450 images, 10 times each": lambda x, y: cycled(x[:450], len(x)),
    "45 images, 100 times each": lambda x, y: cycled(x[:45], len(x)),
}


def cycled(images: Tensor, n: int) -> Tensor:
    """Return ``n`` of the images, over and over."""
    return images[torch.arange(n) % len(images)]


def climb(n: int = 4500, folder: str | None = None) -> dict[str, dict[str, float]]:
    """Return each rung's scores.

    Args:
        n: images in the reference, and on each rung.
        folder: of the cache.
    """
    images, classes = FashionMNISTSample(image_size=32).load("train")
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    reference, others = order[:n], order[n : 2 * n]
    scorer = Scorer(METRICS, EfficientNetLite0(), subset=min(1000, n))
    evaluation = Evaluation(scorer, samples(images[reference]), folder=folder)
    rungs = {}
    for name, change in RUNGS.items():
        scores = evaluation.score([samples(change(images[others], classes[others]))]).scores
        rungs[name] = {column: scores[f"{column}_lite0"] for column in COLUMNS}
        print(name, *(f"{column} {rungs[name][column]:.4g}" for column in COLUMNS), sep="\t", flush=True)
    return rungs


def main() -> None:
    rungs = climb()
    write(results("corruptions"), rungs, n=4500)


if __name__ == "__main__":
    main()
