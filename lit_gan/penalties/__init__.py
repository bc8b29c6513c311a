"""Penalties: regularisation terms, each a scalar added to one player's loss.

``LitGAN(penalties={"r1": R1(weight=10)})`` takes them by name; this one is logged as ``penalty/r1``.
"""

from lit_gan.penalties.base import Penalty, Player, Turn
from lit_gan.penalties.classification import AuxiliaryClassifier
from lit_gan.penalties.consistency import Consistency
from lit_gan.penalties.gradient import DRAGAN, R1, R2, WGANGP
from lit_gan.penalties.reconstruction import Reconstruction
from lit_gan.penalties.statistics import LeCam, PathLength
from lit_gan.penalties.weights import OrthogonalWeights

__all__ = [
    "DRAGAN",
    "R1",
    "R2",
    "WGANGP",
    "AuxiliaryClassifier",
    "Consistency",
    "LeCam",
    "OrthogonalWeights",
    "PathLength",
    "Penalty",
    "Player",
    "Reconstruction",
    "Turn",
]
