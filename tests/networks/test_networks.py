"""Every network under one roof: shapes, gradients, conditioning, refusals."""

import pytest
import torch
from torch import nn

from lit_gan import networks
from lit_gan.networks import DCGANDiscriminator, DCGANGenerator, MLPDiscriminator, MLPGenerator
from lit_gan.networks.mlp import Waves

FAMILIES = sorted(n.removesuffix("Discriminator") for n in networks.__all__ if n.endswith("Discriminator"))


def pair(family, image_size=16, channels=1, num_classes=None, **options):
    generator, discriminator = (getattr(networks, f"{family}{player}") for player in ("Generator", "Discriminator"))
    shape = {"image_size": image_size, "channels": channels, "num_classes": num_classes, "width": 4}
    return generator(**shape, latent_dim=5), discriminator(**shape, **options)


@pytest.mark.parametrize("family", FAMILIES)
class TestEveryFamily:
    @pytest.mark.parametrize("num_classes", [None, 3])
    @pytest.mark.parametrize("channels", [1, 2, 3])
    @pytest.mark.parametrize("image_size", [16, 28, 32, 64])
    def test_makes_and_judges_images(self, family, image_size, channels, num_classes):
        generator, discriminator = pair(family, image_size, channels, num_classes)
        labels = None if num_classes is None else torch.tensor([0, 2, 1])
        z = torch.randn(3, generator.latent_dim)
        images = generator(z, labels)
        samples = generator.eval()(z, labels)
        assert images.shape == samples.shape == (3, channels, image_size, image_size)
        assert images.min() < images.max()
        assert samples.min() >= -1  # of some, images are unbounded in training
        assert samples.max() <= 1
        logits = discriminator(images, labels)
        assert logits.shape == (3,)
        objective = logits.sum()
        if hasattr(discriminator, "reconstructions"):  # its decoders learn beside the game
            objective = objective + sum((a - b).square().sum() for a, b in discriminator.reconstructions(images))
        objective.backward()
        for network in (generator, discriminator):
            assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())

    def test_classes_matter_only_where_there_are_classes(self, family):
        x, z = torch.randn(2, 1, 16, 16), torch.randn(2, 5)
        for network, inputs in zip(pair(family, num_classes=3), (z, x), strict=True):
            network.eval()
            with torch.no_grad():
                for parameter in network.parameters():  # conditional batch norm starts the same for every class
                    parameter += 0.1 * torch.randn_like(parameter)
            assert not torch.equal(network(inputs, torch.tensor([0, 0])), network(inputs, torch.tensor([1, 1])))
            with pytest.raises(ValueError, match="conditional on 3 classes: pass labels"):
                network(inputs)
        for network, inputs in zip(pair(family), (z, x), strict=True):
            network.eval()
            assert torch.equal(network(inputs, torch.tensor([0, 0])), network(inputs))

    def test_refuses_other_shapes_by_name(self, family):
        generator, discriminator = pair(family)
        with pytest.raises(ValueError, match=r"takes 1×16×16 inputs, it was given 1×32×32"):
            discriminator(torch.zeros(2, 1, 32, 32))
        with pytest.raises(ValueError, match=r"\(2, 7\): this generator takes \(N, 5\)"):
            generator(torch.zeros(2, 7))

    @pytest.mark.parametrize("name", ["channels", "width", "num_classes"])
    def test_refuses_sizes_below_one(self, family, name):
        for player in ("Generator", "Discriminator"):
            with pytest.raises(ValueError, match=f"{name}=0 must be at least 1"):
                getattr(networks, f"{family}{player}")(**{"image_size": 16, "channels": 1, name: 0})


def test_dcgan_at_128_pixels():
    generator, discriminator = pair("DCGAN", 128, 3)
    assert discriminator(generator(torch.randn(2, 5))).shape == (2,)


