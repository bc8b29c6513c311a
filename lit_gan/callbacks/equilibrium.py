"""EquilibriumMonitor: the mathematics of the game, measured while it is played."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.trainer.states import RunningStage
from pytorch_lightning.utilities.rank_zero import rank_zero_info, rank_zero_warn
from torch import Tensor, nn
from torch.nn.functional import logsigmoid
from torch.optim import Optimizer

from lit_gan import logs
from lit_gan.arguments import at_least_one
from lit_gan.callbacks.pictures import run_folder
from lit_gan.distributed import gather_rows
from lit_gan.equilibrium import HeldOut, density_ratios
from lit_gan.images import to_float
from lit_gan.inputs import read_batch
from lit_gan.module import LitGAN
from lit_gan.sampling import evaluating
from lit_gan.theory import accuracy, calibration_error, jsd_interval, jsd_lower_bound, value
from lit_gan.verdict import Measurement, Verdict, judge

__all__ = ["EquilibriumMonitor", "coverage"]

_CHUNK = 256  # samples at a time, which bounds the memory
_FEWEST = 16  # held-out samples that say anything


class EquilibriumMonitor(Callback):
    """Measures V(G, D) on training and held-out data, what it says of the JSD, D's honesty, and how both players move.

    Logged as ``equilibrium/…``, the discriminator in evaluation mode, the raw generator, always the same samples:

    - ``value`` and ``value_train``, V(G, D) in nats on held-out and on training data, and ``memorising_gap``, their
      difference;
    - ``jsd_lower_bound`` = (V + log 4)/2 on held-out data, ``jsd_low`` and ``jsd_high``, its 95 % bootstrap interval;
    - ``d_accuracy`` and ``calibration_error`` (:func:`lit_gan.theory.calibration_error`) on held-out data;
    - ``calibrated`` = 1 where the game fixes no log density ratio, so that one was fitted to half of the logits;
      ``augmented`` = 1 where D was trained on augmented samples, whose distributions it compares;
    - ``gradient_norm/g`` and ``/d``, of the last turn before clipping; ``update_to_weight/g`` and ``/d``, ‖Δθ‖/‖θ‖;
    - ``spread``, how much samples vary, in units of the data's own; ``coverage``, the share of held-out samples that a
      generated one lies close to, as close as their fifth neighbour in the data (both in the space of the data).

    :func:`lit_gan.verdict.judge` says in words what they mean: a warning where the game stalls, diverges, collapses or
    memorises, each verdict in ``verdicts.jsonl`` in the run's folder, the last one at the end of fit.

    Args:
        every_n_steps: generator updates between measurements.
        n: samples of each kind (training, held-out, generated), over all devices.

    Raises:
        ValueError: an argument below 1.

    Reference: arXiv:1406.2661, theorem 1, for the bound; arXiv:2002.09797, equation 9, for the coverage.
    """

    def __init__(self, every_n_steps: int = 500, n: int = 1024) -> None:
        at_least_one(every_n_steps=every_n_steps, n=n)
        self.every_n_steps, self.n = every_n_steps, n
        self.history: list[Measurement] = []
        self.verdict: Verdict | None = None

    def state_dict(self) -> dict[str, Any]:
        """Return the measurements so far."""
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the measurements of a checkpoint."""
        self.history = state_dict["history"]

    # What is measured on

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the first held-out samples."""
        assert isinstance(pl_module, LitGAN)
        self._step = trainer.global_step
        if trainer.global_step == 0:
            self.history, self.verdict = [], None
        self._moves = {"g": _Move(), "d": _Move()}
        self._train, self._held_out = _Samples(self.n), _Samples(self.n)
        with _validating(trainer, pl_module):
            for batch in _held_out_batches(trainer):
                if self._held_out.take(pl_module, trainer.strategy.batch_to_device(batch)):
                    break
        if len(self._held_out) < _FEWEST:
            held_out = f"{len(self._held_out)} held-out samples for each process"
            rank_zero_warn(f"EquilibriumMonitor measures nothing: there are {held_out}, it takes {_FEWEST} or more")

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Take the first training samples."""
        assert isinstance(pl_module, LitGAN)
        self._train.take(pl_module, batch)

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Look at the gradients and weights of the turns that are measured."""
        if (trainer.global_step + 1) % self.every_n_steps == 0:
            player = "g" if optimizer is trainer.optimizers[0] else "d"
            self._moves[player].begin([p for group in optimizer.param_groups for p in group["params"]])

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Measure at each ``every_n_steps``-th generator update."""
        assert isinstance(pl_module, LitGAN)
        step = trainer.global_step
        if step == self._step or step % self.every_n_steps or len(self._held_out) < _FEWEST:
            return
        self._step = step
        numbers = self.measure(pl_module)
        logs.write(pl_module, {f"equilibrium/{name}": torch.tensor(number) for name, number in numbers.items()})
        self.history.append({"step": float(step), **numbers})
        self._say(trainer, judge(self.history))

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say how the game stands."""
        if self.verdict is not None:
            rank_zero_info(f"At step {self.history[-1]['step']:.0f} {self.verdict}")

    def _say(self, trainer: Trainer, verdict: Verdict) -> None:
        is_new = self.verdict is None or verdict.state != self.verdict.state
        self.verdict = verdict
        folder = run_folder(trainer)  # on every process: they agree on the folder
        if trainer.is_global_zero and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            _append(
                folder / "verdicts.jsonl", {"step": trainer.global_step, "state": verdict.state, "says": str(verdict)}
            )
        if is_new and verdict.is_bad:
            rank_zero_warn(f"at step {trainer.global_step} {verdict}")

    # What is measured

    @torch.no_grad()
    def measure(self, model: LitGAN) -> Measurement:
        """Return the numbers of this moment by name; what it draws leaves training as it was."""
        trainer = model.trainer
        networks = evaluating(model.generator, model.discriminator)
        with _validating(trainer, model), networks, trainer.precision_plugin.val_step_context():
            held_out = HeldOut(trainer.global_rank, trainer.world_size)
            fakes = [held_out.judge(model, real, labels) for real, labels in self._held_out.chunks(model)]
            train = [model.logits(real, labels) for real, labels in self._train.chunks(model)]
        ratios = density_ratios(model.loss, *held_out.logits())
        v, v_fake = value(ratios.real, ratios.fake), logsigmoid(-ratios.fake).mean()
        v_train = logsigmoid(ratios.of(gather_rows(torch.cat(train)))).mean() + v_fake
        low, high = jsd_interval(ratios.real, ratios.fake, resamples=200)
        real = next(self._held_out.chunks(model))[0].flatten(1).float()
        fake = fakes[0].flatten(1).float()
        local = {"spread": fake.std(0).norm() / real.std(0).norm(), "coverage": coverage(real, fake)}
        moves = {f"{name}/{p}": x for p, move in self._moves.items() for name, x in move.end().items()}
        return {
            "value": float(v),
            "value_train": float(v_train),
            "memorising_gap": float(v_train - v),
            "jsd_lower_bound": float(jsd_lower_bound(v)),
            "jsd_low": low,
            "jsd_high": high,
            "d_accuracy": float(accuracy(ratios.real, ratios.fake)),
            "calibration_error": float(calibration_error(ratios.real, ratios.fake)),
            **({"calibrated": 1.0} if ratios.calibrated else {}),
            **({} if model.augment is None else {"augmented": 1.0}),
            **{name: float(number) for name, number in logs.averaged(model, local).items()},
            **moves,
        }


class _Samples:
    """The first samples that come, kept as they came, on the CPU."""

    def __init__(self, n: int) -> None:
        self._wanted = n
        self._batches: list[tuple[Tensor, Tensor | None]] = []

    def __len__(self) -> int:
        return sum(len(images) for images, _ in self._batches)

    def take(self, model: LitGAN, batch: Any) -> bool:
        """Take what is still wanted of ``batch``; tell whether there is enough."""
        most = -(-self._wanted // model.trainer.world_size) - len(self)
        if most > 0:
            images, labels = read_batch(model, batch, first=False)
            self._batches.append((images[:most].cpu(), None if labels is None else labels[:most].cpu()))
            most -= len(images)
        return most <= 0

    def chunks(self, model: LitGAN) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Yield images in [-1, 1] and labels on the model's device."""
        images = torch.cat([images for images, _ in self._batches])
        labels = [labels for _, labels in self._batches if labels is not None]
        label_parts = torch.cat(labels).to(model.device).split(_CHUNK) if labels else repeat(None)
        for part, y in zip(images.split(_CHUNK), label_parts, strict=False):
            yield to_float(part.to(model.device), model.float_type), y


