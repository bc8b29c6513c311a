"""EquilibriumMonitor: V(G, D), the bound on the JSD, calibration and coverage, measured during training."""

import json
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.utilities.rank_zero import rank_zero_info, rank_zero_warn
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d
from torch.optim import Optimizer

from lit_gan._utils.arguments import at_least_one
from lit_gan._utils.errors import LitGANError
from lit_gan._utils.files import atomic_write
from lit_gan._utils.modes import evaluating
from lit_gan.callbacks.fixed import FixedSamples, validating
from lit_gan.callbacks.of_a_gan import GANCallback
from lit_gan.callbacks.verdict import Measurement, Verdict, is_measurement, judge
from lit_gan.gan import LitGAN
from lit_gan.metrics.distances import centred, radii, squared_distances
from lit_gan.theory import calibration_error, jsd_interval, value
from lit_gan.training import logging
from lit_gan.training.distributed import gather, gather_rows
from lit_gan.training.held_out import DensityRatios, HeldOut, density_ratios
from lit_gan.training.lightning_compat import find_validation_loaders, validation_precision
from lit_gan.training.loader import ResumableLoader
from lit_gan.training.logging import run_folder, training_goes_on

__all__ = ["EquilibriumMonitor", "coverage"]

_FEWEST = 16  # held-out samples, or packs of them, needed for a measurement
_COMPARED = 256  # samples for spread and coverage


