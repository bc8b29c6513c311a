"""Checkpoints of strangers: whatever a file holds, it is read or refused in a sentence, and soon."""

import copy
import io
import pickle
import tracemalloc
import zipfile
from contextlib import suppress

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lit_gan import LitGAN, LitGANError
from lit_gan._utils.checkpoint_file import FORMAT, Section, check_sections, check_whole, read_checkpoint
from lit_gan.sampling.from_checkpoint import load_generators, saved_generators
from lit_gan.training.checkpoint import check_state, saved_arguments, take_weights
from tests.support.formats import FOLDER

CHECKPOINT = FOLDER / "format_1" / "minimax.ckpt"
WHOLE = torch.load(CHECKPOINT, weights_only=True)
NAMES = st.sampled_from(["class_path", "init_args", *WHOLE[Section.MODEL]])
LEAVES = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), NAMES),
    *(st.just(1 << 900), st.binary(max_size=2), st.just(torch.zeros(2)), st.just(torch.float32), st.complex_numbers()),
)
PLAIN = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.integers(), inner, max_size=4) | st.tuples(inner)
    ),
    max_leaves=6,
)


def members(change=lambda name, content: content, **options) -> io.BytesIO:
    """Return a checkpoint's archive, written anew with changed members."""
    file = io.BytesIO()
    with zipfile.ZipFile(CHECKPOINT) as parts, zipfile.ZipFile(file, "w", **options) as written:
        for name in parts.namelist():
            written.writestr(name, change(name, parts.read(name)))
    file.seek(0)
    return file


def write(folder, content: io.BytesIO | dict):
    path = folder / "x.ckpt"
    torch.save(content, path) if isinstance(content, dict) else path.write_bytes(content.getvalue())
    return path


def test_an_archive_written_anew_is_read(tmp_path):
    assert read_checkpoint(write(tmp_path, members())).keys() == WHOLE.keys()


def test_a_small_file_of_much_content_is_refused_without_unpacking_it(tmp_path):
    file = members(lambda name, content: bytes(50_000_000) if name.endswith("/0") else content, compression=8)
    path = write(tmp_path, file)
    assert path.stat().st_size < 1_000_000
    tracemalloc.start()
    with pytest.raises(LitGANError, match=r"x\.ckpt is damaged or no checkpoint"):
        check_whole(path)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def overlapping() -> io.BytesIO:
    """Return an archive all of whose members share the data of one."""
    file = members(lambda name, content: content + bytes(1000) if name.endswith("/0") else content)
    with zipfile.ZipFile(file, "a") as parts:
        first = next(member for member in parts.infolist() if member.filename.endswith("/0"))
        for number in range(1000):
            again = copy.copy(first)
            again.filename = f"{first.filename}{number}"
            parts.filelist.append(again)
        parts._didModify = True
    return file


def twice() -> io.BytesIO:
    file = members()
    with zipfile.ZipFile(file, "a") as parts, pytest.warns(UserWarning, match="Duplicate name"):
        parts.writestr(parts.namelist()[0], b"other content")
    return file


@pytest.mark.parametrize("make", [overlapping, twice])
def test_members_that_overlap_or_are_there_twice_are_refused(tmp_path, make):
    with pytest.raises(LitGANError, match=r"x\.ckpt is damaged or no checkpoint"):
        read_checkpoint(write(tmp_path, make()))


def pickled(content: bytes) -> io.BytesIO:
    return members(lambda name, before: content if name.endswith("data.pkl") else before)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b".", b"K", b"\x80\x02.", b"0.", b"h\x07.", b"\x80\x02}q\x00(u.", b"(((((((."),
        *(b"\x80\x02Q.", b"\x80\x02]a.", b"\x80\xff.", pickle.dumps({}, 5), pickle.dumps([1], 2) * 2),
    ],
)
@pytest.mark.parametrize("device", ["cpu", torch.device("cpu"), None])
def test_a_pickle_that_is_none_is_refused(tmp_path, content, device):
    with pytest.raises(LitGANError, match=r"x\.ckpt "):
        read_checkpoint(write(tmp_path, pickled(content)), device)


