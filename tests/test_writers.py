"""Every writer on a disk that fills at any byte: what was there stays, no half file does, and the path is named."""

import json
import resource
import signal
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lit_gan._utils.files import atomic_folder
from lit_gan.callbacks import equilibrium, generative
from lit_gan.cli.report import report
from lit_gan.data.images import save_movie, save_png
from lit_gan.data.memory_map import Pictures, memory_map
from lit_gan.metrics.evaluation import cache
from lit_gan.networks import MLPGenerator
from lit_gan.sampling.export.exported_folder import DESCRIPTION, FILES, write_generator
from lit_gan.sampling.generator import TrainedGenerator
from lit_gan.training.checkpoint_io import PlainCheckpointIO
from tests.support.processes import result, start

PICTURE = torch.randint(0, 256, (3, 40, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def export(folder: Path) -> None:
    network = MLPGenerator(image_size=4, channels=1, latent_dim=3, width=8)
    with atomic_folder(folder / "generator", FILES, DESCRIPTION) as new:
        write_generator(TrainedGenerator(network, 3, "normal", torch.zeros(0, dtype=torch.int64)), new, {})


def log(folder: Path) -> None:
    (folder / "run").mkdir(exist_ok=True)
    (folder / "run" / "metrics.csv").write_text("step,a\n1,2\n")


def decoded(folder: Path) -> None:
    pictures = Pictures([str(i) for i in range(9)], np.zeros(9, dtype=np.int64), lambda _: PICTURE.numpy())
    memory_map(lambda: pictures, "key", (3, 40, 40), "pictures", cache=str(folder / "cache"))


WRITERS = {
    "checkpoint": lambda folder: PlainCheckpointIO().save_checkpoint(
        {"state_dict": {"a": torch.zeros(1000)}}, folder / "last.ckpt"
    ),
    "scores": lambda folder: generative._append(folder / "scores.json", {"step": 1, "says": "a" * 999}),
    "verdicts": lambda folder: equilibrium._append(folder / "verdicts.jsonl", {"step": 1, "says": "a" * 999}),
    "picture": lambda folder: save_png(PICTURE, folder / "samples" / "step-000001.png"),
    "many pictures": lambda folder: save_png(PICTURE, folder / "000001.png", sync=False),
    "movie": lambda folder: save_movie([Image.fromarray(PICTURE[0].numpy())] * 2, folder / "samples.gif", 60),
    "export": export,
    "report": lambda folder: report(str(folder / "run"), str(folder / "report.html")),
    "statistics": lambda folder: cache.write(folder, {"n": 1}, {"fid": {"real": torch.zeros(1000)}}),
    "memory map": decoded,
}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def on_a_full_disk(folder: Path, name: str) -> list[str]:
    """Write with room for ever fewer bytes, in a process of its own; return what was wrong.

    The system refuses to write beyond a size, as it refuses to write beyond the end of a disk.
    """
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    folder.mkdir()
    log(folder)
    WRITERS[name](folder)
    before, wrong = contents(folder), []
    for size in (0, 1, 100, 700, 990):
        if name == "memory map":
            for path in (folder / "cache").iterdir():
                path.unlink()
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        said = ""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                WRITERS[name](folder)
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            if not isinstance(error, (OSError, UserWarning)):
                wrong.append(f"{size}: {said}")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        after = contents(folder)
        if not said or "partial" in said or str(folder) not in said:
            wrong.append(f"{size}: {said!r} does not name the file")
        if after != (before if name != "memory map" else {k: v for k, v in before.items() if "cache" not in k}):
            wrong.append(f"{size}: {sorted(after)}")
    return wrong


def all_on_a_full_disk(folder):
    return {name: on_a_full_disk(folder / name, name) for name in WRITERS}


def test_a_full_disk(tmp_path):
    assert result(*start(all_on_a_full_disk, tmp_path)) == {name: [] for name in WRITERS}


def test_what_is_appended_to_is_whole_each_time(tmp_path):
    for step in range(3):
        generative._append(tmp_path / "scores.json", {"step": step})
        equilibrium._append(tmp_path / "verdicts.jsonl", {"step": step, "says": "−log 4"})
    assert [e["step"] for e in json.loads((tmp_path / "scores.json").read_text())] == [0, 1, 2]
    lines = (tmp_path / "verdicts.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [{"step": step, "says": "−log 4"} for step in range(3)]
