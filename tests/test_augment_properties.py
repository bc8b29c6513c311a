"""What holds of augmentations of pictures of any size: where pixels come from, and what is left of them."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import affine_grid, grid_sample, pad
from torch.testing import assert_close

from lit_gan.augment import DiffAugment, sampled

SIDES = st.integers(1, 20)


@st.composite
def pictures(draw, channels=st.integers(1, 3)):
    """Images whose pixels are not 0, in float64; torch's random state goes with them."""
    torch.manual_seed(draw(st.integers(0, 999)))
    return torch.rand(draw(st.integers(1, 4)), draw(channels), draw(SIDES), draw(SIDES)).double() + 0.1


@given(pictures(), SIDES, SIDES, st.floats(0, 20))
def test_sampling_is_that_of_grid_sample_wherever_it_looks(images, height, width, reach):
    places = (torch.rand(len(images), height, width, 2).double() * 2 - 1) * reach
    found = sampled(images, places)
    assert_close(found, grid_sample(images, places, padding_mode="reflection", align_corners=False), atol=1e-9, rtol=0)
    assert (found <= images.amax((2, 3), keepdim=True) + 1e-12).all(), "a mean of pixels"
    assert (found >= images.amin((2, 3), keepdim=True) - 1e-12).all()
    assert_close(sampled(3 * images - 1, places), 3 * found - 1)


@given(pictures(), st.integers(-3, 3))
def test_the_mirrored_plane_repeats_every_two_pictures(images, times):
    here = affine_grid(torch.eye(2, 3).double().expand(len(images), 2, 3), list(images.shape), align_corners=False)
    assert_close(sampled(images, here + 4 * times), images)
    assert_close(sampled(images, here + 4 * times + 2), images.flip(2, 3))


@given(pictures())
def test_a_translation_is_one_of_whole_pixels(images):
    moved = DiffAugment(color=False, cutout=False)(images)
    down, right = (round(side / 8) for side in images.shape[2:])
    (height, width), padded = images.shape[2:], pad(images, (right, right, down, down))
    places = [(y, x) for y in range(2 * down + 1) for x in range(2 * right + 1)]
    for image, result in zip(padded, moved, strict=True):
        assert any(torch.equal(image[:, y : y + height, x : x + width], result) for y, x in places)


@given(pictures())
def test_a_cutout_is_a_rectangle_of_half_the_size_at_most(images):
    cut = DiffAugment(color=False, translation=False)(images)
    hole = cut == 0
    assert torch.equal(cut[~hole], images[~hole])
    rows, columns = hole.any(3, keepdim=True), hole.any(2, keepdim=True)
    assert torch.equal(hole, rows & columns)
    assert (rows.sum(2) <= round(images.shape[2] / 2)).all()
    assert (columns.sum(3) <= round(images.shape[3] / 2)).all()


@given(pictures(channels=st.just(1)))
def test_colours_of_a_grey_picture_are_one_rising_line(images):
    """Its deviations from its mean times ½ to 1½, its mean moved by ½ at most."""
    changed = DiffAugment(translation=False, cutout=False)(images)
    mean, new_mean = images.mean((1, 2, 3)), changed.mean((1, 2, 3))
    deviation, new = images - mean[:, None, None, None], changed - new_mean[:, None, None, None]
    assert ((new_mean - mean).abs() <= 0.5 + 1e-9).all()
    factor = (new * deviation).sum((1, 2, 3)) / deviation.square().sum((1, 2, 3)).clamp_min(1e-12)
    assert_close(new, factor[:, None, None, None] * deviation)
    assert ((factor >= 0.5 - 1e-9) & (factor <= 1.5 + 1e-9) | (deviation.abs().amax((1, 2, 3)) < 1e-6)).all()