def test_a_missing_tensor_is_the_files_fault_on_any_device(tmp_path):
    path = tmp_path / "x.ckpt"
    with zipfile.ZipFile(CHECKPOINT) as parts, zipfile.ZipFile(path, "w") as written:
        for name in parts.namelist():
            if not name.endswith("/data/0"):
                written.writestr(name, parts.read(name))
    for device in ("cpu", lambda storage, _: storage):
        with pytest.raises(LitGANError, match=r"x\.ckpt is damaged"):
            read_checkpoint(path, device)


@pytest.mark.parametrize("number", [-1, FORMAT + 1, 1 << 900, True, "1", 1.0, None, [1], torch.tensor(1)], ids=type)
def test_a_format_that_is_none_is_refused(tmp_path, number):
    with pytest.raises(LitGANError, match=r"x\.ckpt is of format .{1,30}, this lit_gan reads up to"):
        read_checkpoint(write(tmp_path, {**WHOLE, Section.FORMAT: number}))


def changed(path: list[str], value: object) -> dict:
    """Return the content of a checkpoint with another value at a path of keys."""
    whole = copy.deepcopy(WHOLE)
    inner = whole
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return whole


PLACES = st.sampled_from(
    [
        *([section] for section in (Section.MODEL, Section.DATA, "state_dict")),
        *([Section.MODEL, name] for name in WHOLE[Section.MODEL]),
        *([Section.MODEL, part, key] for part in ("generator", "loss") for key in ("class_path", "init_args")),
        *([Section.MODEL, "generator", "init_args", name] for name in WHOLE[Section.MODEL]["generator"]["init_args"]),
        *(["state_dict", name] for name in ("images_seen", "label_counts", "generator.x", 3)),
        ["state_dict", next(name for name in WHOLE["state_dict"] if name.startswith("generator."))],
    ]
)


@given(PLACES, PLAIN)
def test_any_section_is_read_or_refused_in_a_sentence(path, value):
    content = changed(path, value)
    model = saved_model()
    for use in (
        check_sections,
        saved_generators,
        lambda content: LitGAN(**saved_arguments(LitGAN, content, {})),
        lambda content: check_state(model, content),
        lambda content: take_weights(model, content),
    ):
        with suppress(LitGANError):
            use(content)


def saved_model() -> LitGAN:
    return LitGAN(**saved_arguments(LitGAN, WHOLE, {}))


def laughs() -> list:
    inner: list = ["ha"]
    for _ in range(40):
        inner = [inner] * 10
    return inner


def circle() -> dict:
    inner: dict = {}
    inner["class_path"], inner["init_args"] = "lit_gan.networks.Packed", {"discriminator": inner}
    return inner


def deep() -> list:
    inner: list = []
    for _ in range(3000):
        inner = [inner]
    return inner


@pytest.mark.parametrize("make", [laughs, circle, deep, lambda: list(range(200_000))])
@pytest.mark.parametrize("path", [[Section.MODEL, "generator"], [Section.MODEL, "own"], [Section.DATA]])
def test_a_section_without_end_is_refused(make, path):
    with pytest.raises(LitGANError, match=r"is no description of parts"):
        saved_generators(changed(path, make()))


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor([-1]),
        torch.tensor([float("nan")]),
        torch.zeros(1, dtype=torch.complex64),
        torch.zeros(1).to_sparse(),
        torch.zeros(1, device="meta", dtype=torch.int64),
        torch.zeros(1, dtype=torch.int64).expand(10**6, 10**6),  # a file of some bytes
    ],
    ids=lambda tensor: f"{tensor.dtype} {tuple(tensor.shape)} {tensor.layout} {tensor.device}",
)
def test_tensors_that_are_no_counts_are_refused(tmp_path, tensor):
    with pytest.raises(LitGANError):
        load_generators(write(tmp_path, changed(["state_dict", "images_seen"], tensor)))
