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
    """A network whose weights are used as W/σ(W), σ the largest singular value: no layer stretches by more than 1.

    σ comes from one step of power iteration at each pass in training mode; the vectors that it goes on from are
    buffers, saved with the weights. A kernel (out, in, h, w) counts as the matrix (out, in·h·w). Torch refuses to
    pickle such layers, so a pickled network is its arguments and its state, and is built anew: a subclass keeps its
    arguments as attributes.

    Reference: arXiv:1802.05957, section 2.1, and algorithm 1 of appendix A.
    """

    def normalise(self, *kinds: type[nn.Module]) -> None:
        """Normalise every layer of ``kinds``, once, at the end of ``__init__``; convolutions, linear and embeddings."""
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
    with torch.device("meta"):  # draws no random numbers
        network = cls(**options)
    network.load_state_dict(state, assign=True)
    for name in frozen:
        network.get_parameter(name).requires_grad_(False)
    return network.train(training)
