"""How far the game is from its equilibrium, measured on held-out data."""

import torch
from torch import Tensor

from lit_gan.losses import AdversarialLoss
from lit_gan.theory import accuracy, calibrate, jsd_lower_bound, value

__all__ = ["held_out_metrics"]


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
    real_logits, fake_logits = real_logits.double(), fake_logits.double()
    real, fake = loss.log_ratio(real_logits), loss.log_ratio(fake_logits)
    calibrated = {}
    if real is None or fake is None:
        slope, offset = calibrate(real_logits[::2], fake_logits[::2])
        real, fake = (slope * logits[1::2] + offset for logits in (real_logits, fake_logits))
        calibrated = {"calibrated": torch.ones(())}
    v = value(real, fake)
    return {"value": v, "jsd_lower_bound": jsd_lower_bound(v), "d_accuracy": accuracy(real, fake), **calibrated}
