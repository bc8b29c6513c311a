"""The default optimizer of both players."""

from collections.abc import Callable, Iterable

from torch import nn
from torch.optim import Adam, Optimizer

__all__ = ["GANAdam", "OptimizerFactory"]

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
