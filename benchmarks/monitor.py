"""The share of a run's time that EquilibriumMonitor takes at its default cadence.

    .venv/bin/python -m benchmarks.monitor

Every hook of the monitor is timed inside the run that it watches, its start included; the run has as many generator
updates as there are between two measurements.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytorch_lightning import Trainer, seed_everything

from benchmarks.clock import quiet
from lit_gan import LitGAN
from lit_gan.callbacks import EquilibriumMonitor
from lit_gan.data import FashionMNISTSample, GaussianMixture
from lit_gan.networks import DCGANDiscriminator, DCGANGenerator, MLPDiscriminator, MLPGenerator
from lit_gan.penalties import R1

RESULTS = Path(__file__).parent / "results" / "monitor.json"
HOOKS = ("on_train_start", "on_train_batch_start", "on_before_optimizer_step", "on_train_batch_end")


class Timed(EquilibriumMonitor):
    """The monitor, and the seconds its hooks have taken."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        for name in HOOKS:
            setattr(self, name, self._timed(getattr(self, name)))

    def _timed(self, hook: Callable[..., None]) -> Callable[..., None]:
        def timed(*args: Any) -> None:
            start = time.perf_counter()
            hook(*args)
            self.seconds += time.perf_counter() - start

        return timed


def cases() -> dict[str, Callable[[], tuple[LitGAN, Any]]]:
    """Return networks and data by name."""

    def demo() -> LitGAN:
        critic = DCGANDiscriminator(32, 1, width=32, batch_norm=False)
        return LitGAN(DCGANGenerator(32, 1, width=32), critic, penalties={"r1": R1(0.3, every=16)})

    def points() -> LitGAN:
        return LitGAN(MLPGenerator(features=2, latent_dim=2, width=128), MLPDiscriminator(features=2, width=128))

    return {
        "DCGAN 32 px, width 32, batch 32 (make demo)": lambda: (demo(), FashionMNISTSample(32, 32)),
        "DCGAN 32 px, width 32, batch 64": lambda: (demo(), FashionMNISTSample(32, 64)),
        "points, MLP 3 × 128, batch 512": lambda: (points(), GaussianMixture(batch_size=512)),
    }


def main() -> None:
    quiet()
    rows = []
    print("| run | seconds | of them the monitor's | share |\n|---|---|---|---|")
    for name, make in cases().items():
        seed_everything(0, verbose=False)
        gan, data = make()
        monitor = Timed()
        trainer = Trainer(
            accelerator="cpu",
            max_steps=monitor.every_n_steps,
            max_epochs=-1,
            callbacks=[monitor],
            logger=False,
            default_root_dir=tempfile.mkdtemp(),
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        start = time.perf_counter()
        trainer.fit(gan, data)
        seconds = time.perf_counter() - start
        rows.append({"run": name, "seconds": seconds, "monitor": monitor.seconds, "share": monitor.seconds / seconds})
        print(f"| {name} | {seconds:.1f} | {monitor.seconds:.2f} | {rows[-1]['share']:.1%} |", flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
