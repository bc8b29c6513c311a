"""PrecisionRecall and DensityCoverage: do samples lie where the data are, and the data where samples are?"""

import torch
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from lit_gan._utils.arguments import at_least_one, instance_of
from lit_gan._utils.errors import LitGANError
from lit_gan._utils.representation import as_arguments
from lit_gan.extractors.features import check_width, checked, features_of
from lit_gan.metrics.distances import centred, radii, squared_distances
from lit_gan.metrics.named import NamedMetric

__all__ = ["DensityCoverage", "PrecisionRecall"]


class _Manifolds(NamedMetric, Metric):
    """Keeps the features of real and of fake samples.

    Args:
        feature: network that maps samples to features ``(N, D)``; None where features themselves are given.
        k: the neighbour that a ball reaches to, ≥ 1.
    """

    is_differentiable = False
    higher_is_better = None
    full_state_update = False
    real: list[Tensor]
    fake: list[Tensor]
    extra_repr = as_arguments
    names_scores = True

    def __init__(self, feature: nn.Module | None, k: int) -> None:
        super().__init__()
        at_least_one(k=k)
        if feature is not None:
            instance_of("feature", feature, nn.Module, "a network that maps samples to features (N, D)")
        self.feature, self.k = feature, k
        self.add_state("real", [], dist_reduce_fx="cat")
        self.add_state("fake", [], dist_reduce_fx="cat")

    def update(self, samples: Tensor, real: bool) -> None:
        """Keep the features of samples, in float32.

        Args:
            samples: what ``feature`` takes; features ``(N, D)``, float, where it is None.
            real: whether they are samples of p_data, or of p_g.

        Raises:
            ValueError: as the class says.
        """
        features = features_of(samples, self.feature).to(self.device, torch.float32)
        checked(features, len(samples), self.feature)  # once more: what float64 holds may be infinite now
        check_width(features, before=next((kind[0].shape[1] for kind in (self.real, self.fake) if kind), 0))
        for kind in (self.real, self.fake):
            if not kind:  # processes gather tensors of one shape and type, from the one that lacks a kind as well
                kind.append(features[:0])
        (self.real if real else self.fake).append(features)

    def _compared(self, fewest_fake: int) -> tuple[Tensor, Tensor]:
        """Return all features, real and fake, centred in float64."""
        real, fake = (dim_zero_cat(kind) if len(kind) else torch.empty(0, 0) for kind in (self.real, self.fake))
        if len(real) <= self.k or len(fake) < fewest_fake:
            raise LitGANError(
                f"there are {len(real)} real and {len(fake)} fake samples, and k={self.k} takes {self.k + 1} real and "
                f"{fewest_fake} fake ones at least"
            )
        return centred(real, fake)

    def _scalars(self, **scores: float) -> dict[str, Tensor]:
        return {name: torch.tensor(score, dtype=torch.float32, device=self.device) for name, score in scores.items()}


