"""ClassifierTwoSample: a test by a classifier of real against generated samples (arXiv:1610.06545)."""

from typing import ClassVar

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from lit_gan._utils.arguments import at_least, at_least_one, within
from lit_gan._utils.errors import LitGANError
from lit_gan._utils.randomness import Stream, derive_seed, seeded
from lit_gan._utils.representation import as_arguments
from lit_gan.data.images import to_uint8
from lit_gan.metrics.classifiers import Pair, classifier_for, logits_of, trained
from lit_gan.metrics.named import NamedMetric, Setting, Takes
from lit_gan.theory import accuracy_p_value, calibrate, jsd_interval, jsd_lower_bound, value

__all__ = ["ClassifierTwoSample"]

_SMALLEST_PART = 5  # real, and fake, samples


class ClassifierTwoSample(NamedMetric, Metric):
    """The accuracy of a classifier trained to tell real from generated samples, and a lower bound of their JSD.

    The samples are split at random: a classifier is trained on one part and tested on the held-out part, n real and n
    generated samples. Its ``accuracy`` t is the share of right answers. If both kinds have one distribution, the number
    of right answers is no more spread than Binomial(2n, ½), so that ``p_value`` = P(Binomial(2n, ½) ≥ 2n·t) is below
    0.05 in at most 5 % of cases. ``jsd_lower_bound`` = (V + log 4)/2 ≤ JSD(p_data‖p_g), where V is the value of the
    game for the log ratios a·logit + b on the held-out part. A quarter of the training part is not trained on: it
    chooses the epoch, by cross-entropy, and fits a and b. A slope a ≤ 0, which chance alone gives, counts as D = ½,
    whose bound is 0 up to rounding.

    Vectors ``(N, D)`` are standardised by the training part's mean and standard deviation and classified by a small
    MLP, which also gets sines and cosines of random projections of them; images ``(N, C, H, W)``, of any size, by a
    small convolutional network. Float images are rounded to the 256 levels of uint8, as saving would do, and values
    outside [-1, 1] become 0 or 255: otherwise the classifier could tell the kinds apart by rounding. If there are more
    samples of one kind, as many as of the other are drawn from them. Every process must have seen samples; all train
    the same classifier on all of them. Call ``update`` and ``compute``, not the metric as a function, which would score
    a single batch.

    Args:
        epochs: passes over the training part; the weights after the best one are used.
        held_out: share of the samples to hold out, in (0, 1).
        level: confidence level of the interval from ``jsd_low`` to ``jsd_high``, in (0, 1).
        seed: seed of the split, the classifier and the bootstrap: on the CPU the same samples give the same scores
            again. The global random states stay as they are.
        max_samples: largest number of samples of each kind to use, drawn at random, which bounds the time; None for
            all.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range; at update, samples that are neither vectors nor images, have another shape
            than those before, or are not finite; at compute, too few samples.

    Reference: Lopez-Paz & Oquab 2017, arXiv:1610.06545, section 3; the bound: Goodfellow et al. 2014, arXiv:1406.2661,
    theorem 1; calibration and interval: :func:`lit_gan.theory.calibrate`, :func:`lit_gan.theory.jsd_interval`.

    Examples:
        >>> import torch
        >>> from lit_gan.metrics import ClassifierTwoSample
        >>> metric = ClassifierTwoSample(epochs=5)
        >>> points = torch.linspace(-1, 1, 40)[:, None]
        >>> metric.update(points, real=True)
        >>> metric.update(points + 100, real=False)  # far away: all 2n = 40 held-out answers are right
        >>> float(metric.compute()["p_value"]) == 0.5**40
        True
    """

    is_differentiable = False
    higher_is_better = None
    full_state_update = False
    real: list[Tensor]
    fake: list[Tensor]
    extra_repr = as_arguments
    score_name = "two_sample"
    takes: ClassVar[Takes] = "samples"

    @classmethod
    def for_scores(cls, setting: Setting) -> Metric:
        """Return the test with at most 2,000 samples of each kind."""
        return cls(max_samples=2000)

    def __init__(
        self,
        epochs: int = 30,
        held_out: float = 0.5,
        level: float = 0.95,
        seed: int = 0,
        max_samples: int | None = None,
    ) -> None:
        super().__init__()
        at_least_one(epochs=epochs, max_samples=max_samples)
        at_least(0, seed=seed)
        within("(0, 1)", held_out=held_out, level=level)
        self.epochs, self.held_out, self.level = epochs, held_out, level
        self.seed, self.max_samples = seed, max_samples
        self.add_state("real", [], dist_reduce_fx="cat")
        self.add_state("fake", [], dist_reduce_fx="cat")

    def update(self, samples: Tensor, real: bool) -> None:
        """Keep samples for :meth:`compute`.

        Args:
            samples: vectors ``(N, D)``, float, or images ``(N, C, H, W)``, uint8 or float in [-1, 1].
            real: True for samples of p_data, False for samples of p_g.

        Raises:
            ValueError: samples that are neither vectors nor images, have another shape than those before, or are not
                finite.
        """
        _check(samples, self.real + self.fake)
        samples = _as_kept(samples.detach().to(self.device))
        for kind in (self.real, self.fake):
            if not kind:  # one shape and type on all processes: they gather both, even from one that lacks them
                kind.append(samples[:0])
        (self.real if real else self.fake).append(samples)

    def compute(self) -> dict[str, Tensor]:
        """Train a classifier, and return its scores on the held-out part.

        Returns:
            ``accuracy`` in [0, 1], ½ for guessing; ``p_value`` in [0, 1]; ``jsd_lower_bound``, ``jsd_low`` and
            ``jsd_high`` in nats, at most log 2: negative ones prove nothing.

        Raises:
            ValueError: fewer than five samples of each kind in the training, validation or held-out part.
        """
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autocast(self.device.type, enabled=False),
            seeded(derive_seed(Stream.TWO_SAMPLE, self.seed)),
        ):
            training, validation, test = _standardised(self._divided())
            network = trained(classifier_for(training[0]), training, validation, self.epochs)
            scores = _scores(logits_of(network, validation), logits_of(network, test), self.level, self.seed)
        return {name: torch.tensor(score, dtype=torch.float32, device=self.device) for name, score in scores.items()}

    def _divided(self) -> tuple[Pair, Pair, Pair]:
        """Return the training, validation and held-out parts, each of as many real as fake samples."""
        counts = [len(dim_zero_cat(kind)) if len(kind) else 0 for kind in (self.real, self.fake)]
        n = min(*counts, self.max_samples or max(counts))
        test = round(n * self.held_out)
        validation = round((n - test) / 4)
        sizes = [n - test - validation, validation, test]
        if min(sizes) < _SMALLEST_PART:
            raise LitGANError(
                f"{counts[0]} real and {counts[1]} fake samples, held_out={self.held_out} and "
                f"max_samples={self.max_samples} leave {sizes} of each kind to train on, to validate and to judge by, "
                f"and none may be below {_SMALLEST_PART}: give more samples"
            )
        real, fake = (_drawn(dim_zero_cat(kind), n).split(sizes) for kind in (self.real, self.fake))
        return (real[0], fake[0]), (real[1], fake[1]), (real[2], fake[2])


