"""The loops that lit_gan is measured against: PyTorch's DCGAN tutorial, and LitGAN's own step written out by hand."""

import copy

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce

__all__ = ["Tuned", "Tutorial", "tutorial_networks"]


def tutorial_networks(width: int, latent_dim: int = 100) -> tuple[nn.Module, nn.Module]:
    """Return the networks of PyTorch's DCGAN tutorial, one layer shorter: 32 px, one channel."""

    def up(a: int, b: int, stride: int, padding: int) -> list[nn.Module]:
        return [nn.ConvTranspose2d(a, b, 4, stride, padding, bias=False), nn.BatchNorm2d(b), nn.ReLU(True)]

    def down(a: int, b: int) -> list[nn.Module]:
        return [nn.Conv2d(a, b, 4, 2, 1, bias=False), nn.BatchNorm2d(b), nn.LeakyReLU(0.2, inplace=True)]

    w = width
    last = nn.ConvTranspose2d(w, 1, 4, 2, 1, bias=False)
    layers = [*up(latent_dim, 4 * w, 1, 0), *up(4 * w, 2 * w, 2, 1), *up(2 * w, w, 2, 1), last, nn.Tanh()]
    first = [nn.Conv2d(1, w, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True)]
    head = [nn.Conv2d(4 * w, 1, 4, 1, 0, bias=False), nn.Sigmoid()]
    networks = nn.Sequential(*layers), nn.Sequential(*first, *down(w, 2 * w), *down(2 * w, 4 * w), *head)
    for module in (m for network in networks for m in network.modules()):
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
    return networks


class Tutorial:
    """The step of pytorch.org/tutorials/beginner/dcgan_faces_tutorial.html."""

    def __init__(self, width: int, latent_dim: int = 100, device: str = "cpu") -> None:
        self.latent_dim, self.device = latent_dim, device
        self.generator, self.discriminator = (net.to(device) for net in tutorial_networks(width, latent_dim))
        self.opt_g, self.opt_d = (
            torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999)) for net in (self.generator, self.discriminator)
        )
        self.bce = nn.BCELoss()

    def step(self, real: Tensor) -> None:
        """Update both players on images in [-1, 1]."""
        n = len(real)
        self.opt_d.zero_grad()
        label = torch.full((n,), 1.0, device=self.device)
        self.bce(self.discriminator(real).view(-1), label).backward()
        fake = self.generator(torch.randn(n, self.latent_dim, 1, 1, device=self.device))
        label.fill_(0.0)
        self.bce(self.discriminator(fake.detach()).view(-1), label).backward()
        self.opt_d.step()
        self.opt_g.zero_grad()
        label.fill_(1.0)
        self.bce(self.discriminator(fake).view(-1), label).backward()
        self.opt_g.step()


class Tuned:
    """LitGAN's step without Lightning: fresh latents in each turn, D's weights out of G's graph, an average of G."""

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        precision: str = "32-true",
        device: str = "cpu",
        fused: bool | None = True,
    ) -> None:
        self.generator, self.discriminator, self.device = generator.to(device), discriminator.to(device), device
        self.latent_dim: int = generator.latent_dim  # type: ignore[assignment]
        self.average = copy.deepcopy(generator).requires_grad_(False)
        self.opt_g, self.opt_d = (
            torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999), fused=fused) for net in (generator, discriminator)
        )
        self.autocast = torch.autocast(torch.device(device).type, torch.bfloat16, enabled=precision == "bf16-mixed")

    def _latents(self, n: int) -> Tensor:
        return torch.randn(n, self.latent_dim, device=self.device)

    def step(self, real: Tensor) -> None:
        """Update both players and the average on images in [-1, 1]."""
        n = len(real)
        with self.autocast:
            with torch.no_grad():
                fake = self.generator(self._latents(n))
            on_real, on_fake = self.discriminator(real).float(), self.discriminator(fake).float()
            loss = bce(on_real, torch.ones_like(on_real)) + bce(on_fake, torch.zeros_like(on_fake))
        self.opt_d.zero_grad()
        loss.backward()
        self.opt_d.step()
        self.discriminator.requires_grad_(False)
        with self.autocast:
            on_fake = self.discriminator(self.generator(self._latents(n))).float()
            loss = bce(on_fake, torch.ones_like(on_fake))
        self.opt_g.zero_grad()
        loss.backward()
        self.opt_g.step()
        self.discriminator.requires_grad_(True)
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.average.parameters()), list(self.generator.parameters()), 1 - 0.5 ** (n / 10_000)
            )
            for kept, buffer in zip(self.average.buffers(), self.generator.buffers(), strict=True):
                kept.copy_(buffer)
