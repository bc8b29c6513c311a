"""Paths between latents against closed forms, in float64."""

import math

import pytest
import torch

from lit_gan.sampling.generator import draw_latents
from lit_gan.sampling.paths import closed_loop, interpolate, path_for

A, B = torch.randn(2, 5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
T = torch.linspace(0, 1, 9, dtype=torch.float64)


@pytest.mark.parametrize("kind", ["linear", "spherical"])
def test_both_ends_are_there(kind):
    path = interpolate(A, B, 4, kind)
    assert path.shape == (5, 4, 7)
    torch.testing.assert_close(path[:, 0], A, rtol=0, atol=1e-14)
    torch.testing.assert_close(path[:, -1], B, rtol=0, atol=1e-14)


def test_a_straight_path_has_constant_speed():
    path = interpolate(A, B, 9, "linear")
    torch.testing.assert_close(path.diff(dim=1), ((B - A) / 8)[:, None].expand(-1, 8, -1))


def test_a_spherical_path_turns_at_constant_angular_speed_and_its_length_goes_linearly():
    path = interpolate(A, B, 9)
    cosine = torch.cosine_similarity(path[:, :-1], path[:, 1:], dim=-1)
    whole = torch.cosine_similarity(A, B).acos()
    torch.testing.assert_close(cosine.acos(), (whole / 8)[:, None].expand(-1, 8))
    torch.testing.assert_close(path.norm(dim=-1), A.norm(dim=1)[:, None].lerp(B.norm(dim=1)[:, None], T[None]))


def test_at_one_length_it_is_slerp():
    a, b = A / A.norm(dim=1, keepdim=True), B / B.norm(dim=1, keepdim=True)
    angle = (a * b).sum(1).acos()[:, None, None]
    t = T[:, None]
    expected = (torch.sin((1 - t) * angle) * a[:, None] + torch.sin(t * angle) * b[:, None]) / torch.sin(angle)
    torch.testing.assert_close(interpolate(a, b, 9), expected)


def test_a_quarter_of_a_circle():
    path = interpolate(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 4.0]]), 3)
    half = 3 * math.sqrt(0.5)
    torch.testing.assert_close(path, torch.tensor([[[2.0, 0.0], [half, half], [0.0, 4.0]]]))


def test_parallel_latents_are_joined_by_a_straight_line():
    torch.testing.assert_close(interpolate(A, 3 * A, 9), interpolate(A, 3 * A, 9, "linear"))
    torch.testing.assert_close(interpolate(A, A, 3), A[:, None].expand(-1, 3, -1))


def test_the_origin_is_joined_by_a_straight_line():
    zero = torch.zeros_like(A)
    torch.testing.assert_close(interpolate(zero, A, 5), interpolate(zero, A, 5, "linear"))
    torch.testing.assert_close(interpolate(A, zero, 5), interpolate(A, zero, 5, "linear"))
    assert interpolate(zero, zero, 5).equal(zero[:, None].expand(-1, 5, -1))


def test_opposite_latents_are_joined_by_half_a_circle():
    path = interpolate(A, -2 * A, 9)
    cosine = torch.cosine_similarity(path[:, :-1], path[:, 1:], dim=-1)
    torch.testing.assert_close(cosine.acos(), torch.full((5, 8), math.pi / 8, dtype=torch.float64))
    torch.testing.assert_close(path.norm(dim=-1), A.norm(dim=1)[:, None] * (1 + T))
    plane = interpolate(torch.tensor([[1.0, 0.0]]), torch.tensor([[-1.0, 0.0]]), 3)
    torch.testing.assert_close(plane[0, 1], torch.tensor([0.0, 1.0]))


@pytest.mark.parametrize("tiny", [1e-3, 1e-8, 1e-15])
@pytest.mark.parametrize("sign", [1, -1])
def test_nearly_parallel_and_nearly_opposite_ones_are_as_good(tiny, sign):
    path = interpolate(A, sign * A + tiny * B, 9)
    assert path.isfinite().all()
    turned = torch.cosine_similarity(path[:, :-1], path[:, 1:], dim=-1).clamp(max=1).acos()
    torch.testing.assert_close(turned, turned[:, :1].expand(-1, 8), rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(path[:, -1], sign * A + tiny * B, rtol=0, atol=1e-10)


def test_which_path_stays_where_latents_are_drawn():
    """Half-way, normal latents keep their length on an arc alone, and uniform ones their cube on a line alone."""
    like, rng = torch.empty(0, dtype=torch.float64), torch.Generator().manual_seed(0)
    half = {}
    for latent in ("normal", "uniform"):
        a, b = draw_latents(2000, 512, latent, like, rng).chunk(2)
        half[latent] = {kind: interpolate(a, b, 3, kind)[:, 1] for kind in ("linear", "spherical")}
    assert path_for("normal", 512) == "spherical"
    assert path_for("uniform", 512) == path_for("normal", 1) == "linear"
    lengths = {kind: (z.norm(dim=1) / math.sqrt(512)).mean() for kind, z in half["normal"].items()}
    assert lengths["spherical"] == pytest.approx(1, abs=0.01)
    assert lengths["linear"] == pytest.approx(math.sqrt(0.5), abs=0.01)
    outside = {kind: (z.abs() > 1).any(1).double().mean() for kind, z in half["uniform"].items()}
    assert outside["linear"] == 0
    assert outside["spherical"] > 0.99


@pytest.mark.parametrize("kind", ["linear", "spherical"])
def test_a_loop_goes_through_all_and_ends_one_step_before_its_beginning(kind):
    z = torch.stack([A[:4], B[:4], A[1:5]], 1)
    loop = closed_loop(z, 5, kind)
    assert loop.shape == (4, 15, 7)
    torch.testing.assert_close(loop[:, ::5], z, rtol=0, atol=1e-14)
    home = interpolate(z[:, 2], z[:, 0], 6, kind)
    torch.testing.assert_close(torch.cat([loop[:, 10:], loop[:, :1]], 1), home, rtol=0, atol=1e-14)
    torch.testing.assert_close(closed_loop(z, 1, kind), z, rtol=0, atol=1e-14)


def test_type_and_gradients_are_those_of_latents():
    path = interpolate(A.float().requires_grad_(), B.float(), 3)
    assert path.dtype == torch.float32
    assert not path.requires_grad


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: interpolate(A, B, 1), ValueError, "steps=1 must be at least 2"),
        (lambda: interpolate(A, B, 2.5), TypeError, "steps=2.5 must be at least 2, a whole number"),
        (lambda: interpolate(A, B, 3, "cubic"), ValueError, "kind='cubic' is neither"),
        (lambda: interpolate(A, B[:3], 3), ValueError, r"shape \(5, 7\) and \(3, 7\): give \(N, D\)"),
        (lambda: interpolate(A[:, :1], B[:, :1], 3), ValueError, "latents of length 1, which cannot turn"),
        (lambda: closed_loop(A, 3), ValueError, r"shape \(5, 7\): give \(N, K, D\)"),
        (lambda: closed_loop(A[:, None], 3), ValueError, "two in each loop at least"),
        (lambda: closed_loop(A[None], 0), ValueError, "steps=0 must be at least 1"),
    ],
)
def test_what_is_refused(call, error, says):
    with pytest.raises(error, match=says):
        call()
