"""A file is whole or not there, whatever happens while it is written; what is read was written."""

import os
import pickle
import resource
import signal
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from fsspec.implementations.memory import MemoryFileSystem
from pytorch_lightning import Callback

from lit_gan import LitGAN
from lit_gan._utils.checkpoint_file import read_checkpoint
from lit_gan._utils.files import atomic_write
from lit_gan.networks import MLPDiscriminator, MLPGenerator
from lit_gan.training import checkpoint_io
from lit_gan.training.checkpoint_io import PlainCheckpointIO, checkpoint_folders, newest_checkpoint
from tests.support.processes import result, start
from tests.support.small import loader, trainer
from tests.training.test_checkpoint import Hostile

BEFORE = {"state_dict": {"a": torch.arange(100_000)}, "lit_gan": {}}
AFTER = {"state_dict": {"a": torch.arange(100_000) + 1}, "lit_gan": {}}


def save(folder, content=BEFORE, name="last.ckpt") -> Path:
    PlainCheckpointIO().save_checkpoint(content, folder / name)
    return folder / name


def is_before(path: Path) -> bool:
    return read_checkpoint(path)["state_dict"]["a"].equal(BEFORE["state_dict"]["a"])


def test_a_checkpoint_takes_the_place_of_another(tmp_path):
    save(tmp_path / "new" / "folder")
    path = save(tmp_path / "new" / "folder", AFTER)
    assert not is_before(path)
    assert list(path.parent.iterdir()) == [path]


def killed_in(folder, function):
    place = os if function == "fsync" else Path
    real = getattr(place, function)

    def kill(*args):
        real(*args)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(place, function, kill)
    save(folder, AFTER)


