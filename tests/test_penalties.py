"""Gradient penalties are exact on a critic whose gradient is known."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from lit_gan import penalties
from lit_gan.penalties import R1, R2, Penalty, Turn

PENALTIES = [
    cls
    for cls in (getattr(penalties, n) for n in penalties.__all__)
    if isinstance(cls, type) and issubclass(cls, Penalty) and cls is not Penalty
]


def turn(critic, real, fake) -> Turn:
    real, fake = real.clone().requires_grad_(), fake.clone().requires_grad_()
    return Turn(real, fake, torch.zeros(len(fake), 1), None, critic(real)[:, 0], critic(fake)[:, 0], critic)


def linear_turn(weight):
    critic = nn.Linear(len(weight), 1).double()
    critic.weight.data[:] = weight
    x = torch.randn(5, len(weight), dtype=torch.float64)
    return critic, turn(critic, x, x + 1)


@pytest.mark.parametrize("cls", [R1, R2])
def test_a_linear_critic_pays_half_weight_times_its_squared_norm(cls):
    weight = torch.tensor([3.0, -4.0], dtype=torch.float64)
    critic, record = linear_turn(weight)
    penalty = cls(weight=6.0)(record)
    assert_close(penalty, torch.tensor(6 / 2 * 25.0, dtype=torch.float64))
    (gradient,) = torch.autograd.grad(penalty, critic.weight)
    assert_close(gradient, 6 * weight[None])


def test_r1_looks_at_real_images_and_r2_at_fakes():
    def critic(x):  # D(x) = x²/2, so ‖∇D(x)‖² = x²
        return x.square() / 2

    record = turn(critic, torch.tensor([[1.0], [3.0]]), torch.tensor([[2.0], [4.0]]))
    assert_close(R1(weight=2.0)(record), torch.tensor(5.0))
    assert_close(R2(weight=2.0)(record), torch.tensor(10.0))


def test_each_sample_of_images_is_summed_over_pixels():
    def critic(x):
        return x.flatten(1).sum(1, keepdim=True)

    record = turn(critic, torch.zeros(3, 2, 4, 4), torch.zeros(3, 2, 4, 4))
    assert_close(R1(weight=2.0)(record), torch.tensor(32.0))


@pytest.mark.parametrize("cls", PENALTIES)
class TestEveryPenalty:
    def test_is_a_scalar_with_a_gradient_and_zero_at_weight_zero(self, cls):
        critic = nn.Sequential(nn.Linear(3, 4), nn.Softplus(), nn.Linear(4, 1))
        x = torch.randn(5, 3)
        penalty = cls()(turn(critic, x, x + 1))
        assert penalty.shape == ()
        assert penalty.isfinite()
        gradients = torch.autograd.grad(penalty, critic.parameters(), allow_unused=True)
        assert any(g is not None and g.abs().sum() > 0 for g in gradients)
        assert cls(weight=0.0)(turn(critic, x, x + 1)) == 0

    def test_passes_a_second_order_gradient_check(self, cls):
        critic = nn.Sequential(nn.Linear(3, 4), nn.Softplus(), nn.Linear(4, 1)).double()
        x = torch.randn(5, 3, dtype=torch.float64)
        weights = tuple(critic.parameters())

        def of_the_weights(*parameters):
            def network(images, labels=None):
                named = dict(zip(dict(critic.named_parameters()), parameters, strict=True))
                return torch.func.functional_call(critic, named, (images,))

            return cls()(turn(network, x, x + 1))

        assert torch.autograd.gradcheck(of_the_weights, weights)

    def test_refuses_what_makes_no_sense(self, cls):
        with pytest.raises(ValueError, match=r"weight=-1.* must not be negative"):
            cls(weight=-1.0)
        with pytest.raises(ValueError, match=r"every=0 must be at least 1"):
            cls(every=0)

    def test_names_formula_and_paper(self, cls):
        assert "arXiv" in cls.__doc__
        assert "E‖" in cls.__doc__
        assert cls.player in ("generator", "discriminator")
