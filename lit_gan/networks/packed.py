"""PacGAN: a discriminator that judges several samples together, and so sees a lack of variety."""

import torch
from torch import Tensor, nn

from lit_gan._utils.arguments import at_least_one, instance_of
from lit_gan._utils.errors import LitGANError
from lit_gan._utils.representation import as_arguments

__all__ = ["Packed"]


class Packed(nn.Module):
    """D(x₁, …, x_k): k samples of one kind at a time, one after another along the channels; one logit for each pack.

    A batch that k does not divide is filled up with its first samples. What the discriminator compares are packs, so
    V(G, D) bounds the JSD of the distributions of k samples, which is larger than that of one.

    Args:
        discriminator: without classes; takes k times the channels of an image, ``(N, k·C, H, W)``, or k times the
            features of a vector.
        k: samples in a pack; 2 to 4 in the paper.

    Raises:
        TypeError: a discriminator that is no Module.
        ValueError: k below 1, or a discriminator of classes; at the forward pass, what the discriminator refuses.

    Reference: Lin et al. 2017, arXiv:1712.04086, section 2.
    """

    extra_repr = as_arguments

    def __init__(self, discriminator: nn.Module, k: int = 2) -> None:
        super().__init__()
        instance_of("discriminator", discriminator, nn.Module, "DCGANDiscriminator(channels=6)")
        at_least_one(k=k)
        classes = getattr(discriminator, "num_classes", None)
        if classes is not None:
            raise LitGANError(f"discriminator has num_classes={classes}, and packs are judged without: leave it out")
        self.discriminator, self.k = discriminator, k

    def forward(self, images: Tensor) -> Tensor:
        """Map images ``(N, C, H, W)`` or vectors ``(N, D)`` to the logits of ⌈N/k⌉ packs."""
        missing = -len(images) % self.k
        whole = torch.cat([images, images[torch.arange(missing) % len(images)]]) if missing else images
        logits: Tensor = self.discriminator(whole.reshape(-1, self.k * whole.shape[1], *whole.shape[2:]))
        return logits
