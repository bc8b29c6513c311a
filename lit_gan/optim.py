"""The default optimizer of both players, and the one of the first Wasserstein GAN."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import Adam, Optimizer, RMSprop

__all__ = ["ClippedRMSprop", "GANAdam", "OptimizerFactory"]

OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]
"""Makes an optimizer from a player's parameters: a class, or a class with some arguments given."""


class GANAdam(Adam):
    """Adam with the defaults that made DCGAN train: a low β1, since the game's gradients turn round.

    A class of its own, so that the command can save it in a config and change one number of it
    (``--model.generator_optimizer.lr 1e-4``).

    Args:
        params: the player's parameters.
        lr: learning rate.
        betas: decay of the first and of the second moment, each in [0, 1).
        eps: added to the root of the second moment.
        weight_decay: L2 factor.
        fused: one kernel for all parameters; None leaves the choice to torch.

    Reference: Radford et al. 2015, arXiv:1511.06434, section 4 (lr 0.0002, β1 0.5).
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        fused: bool | None = None,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=fused)


class ClippedRMSprop(RMSprop):
    """RMSprop, after each step of which every weight is put back into [−clip, clip]: a critic that is Lipschitz.

    For the discriminator of :class:`lit_gan.losses.Wasserstein`. WGANGP took its place, because the clipped critic
    tends to very simple functions (arXiv:1704.00028, section 3).

    Args:
        params: the player's parameters.
        lr: learning rate.
        alpha: decay of the second moment, in [0, 1).
        eps: added to its root.
        clip: the largest absolute value of a weight, c > 0.

    Raises:
        ValueError: ``clip`` that is not positive.

    Reference: Arjovsky et al. 2017, arXiv:1701.07875, algorithm 1 (lr 0.00005, c 0.01).
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float = 5e-5,
        alpha: float = 0.99,
        eps: float = 1e-8,
        clip: float = 0.01,
    ) -> None:
        if not clip > 0:
            raise ValueError(f"ClippedRMSprop: clip={clip} must be positive")
        super().__init__(params, lr=lr, alpha=alpha, eps=eps)
        self.defaults["clip"] = clip
        for group in self.param_groups:
            group["clip"] = clip

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Take RMSprop's step, then clip the weights; return what ``closure`` returns."""
        loss = super().step(closure)
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.clamp_(-group["clip"], group["clip"])
        return loss
