"""Names in messages."""

import os

import pytest

from lit_gan.data.names import readable, some


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"caf\xe9.png", r"caf\xe9.png"),
        ("café 猫.png".encode(), "café 猫.png"),
        (b"two\nlines\x1b[31m.png", r"two\nlines\x1b[31m.png"),
    ],
)
def test_every_name_can_be_printed(name, shown):
    assert readable(os.fsdecode(name)) == shown
    assert shown.encode()
    assert readable("\ud800") == r"\ud800"


def test_some_of_many_names():
    assert some("abc", 3) == "a, b, c"
    assert some("abc", 3, most=1) == "a, and 2 more"