class _Move:
    """One update of a player: the norm of its gradient, and ‖Δθ‖/‖θ‖."""

    def __init__(self) -> None:
        self._parameters: list[nn.Parameter] = []

    def begin(self, parameters: list[nn.Parameter]) -> None:
        """Look before the update."""
        self._parameters = parameters
        self._before = [p.detach().clone() for p in parameters]
        self._gradient = _norm([p.grad for p in parameters if p.grad is not None])

    def end(self) -> dict[str, float]:
        """Look after it; nothing where there was none."""
        if not self._parameters:
            return {}
        changes = [p.detach() - before for p, before in zip(self._parameters, self._before, strict=True)]
        ratio = _norm(changes) / _norm(self._before).clamp_min(1e-12)  # weights may begin at 0
        self._parameters = []
        return {"gradient_norm": float(self._gradient), "update_to_weight": float(ratio)}


def _norm(tensors: list[Tensor]) -> Tensor:
    return torch.stack([norm.float() for norm in torch._foreach_norm(tensors)]).norm()


def coverage(real: Tensor, fake: Tensor, k: int = 5) -> Tensor:
    """Return the share of real samples that have a generated one within the distance of their k-th real neighbour.

    Args:
        real: ``(N, D)``, k + 1 at least.
        fake: ``(M, D)``.
        k: which neighbour.

    Returns:
        A scalar in [0, 1].

    Reference: Naeem et al. 2020, arXiv:2002.09797, equation 9.
    """
    radius = torch.cdist(real, real).kthvalue(min(k + 1, len(real)), dim=1).values  # the nearest is the sample itself
    return (torch.cdist(real, fake).min(1).values <= radius).float().mean()


@contextmanager
def _validating(trainer: Trainer, model: LitGAN) -> Iterator[None]:
    """Let hooks know that this is no training, and leave training's random numbers as they were."""
    stage, trainer.state.stage = trainer.state.stage, RunningStage.VALIDATING
    model._run.validating(begins=True)
    try:
        yield
    finally:
        model._run.validating(begins=False)
        trainer.state.stage = stage


def _held_out_batches(trainer: Trainer) -> Iterable[Any]:
    """Return the batches of the validation data, which Lightning may not have asked for yet."""
    if trainer.val_dataloaders is None and trainer.enable_validation:
        trainer.fit_loop.epoch_loop.val_loop.setup_data()
    loaders = trainer.val_dataloaders
    return chain.from_iterable(loaders if isinstance(loaders, (list, tuple)) else [loaders] if loaders else [])


def _append(path: Path, record: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(record, ensure_ascii=False) + "\n")
