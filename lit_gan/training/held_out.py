"""Metrics of the game on held-out data: V(G, D), its bound on the JSD, and the discriminator's accuracy."""

from dataclasses import dataclass

import torch
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from torch import Tensor

from lit_gan.losses import AdversarialLoss
from lit_gan.theory import accuracy, calibrate, jsd_lower_bound, value
from lit_gan.training.distributed import gather_rows
from lit_gan.training.noise import Noise
from lit_gan.training.players import Players

__all__ = ["DensityRatios", "HeldOut", "density_ratios"]


class HeldOut:
    """Logits of held-out images and of as many generated ones, from latents that are the same in each validation.

    Args:
        noise: of the run; gives the distribution and the length of the latents.
        rank: of this process.
        world_size: number of processes, among which the images are dealt.
    """

    def __init__(self, noise: Noise, rank: int, world_size: int) -> None:
        self._noise, self._rank, self._world_size = noise, rank, world_size
        self._real: list[Tensor] = []
        self._fake: list[Tensor] = []
        self._rng = torch.Generator().manual_seed(0)  # separate: training's random state does not change

    def judge(self, players: Players, real: Tensor, labels: Tensor | None) -> Tensor:
        """Add the logits of a batch, and of as many images generated with its labels; return these images."""
        z = self._noise.latents_from(self._rng, real, self._rank, self._world_size)
        fake = players.generate(z, labels)
        self._real.append(players.judge(real, labels))
        self._fake.append(players.judge(fake, labels))
        return fake

    def logits(self) -> tuple[Tensor, Tensor]:
        """Return the logits of the real and of the generated images of all processes, ``(N,)`` each."""
        real, fake = (torch.cat(part).cpu() if part else torch.empty(0) for part in (self._real, self._fake))
        return (gather_rows(real), gather_rows(fake)) if self._world_size > 1 else (real, fake)

    def metrics(self, loss: AdversarialLoss) -> dict[str, Tensor]:
        """Return :meth:`DensityRatios.metrics` over all processes; for fewer than four logits warn, and return {}."""
        real, fake = self.logits()
        if len(real) < 4:
            rank_zero_warn(
                f"{len(real)} held-out images are too few to measure V(G, D) (a pack counts as one): give four or more"
            )
            return {}
        return density_ratios(loss, real, fake).metrics()


@dataclass(frozen=True)
class DensityRatios:
    """Log density ratios log p_data/p_g that a discriminator's logits give, in nats, float64, on the CPU.

    Args:
        real: of held-out real images, ``(N,)``.
        fake: of generated images, ``(M,)``.
        others: of other images.
        calibrated: whether the ratios are a fitted slope times the logits plus a fitted offset.
    """

    real: Tensor
    fake: Tensor
    others: Tensor
    calibrated: bool

    def metrics(self) -> dict[str, Tensor]:
        """Return V(G, D), its lower bound on the Jensen–Shannon divergence, and the discriminator's accuracy.

        Returns:
            ``value`` (nats, −log 4 at the equilibrium), ``jsd_lower_bound`` (nats), ``d_accuracy`` (½ by chance), and
            ``calibrated`` = 1 if slope and offset were fitted. Scalars in float64.
        """
        v = value(self.real, self.fake)
        metrics = {"value": v, "jsd_lower_bound": jsd_lower_bound(v), "d_accuracy": accuracy(self.real, self.fake)}
        return {**metrics, "calibrated": torch.ones(())} if self.calibrated else metrics


_NO_LOGITS = torch.empty(0)


def density_ratios(
    loss: AdversarialLoss, real_logits: Tensor, fake_logits: Tensor, other_logits: Tensor = _NO_LOGITS
) -> DensityRatios:
    """Return ``loss.log_ratio`` of the logits or, if that is None or infinite, logits calibrated to log ratios.

    A calibration fits slope and offset on every second real and fake logit, and only the others are returned.

    Args:
        loss: the game that trained the discriminator.
        real_logits: of held-out real images, ``(N,)``, the discriminator in evaluation mode.
        fake_logits: of images of the raw generator, ``(M,)``.
        other_logits: of any other images; not used to fit.
    """
    real, fake, others = (x.cpu().double() for x in (real_logits, fake_logits, other_logits))  # MPS has no float64
    ratios = [loss.log_ratio(x) for x in (real, fake, others)]
    known = [ratio for ratio in ratios if ratio is not None and not ratio.isinf().any()]
    if len(known) == len(ratios):
        return DensityRatios(known[0], known[1], known[2], calibrated=False)
    slope, offset = calibrate(real[::2], fake[::2])
    real, fake = real[1::2], fake[1::2]
    return DensityRatios(slope * real + offset, slope * fake + offset, slope * others + offset, calibrated=True)
