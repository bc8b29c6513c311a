"""Which files of a folder are taken, and what is said of the others."""

import os
from pathlib import Path

import pytest

from lit_gan import LitGANError
from lit_gan.data.picture_files import class_folders, picture_files


@pytest.fixture
def folder(tmp_path) -> Path:
    for name in ("a.png", "cats/b.JPG", "cats/c.tiff"):
        touched(tmp_path / "pictures" / name)
    return tmp_path / "pictures"


def touched(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def found(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in picture_files(str(folder)))


def test_files_of_each_sub_folder_and_case_are_taken(folder):
    assert found(folder) == ["a.png", "cats/b.JPG", "cats/c.tiff"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (".x.png", r"1 hidden \(\.x\.png\)"),
        (".ipynb_checkpoints/a-checkpoint.png", r"1 hidden \(\.ipynb_checkpoints/\)"),
        ("__MACOSX/a.png", r"1 hidden \(__MACOSX/\)"),
        ("cats/@eaDir/a.png", r"1 hidden \(cats/@eaDir/\)"),
        ("notes.txt", r"1 of other endings \(notes\.txt\)"),
        ("more.zip", r"1 of other endings \(more\.zip\)"),
        ("cats/picture", r"1 of other endings \(cats/picture\)"),
    ],
)
def test_what_is_left_out_is_counted_and_named(folder, name, said):
    touched(folder / name)
    with pytest.warns(UserWarning, match=f"left out of .*pictures: {said}$"):
        assert found(folder) == ["a.png", "cats/b.JPG", "cats/c.tiff"]


def test_many_left_out_are_counted_by_reason(folder):
    for i in range(12):
        touched(folder / f"{i:02d}.txt")
    touched(folder / ".DS_Store")
    (folder / "b.png").symlink_to("nowhere.png")
    (folder / "dogs").symlink_to("nowhere")
    with pytest.warns(UserWarning, match="left out of") as warned:
        assert len(found(folder)) == 3
    (sentence,) = [str(w.message) for w in warned]
    assert "1 hidden (.DS_Store)" in sentence
    assert "12 of other endings (00.txt" in sentence
    assert "and 2 more" in sentence
    assert "2 broken links (b.png, dogs)" in sentence


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_a_pipe_is_not_read(folder):
    os.mkfifo(folder / "pipe.png")
    with pytest.warns(UserWarning, match=r"1 not files \(pipe\.png\)"):
        assert len(found(folder)) == 3


def test_links_to_folders_and_files_are_followed(folder, tmp_path):
    touched(tmp_path / "elsewhere" / "d.png")
    (folder / "dogs").symlink_to(tmp_path / "elsewhere")
    (folder / "e.png").symlink_to(tmp_path / "elsewhere" / "d.png")
    assert found(folder) == ["a.png", "cats/b.JPG", "cats/c.tiff", "dogs/d.png", "e.png"]
    assert class_folders(str(folder)) == ["cats", "dogs"]


@pytest.mark.parametrize("target", [".", "..", "cats"])
def test_a_loop_of_links_is_refused(folder, target):
    (folder / "cats" / "again").symlink_to((folder / target).resolve())
    with pytest.raises(LitGANError, match=r"again.* leads back to .*, which holds it: remove the link"):
        picture_files(str(folder / "cats" if target == ".." else folder))


def test_a_folder_that_is_itself_a_link_or_hidden_is_searched(folder, tmp_path):
    (tmp_path / ".link").symlink_to(folder)
    assert len(found(tmp_path / ".link")) == 3


def test_a_folder_that_may_not_be_read_is_refused(folder, monkeypatch):
    listed = Path.iterdir

    def refuse(path):
        if path.name == "cats":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(OSError, match=r"cats cannot be read \(Permission denied\)") as refused:
        picture_files(str(folder))
    assert isinstance(refused.value, LitGANError)


def test_an_archive_in_place_of_a_folder_is_said(folder):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*more\.zip, but a file: unpack it"):
        picture_files(str(touched(folder / "more.zip")))


def test_the_order_is_of_the_names_alone(folder, tmp_path):
    before = [path.name for path in picture_files(str(folder))]
    folder.rename(tmp_path / "moved")
    assert [path.name for path in picture_files(str(tmp_path / "moved"))] == before
