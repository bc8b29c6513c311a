"""Every game with every penalty on every network, at every precision: all pairs of parts, or the whole product.

    make matrix        # the whole product: every combination, each for two steps

A new loss, penalty, family of networks or augmentation joins by being public; the tests run a cover in which each pair
of parts occurs.
"""

import inspect
import itertools
import logging
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor, nn

from lit_gan import LitGAN, augment, losses, networks, penalties
from lit_gan.augment import Augmentation
from lit_gan.losses import AdversarialLoss, FDivergence
from lit_gan.networks import Packed
from lit_gan.penalties import AuxiliaryClassifier, Consistency, Penalty, Player
from lit_gan.theory import DIVERGENCES
from tests.support.small import Batches, trainer

Case = tuple[str, ...]

IMAGES = torch.rand(12, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
LABELS = torch.arange(12) % 3


def public(module, base) -> dict[str, type]:
    """Return the parts of a module by name, but for their base."""
    found = {name: getattr(module, name) for name in module.__all__}
    return {n: c for n, c in found.items() if isinstance(c, type) and issubclass(c, base) and c is not base}


GAMES: dict[str, Callable[[], AdversarialLoss]] = {
    **{name: cls for name, cls in public(losses, AdversarialLoss).items() if cls is not FDivergence},
    **{f"FDivergence {name}": lambda name=name: FDivergence(name) for name in DIVERGENCES},
}
PENALTIES: dict[str, Callable[[], Any]] = {
    "no penalty": lambda: None,
    **{n: (lambda cls=cls: {"p": made(cls)}) for n, cls in public(penalties, Penalty).items()},
}
PENALTIES["AuxiliaryClassifier"] = lambda: {p: AuxiliaryClassifier(0.1, player=p) for p in get_args(Player)}
FAMILIES = sorted(n.removesuffix("Discriminator") for n in networks.__all__ if n.endswith("Discriminator"))
AUGMENTATIONS: dict[str, Callable[[], nn.Module | None]] = {
    "no augmentation": lambda: None,
    **public(augment, Augmentation),
}
AXES: dict[str, list[str]] = {
    "game": list(GAMES),
    "penalty": list(PENALTIES),
    "networks": [*FAMILIES, "packed"],
    "augmentation": list(AUGMENTATIONS),
    "precision": ["32-true", "bf16-mixed"],
    "labels": ["unconditional", "conditional"],
}


def made(cls: type[Penalty]) -> Penalty:
    small = {"weight": 0.1}
    return Consistency(nn.Hardtanh(-0.5, 0.5), **small) if cls is Consistency else cls(**small)


def game(case: Case) -> LitGAN:
    """Return the model of a case."""
    loss, penalty, family, changes, _, labels = case
    classes = 3 if labels == "conditional" or penalty == "AuxiliaryClassifier" else None  # it is about classes
    size = {"image_size": 8, "channels": 1, "width": 4}
    if family == "packed":  # judges two images together, whatever their classes
        critic = Packed(networks.DCGANDiscriminator(8, channels=2, width=4), 2)
        maker = networks.DCGANGenerator(**size, latent_dim=4, num_classes=classes)
    else:
        judge = getattr(networks, f"{family}Discriminator")
        tells = penalty == "AuxiliaryClassifier" and "conditioning" in inspect.signature(judge).parameters
        critic = judge(**size, num_classes=classes, **{"conditioning": "classifier"} if tells else {})
        maker = getattr(networks, f"{family}Generator")(**size, latent_dim=4, num_classes=classes)
    if penalty == "Reconstruction" and not hasattr(critic, "reconstructions"):
        critic.reconstructions = partial(shades, critic)  # a discriminator of one's own may have decoders
    if penalty == "AuxiliaryClassifier" and not hasattr(critic, "classify"):
        critic.classify = partial(guesses, critic)  # or a classifier
    return LitGAN(maker, critic, GAMES[loss](), PENALTIES[penalty](), AUGMENTATIONS[changes]())


def shades(critic: nn.Module, images: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return images of one shade, a discriminator's parameter, and what they should be."""
    return [(images * 0 + next(critic.parameters()).mean(), images)]


def guesses(critic: nn.Module, images: Tensor) -> Tensor:
    """Return logits of three classes: three of an image's numbers, times a discriminator's parameter."""
    return images.flatten(1)[:, :3] * next(critic.parameters()).mean()


def play(case: Case, folder: Path) -> LitGAN:
    """Train a case for two steps, and see that both players move, stay finite, and come back from their file."""
    torch.manual_seed(0)
    gan = game(case)
    before = {name: p.detach().clone() for name, p in gan.named_parameters()}
    fitted = trainer(folder, precision=case[4], max_epochs=2)
    fitted.fit(gan, Batches(IMAGES[:4], LABELS[:4]), Batches(IMAGES[4:], LABELS[4:]))
    for player in ("generator", "discriminator"):
        moved = [not torch.equal(p, before[name]) for name, p in gan.named_parameters() if name.startswith(player)]
        assert any(moved), f"the {player} has not moved"
    assert all(p.isfinite().all() for p in gan.parameters())
    assert all(v.isfinite() for n, v in fitted.callback_metrics.items() if n.startswith(("loss", "penalty", "val")))
    fitted.save_checkpoint(folder / "case.ckpt")
    parts = {"penalties": gan.penalties} if "Consistency" in case else {}  # its transform is a module of torch's
    again = LitGAN.load_from_checkpoint(folder / "case.ckpt", **parts)
    assert repr(again.loss) == repr(gan.loss)
    assert repr(again.generator) == repr(gan.generator)
    labels = LABELS if gan.takes_labels else None
    assert torch.equal(again.sample(12, labels, seed=0), gan.sample(12, labels, seed=0))
    return gan


def pairs(case: Case) -> set[tuple[int, str, int, str]]:
    """Return the pairs of parts that occur in a case."""
    return {(i, a, j, b) for (i, a), (j, b) in itertools.combinations(enumerate(case), 2)}


def cover() -> list[Case]:
    """Return cases in which each pair of parts occurs, greedily: a small number, not the smallest."""
    axes = list(AXES.values())
    wanted = set().union(*(pairs(case) for case in _two_at_a_time(axes)))
    cases = []
    while wanted:
        i, a, j, b = min(wanted)
        case: list[str | None] = [None] * len(axes)
        case[i], case[j] = a, b
        for k, axis in enumerate(axes):
            if case[k] is None:
                case[k] = max(axis, key=lambda part, k=k, case=case: _new(case, k, part, wanted))
        cases.append(tuple(case))
        wanted -= pairs(cases[-1])
    return cases


def _two_at_a_time(axes):
    """Yield cases that hold all pairs between them."""
    for (i, first), (j, second) in itertools.combinations(enumerate(axes), 2):
        for a, b in itertools.product(first, second):
            yield tuple(a if k == i else b if k == j else axis[0] for k, axis in enumerate(axes))


def _new(case, k: int, part: str, wanted) -> int:
    """Count the pairs that ``part`` at place ``k`` would add to a case."""
    others = [(i, a) for i, a in enumerate(case) if a is not None]
    return sum((min(i, k), a if i < k else part, max(i, k), part if i < k else a) in wanted for i, a in others)


def main() -> None:
    warnings.simplefilter("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    cases, failed, start = list(itertools.product(*AXES.values())), 0, time.perf_counter()
    for number, case in enumerate(cases, start=1):
        with tempfile.TemporaryDirectory() as folder:
            try:
                play(case, Path(folder))
            except Exception as error:
                failed += 1
                print(f"{', '.join(case)}: {type(error).__name__}: {error}")
        if number % 100 == 0:
            print(
                f"{number} of {len(cases)} combinations, {failed} failed, {time.perf_counter() - start:.0f} s",
                flush=True,
            )
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
