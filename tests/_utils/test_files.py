"""Files of several processes at once, of killed processes, on full disks, and of users without a home."""

import errno
import os
import signal
import time
from pathlib import Path

import pytest

from lit_gan._utils import files
from lit_gan._utils.arguments import expanded
from lit_gan._utils.files import atomic_folder, atomic_write, cache_folder
from tests.support.processes import result, start

LINES = 20_000


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def write(path: Path, text: str, **options) -> None:
    with atomic_write(path, **options) as partial:
        partial.write_text(text)


def write_often(path, letter):
    for _ in range(100):
        write(path, letter * LINES)


def test_two_processes_write_one_file_and_each_time_it_is_whole(tmp_path):
    path = tmp_path / "last.ckpt"
    write(path, "a" * LINES)
    processes = [start(write_often, path, letter) for letter in "ab"]
    while any(process.is_alive() for process, _ in processes):
        assert path.read_text() in ("a" * LINES, "b" * LINES)
    for process in processes:
        result(*process)
    assert list(tmp_path.iterdir()) == [path]


def export_often(path, letter):
    for _ in range(30):
        with atomic_folder(path, ["a.txt", "mark"], "mark") as folder:
            for name in ("a.txt", "mark"):
                (folder / name).write_text(letter)


def test_two_processes_write_one_folder(tmp_path):
    for process in [start(export_often, tmp_path / "generator", letter) for letter in "ab"]:
        result(*process)
    found = contents(tmp_path)
    assert found.keys() == {"generator/a.txt", "generator/mark"}
    assert len(set(found.values())) == 1, "of one of the two"


def killed_while_writing(folder):
    with atomic_write(folder / "last.ckpt") as partial, atomic_folder(folder / "export", [], "mark") as new:
        partial.write_text("half")
        (new / "mark").write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path):
    process, reading = start(killed_while_writing, tmp_path)
    with pytest.raises(EOFError):
        result(process, reading)
    left = {path.name for path in tmp_path.iterdir()}
    assert len(left) == 2
    assert all(name.endswith(".partial") and f"-{process.pid}-" in name for name in left)
    write(tmp_path / "last.ckpt", "whole")
    assert contents(tmp_path) == {"last.ckpt": "whole"}


def name_of(path: Path) -> str:
    """Return the name of the partial file that this process writes for ``path``."""
    with atomic_write(path) as partial:
        return partial.name


def test_what_others_are_writing_stays(tmp_path):
    own, ended = name_of(tmp_path / "x"), start(time.time)
    (tmp_path / "x").unlink()
    result(*ended)
    dead = own.replace(f"-{os.getpid()}-", f"-{ended[0].pid}-")
    elsewhere = dead.replace("x.", "x.elsewhere")
    kept, old = {own, elsewhere, "a.partial", dead.replace(".partial", ".ckpt")}, elsewhere.replace("x.", "y.")
    for name in (*kept, dead, old):
        (tmp_path / name).touch()
    two_days_ago = time.time() - 2 * 86_400
    os.utime(tmp_path / old, (two_days_ago, two_days_ago))
    aside = tmp_path / dead.replace("x.", "z.")
    (aside / "old-0").mkdir(parents=True)
    (aside / "old-0" / "mark").write_text("what it was about to replace")
    write(tmp_path / "b", "")
    assert {path.name for path in tmp_path.iterdir()} == {*kept, aside.name, "b"}


def test_a_planted_link_is_not_followed(tmp_path, monkeypatch):
    """The name cannot be known; if it is nevertheless, the link is not written through."""
    precious = tmp_path / "precious"
    precious.write_text("kept")
    monkeypatch.setattr(files.secrets, "token_hex", lambda _: "01234567")
    planted = tmp_path / name_of(tmp_path / "a.txt")
    planted.symlink_to(precious)
    with pytest.raises(FileExistsError):
        write(tmp_path / "a.txt", "written")
    assert precious.read_text() == "kept"


@pytest.mark.parametrize("name", ["é" * 127, "a" * 255])
def test_long_names_can_be_written(tmp_path, name):
    write(tmp_path / name, "whole")
    assert contents(tmp_path) == {name: "whole"}


@pytest.mark.parametrize("sync", [True, False])
def test_a_new_file_has_the_rights_of_any_other(tmp_path, sync):
    (tmp_path / "other").touch()
    write(tmp_path / "a", "", sync=sync)
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize("place", [(os, "fsync"), (Path, "replace"), (Path, "write_text")])
@pytest.mark.parametrize("failing", range(5))
def test_a_disk_that_fails_at_any_call_leaves_the_old_or_the_new(tmp_path, monkeypatch, place, failing):
    (tmp_path / "generator").mkdir()
    old = {"last.ckpt": "old", "generator/a.txt": "old", "generator/mark": "old"}
    for name, text in old.items():
        (tmp_path / name).write_text(text)
    real, calls = getattr(*place), []

    def fails(*args, **options):
        calls.append(args)
        if len(calls) == failing + 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*args, **options)

    def both():
        with atomic_folder(tmp_path / "generator", ["a.txt", "mark"], "mark") as folder:
            (folder / "a.txt").write_text("new")
            (folder / "mark").write_text("new")
        write(tmp_path / "last.ckpt", "new")

    monkeypatch.setattr(*place, fails)
    if failing < {"fsync": 6, "replace": 3, "write_text": 3}[place[1]]:
        with pytest.raises(OSError, match="No space left"):
            both()
    else:
        both()
    monkeypatch.undo()
    found = contents(tmp_path)
    assert found.keys() == old.keys()
    assert found["generator/a.txt"] == found["generator/mark"]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_cannot_flush_is_written_to(tmp_path, monkeypatch, number):
    def fails(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fails)
    write(tmp_path / "a", "whole")
    assert contents(tmp_path) == {"a": "whole"}


@pytest.fixture
def homeless(monkeypatch):
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("LIT_GAN_CACHE", raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda _: {}["nobody"])


def test_without_a_home_the_way_out_is_named(homeless, monkeypatch, tmp_path):
    for given in (None, "~/x", "~nobody-of-that-name/x"):
        with pytest.raises(files.LitGANRuntimeError, match=r"^~.*LIT_GAN_CACHE"):
            cache_folder(given)
    monkeypatch.setenv("LIT_GAN_CACHE", str(tmp_path))
    assert cache_folder(None) == tmp_path
    assert cache_folder("here") == Path("here")


@pytest.mark.parametrize("path", ["~/x", Path("~/x")])
def test_without_a_home_no_path_in_it_is_taken(homeless, path):
    with pytest.raises(files.LitGANError, match="no home folder ~"):
        expanded(path)