def killed_in_mid_write(folder):
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
    signal.signal(signal.SIGXFSZ, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    save(folder, AFTER)


@pytest.mark.parametrize(("function", "old"), [("write", True), ("fsync", True), ("replace", False)])
def test_a_kill_while_writing_leaves_a_whole_file(tmp_path, function, old):
    path = save(tmp_path)
    arguments = (killed_in_mid_write, tmp_path) if function == "write" else (killed_in, tmp_path, function)
    process, reading = start(*arguments)
    with pytest.raises(EOFError):
        result(process, reading)
    assert process.exitcode == -signal.SIGKILL
    assert is_before(path) == old
    assert newest_checkpoint(tmp_path) == str(path)


def write_on_a_full_disk(folder):
    """The system refuses to write beyond a size, as it refuses to write beyond the end of a disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        save(folder, AFTER)
    except OSError as error:
        return str(error)
    return None


def test_a_full_disk(tmp_path):
    path = save(tmp_path)
    error = result(*start(write_on_a_full_disk, tmp_path))
    assert error.startswith(f"{path} could not be written, with ")
    assert "File too large" in error
    assert "what was written before is untouched" in error
    assert is_before(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        OSError, match=r"could not be written, with [\d,]+ MB free there \(.*: make room, or save elsew"
    ):
        save(tmp_path / "file" / "folder")


class Rich(Callback):
    def state_dict(self):
        return {"folder": Path()}


def test_what_is_written_is_looked_at_on_the_cpu(tmp_path, monkeypatch):
    """A GPU's tensors would go back there, beside those that are trained."""
    places, load = [], torch.load

    def watched(*args, **options):
        places.append(options["map_location"])
        return load(*args, **options)

    monkeypatch.setattr(torch, "load", watched)
    save(tmp_path)
    assert places == ["cpu"]


def test_what_could_not_be_read_again_is_not_written_far_away_either(tmp_path, remote):
    fitted = trainer(tmp_path, callbacks=[Rich()])
    fitted.fit(gan(), loader(torch.randn(8, 2)))
    with pytest.raises(TypeError, match=r"would hold pathlib\.PosixPath"):
        fitted.save_checkpoint(f"{remote}/last.ckpt")
    assert not MemoryFileSystem().exists("/checkpoints/last.ckpt")


def test_what_could_not_be_read_again_is_not_written(tmp_path):
    """A callback of the user's own may have any state; better now than after a kill."""
    path = save(tmp_path)
    fitted = trainer(tmp_path, callbacks=[Rich()])
    fitted.fit(gan(), loader(torch.randn(8, 2)))
    with pytest.raises(TypeError, match=r"would hold pathlib\.PosixPath, which is not read back from a file: let the"):
        fitted.save_checkpoint(path)
    assert is_before(path)


def test_what_fails_beside_a_file_leaves_nothing(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(RuntimeError), atomic_write(path) as partial:
        partial.write_text("after")
        raise RuntimeError
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a.txt": "before"}


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_damaged_byte_is_found(tmp_path, share):
    path = save(tmp_path)
    content = bytearray(path.read_bytes())
    content[int(len(content) * share)] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"last\.ckpt is (truncated|damaged) or no checkpoint"):
        read_checkpoint(path)


def test_the_newest_that_can_be_read_is_taken(tmp_path):
    assert newest_checkpoint(tmp_path / "nothing") is None
    paths = [save(tmp_path / f"version_{i}" / "checkpoints", name=f"step={i}.ckpt") for i in range(3)]
    for i, path in enumerate(paths):
        os.utime(path, ns=(i, i))
    assert newest_checkpoint(tmp_path) == str(paths[2])
    paths[2].write_bytes(paths[2].read_bytes()[:-10])
    os.utime(paths[2], ns=(3, 3))
    with pytest.warns(UserWarning, match=r"step=2\.ckpt is truncated .*: not resumed from, the one before it is tried"):
        assert newest_checkpoint(tmp_path) == str(paths[1])
    for path in paths[:2]:
        path.write_bytes(b"")
    with (
        pytest.warns(UserWarning, match="not resumed from"),
        pytest.raises(ValueError, match=r"3 checkpoints in .*/nothing, .* can be read: remove them to start anew"),
    ):
        newest_checkpoint(tmp_path / "nothing", tmp_path)


def test_a_checkpoint_that_goes_while_it_is_looked_at_is_passed_over(tmp_path, monkeypatch):
    """A run beside the search writes a new one, and removes the old one."""
    io, old, new = PlainCheckpointIO(), tmp_path / "old.ckpt", tmp_path / "new.ckpt"
    io.save_checkpoint({"state_dict": {}}, old)
    whole = checkpoint_io.check_whole

    def meanwhile(path):
        if old.exists():
            io.save_checkpoint({"state_dict": {}}, new)
            io.remove_checkpoint(old)
        whole(path)

    monkeypatch.setattr(checkpoint_io, "check_whole", meanwhile)
    assert newest_checkpoint(tmp_path) == str(new)


@pytest.mark.parametrize("again", [False, True])
def test_the_last_whole_one_is_not_removed(tmp_path, again):
    io, old, new = PlainCheckpointIO(), tmp_path / "old.ckpt", tmp_path / "new.ckpt"
    for path in (old, new):
        io.save_checkpoint({"state_dict": {"w": torch.zeros(99)}}, path)
    new.write_bytes(new.read_bytes()[:-100])  # a disk that lied
    if again:  # a process that goes on, and has written nothing yet
        io = PlainCheckpointIO()
        io.save_checkpoint({"state_dict": {}}, tmp_path / "third.ckpt")
        (tmp_path / "third.ckpt").unlink()
    with pytest.warns(UserWarning, match=r"old\.ckpt is not removed: no other checkpoint"):
        io.remove_checkpoint(old)
    assert old.exists()
    io.save_checkpoint({"state_dict": {}}, new)
    io.remove_checkpoint(old)
    assert not old.exists()


def test_where_checkpoints_are_looked_for(tmp_path):
    logger = pl.loggers.CSVLogger(tmp_path / "runs", name="faces")
    own = pl.callbacks.ModelCheckpoint(dirpath=tmp_path / "own")
    assert checkpoint_folders(trainer(tmp_path)) == [f"{tmp_path}/checkpoints"]
    assert checkpoint_folders(trainer(tmp_path, logger=logger)) == [f"{tmp_path}/runs/faces"]
    fitted = trainer(tmp_path, logger=logger, callbacks=[own], enable_checkpointing=True)
    assert checkpoint_folders(fitted) == [f"{tmp_path}/own", f"{tmp_path}/runs/faces"]


def gan():
    return LitGAN(MLPGenerator(features=2, latent_dim=3, width=4), MLPDiscriminator(features=2, width=4))


@pytest.fixture
def remote():
    yield "memory://checkpoints"
    if MemoryFileSystem().exists("/checkpoints"):
        MemoryFileSystem().rm("/checkpoints", recursive=True)


def test_a_remote_checkpoint_is_written_and_read(tmp_path, remote):
    model, fitted = gan(), trainer(tmp_path)
    fitted.fit(model, loader(torch.randn(8, 2)))
    fitted.save_checkpoint(f"{remote}/last.ckpt")
    assert LitGAN.load_from_checkpoint(f"{remote}/last.ckpt").images_seen == 8
    again = gan()
    trainer(tmp_path, max_epochs=2).fit(again, loader(torch.randn(8, 2)), ckpt_path=f"{remote}/last.ckpt")
    assert again.images_seen == 16


def test_the_newest_remote_one_is_found(remote):
    assert newest_checkpoint(remote) is None
    for name in ("a", "b"):
        PlainCheckpointIO().save_checkpoint(BEFORE, f"{remote}/version_0/{name}.ckpt")
    assert newest_checkpoint(remote).endswith("/checkpoints/version_0/b.ckpt")
    MemoryFileSystem().pipe("/checkpoints/version_0/b.ckpt", b"cut")
    with pytest.warns(UserWarning, match=r"b\.ckpt is truncated or no checkpoint: not resumed from"):
        assert read_checkpoint(newest_checkpoint(remote)).keys() == BEFORE.keys()


@pytest.mark.parametrize("device", ["nonsense", "cuda:99"])
def test_a_device_that_is_not_there_is_not_blamed_on_the_file(tmp_path, device):
    with pytest.raises((RuntimeError, AssertionError), match=r"(?i)cuda|data location"):
        read_checkpoint(save(tmp_path), device)


def test_a_folder_is_not_removed(tmp_path):
    """Nor any other file: its name may come from a checkpoint."""
    files = PlainCheckpointIO()
    for name in ("a.ckpt", "b.ckpt"):
        files.save_checkpoint(BEFORE, tmp_path / name)
    (tmp_path / "source.ckpt").mkdir()
    (tmp_path / "notes.txt").touch()
    for name in ("source.ckpt", "notes.txt"):
        with pytest.warns(UserWarning, match=f"{name} is not removed"):
            files.remove_checkpoint(str(tmp_path / name))
    files.remove_checkpoint(str(tmp_path / "a.ckpt"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b.ckpt", "notes.txt", "source.ckpt"]


@pytest.mark.parametrize("way", ["load", "fit", "warm start"])
@pytest.mark.parametrize("place", ["lit_gan", "state_dict", "callbacks"])
def test_a_hostile_remote_checkpoint_is_not_run(tmp_path, remote, way, place):
    Hostile.ran = False
    with MemoryFileSystem().open("/checkpoints/bad.ckpt", "wb") as file:
        torch.save({"state_dict": {}, "lit_gan": {}, place: {"x": Hostile()}}, file, pickle_module=pickle)
    path = f"{remote}/bad.ckpt"
    with pytest.raises(ValueError, match="holds more than tensors and plain data"):
        if way == "load":
            LitGAN.load_from_checkpoint(path)
        elif way == "fit":
            trainer(tmp_path).fit(gan(), loader(torch.randn(8, 2)), ckpt_path=path)
        else:
            LitGAN(MLPGenerator(features=2), MLPDiscriminator(features=2), warm_start=path)
    assert not Hostile.ran


def test_running_what_a_file_holds_is_refused(tmp_path):
    path = save(tmp_path)
    with pytest.raises(ValueError, match="weights_only=False would run whatever a checkpoint holds"):
        trainer(tmp_path).fit(gan(), loader(torch.randn(8, 2)), ckpt_path=path, weights_only=False)


@pytest.mark.parametrize("remote_name", [False, True])
def test_names_from_a_checkpoint_do_not_leave_the_folder(tmp_path, remote, remote_name):
    """ModelCheckpoint deletes what a checkpoint says was its best, and would follow ``..`` and any address."""
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (tmp_path / "precious").write_text("kept")
    MemoryFileSystem().pipe("/checkpoints/precious", b"kept")
    name = f"{remote}/precious" if remote_name else f"{folder}/../precious"

    class Doctored(Callback):
        def on_train_start(self, trainer, pl_module):
            trainer.checkpoint_callback.best_model_path = name

    callback = pl.callbacks.ModelCheckpoint(folder, filename="{step}")
    fitted = trainer(tmp_path, callbacks=[callback, Doctored()], enable_checkpointing=True, max_epochs=3)
    with pytest.warns(UserWarning, match="precious is not removed: it is no checkpoint in the folder of this run"):
        fitted.fit(gan(), loader(torch.randn(8, 2)))
    assert (tmp_path / "precious").exists()
    assert MemoryFileSystem().exists("/checkpoints/precious")
    assert [p.name for p in folder.iterdir()] == ["step=6.ckpt"]
