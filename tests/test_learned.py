"""What the theory says is what LitGAN learns: the examples' claims, one seed each; benchmarks/learned.py has five."""

import pytest

from examples import kl_directions, one_dimension, optimal_discriminator

QUIET = {
    **{"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False},
    "accelerator": "cpu",
}


@pytest.mark.slow
@pytest.mark.parametrize("dimensions", [1, pytest.param(2, marks=pytest.mark.extended)])
def test_d_learns_the_optimal_discriminator(dimensions):
    """Mean |D − D*| ≤ 0.02 under either density, and V(G, D) within 0.01 of −log 4 + 2·JSD, from below."""
    numbers = optimal_discriminator.main(dimensions, pictures=False, **QUIET)
    assert numbers["|D - D*| under p_data"] < 0.02
    assert numbers["|D - D*| under p_g"] < 0.02
    assert 0 <= numbers["C(G) = -log 4 + 2 JSD"] - numbers["V(G, D)"] < 0.01
    assert numbers["C(G) = -log 4 + 2 JSD"] > -1.33, "far from the equilibrium, where D = ½ would do"


@pytest.mark.slow
def test_the_game_ends_at_its_equilibrium():
    numbers = one_dimension.main(pictures=False, **QUIET, limit_val_batches=0)
    assert numbers["JSD(p_data, p_g)"] < 0.01
    assert numbers["|D - 1/2| under p_data"] < 0.05


@pytest.mark.slow
@pytest.mark.parametrize(
    ("divergence", "mean", "std"),
    [
        ("kl", 0.0, (4 + 0.36) ** 0.5),  # moments
        pytest.param("reverse_kl", 1.997, 0.605, marks=pytest.mark.extended),  # a numerical minimum
    ],
)
def test_one_mode_goes_where_the_divergence_sends_it(divergence, mean, std):
    generator = kl_directions.train(divergence, seed=0, **QUIET)
    assert generator.mu.item() == pytest.approx(mean, abs=0.1)
    assert generator.log_sigma.exp().item() == pytest.approx(std, abs=0.1)
