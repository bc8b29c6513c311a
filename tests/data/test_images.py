"""Images as numbers and as files."""

import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from lit_gan.data.images import grid, points_to_image, resize, save_png, to_float, to_uint8


def test_uint8_survives_the_way_to_float_and_back():
    everything = torch.arange(256, dtype=torch.uint8)
    floats = to_float(everything)
    assert floats.min() == -1
    assert floats.max() == 1
    assert torch.equal(to_uint8(floats), everything)
    assert torch.equal(to_uint8(to_float(everything, torch.float64)), everything)


def test_to_uint8_rounds_and_clamps():
    values = torch.tensor([-1.2, -1.0, 0.99 / 127.5 - 1, 0.0, 1.0, 1.2])
    assert to_uint8(values).tolist() == [0, 0, 1, 128, 255, 255]


def test_to_float_leaves_its_input_alone():
    images = torch.zeros(2, dtype=torch.uint8)
    to_float(images)
    floats = torch.ones(2)
    assert to_float(floats).data_ptr() == floats.data_ptr()
    assert images.sum() == 0


def test_other_integers_are_refused():
    with pytest.raises(TypeError, match=r"torch.int64.*uint8 in \[0, 255\] or float in \[-1, 1\]"):
        to_float(torch.zeros(2, dtype=torch.int64))


def test_resize_keeps_constant_images_and_averages():
    images = torch.full((5, 3, 8, 8), 77, dtype=torch.uint8)
    assert torch.equal(resize(images, 4, chunk=2), torch.full((5, 3, 4, 4), 77, dtype=torch.uint8))
    assert resize(images, 8) is images
    checker = (torch.arange(8)[:, None] + torch.arange(8)).remainder(2).mul(255).to(torch.uint8)[None, None]
    assert (resize(checker, 4)[..., 1:3, 1:3].float() - 127.5).abs().max() < 8, "antialiased"


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_grid_shows_images_of_any_channel_count(channels, tmp_path):
    picture = grid(torch.zeros(5, channels, 8, 8), columns=3)
    assert picture.shape == (3 if channels == 3 else 1, 2 * 10 + 2, 3 * 10 + 2)
    with Image.open(save_png(picture, tmp_path / "new" / "grid.png")) as png:
        assert png.size == (32, 22)


def test_points_become_a_picture_with_dense_places_dark():
    points = torch.cat([torch.full((100, 2), 0.5), torch.tensor([[-1.0, -1.0]])])
    picture = points_to_image(points, size=64)
    assert picture.shape == (1, 64, 64)
    assert picture.min() == 0
    row, column = divmod(int(picture[0].argmin()), 64)
    assert row < 32 < column, "x to the right, y upwards"
    assert torch.equal(grid(points), points_to_image(points))


def test_points_on_a_line_become_bars():
    picture = points_to_image(torch.tensor([[0.5]] * 3 + [[-1.0]]), size=64)
    assert picture.shape == (1, 64, 64)
    heights = (picture[0] == 0).sum(0).reshape(32, 2)
    assert heights.sum(1).tolist() == [0 if i not in (0, 23) else 2 * 64 if i == 23 else 2 * 21 for i in range(32)]
    assert picture[0, -1, 47] == 0, "bars stand on the ground"


def test_points_of_other_dimensions_are_refused():
    with pytest.raises(ValueError, match="points of 3 dimensions"):
        points_to_image(torch.zeros(4, 3))


def test_png_keeps_the_pixels(tmp_path):
    image = torch.arange(48, dtype=torch.uint8).reshape(3, 4, 4)
    with Image.open(save_png(image, tmp_path / "x.png")) as png:
        read = torch.tensor(list(png.tobytes()), dtype=torch.uint8)
    assert_close(read.reshape(4, 4, 3).permute(2, 0, 1), image)
