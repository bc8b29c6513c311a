"""What holds of images of any type, size and number: to float and back, to another size, in a grid, in a file."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lit_gan.data.images import grid, points_to_image, resize, save_png, to_float, to_uint8
from tests.support.strategies import tensors

EVERY = torch.arange(256, dtype=torch.uint8)
HALF = 1 / 255  # of the 2/255 between two levels


@st.composite
def images(draw, most=6, channels=st.integers(1, 4), side=st.integers(1, 12)):
    shape = draw(st.integers(1, most)), draw(channels), draw(side), draw(side)
    rng = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    return torch.randint(256, shape, dtype=torch.uint8, generator=rng)


# Numbers


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_each_level_is_the_nearest_float_and_its_negative_the_opposite(dtype):
    floats = to_float(EVERY, dtype)
    assert floats.dtype == dtype
    assert torch.equal(floats, ((2 * EVERY.double() - 255) / 255).to(dtype))
    assert torch.equal(floats, -to_float(255 - EVERY, dtype))
    assert torch.equal(to_uint8(floats), EVERY)


@given(tensors(st.floats(-3, 3)))
def test_to_uint8_is_the_nearest_level_rises_and_changes_nothing_twice(numbers):
    levels = to_uint8(numbers)
    assert ((to_float(levels, torch.float64) - numbers.clamp(-1, 1)).abs() <= HALF + 1e-6).all()
    assert torch.equal(levels[numbers.argsort()], levels.sort().values)
    assert torch.equal(to_uint8(to_float(levels)), levels)
    assert torch.equal(to_uint8(levels), levels)


# Sizes


@given(images(), st.integers(1, 12), st.integers(1, 6))
def test_resizing_makes_no_new_extremes_and_knows_no_neighbours(pictures, size, chunk):
    resized = resize(pictures, size)
    assert resized.shape == (*pictures.shape[:2], size, size)
    assert resized.dtype == torch.uint8
    assert (resized >= pictures.amin((2, 3), keepdim=True)).all()
    assert (resized <= pictures.amax((2, 3), keepdim=True)).all()
    assert torch.equal(resize(pictures, size, chunk), resized)
    assert torch.equal(resize(pictures[-1:], size), resized[-1:])


@given(images(), st.integers(1, 12))
def test_resizing_knows_no_directions_but_for_rounding(pictures, size):
    resized = resize(pictures, size).int()
    for turned, back in ((pictures.flip(3), (3,)), (pictures.flip(2), (2,))):
        assert (resize(turned, size).flip(back) - resized).abs().max() <= 1
    assert (resize(pictures.mT.contiguous(), size).mT - resized).abs().max() <= 1
    assert (255 - resize(255 - pictures, size).int() - resized).abs().max() <= 1


# Pictures


@given(images(most=10), st.none() | st.integers(1, 12), st.booleans())
def test_a_grid_shows_each_image_at_its_own_place(pictures, columns, as_float):
    n, channels, height, width = pictures.shape
    drawn = grid(to_float(pictures) if as_float else pictures, columns)
    columns = min(columns or next(k for k in range(1, n + 1) if k * k >= n), n)
    border = 2 if n > 1 else 0  # one image is its own grid
    for i, picture in enumerate(pictures):
        row, column = divmod(i, columns)
        top, left = border + row * (border + height), border + column * (border + width)
        shown = picture if channels == 3 else picture[:1]
        assert torch.equal(drawn[:, top : top + height, left : left + width], shown)
        drawn[:, top : top + height, left : left + width] = 255
    rows = -(-n // columns)
    assert drawn.shape == (len(shown), border + rows * (border + height), border + columns * (border + width))
    if n == rows * columns:
        assert (drawn == 255).all()


@given(images(most=1, channels=st.sampled_from([1, 3])))
def test_a_png_keeps_every_pixel(pictures):
    with TemporaryDirectory() as folder, Image.open(save_png(pictures[0], Path(folder) / "a" / "x.png")) as png:
        pixels = torch.tensor(list(png.tobytes()), dtype=torch.uint8)
        assert torch.equal(pixels.reshape(*reversed(png.size), -1).permute(2, 0, 1), pictures[0])


POINTS = st.integers(1, 2).flatmap(
    lambda d: st.lists(tensors(st.integers(-(10**6), 10**6).map(lambda n: n / 64), d, d), min_size=1, max_size=8)
)


@given(POINTS.map(torch.stack), st.randoms(use_true_random=False), st.integers(-20, 20))
def test_points_are_drawn_in_any_order_and_unit(points, random, power):
    picture = points_to_image(points, size=32)
    assert picture.shape == (1, 32, 32)
    assert picture.min() == 0, "the densest place is black"
    order = random.sample(range(len(points)), len(points))
    assert torch.equal(points_to_image(points[order] * 2.0**power, size=32), picture)
    if points.shape[1] == 2:
        assert (picture < 255).sum() <= len(points)
    else:
        assert torch.equal(points_to_image(points.repeat(3, 1), size=32), picture), "bars are shares"
