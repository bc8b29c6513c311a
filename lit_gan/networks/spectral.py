"""Spectral normalisation of a whole network (Miyato et al. 2018, arXiv:1802.05957)."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from typing_extensions import Self

from lit_gan._utils.representation import argument_names

__all__ = ["SpectrallyNormalised"]


class SpectrallyNormalised(nn.Module):
    """A network that divides each weight W by its largest singular value σ(W).

    This bounds the Lipschitz constant of each layer, by 1 if it is linear. σ is estimated by one step of power
    iteration at each pass in training mode; the singular vectors are buffers, saved with the weights. A kernel
    (out, in, h, w) is taken as the matrix (out, in·h·w). Torch refuses to pickle such layers, so pickling stores the
    network's arguments and state, from which unpickling builds it again: a subclass must keep its arguments as
    attributes.

    Reference: arXiv:1802.05957, section 2.1, and algorithm 1 of appendix A.
    """

    def normalise(self, *kinds: type[nn.Module]) -> None:
        """Normalise all layers of ``kinds`` (default: Conv2d, Linear, Embedding); for the end of ``__init__``, once."""
        for module in list(self.modules()):
            if isinstance(module, kinds or (nn.Conv2d, nn.Linear, nn.Embedding)):
                spectral_norm(module)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        twin = memo[id(self)] = type(self).__new__(type(self))
        twin.__dict__ = copy.deepcopy(self.__dict__, memo)
        return twin

    def __reduce__(self) -> tuple[Any, ...]:
        options = {name: getattr(self, name) for name in argument_names(type(self))}
        frozen = [name for name, parameter in self.named_parameters() if not parameter.requires_grad]
        return _built, (type(self), options, self.state_dict(), self.training, frozen)


def _built(
    cls: type[nn.Module], options: dict[str, Any], state: dict[str, Tensor], training: bool, frozen: list[str]
) -> nn.Module:
    """Build the network of a pickle again from its arguments and state."""
    with torch.device("meta"):  # draws no random numbers
        network = cls(**options)
    network.load_state_dict(state, assign=True)
    for name in frozen:
        network.get_parameter(name).requires_grad_(False)
    return network.train(training)
