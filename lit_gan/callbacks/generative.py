"""GenerativeMetrics: scores of generated samples in training, validation and test, each with its protocol."""

import json
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities.rank_zero import rank_zero_info, rank_zero_warn
from torch import Tensor, nn
from torchmetrics import Metric

from lit_gan._utils.arguments import at_least, at_least_one
from lit_gan._utils.errors import LitGANError, LitGANTypeError
from lit_gan._utils.files import atomic_write
from lit_gan._utils.state_dicts import digest_of_weights
from lit_gan.callbacks.fixed import loader_of, validating
from lit_gan.callbacks.of_a_gan import GANCallback
from lit_gan.data.base import Split
from lit_gan.gan import LitGAN
from lit_gan.metrics.evaluation import Evaluation, GeneratedSamples, RealSamples, Report
from lit_gan.metrics.evaluation.scores import ScoreName, scorer_for
from lit_gan.metrics.evaluation.sources import up_to
from lit_gan.training import logging
from lit_gan.training.logging import run_folder, training_goes_on

__all__ = ["GenerativeMetrics"]

_FEWEST = 10


class GenerativeMetrics(GANCallback):
    """Callback that scores generated samples against real ones: FID, KID, precision, recall, any torchmetrics metric.

    Logged as ``val/fid``, ``val/kid``, ``val/precision``, …, in ``test`` as ``test/fid``, with the extractor's name as
    a suffix if it is not Inception: ``val/fid_lite0``. ``ModelCheckpoint(monitor="val/fid")`` works. In the run's
    folder ``scores.json`` holds each evaluation with its protocol, which loggers get as hyper-parameters as well.

    All metrics with the same extractor share its features. Generated samples are of fixed latents, of the averaged
    generator if there is one, with classes as frequent as among the real samples, which are read in their own order,
    without flips or class balance. All processes share the work; a sample depends on its number alone, so that neither
    batch size nor number of processes changes a score. The metrics' states of the real samples are kept in memory,
    those of metrics by name on disk as well, under the protocol and a fingerprint of the data, and not in checkpoints.

    Args:
        metrics: names, or metrics that take ``update(samples, real)`` or ``update(samples)``, of uint8 images
            or points. Metrics that hold the same extractor object share its features.
        extractor: of the metrics by name, :class:`lit_gan.extractors.EfficientNetLite0` for instance, or any
            module that maps uint8 images to features ``(N, D)``; None for Inception. Points serve as features directly.
        n_fake: generated samples, ≥ 10.
        n_real: real samples, ≥ 10, a fixed random choice; None for all of the split, which must then have a length.
        split: of the real samples; the literature compares with training data.
        every_n_steps: generator updates between evaluations; None for one in each validation.
        every_n_images: images seen between evaluations, in place of ``every_n_steps``.
        ema: whether to take the averaged generator, if there is one.
        seed: of the latents.
        sets: of generated samples, ≥ 1; the score is their mean, and ``scores.json`` has their standard deviation.
        floor: whether to score other real samples as well, up to ``n_fake`` of validation, or of training if ``split``
            is not ``"train"``: no generator can be expected to score better.
        batch_size: samples generated at a time, which bounds the memory.
        cache: folder of the real samples' statistics; ``$LIT_GAN_CACHE`` or ``~/.cache/lit_gan`` if it is None.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range; before training, an unknown metric or fewer samples than asked for.
        ImportError: the extractor's package is not installed; the message names the extra that installs it.

    Reference: each metric's own; Heusel et al. 2017, arXiv:1706.08500, for the FID.
    """

    def __init__(
        self,
        metrics: Sequence[ScoreName | Metric] = ("fid",),
        extractor: nn.Module | None = None,
        n_fake: int = 10_000,
        n_real: int | None = None,
        split: Split = "train",
        every_n_steps: int | None = None,
        every_n_images: int | None = None,
        ema: bool = True,
        seed: int = 0,
        sets: int = 1,
        floor: bool = False,
        batch_size: int = 256,
        cache: str | None = None,
    ) -> None:
        at_least(_FEWEST, n_fake=n_fake, n_real=n_real)
        at_least_one(every_n_steps=every_n_steps, every_n_images=every_n_images, sets=sets, batch_size=batch_size)
        at_least(0, seed=seed)
        if split not in ("train", "val", "test"):
            raise LitGANError(f'split={split!r} is none of "train", "val" and "test"')
        if every_n_steps is not None and every_n_images is not None:
            raise LitGANError(f"every_n_steps={every_n_steps} and every_n_images={every_n_images}: give one of them")
        if isinstance(metrics, (str, Metric)):
            raise LitGANTypeError(f"metrics={metrics!r}: give a list, [{metrics!r}]")
        self.metrics, self.extractor, self.split = tuple(metrics), extractor, split
        self.n_fake, self.n_real = n_fake, n_real
        self.every_n_steps, self.every_n_images, self.ema, self.seed = every_n_steps, every_n_images, ema, seed
        self.sets, self.floor, self.batch_size, self.cache = sets, floor, batch_size, cache
        self.report: Report | None = None
        self._evaluation: Evaluation | None = None
        self._done = (-1, 0)  # step and images of the last evaluation
        self._scored = False
        self._floor: RealSamples | None = None
        self._counts: Tensor | None = None

    # Hooks that evaluate

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Reset the state from an earlier fit; raise if two of these callbacks log under one name."""
        super().setup(trainer, pl_module, stage)
        self._evaluation, self.report, self._done, self._floor = None, None, (-1, 0), None
        self._scored = False
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        names = [name for c in callbacks if isinstance(c, GenerativeMetrics) for name in c._names()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise LitGANError(
                f"two GenerativeMetrics log {', '.join(twice)}, of which loggers would get the mean: keep one"
            )

    def state_dict(self) -> dict[str, Any]:
        """Return whether the run was scored before: the first validation scores one that was not."""
        return {"scored": self._scored}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore whether the run was scored before."""
        self._scored = state_dict.get("scored") is True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Raise if the evaluation is impossible; log its protocol; warn if the run has no validation to score in."""
        assert isinstance(pl_module, LitGAN)
        self._done = (trainer.global_step, int(pl_module.images_seen))
        with validating(pl_module):
            self._prepare(pl_module)
        if not trainer.enable_validation and self.every_n_steps is None and self.every_n_images is None:
            rank_zero_warn("GenerativeMetrics scores in validations, and this run has none: set every_n_steps")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Evaluate if an evaluation is due, by steps or images."""
        assert isinstance(pl_module, LitGAN)
        step, images = self._done
        due = self.every_n_steps is not None and trainer.global_step % self.every_n_steps == 0
        if self.every_n_images is not None:
            due = pl_module.progress.images_seen // self.every_n_images > images // self.every_n_images
        if due and trainer.global_step != step:
            self._evaluate(pl_module, "val")

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Raise, in ``validate`` and ``test``, if the evaluation is impossible."""
        assert isinstance(pl_module, LitGAN)
        if trainer.state.fn != TrainerFn.FITTING:
            self._prepare(pl_module)

    on_test_start = on_validation_start

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Evaluate in each validation but the sanity check; in a fit by steps or images, only if none was yet."""
        fitting = trainer.state.fn == TrainerFn.FITTING
        elsewhere = fitting and (self.every_n_steps is not None or self.every_n_images is not None)
        if not trainer.sanity_checking and not (self._scored and elsewhere):
            self._evaluate(pl_module, "val")

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Evaluate in the test."""
        self._evaluate(pl_module, "test")

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the last scores and the path of their protocol."""
        if self.report is not None:
            scores = ", ".join(f"{name} {score:.4g}" for name, score in self.report.scores.items())
            where = run_folder(trainer) / "scores.json"
            rank_zero_info(f"Scores at step {self._done[0]}: {scores} ({self.report.says}; protocol in {where})")

    # Evaluations

    def _evaluate(self, model: LightningModule, stage: str) -> None:
        assert isinstance(model, LitGAN)
        trainer = model.trainer
        if trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        undisturbed = validating(model) if trainer.training else nullcontext()  # validations restore random states
        with undisturbed, torch.inference_mode(False), torch.no_grad():
            evaluation = self._prepare(model)
            self.report = evaluation.score([self._samples(model, i) for i in range(self.sets)], self._floor)
        self._done, self._scored = (trainer.global_step, int(model.images_seen)), True
        scores = {f"{stage}/{n}": torch.tensor(s, device=model.device) for n, s in self.report.scores.items()}
        logging.log_metrics(model, scores, int(model.images_seen))
        logging.log_summary(trainer, {f"{stage}/{n}_of": self.report.says for n in self.report.scores})
        folder = run_folder(trainer)  # on every process: they agree on the folder
        if trainer.is_global_zero:
            fitting = trainer.state.fn == TrainerFn.FITTING  # a Trainer that only tests counts from 0
            about = {
                "stage": stage,
                "step": trainer.global_step if fitting else int(model.d_steps) // model.d_steps_per_g_step,
                "images_seen": int(model.images_seen),
                "weights": digest_of_weights(model.trained_generator(self.ema).network),
            }
            with training_goes_on(trainer, path := folder / "scores.json"):
                _append(path, {**about, **self.report.as_plain()})

    def _names(self) -> list[str]:
        """Return the names of metrics and extractor, by which two of these callbacks are told apart."""
        return [name + self._of() for name in self._metric_names()]

    def _metric_names(self) -> list[str]:
        return [metric if isinstance(metric, str) else type(metric).__name__ for metric in self.metrics]

    def _of(self) -> str:
        return "" if self.extractor is None else f" of {type(self.extractor).__name__}"

    def _samples(self, model: LitGAN, number: int) -> GeneratedSamples:
        """Return the ``number``-th set of generated samples, with classes as frequent as among the real ones."""
        return GeneratedSamples(model, self.n_fake, self.seed + number, self.ema, self.batch_size, self._counts)

    def _prepare(self, model: LitGAN) -> Evaluation:
        """Return the evaluation of this run; the first call makes it and logs its protocol."""
        if self._evaluation is None:
            trainer = model.trainer
            real = RealSamples(loader_of(trainer, self.split), self.n_real)
            self._counts = real.label_counts(len(model.label_counts))
            fewest = self.n_fake
            if self.floor:
                self._floor = up_to(loader_of(trainer, "val" if self.split == "train" else "train"), self.n_fake)
                fewest = self._floor.n
                if fewest < self.n_fake:
                    rank_zero_warn(
                        f"the floor has {fewest} real samples, and n_fake={self.n_fake}: its scores are too high"
                    )
            data = getattr(trainer, "datamodule", None)
            scorer = scorer_for(self.metrics, self.extractor, real, fewest, data).to(model.device)
            scorer.look(real.block(0)[:2])  # raises if the extractor cannot take the real samples
            generated = self._samples(model, 0)
            generated.block(0)  # raises if samples cannot be generated
            describes = {"split": self.split, "ema": generated.ema, "seed": self.seed}
            self._evaluation = Evaluation(scorer, real, describes, self.cache)
            facts = {**self._evaluation.protocol, "n_fake": self.n_fake, "sets": self.sets}
            logging.log_facts(trainer, {f"evaluation of {' '.join(self._metric_names())}{self._of()}": facts})
        return self._evaluation


def _append(path: Path, evaluation: dict[str, Any]) -> None:
    """Append an evaluation to the list in a JSON file, which is written atomically."""
    before = _read(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as partial:
        partial.write_text(json.dumps([*before, evaluation], indent=1))


def _read(path: Path) -> list[Any]:
    """Return the list in a JSON file; rename a file that does not hold one, with a warning, and return []."""
    if not path.exists():
        return []
    try:
        before = json.loads(path.read_text())
    except ValueError:
        before = None
    if isinstance(before, list):
        return before
    rank_zero_warn(f"{path} holds no list of scores: it is kept as {path.name}.other")
    path.replace(path.with_name(f"{path.name}.other"))
    return []
