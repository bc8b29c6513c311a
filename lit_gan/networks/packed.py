"""PacGAN's discriminator of packs of samples, in which mode collapse is visible (arXiv:1712.04086)."""

import torch
from torch import Tensor, nn

from lit_gan._utils.arguments import at_least_one, instance_of
from lit_gan._utils.errors import LitGANError
from lit_gan._utils.representation import as_arguments

__all__ = ["Packed"]


class Packed(nn.Module):
    """D(x₁, …, x_k): one logit for a pack of k samples, all real or all fake, concatenated along the channels.

    If k does not divide the batch size, the batch is filled up with its first samples. The discriminator compares
    packs, so V(G, D) bounds the JSD between the distributions of k samples, which is larger than that of one sample.

    Args:
        discriminator: an unconditional one, whose input has k times the channels of an image, ``(N, k·C, H, W)``, or k
            times the features of a vector.
        k: number of samples in a pack; 2 to 4 in the paper.

    Raises:
        TypeError: a discriminator that is not a Module, or a k that is not an integer.
        ValueError: k below 1, or a conditional discriminator; in ``forward``, an input that the discriminator refuses.

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
