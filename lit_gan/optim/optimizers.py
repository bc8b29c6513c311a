"""Optimizers for the players: Adam with DCGAN's defaults, RMSprop with weight clipping; their checks and schedules."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import LBFGS, Adam, Optimizer, RMSprop

from lit_gan._utils.arguments import positive, within
from lit_gan._utils.errors import LitGANError, LitGANTypeError
from lit_gan.schedules import Schedule, value_at

__all__ = ["ClippedRMSprop", "GANAdam", "OptimizerFactory", "follow_schedules", "make_optimizer"]

OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]
"""A callable from a player's parameters to an optimizer: a class, or a ``functools.partial`` of one."""


def make_optimizer(player: str, factory: OptimizerFactory, network: nn.Module) -> Optimizer:
    """Return the optimizer that ``factory`` makes for a player's parameters.

    Args:
        player: ``"generator"`` or ``"discriminator"``, named in errors.
        factory: called with the parameters of ``network``.
        network: the player's network.

    Raises:
        TypeError: ``factory`` does not return an optimizer, or returns LBFGS, which needs several gradients a step.
        ValueError: the optimizer holds other parameters than the player's, or none of the player's requires a gradient.
    """
    if not any(p.requires_grad for p in network.parameters()):
        raise LitGANError(
            f"the {player} ({type(network).__name__}) has no parameter that requires a gradient, so nothing of it "
            "would train: to hold a player still give its optimizer a learning rate of 0"
        )
    optimizer: Any = factory(network.parameters())
    if not isinstance(optimizer, Optimizer) or isinstance(optimizer, LBFGS):
        raise LitGANTypeError(
            f"{player}_optimizer makes {type(optimizer).__name__}: a turn takes one step along one gradient, "
            "give an optimizer of torch's that does, like GANAdam"
        )
    own = {id(p) for p in network.parameters()}
    foreign = sum(id(p) not in own for group in optimizer.param_groups for p in group["params"])
    if foreign:
        raise LitGANError(
            f"{player}_optimizer holds {foreign} tensors that are no parameters of the {player}: "
            "make it from those it is called with"
        )
    for group in optimizer.param_groups:
        group.update({name: _plain(value) for name, value in group.items()})
        group.setdefault("initial_lr", group["lr"])
    return optimizer


def follow_schedules(
    optimizers: Iterable[Optimizer], lr_schedule: Schedule | None, beta2_schedule: Schedule | None, images_seen: int
) -> dict[str, Tensor]:
    """Set the scheduled learning rates and β2 for the images seen so far, and return them by log key.

    Args:
        optimizers: of both players; their learning rates at the first call are the initial ones.
        lr_schedule: factor of the initial learning rates; None leaves the learning rates as they are.
        beta2_schedule: Adam's β2; None leaves it as it is.
        images_seen: real images that the discriminator was shown so far, over all devices.

    Returns:
        ``lr_factor`` and ``beta2``, scalars, each if it has a schedule.

    Raises:
        TypeError, ValueError: a schedule's value is not a number, or out of range.
    """
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    metrics = {}
    if lr_schedule is not None:
        factor = value_at(lr_schedule, images_seen, "[0, ∞)")
        metrics["lr_factor"] = torch.tensor(factor)
        for group in groups:
            group["lr"] = factor * group.setdefault("initial_lr", group["lr"])
    if beta2_schedule is not None:
        beta2 = value_at(beta2_schedule, images_seen, "[0, 1)")
        metrics["beta2"] = torch.tensor(beta2)
        for group in groups:
            group["betas"] = (group["betas"][0], beta2)
    return metrics


def _plain(value: Any) -> Any:
    """Return a NumPy number, or those of a tuple, as Python's, which a weights-only checkpoint can hold."""
    if isinstance(value, tuple):
        return tuple(_plain(part) for part in value)
    return value.item() if isinstance(value, np.generic) else value


class GANAdam(Adam):
    """Adam with the defaults of DCGAN: a low β1, because the gradients of a game change direction.

    As a class it can be written to a config, and the command can change one of its arguments
    (``--model.generator_optimizer.lr 1e-4``).

    Args:
        params: the player's parameters.
        lr: learning rate.
        betas: (β1, β2), decay rates of the first and the second moment, each in [0, 1).
        eps: added to the root of the second moment.
        weight_decay: factor of the L2 penalty, ≥ 0.
        fused: whether one kernel updates all parameters. None means True on the CPU, where torch would loop over the
            parameters, and leaves the choice to torch on other devices.

    Raises:
        TypeError, ValueError: an argument of a wrong type or out of range, or no parameters.

    Reference: Radford et al. 2015, arXiv:1511.06434, section 4 (lr 0.0002, β1 0.5).

    Examples:
        >>> import torch
        >>> from lit_gan.optim import GANAdam
        >>> optimizer = GANAdam(torch.nn.Linear(2, 1).parameters(), lr=1e-4)
        >>> optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["betas"]
        (0.0001, (0.5, 0.999))
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
        within("[0, ∞)", self, lr=lr, eps=eps, weight_decay=weight_decay)
        if len(betas) != 2:
            raise LitGANError(f"GANAdam: betas={betas}: give two, (β1, β2)")
        within("[0, 1)", self, **{f"betas[{i}]": beta for i, beta in enumerate(betas)})
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=fused)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a parameter group, and choose the fused kernel if ``fused`` is None and all of it is on the CPU."""
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        if group["fused"] is None and all(p.device.type == "cpu" and p.is_floating_point() for p in group["params"]):
            group["fused"] = True


class ClippedRMSprop(RMSprop):
    """RMSprop that clips every weight to [−clip, clip] after each step, to keep a critic Lipschitz.

    Give it to the discriminator of :class:`lit_gan.losses.Wasserstein`. :class:`lit_gan.penalties.WGANGP` replaced it,
    because a clipped critic tends to very simple functions (arXiv:1704.00028, section 3).

    Args:
        params: the player's parameters.
        lr: learning rate.
        alpha: decay rate of the second moment, in [0, 1).
        eps: added to the root of the second moment.
        clip: the largest absolute value of a weight, c > 0.

    Raises:
        TypeError, ValueError: an argument of a wrong type or out of range, or no parameters.

    Reference: Arjovsky et al. 2017, arXiv:1701.07875, algorithm 1 (lr 0.00005, c 0.01).

    Examples:
        >>> import torch
        >>> from lit_gan.optim import ClippedRMSprop
        >>> weights = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
        >>> weights.sum().backward()
        >>> ClippedRMSprop([weights]).step()
        >>> weights.data
        tensor([ 0.0100, -0.0100])
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float = 5e-5,
        alpha: float = 0.99,
        eps: float = 1e-8,
        clip: float = 0.01,
    ) -> None:
        within("[0, ∞)", self, lr=lr)
        positive(self, clip=clip)
        super().__init__(params, lr=lr, alpha=alpha, eps=eps)
        self.defaults["clip"] = clip
        for group in self.param_groups:
            group["clip"] = clip

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Take RMSprop's step, then clip the weights; return the loss of ``closure``, or None without one."""
        loss = super().step(closure)
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.clamp_(-group["clip"], group["clip"])
        return loss
