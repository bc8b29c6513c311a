"""How far the game is from its equilibrium, measured on held-out data."""

from typing import TYPE_CHECKING

import torch
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from torch import Tensor

from lit_gan.distributed import gather_rows
from lit_gan.losses import AdversarialLoss
from lit_gan.sampling import dealt_latents
from lit_gan.theory import accuracy, calibrate, jsd_lower_bound, value

if TYPE_CHECKING:
    from lit_gan.module import LitGAN

__all__ = ["HeldOut", "held_out_metrics"]


class HeldOut:
    """Logits of held-out images and of as many generated ones, from latents that are the same in each validation.

    Args:
        rank: of this process.
        world_size: number of processes, among which the images are dealt.
    """

    def __init__(self, rank: int, world_size: int) -> None:
        self._rank, self._world_size = rank, world_size
        self._real: list[Tensor] = []
        self._fake: list[Tensor] = []
        self._rng = torch.Generator().manual_seed(0)  # its own: training is undisturbed

    def judge(self, model: "LitGAN", real: Tensor, labels: Tensor | None) -> None:
        """Add a batch: real images, and images of the raw generator, of the same ``labels``."""
        z = dealt_latents(len(real), model.latent_dim, model.latent, real, self._rng, self._rank, self._world_size)
        self._real.append(model.logits(real, labels))
        self._fake.append(model.logits(model(z, labels), labels))

    def metrics(self, loss: AdversarialLoss) -> dict[str, Tensor]:
        """Return :func:`held_out_metrics` of all images of all processes; none, with a warning, of fewer than four."""
        real, fake = (torch.cat([torch.empty(0), *logits]) for logits in (self._real, self._fake))
        if self._world_size > 1:
            real, fake = gather_rows(real), gather_rows(fake)
        images = len(real)
        if images < 4:
            rank_zero_warn(f"{images} held-out images are too few to measure V(G, D): give four or more")
            return {}
        return held_out_metrics(loss, real, fake)


def held_out_metrics(loss: AdversarialLoss, real_logits: Tensor, fake_logits: Tensor) -> dict[str, Tensor]:
    """Return V(G, D), the lower bound of the Jensen–Shannon divergence it gives, and the discriminator's accuracy.

    They mean something only for a log density ratio: ``loss.log_ratio(logits)``. Where the game fixes none, slope and
    offset are fitted on every second logit, the others are scored, and ``calibrated`` = 1 is added.

    Args:
        loss: the game that trained the discriminator.
        real_logits: of held-out real images, ``(N,)``, the discriminator in evaluation mode.
        fake_logits: of images of the raw generator, ``(M,)``.

    Returns:
        ``value`` (nats, −log 4 at the equilibrium), ``jsd_lower_bound`` (nats), ``d_accuracy`` (½ is guessing), and
        ``calibrated`` where a calibration was made. Scalars in float64.
    """
    real_logits, fake_logits = real_logits.cpu().double(), fake_logits.cpu().double()  # a Mac's GPU has no float64
    real, fake = loss.log_ratio(real_logits), loss.log_ratio(fake_logits)
    calibrated = {}
    if real is None or fake is None:
        slope, offset = calibrate(real_logits[::2], fake_logits[::2])
        real, fake = (slope * logits[1::2] + offset for logits in (real_logits, fake_logits))
        calibrated = {"calibrated": torch.ones(())}
    v = value(real, fake)
    return {"value": v, "jsd_lower_bound": jsd_lower_bound(v), "d_accuracy": accuracy(real, fake), **calibrated}
