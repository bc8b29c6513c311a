"""How long until something happens: the import, ``lit-gan --help``, the first step of a training.

    .venv/bin/python -m benchmarks.start [ROUNDS]

Each in a process of its own, beside what there would be without lit_gan; both take turns.
"""

import subprocess
import sys
import tempfile
import time
from statistics import median

import torch

from benchmarks.clock import Row, results, write

LINE = "| {what} | {seconds:.2f} | {their_seconds:.2f} | {ratio:.2f} | {goal} |"
BARE_COMMAND = """
from pytorch_lightning import LightningDataModule, LightningModule
from pytorch_lightning.cli import LightningCLI
LightningCLI(LightningModule, LightningDataModule, subclass_mode_model=True, subclass_mode_data=True)
"""
NETWORKS = """
import torch
from lit_gan.networks import DCGANDiscriminator, DCGANGenerator
g, d = DCGANGenerator(32, 1, width=32), DCGANDiscriminator(32, 1, width=32)
images = torch.utils.data.DataLoader(torch.zeros(64, 1, 32, 32), 64)
"""
BARE_TRAINING = """
from pytorch_lightning import LightningModule, Trainer
from torch.nn.functional import softplus
class GAN(LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization, self.g, self.d = False, g, d
    def configure_optimizers(self):
        return [torch.optim.Adam(n.parameters(), 2e-4, (0.5, 0.999)) for n in (self.g, self.d)]
    def training_step(self, real, _):
        for i, optimizer in enumerate(self.optimizers()[::-1]):
            fake = self.d(self.g(torch.randn(len(real), 100)))
            loss = softplus(-fake).mean() if i else softplus(fake).mean() + softplus(-self.d(real)).mean()
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
"""
TRAINING = """
from pytorch_lightning import Trainer
from lit_gan import LitGAN
GAN = lambda: LitGAN(g, d)
"""
FIT = 'Trainer(max_steps=1, logger=False, enable_checkpointing=False, accelerator="cpu").fit(GAN(), images)'
CASES: dict[str, tuple[list[str], list[str], str]] = {
    "import lit_gan, and pytorch_lightning": (
        ["-c", "import lit_gan"],
        ["-c", "import pytorch_lightning"],
        "≤ 1.15",
    ),
    "lit-gan --help, and LightningCLI's": (["-m", "lit_gan", "--help"], ["-c", BARE_COMMAND, "--help"], "≤ 1.3"),
    "to the first step, and in bare Lightning": (
        ["-c", NETWORKS + TRAINING + FIT],
        ["-c", NETWORKS + BARE_TRAINING + FIT],
        "≤ 1.2",
    ),
}


def seconds(arguments: list[str]) -> float:
    """Run Python in an empty folder; return how long it took."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], cwd=folder, check=True, capture_output=True)
        return time.perf_counter() - start


def main(rounds: str = "3") -> None:
    rows: list[Row] = []
    print("| | lit_gan, s | without, s | ratio | goal |\n|---|---|---|---|---|")
    for name, (ours, theirs, goal) in CASES.items():
        seconds(ours), seconds(theirs)  # files into memory
        pairs = [(seconds(ours), seconds(theirs)) for _ in range(int(rounds))]
        mine, others = (median(side) for side in zip(*pairs, strict=True))
        ratio = median(a / b for a, b in pairs)
        rows.append({"what": name, "seconds": mine, "their_seconds": others, "ratio": ratio, "goal": goal})
        print(LINE.format(**rows[-1]), flush=True)
    write(results("start"), rows, threads=torch.get_num_threads(), rounds=int(rounds))


if __name__ == "__main__":
    main(*sys.argv[1:])