def _check(samples: Tensor, before: list[Tensor]) -> None:
    shape = tuple(samples.shape)
    images = samples.ndim == 4 and samples.dtype == torch.uint8
    if not images and not (samples.ndim in (2, 4) and samples.is_floating_point()):
        raise LitGANError(
            f"samples of shape {shape} and type {samples.dtype}: give vectors (N, D), float, or images (N, C, H, W), "
            "uint8 or float in [-1, 1]"
        )
    if before and before[0].shape[1:] != shape[1:]:
        raise LitGANError(
            f"samples of shape {shape[1:]} each after others of {tuple(before[0].shape[1:])}: real and fake ones must "
            "have one shape"
        )
    if not samples.isfinite().all():
        raise LitGANError(
            f"{int((~samples.isfinite()).sum())} numbers of the samples are NaN or infinite: leave them out"
        )


def _as_kept(samples: Tensor) -> Tensor:
    """Return images as uint8, vectors as float32 or float64."""
    if samples.ndim == 4:
        return to_uint8(samples)
    return samples if samples.dtype == torch.float64 else samples.float()


def _drawn(samples: Tensor, n: int) -> Tensor:
    """Return a copy of ``n`` samples in random order: inference tensors themselves could not be trained on."""
    return samples[torch.randperm(len(samples))[:n].to(samples.device)]


def _standardised(parts: tuple[Pair, Pair, Pair]) -> tuple[Pair, Pair, Pair]:
    """Return vectors less the training part's mean, divided by its standard deviation; images unchanged."""
    training = torch.cat(parts[0])
    if training.dtype == torch.uint8:
        return parts
    std, mean = torch.std_mean(training, 0)
    std = torch.where(std > 0, std, 1)

    def standardised(pair: Pair) -> Pair:
        return ((pair[0] - mean) / std).float(), ((pair[1] - mean) / std).float()

    return standardised(parts[0]), standardised(parts[1]), standardised(parts[2])


def _scores(validation: Pair, test: Pair, level: float, seed: int) -> dict[str, float]:
    real, fake = test
    asked = len(real) + len(fake)
    correct = float(asked + real.sign().sum() - fake.sign().sum()) / 2  # exact; a logit of 0 counts half
    ratios = _log_ratios(validation, test)
    low, high = jsd_interval(*ratios, level, seed=seed)
    return {
        "accuracy": correct / asked,
        # Deviation: the exact binomial tail; section 3 has a normal distribution.
        "p_value": accuracy_p_value(correct, asked),
        "jsd_lower_bound": float(jsd_lower_bound(value(*ratios))),
        "jsd_low": low,
        "jsd_high": high,
    }


def _log_ratios(validation: Pair, test: Pair) -> Pair:
    slope, offset = calibrate(*validation)
    if slope <= 0:
        return torch.zeros_like(test[0]), torch.zeros_like(test[1])
    return slope * test[0] + offset, slope * test[1] + offset
