"""Optimizers: RMSprop with its weights put back after each step."""

import functools

import pytest
import torch
from torch.testing import assert_close

from lit_gan import LitGAN
from lit_gan._utils.config import describe_optimizer, rebuild
from lit_gan.losses import Wasserstein
from lit_gan.optim import ClippedRMSprop, GANAdam
from tests.support.small import PlainDiscriminator, PlainGenerator, loader, trainer


def parameter(device: str = "cpu", dtype: torch.dtype = torch.float64) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.linspace(-1, 2, 5, dtype=dtype, device=device))


def test_the_step_is_adams_in_one_kernel():
    ours, theirs = parameter(), parameter()
    optimizers = GANAdam([ours], lr=0.1), torch.optim.Adam([theirs], lr=0.1, betas=(0.5, 0.999), fused=False)
    for _ in range(3):
        for p, optimizer in zip((ours, theirs), optimizers, strict=True):
            p.grad = p.detach().cos()
            optimizer.step()
    assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("groups", "given", "expected"),
    [
        ([parameter()], None, True),
        ([parameter()], False, False),
        ([{"params": [parameter()], "fused": False}], None, False),
        ([("w", parameter())], None, True),
        ([parameter("meta")], None, None),
        ([parameter(dtype=torch.complex64)], None, None),
    ],
    ids=["cpu", "as asked", "as a group asks", "named", "another device", "complex"],
)
def test_one_kernel_is_the_default_where_torchs_is_a_loop(groups, given, expected):
    optimizer = GANAdam(groups, fused=given)
    assert optimizer.param_groups[0]["fused"] is expected
    more = parameter()
    optimizer.add_param_group({"params": [("v", more) if isinstance(groups[0], tuple) else more]})
    assert optimizer.param_groups[1]["fused"] is (True if given is None else given)


def test_the_step_is_rmsprops_and_the_weights_are_put_back():
    start, gradient = torch.tensor([0.5, -0.02, 0.0]), torch.tensor([1.0, -1.0, 2.0])
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    clipped, plain = ClippedRMSprop([ours], lr=0.01, clip=0.05), torch.optim.RMSprop([theirs], lr=0.01)
    ours.grad, theirs.grad = gradient.clone(), gradient.clone()
    clipped.step()
    plain.step()
    assert_close(ours.data, theirs.data.clamp(-0.05, 0.05))
    assert ours[0] == 0.05


def test_a_clipped_critic_stays_clipped_and_is_rebuilt(tmp_path):
    gan = LitGAN(
        PlainGenerator(),
        PlainDiscriminator(),
        Wasserstein(),
        discriminator_optimizer=functools.partial(ClippedRMSprop, lr=0.1, clip=0.03),
    )
    fitted = trainer(tmp_path)
    fitted.fit(gan, loader(torch.rand(24, 1, 4, 4) * 2 - 1))
    largest = [max(p.detach().abs().max() for p in n.parameters()) for n in (gan.discriminator, gan.generator)]
    assert float(largest[0]) == pytest.approx(0.03)
    assert largest[1] > 0.03
    fitted.save_checkpoint(tmp_path / "x.ckpt")
    parts = {"generator": PlainGenerator(), "discriminator": PlainDiscriminator()}
    again = LitGAN.load_from_checkpoint(tmp_path / "x.ckpt", **parts).configure_optimizers()[1]
    assert (type(again), again.param_groups[0]["clip"], again.param_groups[0]["lr"]) == (ClippedRMSprop, 0.03, 0.1)


@pytest.mark.parametrize("factory", [torch.optim.NAdam, functools.partial(torch.optim.Rprop, etas=(0.25, 2.0))])
def test_torchs_own_are_rebuilt_with_their_pairs(factory):
    parameters = [torch.nn.Parameter(torch.zeros(1))]
    again = rebuild(describe_optimizer(factory, parameters), "optimizer")(parameters)
    assert repr(again) == repr(factory(parameters))
