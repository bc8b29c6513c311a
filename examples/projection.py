"""Find the latent of a given picture: python examples/projection.py CKPT PICTURE [OUTPUT].

Gradient descent on several latents at once, in each class of a conditional generator; the nearest image wins. As with
StyleGAN2's authors (arXiv:1912.04958, appendix D) the step size rises and falls, and noise on the latents dies away.
Their w is z here, which any generator has, and in place of LPIPS there is the distance of pixels and, with the extra
``offline-metrics``, of EfficientNet-Lite0's features. OUTPUT shows the picture and what the generator makes of it.
"""

import math
import sys
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize

from lit_gan import LitGAN
from lit_gan._utils.modes import evaluating
from lit_gan.data.images import grid, save_png, to_float
from lit_gan.data.pictures import decode
from lit_gan.metrics.extractors import EfficientNetLite0


def main(checkpoint: str, picture: str, output: str = "projection.png", **options: int) -> tuple[float, float]:
    gan = LitGAN.load_from_checkpoint(checkpoint)
    channels, size, _ = gan.sample(1, 0 if gan.takes_labels else None).shape[1:]
    target = to_float(torch.from_numpy(decode(Path(picture), size, channels, "center").copy()))[None]
    before, after, image = project(gan, target, **options)
    save_png(grid(torch.cat([target, image])), output)
    print(f"Distance {before:.3f} → {after:.3f}, root mean square of pixels in [-1, 1]: {output}")
    return before, after


def project(gan: LitGAN, target: Tensor, starts: int = 10, steps: int = 300) -> tuple[float, float, Tensor]:
    """Return the distance of the nearest image at the start and at the end, and this image."""
    generator = gan.trained_generator().requires_grad_(False)
    network, classes, rng = perceptual(), len(generator.label_counts), torch.Generator().manual_seed(1)
    n = max(starts, classes)
    z, labels = generator.draw(n, torch.arange(n) % classes if classes else None, seed=0)
    optimizer = torch.optim.Adam([z.requires_grad_()])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=steps, pct_start=0.05)
    wanted, before = features(network, target), math.nan
    with evaluating(generator):
        for step in range(steps):
            noise = 0.05 * max(0, 1 - step / (0.75 * steps)) ** 2 * torch.randn(z.shape, generator=rng)
            images = generator(z + noise, labels)
            distances = (images - target).square().flatten(1).mean(1)
            before = distances.min().item() if step == 0 else before
            loss = distances + 0.1 * (features(network, images) - wanted).square().sum(1).flatten(1).mean(1)
            optimizer.zero_grad()
            loss.sum().backward()
            optimizer.step()
            schedule.step()
            if generator.latent == "uniform":
                z.data.clamp_(-1, 1)
    best = loss.argmin()
    return math.sqrt(before), math.sqrt(distances[best].item()), images[best][None].detach()


def perceptual() -> nn.Module | None:
    try:
        return EfficientNetLite0().network
    except ImportError:
        return None


def features(network: nn.Module | None, images: Tensor) -> Tensor:
    """Return directions of features ``(N, C, H, W)``; zeros without a network."""
    if network is None:
        return torch.zeros(len(images), 1, 1, 1)
    large = interpolate(images.expand(-1, 3, -1, -1), (64, 64), mode="bilinear", antialias=True)
    found: Tensor = network.extract_features(127.5 / 128 * large)  # type: ignore[operator]
    return normalize(found, dim=1)


if __name__ == "__main__":
    main(*sys.argv[1:4])
