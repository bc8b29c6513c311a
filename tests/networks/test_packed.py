"""Packed: k samples at a time, one logit for each pack."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from lit_gan import LitGAN
from lit_gan.callbacks import EquilibriumMonitor
from lit_gan.data import GaussianMixture
from lit_gan.networks import DCGANDiscriminator, MLPDiscriminator, MLPGenerator, Packed
from tests.support.small import trainer


class Sum(nn.Module):
    def forward(self, x):
        self.seen = x
        return x.flatten(1).sum(1)


def test_samples_that_follow_one_another_are_judged_together():
    packed = Packed(Sum(), 3)
    x = torch.arange(6.0)[:, None]
    assert_close(packed(x), torch.tensor([0.0 + 1 + 2, 3 + 4 + 5]))
    assert_close(packed.discriminator.seen, x.reshape(2, 3))


def test_a_batch_that_is_not_divided_is_filled_up_with_its_first_samples():
    x = torch.arange(5.0)[:, None]
    assert_close(Packed(Sum(), 3)(x), torch.tensor([3.0, 3 + 4 + 0]))
    assert_close(Packed(Sum(), 4)(x[1:2]), torch.tensor([4.0]))


def test_images_are_stacked_along_their_channels():
    images = torch.randn(4, 3, 8, 8)
    packed = Packed(DCGANDiscriminator(8, channels=6, width=4), 2)
    assert packed(images).shape == (2,)
    other = Packed(Sum(), 2)
    other(images)
    assert_close(other.discriminator.seen[1], torch.cat([images[2], images[3]]))


def game(k=2) -> LitGAN:
    return LitGAN(MLPGenerator(features=2, latent_dim=2, width=8), Packed(MLPDiscriminator(features=2 * k, width=8), k))


def test_a_packed_game_trains_is_labelled_and_rebuilt(tmp_path):
    gan, monitor = game(3), EquilibriumMonitor(every_n_steps=4, n=64)
    data = GaussianMixture(std=0.2, train_size=512, held_out_size=64, batch_size=32)
    fitted = trainer(tmp_path, callbacks=[monitor], max_steps=4, max_epochs=-1, val_check_interval=4)
    fitted.fit(gan, data)
    assert fitted.callback_metrics["val/packed"] == 3, "V compares packs of three"
    assert monitor.history[-1]["packed"] == 3
    fitted.save_checkpoint(tmp_path / "x.ckpt")
    again = LitGAN.load_from_checkpoint(tmp_path / "x.ckpt")
    assert again.pack == 3
    assert_close(again.logits(torch.ones(6, 2)), gan.logits(torch.ones(6, 2)))


def test_a_discriminator_of_other_channels_is_refused_before_training(tmp_path):
    gan = LitGAN(MLPGenerator(features=2, latent_dim=2, width=8), Packed(MLPDiscriminator(features=2, width=8), 2))
    with pytest.raises(ValueError, match=r"takes 2 inputs, it was given 4.*to k times as many"):
        trainer(tmp_path).fit(gan, GaussianMixture(train_size=64, held_out_size=8, batch_size=8))


def test_a_discriminator_of_classes_is_refused():
    with pytest.raises(
        ValueError, match="discriminator has num_classes=10, and packs are judged without: leave it out"
    ):
        Packed(MLPDiscriminator(features=4, num_classes=10), 2)


def test_no_pack_is_refused():
    with pytest.raises(ValueError, match="k=0 must be at least 1"):
        Packed(Sum(), 0)