def test_dcgan_has_the_papers_layers():
    """Figure 1 of arXiv:1511.06434: a 64×64 generator with 1024, 512, 256, 128 features."""
    generator = DCGANGenerator(64, 3, width=128)
    convolutions = [m for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [c.out_channels for c in convolutions] == [1024, 512, 256, 128, 3]
    discriminator = DCGANDiscriminator(64, 3, width=128)
    assert [c.out_channels for c in discriminator.modules() if isinstance(c, nn.Conv2d)] == [128, 256, 512, 1024]


def test_dcgan_starts_at_the_papers_weights():
    torch.manual_seed(0)
    for network in (DCGANGenerator(width=32), DCGANDiscriminator(width=32)):
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)) and module.weight.numel() > 1000:
                assert module.weight.mean().abs() < 0.002
                assert 0.018 < module.weight.std() < 0.022
            if isinstance(module, nn.BatchNorm2d):
                assert (module.weight.mean() - 1).abs() < 0.02


@pytest.mark.parametrize("batch_norm", [True, False])
def test_dcgan_discriminator_with_and_without_batch_norm(batch_norm):
    discriminator = DCGANDiscriminator(16, 1, width=4, batch_norm=batch_norm)
    assert any(isinstance(m, nn.BatchNorm2d) for m in discriminator.modules()) == batch_norm
    x = torch.randn(4, 1, 16, 16)
    alone = torch.cat([discriminator(x[:2]), discriminator(x[2:])])
    assert torch.allclose(discriminator(x), alone, atol=1e-6) != batch_norm, "batch norm couples the batch"


@pytest.mark.parametrize(
    ("size", "named"),
    [(33, "32 or 40"), (7, "8"), (30, "28 or 32"), (36, "32 or 40"), (1500, "1280 or 1536"), (2000, "1792 or 2048")],
)
def test_dcgan_names_the_nearest_sizes_it_can_make(size, named):
    for cls in (DCGANGenerator, DCGANDiscriminator):
        with pytest.raises(ValueError, match=f"image_size={size} is not 4, 5, 6 or 7 doubled: take {named}$"):
            cls(size)


def test_mlp_makes_and_judges_points():
    generator, discriminator = MLPGenerator(features=2, latent_dim=3), MLPDiscriminator(features=2)
    points = generator(100 * torch.randn(500, 3))
    assert points.shape == (500, 2)
    assert points.abs().max() > 1, "unbounded"
    assert discriminator(points).shape == (500,)


@pytest.mark.parametrize("cls", [MLPGenerator, MLPDiscriminator])
def test_mlp_wants_images_or_vectors(cls):
    with pytest.raises(ValueError, match="features=2 is for vectors, image_size=4"):
        cls(image_size=4, channels=1, features=2)
    with pytest.raises(ValueError, match="give features=, or image_size= and channels="):
        cls(image_size=4)


@pytest.mark.parametrize("depth", [1, 8])
def test_mlp_starts_as_wide_as_its_latent_where_asked(depth):
    torch.manual_seed(0)
    z = torch.randn(1000, 32)
    size = {"features": 64, "latent_dim": 32, "width": 512, "depth": depth}
    wide, narrow = (MLPGenerator(**size, he_init=he_init)(z) for he_init in (True, False))
    assert 0.9 < wide.std() < 1.1
    assert narrow.std() < (0.5 if depth == 1 else 0.05)
    assert abs(wide.mean()) < 0.1


def test_mlp_discriminator_sees_waves():
    discriminator = MLPDiscriminator(features=2, width=8, depth=1, waves=3)
    waves = discriminator.layers[1]
    x = torch.randn(4, 2, dtype=torch.float64)
    waves.double()
    angles = x @ waves.waves
    assert torch.equal(waves(x), torch.cat([x, angles.sin(), angles.cos()], 1))
    assert discriminator.layers[2].in_features == waves.features == 8
    assert "waves" in discriminator.layers[1].state_dict(), "drawn at random, so saved"


def test_waves_reach_from_wide_to_narrow():
    """Standard deviations of wave numbers from 0.6 to 6, over √D."""
    torch.manual_seed(0)
    waves = Waves(1000, 3).waves * 1000**0.5
    assert torch.allclose(waves.std(0), torch.tensor([0.6, 0.6 * 10**0.5, 6.0]), rtol=0.08)