class PrecisionRecall(_Manifolds):
    """Precision, the share of fake samples that lie among the real ones, and recall, the share of real among the fake.

    A sample φ lies among the samples Φ where ‖φ − φ′‖ ≤ ‖φ′ − NNₖ(φ′, Φ)‖ for a φ′ of Φ, NNₖ being the k-th nearest
    of the others of Φ: in the ball around one of them that reaches to its k-th neighbour.

    - ``precision``: mean over φ_g of 1{φ_g lies among the Φ_r}. A generator that shows one good image over and over has
      a precision of 1.
    - ``recall``: mean over φ_r of 1{φ_r lies among the Φ_g}. Such a generator has a recall near 0.

    Both are 1 where real and fake samples are the same. Copies are neighbours at the distance 0, so that k + 1 copies
    of a point have balls of that point alone, in which other copies lie. Both rise with k and fall with the number of
    samples: compare scores of the same numbers only; the paper takes 50,000 of each, k = 3 and features of VGG-16.
    Distances are computed in float64, a block at a time. Every process must have seen samples; each compares all of
    them. Call ``update`` and ``compute``: the metric called as a function would judge one batch, of one kind.

    Args:
        feature: network that maps samples to features ``(N, D)``, used in evaluation mode; None where features
            themselves are given.
        k: the neighbour that a ball reaches to, ≥ 1.

    Raises:
        TypeError: ``feature`` is no network, or ``k`` no whole number.
        ValueError: ``k`` below 1; at update, features that are not ``(N, D)``, of another D than those before, or not
            finite; at compute, fewer than k + 1 samples of a kind.

    Reference: Kynkäänniemi et al. 2019, arXiv:1904.06991, equations 1 and 2.
    """

    score_name = "precision_recall"

    def __init__(self, feature: nn.Module | None = None, k: int = 3) -> None:
        super().__init__(feature, k)

    def compute(self) -> dict[str, Tensor]:
        """Compare all samples seen.

        Returns:
            ``precision`` and ``recall``, in [0, 1].

        Raises:
            ValueError: fewer than k + 1 samples of a kind.
        """
        real, fake = self._compared(fewest_fake=self.k + 1)
        real_radii, fake_radii = radii(real, self.k), radii(fake, self.k)
        precise = torch.zeros(len(fake), dtype=torch.bool, device=fake.device)
        recalled = 0
        for rows, distances in squared_distances(real, fake, at_most=False):
            precise |= (distances <= real_radii[rows, None]).any(0)
            recalled += int((distances <= fake_radii).any(1).sum())
        return self._scalars(precision=int(precise.sum()) / len(fake), recall=recalled / len(real))


class DensityCoverage(_Manifolds):
    """Density, how many balls around real samples a fake one lies in, over k, and coverage, the share that holds one.

    The ball Bᵢ around the real sample xᵢ reaches to the k-th nearest of the other real ones; yⱼ are M fake samples.

    - ``density`` = Σⱼ Σᵢ 1{yⱼ ∈ Bᵢ} / (k·M). Its expectation is 1 where both kinds have one distribution without
      atoms; above 1, fake samples crowd where real ones are dense.
    - ``coverage`` = mean over i of 1{some yⱼ ∈ Bᵢ}. Where both kinds have one distribution its expectation is
      1 − Π (N − i)/(N + M − i), i from 1 to k: 0.97 for many samples, as many of each, and k = 5.

    Where fake samples are the real ones, coverage is 1 and density (k + 1)/k; where all N are one point, coverage is 1
    and density N/k, by the formula: copies in the data weigh more than their share. Unlike precision and recall, both
    are robust against outliers, as there are no balls around fake samples. Both depend on the numbers of samples.
    Distances are computed in float64, a block at a time. Every process must have seen samples; each compares all of
    them. Call ``update`` and ``compute``: the metric called as a function would judge one batch, of one kind.

    Args:
        feature: network that maps samples to features ``(N, D)``, used in evaluation mode; None where features
            themselves are given.
        k: the neighbour that a ball reaches to, ≥ 1.

    Raises:
        TypeError: ``feature`` is no network, or ``k`` no whole number.
        ValueError: ``k`` below 1; at update, features that are not ``(N, D)``, of another D than those before, or not
            finite; at compute, fewer than k + 1 real samples, or no fake one.

    Reference: Naeem et al. 2020, arXiv:2002.09797, section 3.
    """

    score_name = "density_coverage"

    def __init__(self, feature: nn.Module | None = None, k: int = 5) -> None:
        super().__init__(feature, k)

    def compute(self) -> dict[str, Tensor]:
        """Compare all samples seen.

        Returns:
            ``density``, ≥ 0, and ``coverage``, in [0, 1].

        Raises:
            ValueError: fewer than k + 1 real samples, or no fake one.
        """
        real, fake = self._compared(fewest_fake=1)
        real_radii = radii(real, self.k)
        covered = inside = 0
        for rows, distances in squared_distances(real, fake, at_most=False):
            # Deviation: ≤ where the authors' code has <, by which equal features would score 0; it decides ties alone.
            in_ball = distances <= real_radii[rows, None]
            inside += int(in_ball.sum())
            covered += int(in_ball.any(1).sum())
        return self._scalars(density=inside / (self.k * len(fake)), coverage=covered / len(real))
