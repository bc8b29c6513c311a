"""PrecisionRecall and DensityCoverage: fidelity and diversity of samples, by nearest neighbours of features."""

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
    """Base class of metrics that keep the features of all real and fake samples.

    Args:
        feature: network that maps samples to features ``(N, D)``; None if the samples given to ``update`` are features.
        k: number of the neighbour that a ball reaches to, ≥ 1.
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
            samples: input of ``feature``; features ``(N, D)``, float, if it is None.
            real: True for samples of p_data, False for samples of p_g.

        Raises:
            ValueError: features that are not ``(N, D)``, have another D than those before, or are not finite.
        """
        features = features_of(samples, self.feature).to(self.device, torch.float32)
        checked(features, len(samples), self.feature)  # again: what is finite in float64 may not be in float32
        check_width(features, before=next((kind[0].shape[1] for kind in (self.real, self.fake) if kind), 0))
        for kind in (self.real, self.fake):
            if not kind:  # one shape and type on all processes: they gather both, even from one that lacks them
                kind.append(features[:0])
        (self.real if real else self.fake).append(features)

    def _compared(self, fewest_fake: int) -> tuple[Tensor, Tensor]:
        """Return all real and all fake features, in float64, less the mean of the real ones."""
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

    A sample φ lies among the samples Φ if ‖φ − φ′‖ ≤ ‖φ′ − NNₖ(φ′, Φ)‖ for some φ′ in Φ, where NNₖ(φ′, Φ) is the k-th
    nearest to φ′ of the others in Φ: φ is in the ball around φ′ that reaches to its k-th neighbour.

    - ``precision``: mean over φ_g of 1{φ_g lies among the Φ_r}. A generator that makes one good image over and over has
      a precision of 1.
    - ``recall``: mean over φ_r of 1{φ_r lies among the Φ_g}. Such a generator has a recall near 0.

    Both are 1 if real and fake samples are the same. Copies are neighbours at the distance 0: the balls of k + 1 copies
    of a point hold that point alone, and so its copies. Both scores rise with k and fall with the number of samples:
    compare them at the same numbers only; the paper takes 50,000 of each, k = 3 and features of VGG-16. Distances are
    computed in float64, a block at a time. Every process must have seen samples; each compares all of them. Call
    ``update`` and ``compute``, not the metric as a function, which would score a single batch.

    Args:
        feature: network that maps samples to features ``(N, D)``, used in evaluation mode; None if the samples given to
            ``update`` are features.
        k: number of the neighbour that a ball reaches to, ≥ 1.

    Raises:
        TypeError: ``feature`` is not a network, or ``k`` not a whole number.
        ValueError: ``k`` below 1; at update, features that are not ``(N, D)``, have another D than those before, or are
            not finite; at compute, fewer than k + 1 real or fake samples.

    Reference: Kynkäänniemi et al. 2019, arXiv:1904.06991, equations 1 and 2.

    Examples:
        >>> import torch
        >>> from lit_gan.metrics import PrecisionRecall
        >>> metric = PrecisionRecall(k=1)
        >>> metric.update(torch.tensor([[0.0], [1.0], [2.0], [3.0]]), real=True)
        >>> metric.update(torch.ones(4, 1), real=False)  # one real sample over and over
        >>> {name: float(score) for name, score in metric.compute().items()}
        {'precision': 1.0, 'recall': 0.25}
    """

    score_name = "precision_recall"

    def __init__(self, feature: nn.Module | None = None, k: int = 3) -> None:
        super().__init__(feature, k)

    def compute(self) -> dict[str, Tensor]:
        """Return the precision and recall of all samples seen.

        Returns:
            ``precision`` and ``recall``, in [0, 1].

        Raises:
            ValueError: fewer than k + 1 real or fake samples.
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
    """Density, how many balls around real samples hold a fake one, over k, and coverage, the share of balls that do.

    The ball Bᵢ around the real sample xᵢ, one of N, reaches to the k-th nearest of the other real ones; yⱼ are M fake
    samples.

    - ``density`` = Σⱼ Σᵢ 1{yⱼ ∈ Bᵢ} / (k·M). Its expectation is 1 if both kinds have one distribution without atoms;
      above 1, fake samples crowd where real ones are dense.
    - ``coverage`` = mean over i of 1{some yⱼ ∈ Bᵢ}. If both kinds have one distribution, its expectation is
      1 − Π (N − i)/(N + M − i), i from 1 to k: 0.97 for many samples, the same number of each, and k = 5.

    If the fake samples are the real ones, coverage is 1 and density (k + 1)/k; if all N are one point, coverage is 1
    and density N/k, by the formula: copies in the data weigh more than their share. Unlike precision and recall, both
    are robust against outliers, as fake samples have no balls. Both depend on the numbers of samples.
    Distances are computed in float64, a block at a time. Every process must have seen samples; each compares all of
    them. Call ``update`` and ``compute``, not the metric as a function, which would score a single batch.

    Args:
        feature: network that maps samples to features ``(N, D)``, used in evaluation mode; None if the samples given to
            ``update`` are features.
        k: number of the neighbour that a ball reaches to, ≥ 1.

    Raises:
        TypeError: ``feature`` is not a network, or ``k`` not a whole number.
        ValueError: ``k`` below 1; at update, features that are not ``(N, D)``, have another D than those before, or are
            not finite; at compute, fewer than k + 1 real samples, or no fake ones.

    Reference: Naeem et al. 2020, arXiv:2002.09797, section 3.

    Examples:
        >>> import torch
        >>> from lit_gan.metrics import DensityCoverage
        >>> metric = DensityCoverage(k=1)
        >>> metric.update(torch.tensor([[0.0], [1.0], [2.0], [3.0]]), real=True)  # balls of radius 1
        >>> metric.update(torch.full((3, 1), 1.5), real=False)  # each in the balls of 1 and 2
        >>> {name: float(score) for name, score in metric.compute().items()}
        {'density': 2.0, 'coverage': 0.5}
    """

    score_name = "density_coverage"

    def __init__(self, feature: nn.Module | None = None, k: int = 5) -> None:
        super().__init__(feature, k)

    def compute(self) -> dict[str, Tensor]:
        """Return the density and coverage of all samples seen.

        Returns:
            ``density``, ≥ 0, and ``coverage``, in [0, 1].

        Raises:
            ValueError: fewer than k + 1 real samples, or no fake ones.
        """
        real, fake = self._compared(fewest_fake=1)
        real_radii = radii(real, self.k)
        covered = inside = 0
        for rows, distances in squared_distances(real, fake, at_most=False):
            # Deviation: ≤; the authors' code has <, by which equal features would score 0. Only ties differ.
            in_ball = distances <= real_radii[rows, None]
            inside += int(in_ball.sum())
            covered += int(in_ball.any(1).sum())
        return self._scalars(density=inside / (self.k * len(fake)), coverage=covered / len(real))
