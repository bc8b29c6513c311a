"""The mathematics of GANs as functions, in nats: divergences, the game and its optimum, likelihood, calibration.

Distributions are tensors of probabilities that sum to one, or densities on a grid together with the size of its cells.
In a game p is p_data and q is p_g.
"""

from lit_gan.theory.calibration import accuracy, calibrate, calibration_error
from lit_gan.theory.divergences import (
    DIVERGENCES,
    Divergence,
    DivergenceName,
    f_divergence,
    find_divergence,
    js_divergence,
    kl_divergence,
    variational_bound,
)
from lit_gan.theory.game import (
    EQUILIBRIUM_VALUE,
    cross_entropy,
    expected_value,
    jsd_lower_bound,
    optimal_discriminator,
    training_criterion,
    value,
)
from lit_gan.theory.intervals import accuracy_p_value, jsd_interval
from lit_gan.theory.likelihood import log_likelihood, log_normaliser, pushforward_density
from lit_gan.theory.mixtures import Mixture

__all__ = [
    "DIVERGENCES",
    "EQUILIBRIUM_VALUE",
    "Divergence",
    "DivergenceName",
    "Mixture",
    "accuracy",
    "accuracy_p_value",
    "calibrate",
    "calibration_error",
    "cross_entropy",
    "expected_value",
    "f_divergence",
    "find_divergence",
    "js_divergence",
    "jsd_interval",
    "jsd_lower_bound",
    "kl_divergence",
    "log_likelihood",
    "log_normaliser",
    "optimal_discriminator",
    "pushforward_density",
    "training_criterion",
    "value",
    "variational_bound",
]