class EquilibriumMonitor(GANCallback):
    """Callback that measures V(G, D), its bound on the JSD, D's calibration, and both players' updates.

    Logged as ``equilibrium/…``, of the raw generator and the discriminator in evaluation mode, on the same samples each
    time (a random choice of the held-out and of the training data; of a stream its first samples):

    - ``value`` and ``value_train``, V(G, D) in nats on held-out and on training data, and ``memorising_gap``, their
      difference;
    - ``jsd_lower_bound`` = (V + log 4)/2 on held-out data, ``jsd_low`` and ``jsd_high``, its 95 % bootstrap interval;
    - ``d_accuracy`` and ``calibration_error`` (:func:`lit_gan.theory.calibration_error`) on held-out data;
    - ``calibrated`` = 1 if the game fixes no log density ratio, so that one was fitted to half of the logits;
      ``augmented`` = 1 if D was trained on augmented samples, whose distributions it compares; ``packed`` = k if it
      judges k samples at a time;
    - ``gradient_norm/g`` and ``/d``, of the last turn before clipping; ``update_to_weight/g`` and ``/d``, ‖Δθ‖/‖θ‖;
    - ``spread``, the standard deviation of samples over that of the data; ``coverage``, the share of held-out samples
      that have a generated one no further away than their fifth neighbour in the data: both of 256 samples, in the
      space of the data, images reduced to 32 × 32 pixels if they are larger.

    :func:`lit_gan.callbacks.verdict.judge` turns them into a verdict. A verdict that the game stalls, diverges,
    collapses or memorises is a warning when it is new; each is written to ``verdicts.jsonl`` in the run's folder, and
    the last one is printed when fit ends and kept in W&B's summary.

    Args:
        every_n_steps: generator updates between measurements.
        n: samples of each kind (training, held-out, generated), over all processes, ≥ 16.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument that is too small.

    Reference: arXiv:1406.2661, theorem 1, for the bound; arXiv:2002.09797, equation 9, for the coverage.
    """

    def __init__(self, every_n_steps: int = 500, n: int = 1024) -> None:
        at_least_one(every_n_steps=every_n_steps)
        if n < _FEWEST:
            raise LitGANError(f"EquilibriumMonitor: n={n} samples say too little: take {_FEWEST} at least")
        self.every_n_steps, self.n = every_n_steps, n
        self.history: list[Measurement] = []
        self.verdict: Verdict | None = None

    @property
    def state_key(self) -> str:
        """Return the class: a Trainer can have one of these callbacks, since two would log under the same names."""
        return type(self).__qualname__

    def state_dict(self) -> dict[str, Any]:
        """Return the measurements so far."""
        return {"history": self.history}

    def _wrote(self, state: dict[str, Any], model: LightningModule) -> bool:
        history = state.get("history")
        return isinstance(history, list) and all(map(is_measurement, history))

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the measurements from a checkpoint."""
        self.history = state_dict["history"]
        self.verdict = judge(self.history) if self.history else None

    # Samples that are measured

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Choose the held-out samples and, unless they are a stream, the training samples; warn if they are too few."""
        assert isinstance(pl_module, LitGAN)
        self._step = trainer.global_step
        if trainer.global_step == 0:
            self.history, self.verdict = [], None
        self._moves = {"g": _Move(), "d": _Move()}
        self._train, self._held_out = FixedSamples(self.n), FixedSamples(self.n)
        with validating(pl_module):
            self._held_out.choose(pl_module, find_validation_loaders(trainer))
            if isinstance(trainer.train_dataloader, ResumableLoader):
                self._train.choose(pl_module, [trainer.train_dataloader])
        self._train_is_whole = isinstance(trainer.train_dataloader, ResumableLoader)
        judged = -(-len(self._held_out) // pl_module.pack)  # number of logits, one for each image or pack
        counts = gather(judged)  # all processes measure or none does: else some would wait forever
        self._measures = sum(counts) >= _FEWEST and min(counts) > 0
        if not self._measures:
            what = "held-out samples" if pl_module.pack == 1 else f"packs of {pl_module.pack} held-out samples"
            found = f"there are {sum(counts)} {what} over {len(counts)} processes"
            rank_zero_warn(
                f"EquilibriumMonitor measures nothing: {found}, and it takes {_FEWEST}, one for each at least"
            )

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Keep the first training samples if they are a stream."""
        assert isinstance(pl_module, LitGAN)
        if not self._train_is_whole:
            self._train_is_whole = self._train.take(pl_module, batch)

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Save a player's weights and gradient norm before each update that is measured."""
        if self._measures and (trainer.global_step + 1) % self.every_n_steps == 0:
            player = "g" if optimizer is trainer.optimizers[0] else "d"
            self._moves[player].begin([p for group in optimizer.param_groups for p in group["params"]])

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Measure at each ``every_n_steps``-th generator update."""
        assert isinstance(pl_module, LitGAN)
        step = trainer.global_step
        if step == self._step or step % self.every_n_steps or not self._measures:
            return
        self._step = step
        numbers = self.measure(pl_module)
        metrics = {f"equilibrium/{name}": torch.tensor(number) for name, number in numbers.items()}
        logging.log_metrics(pl_module, metrics, int(pl_module.images_seen))
        self.history.append({"step": float(step), **numbers})
        self._say(trainer, judge(self.history))

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the last diagnosis."""
        if self.verdict is not None:
            rank_zero_info(f"At step {self.history[-1]['step']:.0f} {self.verdict}")

    def _say(self, trainer: Trainer, verdict: Verdict) -> None:
        is_new = self.verdict is None or verdict.state != self.verdict.state
        self.verdict = verdict
        folder = run_folder(trainer)  # on every process: they agree on the folder
        if trainer.is_global_zero and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            with training_goes_on(trainer, path := folder / "verdicts.jsonl"):
                _append(path, {"step": trainer.global_step, "state": verdict.state, "says": str(verdict)})
        logging.log_summary(trainer, {"equilibrium/verdict": str(verdict)})
        if is_new and verdict.is_bad:
            rank_zero_warn(f"at step {trainer.global_step} {verdict}")

    # Measurements

    @torch.no_grad()
    def measure(self, model: LitGAN) -> Measurement:
        """Return the measurements by name; training's modes and random states are restored afterwards."""
        trainer = model.trainer
        held_out, real, fake = HeldOut(model.noise, trainer.global_rank, trainer.world_size), _Few(), _Few()
        networks = evaluating(model.generator, model.discriminator)
        with validating(model), networks, validation_precision(trainer):
            for images, labels in self._held_out.parts(model):
                real.add(images)
                fake.add(held_out.judge(model.players, images, labels))
            train = [model.logits(images, labels) for images, labels in self._train.parts(model)]
        whole = all(gather(self._train_is_whole))
        train_logits = gather_rows(torch.cat(train)) if whole else torch.empty(0)
        moves = {f"{name}/{p}": x for p, move in self._moves.items() for name, x in move.end().items()}
        return {
            **_judged(density_ratios(model.loss, *held_out.logits(), train_logits)),
            **model.measurement_flags,
            **_compared(real.gathered(), fake.gathered()),
            **moves,
        }


def _judged(ratios: DensityRatios) -> Measurement:
    """Return the measurements of the discriminator's log density ratios."""
    low, high = jsd_interval(ratios.real, ratios.fake, resamples=200)
    numbers: dict[str, Tensor | float] = {
        **ratios.metrics(),
        "jsd_low": low,
        "jsd_high": high,
        "calibration_error": calibration_error(ratios.real, ratios.fake),
    }
    if len(ratios.others):
        v_train = value(ratios.others, ratios.fake)
        numbers |= {"value_train": v_train, "memorising_gap": v_train - numbers["value"]}
    return {name: float(number) for name, number in numbers.items()}


def _compared(real: Tensor, fake: Tensor) -> Measurement:
    """Return spread and coverage, which need no discriminator."""
    spread = fake.std(0).norm() / real.std(0).norm()
    return {"spread": float(spread), "coverage": float(coverage(real, fake))}


class _Few:
    """The first 256 samples, as vectors on the CPU; larger images are first averaged down to 32 × 32 pixels."""

    def __init__(self) -> None:
        self._parts: list[Tensor] = []

    def add(self, samples: Tensor) -> None:
        """Keep samples until there are 256."""
        samples = samples[: _COMPARED - sum(map(len, self._parts))].float()
        if samples.ndim == 4 and max(samples.shape[2:]) > 32:
            samples = adaptive_avg_pool2d(samples, 32)
        self._parts.append(samples.flatten(1).cpu())

    def gathered(self) -> Tensor:
        """Return the samples of all processes, ``(N, D)`` with N ≤ 256."""
        return gather_rows(torch.cat(self._parts))[:_COMPARED]


class _Move:
    """One update of a player: the norm of its gradient, and ‖Δθ‖/‖θ‖."""

    def __init__(self) -> None:
        self._parameters: list[nn.Parameter] = []
        self._before: list[Tensor] = []

    def begin(self, parameters: list[nn.Parameter]) -> None:
        """Save the weights and the gradient norm before the update."""
        self._parameters = parameters
        self._before = [p.detach().clone() for p in parameters]
        self._gradient = _norm([p.grad for p in parameters if p.grad is not None])

    def end(self) -> dict[str, float]:
        """Return both numbers after the update; nothing if none began, or if its gradient was not finite."""
        parameters, before = self._parameters, self._before
        self._parameters, self._before = [], []  # no second copy of the weights until the next measurement
        if not parameters or not self._gradient.isfinite():
            return {}
        changes = [p.detach() - old for p, old in zip(parameters, before, strict=True)]
        ratio = _norm(changes) / _norm(before).clamp_min(1e-12)  # weights may be initialised to 0
        return {"gradient_norm": float(self._gradient), "update_to_weight": float(ratio)}


def _norm(tensors: list[Tensor]) -> Tensor:
    return torch.stack([norm.float() for norm in torch._foreach_norm(tensors)]).norm()


def coverage(real: Tensor, fake: Tensor, k: int = 5) -> Tensor:
    """Return the share of real samples that have a generated one within the distance of their k-th real neighbour.

    Args:
        real: ``(N, D)``, N > k.
        fake: ``(M, D)``.
        k: rank of the neighbour, ≥ 1.

    Returns:
        A scalar in [0, 1].

    Reference: Naeem et al. 2020, arXiv:2002.09797, equation 9.
    """
    real, fake = centred(real, fake)
    reach = radii(real, k)
    apart = squared_distances(real, fake, at_most=False)
    return torch.cat([(distances <= reach[rows, None]).any(1) for rows, distances in apart]).float().mean()


def _append(path: Path, record: dict[str, Any]) -> None:
    """Append a record to a file of one JSON object in each line, which is written atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_bytes() if path.is_file() else b""
    with atomic_write(path) as partial:
        partial.write_bytes(before + json.dumps(record, ensure_ascii=False).encode() + b"\n")
