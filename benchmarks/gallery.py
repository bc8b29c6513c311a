"""What each preset for images draws after minutes on this machine: those made for a GPU have hardly begun by then.

    .venv/bin/python -m benchmarks.gallery [SECONDS]     # 120 for each: fifteen minutes

Two side by side, on a thread each, on the embedded garments at the preset's size and channels, grey ones in batches of
16 at the most where it is of colours. A row of ``results/gallery.png`` is a preset, in the order of the table.
"""

import sys
from typing import Any

import torch
from pytorch_lightning import seed_everything
from torch.utils.data import DataLoader

from benchmarks.clock import PRESETS, Clock, Row, fit, quiet, results, two_at_a_time, write
from lit_gan.cli import LitGANCLI
from lit_gan.data import FashionMNISTSample
from lit_gan.data.base import TensorSamples, batch_as_it_is
from lit_gan.data.images import grid, resize, save_png, to_uint8

SHOWN, SIZE = 12, 64


def drawn(case: tuple[str, float]) -> Row:
    """Train a preset for some seconds; return what it draws, and of how many images."""
    name, seconds = case
    quiet()
    torch.set_num_threads(1)
    seed_everything(0, verbose=False)
    cli = LitGANCLI(args=["--config", str(PRESETS / f"{name}.yaml")], run=False)
    model = cli.model
    channels, size, _ = model.sample(1, seed=0).shape[1:]
    images, labels = FashionMNISTSample(size).load("train")
    garments = TensorSamples(resize(images, size).expand(-1, channels, -1, -1), labels)
    batch = cli.datamodule.batch_size if channels == 1 else min(16, cli.datamodule.batch_size)
    data: Any = DataLoader(garments, batch, shuffle=True, drop_last=True, collate_fn=batch_as_it_is)
    fit(model, data, Clock(seconds, 1, lambda _: {}))
    samples = to_uint8(model.sample(SHOWN, seed=0)).expand(-1, 3, -1, -1)
    return {"preset": name, "images": int(model.images_seen), "samples": resize(samples.contiguous(), SIZE)}


def main(seconds: str = "120") -> None:
    quiet()
    names = sorted(file.stem for file in PRESETS.glob("*.yaml") if "image_size" in file.read_text())
    rows, strips = [], []
    print("| row | preset | images seen |\n|---|---|---|", flush=True)
    for row in two_at_a_time(drawn, [(name, float(seconds)) for name in names]):
        strips.append(row.pop("samples"))
        rows.append(row)
        print(f"| {len(rows)} | {row['preset']} | {row['images']:,} |", flush=True)
    save_png(grid(torch.cat(strips), columns=SHOWN), results("gallery").with_suffix(".png"))
    write(results("gallery"), rows, seconds=float(seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
