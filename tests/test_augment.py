"""Augmentations: what they do to pixels, their gradients, their controller, and that they do not leak."""

import math

import pytest
import torch
from torch.nn.functional import affine_grid, grid_sample
from torch.testing import assert_close

from lit_gan import LitGAN, augment
from lit_gan.augment import AdaptiveAugment, Augmentation, DiffAugment, adaptive, geometry, sampled
from lit_gan.networks import DCGANDiscriminator, DCGANGenerator, MLPDiscriminator, MLPGenerator
from lit_gan.penalties import R1
from lit_gan.schedules import Linear
from tests.support.small import Batches, loader, trainer

IMAGES = torch.rand(8, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
AUGMENTATIONS = [
    cls
    for cls in (getattr(augment, n) for n in augment.__all__)
    if isinstance(cls, type) and issubclass(cls, Augmentation) and cls is not Augmentation
]


def make(cls) -> Augmentation:
    return AdaptiveAugment(p=0.7, target=None) if cls is AdaptiveAugment else cls()


# Places


def test_sampling_is_grid_samples_but_for_its_second_gradient():
    torch.manual_seed(0)
    geometry = torch.randn(8, 2, 3, dtype=torch.float64)
    grid = affine_grid(geometry, [8, 3, 8, 8], align_corners=False)
    expected = grid_sample(IMAGES.double(), grid, padding_mode="reflection", align_corners=False)
    assert_close(sampled(IMAGES.double(), grid), expected, atol=1e-9, rtol=0)


def test_second_gradients_pass_through_the_sampling():
    grid = affine_grid(torch.randn(2, 2, 3, dtype=torch.float64), [2, 1, 3, 3], align_corners=False)
    x = torch.randn(2, 1, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda images: sampled(images, grid).square(), x)


def test_translation_moves_whole_pixels_and_fills_with_zero():
    torch.manual_seed(0)
    point = torch.zeros(400, 1, 16, 16)
    point[:, :, 8, 8] = 1
    moved = DiffAugment(color=False, translation=True, cutout=False)(point)
    assert_close(moved.sum((1, 2, 3)), torch.ones(400))
    rows, columns = (moved.sum(axis).argmax(-1).flatten() - 8 for axis in (3, 2))
    assert set(rows.tolist()) == set(columns.tolist()) == {-2, -1, 0, 1, 2}, "an eighth of 16"
    corner = torch.ones(100, 1, 16, 16)
    assert DiffAugment(False, True, False)(corner).sum((1, 2, 3)).min() == 14 * 14


def test_cutout_removes_a_square_of_half_the_size_around_any_place():
    torch.manual_seed(0)
    cut = DiffAugment(False, False, True)(torch.ones(2000, 2, 8, 8))
    holes = (cut == 0).flatten(2).sum(2)
    assert torch.equal(holes[:, 0], holes[:, 1]), "the same in each channel"
    assert holes.max() == 16
    assert holes.min() == 2 * 2, "a corner of it"
    assert ((cut[:, 0] == 0).float().mean(0) > 0.05).all(), "no pixel is spared"


# Colours


def test_brightness_is_one_number_for_an_image():
    torch.manual_seed(0)
    grey = torch.full((500, 1, 4, 4), 0.25)  # which saturation and contrast leave alone
    shift = DiffAugment(True, False, False)(grey) - grey
    assert_close(shift.amax((1, 2, 3)), shift.amin((1, 2, 3)), atol=1e-6, rtol=0)
    assert -0.5 <= shift.min() < -0.45
    assert 0.45 < shift.max() <= 0.5


def test_colours_keep_the_mean_but_for_brightness():
    torch.manual_seed(0)
    changed = DiffAugment(True, False, False)(IMAGES)
    shift = changed.mean((1, 2, 3)) - IMAGES.mean((1, 2, 3))
    assert shift.abs().max() <= 0.5
    assert (changed.std((1, 2, 3)) / IMAGES.std((1, 2, 3))).max() < 3


# Adaptive


def test_p_of_zero_changes_nothing():
    assert_close(AdaptiveAugment(p=0.0)(IMAGES), IMAGES, atol=1e-5, rtol=0)


def test_p_of_one_changes_every_image():
    assert ((AdaptiveAugment(p=1.0, target=None)(IMAGES) - IMAGES).abs().mean((1, 2, 3)) > 0.01).all()


def test_flips_and_quarter_turns_keep_the_pixels():
    """The first two changes alone: a permutation of the pixels of a square image."""
    torch.manual_seed(0)
    change = geometry.scaling(-torch.ones(8), torch.ones(8)) @ geometry.rotation(torch.full((8,), math.pi / 2))
    moved = geometry.moved(IMAGES, change)
    assert_close(moved.flatten(2).sort().values, IMAGES.flatten(2).sort().values, atol=1e-5, rtol=0)
    assert (moved - IMAGES).abs().max() > 0.5


def test_colours_change_as_often_as_their_share_of_p_says(monkeypatch):
    """Four changes come with p·share = ½ each; one of them, the inversion, is then heads or tails."""
    torch.manual_seed(0)
    monkeypatch.setattr(adaptive, "moved", lambda images, geometry: images)
    images = torch.rand(4000, 3, 2, 2) * 2 - 1

    def kept(**options) -> float:
        changed = AdaptiveAugment(target=None, **options)(images) - images
        return float((changed.abs().amax((1, 2, 3)) < 1e-6).float().mean())

    assert kept(p=1.0, color=0.0) == 1
    assert abs(kept(p=1.0, color=0.5) - 0.5**3 * 0.75) < 0.02
    assert abs(kept(p=0.5, color=1.0) - 0.5**3 * 0.75) < 0.02


def test_cutout_comes_with_probability_p(monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr(adaptive, "moved", lambda images, geometry: images)
    changed = AdaptiveAugment(p=0.3, target=None, color=0.0, cutout=True)(torch.ones(4000, 1, 8, 8))
    holes = (changed == 0).sum((1, 2, 3))
    assert abs((holes > 0).float().mean() - 0.3) < 0.03
    assert holes.max() == 16, "half the size"


@pytest.mark.parametrize(("sign", "p"), [(1.0, [0.0, 0.25, 0.25, 0.5]), (-1.0, [0.0, 0.0, 0.0, 0.0])])
def test_p_moves_towards_the_target(sign, p):
    """Sixteen images a turn, 64 from 0 to 1, a move each 16 at the earliest: the first counts from 0."""
    ada = AdaptiveAugment(p=0.0, target=0.6, images=64, every=16)
    seen = []
    for images_seen in (8, 16, 24, 32):
        ada.follow(images_seen, torch.full((8,), sign))
        seen.append(float(ada.probability))
    assert seen == p


def test_p_falls_where_d_no_longer_overfits_and_stays_in_range():
    ada = AdaptiveAugment(p=0.1, target=0.6, images=100, every=8)
    ada.follow(8, torch.tensor([1.0] * 6 + [-1.0] * 2))  # r = 0.5
    assert float(ada.probability) == pytest.approx(0.02)
    ada.follow(16, -torch.ones(8))
    assert ada.probability == 0


def test_p_follows_a_schedule():
    ada = AdaptiveAugment(p=Linear(0.0, 0.8, images=100))
    ada.follow(50, torch.ones(4))
    assert float(ada.probability) == pytest.approx(0.4)


def test_p_is_logged_saved_and_resumed(tmp_path):
    def fit(steps, **more):
        torch.manual_seed(0)
        ada = AdaptiveAugment(p=0.3, target=0.1, images=100, every=8)
        gan = LitGAN(MLPGenerator(8, 1, width=8), MLPDiscriminator(8, 1, width=8), augment=ada)
        fitted = trainer(tmp_path, max_epochs=-1, max_steps=steps, log_every_n_steps=1)
        fitted.fit(gan, loader(IMAGES[:, :1]), **more)
        return fitted, gan

    whole, gan = fit(6)
    assert gan.augment.probability != 0.3
    assert float(whole.callback_metrics["augment/p"]) == float(gan.augment.probability)
    half, _ = fit(3)
    half.save_checkpoint(tmp_path / "half.ckpt")
    _, resumed = fit(6, ckpt_path=tmp_path / "half.ckpt")
    for name, tensor in gan.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_an_augmentation_within_another_module_is_told_how_the_game_goes(tmp_path):
    augmentation = torch.nn.Sequential(AdaptiveAugment(p=Linear(0.0, 0.5, images=8)), torch.nn.Identity())
    gan = LitGAN(MLPGenerator(8, 1, width=8), MLPDiscriminator(8, 1, width=8), augment=augmentation)
    fitted = trainer(tmp_path, max_epochs=2, log_every_n_steps=1)
    fitted.fit(gan, loader(IMAGES[:, :1]))
    assert augmentation[0].probability == fitted.callback_metrics["augment/p"] == 0.5


def test_a_distribution_can_be_told_from_its_augmentation_unless_p_is_one():
    """Quarter turns of four orientations: the matrix that mixes them is invertible for p < 1, and not for p = 1."""
    orientation = torch.zeros(4000, 1, 4, 4)
    orientation[:, :, 0] = 1  # a bar at the top

    def mixed(p):
        torch.manual_seed(0)
        turns = torch.randint(4, (4000,)) * (math.pi / 2)
        chosen = torch.rand(4000) < p
        moved = geometry.moved(orientation, geometry.rotation(torch.where(chosen, turns, 0.0)))
        sides = torch.stack(
            [moved[:, 0, 0].sum(1), moved[:, 0, :, -1].sum(1), moved[:, 0, -1].sum(1), moved[:, 0, :, 0].sum(1)]
        )
        share = torch.bincount(sides.argmax(0), minlength=4) / 4000
        return torch.stack([share.roll(k) for k in range(4)])  # the other orientations, by symmetry

    assert torch.linalg.svdvals(mixed(0.5)).min() == pytest.approx(0.5, abs=0.05)  # 1 − p
    assert torch.linalg.svdvals(mixed(1.0)).min() < 0.05


@pytest.mark.slow
def test_what_the_discriminator_sees_does_not_leak_into_the_samples(tmp_path):
    """Bright left halves, turned by any right angle with p = ½ before D: the samples stay bright on the left."""

    class Turns(Augmentation):
        def forward(self, images):
            turns = torch.randint(4, (len(images),)) * (math.pi / 2) * (torch.rand(len(images)) < 0.5)
            return geometry.moved(images, geometry.rotation(turns))

    torch.manual_seed(0)
    data = torch.full((512, 1, 4, 4), -0.5) + 0.2 * torch.rand(512, 1, 4, 4)
    data[..., :2] += 0.8
    gan = LitGAN(
        MLPGenerator(4, 1, latent_dim=4, width=64),
        MLPDiscriminator(4, 1, width=64),
        augment=Turns(),
        penalties={"r1": R1(0.1)},
    )
    trainer(tmp_path, max_epochs=-1, max_steps=600).fit(gan, loader(data, batch_size=64))
    samples = gan.sample(500, seed=0)
    left, right = samples[..., :2].mean((1, 2, 3)), samples[..., 2:].mean((1, 2, 3))
    assert (left > right + 0.3).float().mean() > 0.95


@pytest.mark.parametrize("cls", AUGMENTATIONS)
class TestEveryAugmentation:
    def test_keeps_shape_type_and_gradients(self, cls):
        for dtype in (torch.float32, torch.bfloat16):
            images = IMAGES.to(dtype, copy=True).detach().requires_grad_()
            changed = make(cls)(images)
            assert (changed.shape, changed.dtype) == (images.shape, dtype)
            changed.square().sum().backward()
            assert (images.grad != 0).any()
            assert images.grad.isfinite().all()

    @pytest.mark.parametrize("channels", [1, 2, 3])
    @pytest.mark.parametrize("size", [4, 7, 16])
    def test_takes_any_channels_and_sizes(self, cls, channels, size):
        assert make(cls)(torch.rand(2, channels, size, size)).shape == (2, channels, size, size)

    def test_passes_gradient_checks(self, cls):
        changes, x = make(cls), IMAGES[:2, :, :4, :4].double().requires_grad_()

        def seeded(images):
            torch.manual_seed(3)
            return changes(images)

        assert torch.autograd.gradcheck(seeded, x)
        assert torch.autograd.gradgradcheck(lambda images: seeded(images).square(), x)

    def test_is_drawn_for_each_image_from_torchs_random_state(self, cls):
        same = IMAGES[:1].expand(8, -1, -1, -1)
        torch.manual_seed(0)
        first = make(cls)(same)
        torch.manual_seed(0)
        assert torch.equal(first, make(cls)(same))
        assert not torch.equal(first, make(cls)(same))
        assert (first - first.mean(0)).abs().amax((1, 2, 3)).min() > 0, "each image has its own"

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    @pytest.mark.parametrize("size", [32, 256])
    def test_is_as_exact_under_autocast(self, cls, size, dtype):
        """Real images come in float32, a generator's in bfloat16; both are moved by the same amount."""
        images = (torch.rand(2, 3, size, size) * 2 - 1).to(dtype)
        torch.manual_seed(0)
        expected = make(cls)(images.float())
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16):
            changed = make(cls)(images)
        assert changed.dtype == dtype
        assert torch.allclose(changed.float(), expected, atol=0.03, rtol=0.01)

    @pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
    def test_trains_with_a_gradient_penalty(self, cls, precision, tmp_path):
        gan = LitGAN(
            DCGANGenerator(8, 3, 4, width=4),
            DCGANDiscriminator(8, 3, width=4),
            augment=make(cls),
            penalties={"r1": R1(0.1)},
            micro_batches=2,
        )
        trainer(tmp_path, max_steps=2, max_epochs=-1, precision=precision).fit(gan, Batches(IMAGES, batch_size=4))
        assert gan.sample(2).isfinite().all()
