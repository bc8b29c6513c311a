"""The exponential moving average (EMA) of a generator's weights."""

import copy

import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized
from torch.optim.swa_utils import get_ema_multi_avg_fn

from lit_gan._utils.arguments import positive
from lit_gan._utils.errors import LitGANError

__all__ = ["start_average", "update_average"]


def start_average(network: nn.Module) -> nn.Module:
    """Return a copy of ``network`` in evaluation mode, with parameters that require no gradient.

    Raises:
        ValueError: a network that cannot be copied.
    """
    try:
        return copy.deepcopy(network).requires_grad_(False).eval()
    except RuntimeError as error:
        raise LitGANError(
            f"{type(network).__name__} cannot be copied for the moving average: use torch.nn.utils.parametrizations "
            "(its spectral_norm can be copied, the older one cannot), or set ema_half_life=None"
        ) from error


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, images: int, half_life: float) -> None:
    """Move ``average`` towards ``network``: avg ← network + (avg − network) · ½^(images/half_life).

    Parameters are averaged. Buffers (the statistics of batch norm) are copied, except those of parametrizations: the
    vectors of spectral normalisation follow the averaged weights, by one step of power iteration at each update.

    Args:
        average: changed in place; made by :func:`start_average`.
        network: the network that is trained; not changed.
        images: images seen since the last update, over all devices.
        half_life: images after which ½ of the distance is left, if ``network`` stays as it is; > 0.

    Raises:
        ValueError: a half-life that is not positive, of a schedule for instance.

    Reference: Karras et al. 2017, arXiv:1710.10196, appendix A.1; the half-life in images is StyleGAN's.
    """
    positive(ema_half_life=half_life)
    move = get_ema_multi_avg_fn(0.5 ** (images / half_life))
    move(list(average.parameters()), list(network.parameters()), None)
    for (name, kept), buffer in zip(average.named_buffers(), network.buffers(), strict=True):
        if "parametrizations." not in name:
            kept.copy_(buffer)
    _follow_parametrizations(average)


def _follow_parametrizations(average: nn.Module) -> None:
    """Compute parametrized weights once in training mode, so that spectral normalisation takes its step."""
    for module in average.modules():
        if is_parametrized(module):
            with torch.autocast(next(module.parameters()).device.type, enabled=False):
                for name, parametrization in module.parametrizations.items():  # type: ignore[operator, union-attr]
                    parametrization.train()
                    getattr(module, name)
                    parametrization.eval()
