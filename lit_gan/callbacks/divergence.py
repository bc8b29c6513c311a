"""DivergenceStop: a callback that ends a run when a score diverges, and restores the best weights."""

import math
from pathlib import Path
from typing import Any, ClassVar, Literal

from pytorch_lightning import LightningModule, Trainer, __version__
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities.rank_zero import rank_zero_info, rank_zero_warn
from torch import Tensor

from lit_gan._utils.arguments import at_least_one, instance_of, within
from lit_gan._utils.checkpoint_file import FORMAT, Section, differences
from lit_gan._utils.config import describe_data
from lit_gan._utils.errors import LitGANError
from lit_gan.callbacks.of_a_gan import GANCallback
from lit_gan.gan import LitGAN
from lit_gan.training.checkpoint_io import PlainCheckpointIO
from lit_gan.training.distributed import gather
from lit_gan.training.logging import run_folder

__all__ = ["DivergenceStop"]

_NETWORKS = ("generator.", "discriminator.", "ema_generator.")


class DivergenceStop(GANCallback):
    """Callback that stops a run whose score stays far worse than its best, and restores the best weights.

    The score is read at the end of each validation that has logged it. A score s is bad if it is not finite, or if
    s > factor·s* and s > s* + margin, where s* is the best so far (``mode="max"``: s < s*/factor and s < s* − margin;
    if s* is negative, s*/factor and factor·s* change places). After ``patience`` bad scores in succession the run
    stops, with a warning.

    If ``restore`` is set, the generator, its EMA and the discriminator then get the weights of the best validation
    again, so that later checkpoints hold them, and ``best.pt`` in the run's folder (``best-2.pt`` of a Trainer's second
    callback of this class) holds the model of that validation:
    ``LitGAN.load_from_checkpoint``, ``warm_start`` and ``lit-gan sample`` take it. The same happens when a loss or
    gradient that is not finite ends the run. Optimizer states are not restored: rather than resume, start a new run
    from ``best.pt`` with a lower learning rate. If the Trainer's ``min_epochs`` is not reached, training continues from
    the best weights. Each process keeps a copy of them on the CPU, and checkpoints hold one.

    Args:
        monitor: name of the score, as it is logged.
        mode: ``"min"`` if a lower score is better, ``"max"`` if a higher one is.
        factor: ratio to the best score beyond which a score is bad, > 1.
        patience: bad scores in succession that end the run, ≥ 1.
        restore: whether to keep the best weights, and restore them.
        margin: difference to the best score up to which no score is bad, ≥ 0, in units of the score: needed for scores
            that come near 0, such as the kernel inception distance, because a ratio to them says little.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of its range.
    """

    name: ClassVar[str] = "best"

    def __init__(
        self,
        monitor: str = "val/fid",
        mode: Literal["min", "max"] = "min",
        factor: float = 2.0,
        patience: int = 3,
        restore: bool = True,
        margin: float = 0.0,
    ) -> None:
        instance_of("monitor", monitor, str, "'val/fid'")
        if mode not in ("min", "max"):
            raise LitGANError(f"mode={mode!r} must be 'min', where a lower score is better, or 'max'")
        within("(1, ∞)", factor=factor)
        within("[0, ∞)", margin=margin)
        at_least_one(patience=patience)
        self.monitor, self.mode, self.factor = monitor, mode, factor
        self.patience, self.restore, self.margin = patience, restore, margin
        self._forget()

    def _forget(self) -> None:
        self._best: float | None = None
        self._best_images = self._best_step = self._bad = 0
        self._weights: dict[str, Tensor] = {}
        self._seen: Tensor | None = None
        self._looked = self._restored_is_read = False
        self._folder = Path()

    @property
    def state_key(self) -> str:
        """Return a key of score and mode, so that one Trainer can have several of these callbacks."""
        return self._generate_state_key(monitor=self.monitor, mode=self.mode)

    def state_dict(self) -> dict[str, Any]:
        """Return the best score, its step and images seen, its weights, and the number of bad scores since."""
        when = {"images": self._best_images, "step": self._best_step}
        return {"best": self._best, **when, "bad": self._bad, "weights": self._weights}

    def _wrote(self, state: dict[str, Any], model: LightningModule) -> bool:
        best, weights = state.get("best"), state.get("weights")
        counts = all(type(state.get(name)) is int for name in ("images", "step", "bad"))
        if not counts or not isinstance(weights, dict) or (best is not None and not _is_finite(best)):
            return False
        tensors = all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in weights.items())
        return tensors and not (weights and differences(_networks(weights), _networks(model.state_dict())))

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best score and its weights from a checkpoint."""
        self._best, self._best_images, self._best_step = (state_dict[name] for name in ("best", "images", "step"))
        self._bad, self._weights = state_dict["bad"], state_dict["weights"] if self.restore else {}
        self._restored_is_read = bool(state_dict.get("read"))

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Add whether the score that was logged last has been read."""
        score = trainer.callback_metrics.get(self.monitor)
        checkpoint["callbacks"][self.state_key]["read"] = score is not None and score is self._seen

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Reset the state from an earlier fit."""
        super().setup(trainer, pl_module, stage)
        if stage == "fit":
            self._forget()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find the run's folder, which all processes must do together; warn if the run has no validation."""
        if self._restored_is_read:
            self._seen = trainer.callback_metrics.get(self.monitor)
        self._folder = run_folder(trainer)
        if not trainer.enable_validation:
            rank_zero_warn(f"DivergenceStop reads {self.monitor!r} when a validation ends, and this run has none")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the run and restore the best weights if this is the ``patience``-th bad score in succession."""
        assert isinstance(pl_module, LitGAN)
        if trainer.state.fn != TrainerFn.FITTING or trainer.sanity_checking:
            return
        score = self._new_score(trainer)
        if score is None or not self._is_one_too_many(score, pl_module):
            return
        seen, best = int(pl_module.images_seen), "none was finite"
        if self._best is not None:
            best = f"its best was {self._best_said()}"
        rank_zero_warn(
            f"{self.monitor} was bad {self._bad} times in succession, at last {score:.4g} after {seen:,} images, and "
            f"{best}: the run stops{self._go_back(trainer, pl_module)}"
        )
        self._bad = 0
        trainer.should_stop = True

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Restore the best weights if a loss or gradient that is not finite ended the run."""
        if isinstance(exception, FloatingPointError) and trainer.state.fn == TrainerFn.FITTING and self._weights:
            assert isinstance(pl_module, LitGAN)
            back = self._go_back(trainer, pl_module)
            rank_zero_info(f"The best {self.monitor} was {self._best_said()}{back}")

    def _new_score(self, trainer: Trainer) -> float | None:
        """Return rank 0's score, or None if this validation logged none; warn if the first validation logged none."""
        metrics = trainer.callback_metrics
        score, seen = metrics.get(self.monitor), self._seen
        if score is None and not self._looked:
            rank_zero_warn(
                f"DivergenceStop watches {self.monitor!r}, and nothing has logged that by the end of the first "
                f"validation: there are {', '.join(sorted(metrics)) or 'no others'}"
            )
        self._looked, self._seen = True, score
        # If a validation does not log the score, Lightning keeps the tensor of an earlier one.
        number: float | None = gather(None if score is None or score is seen else float(score))[0]
        return number

    def _is_one_too_many(self, score: float, model: LitGAN) -> bool:
        """Update the best score or the count of bad ones; return whether the run must stop."""
        if self._is_best(score):
            self._best, self._best_images, self._bad = score, int(model.images_seen), 0
            self._best_step = model.global_step
            if self.restore:
                self._weights = {name: t.detach().to("cpu", copy=True) for name, t in model.state_dict().items()}
        else:
            self._bad = self._bad + 1 if self._is_bad(score) else 0
        return self._bad >= self.patience

    def _cost(self, score: float) -> float:
        return score if self.mode == "min" else -score

    def _is_best(self, score: float) -> bool:
        return math.isfinite(score) and (self._best is None or self._cost(score) < self._cost(self._best))

    def _is_bad(self, score: float) -> bool:
        if self._best is None or not math.isfinite(score):
            return True
        cost, best = self._cost(score), self._cost(self._best)
        limit = best * self.factor if best > 0 else best / self.factor
        return cost > limit and cost > best + self.margin

    def _best_said(self) -> str:
        return f"{self._best:.4g} after {self._best_images:,} images"

    def _go_back(self, trainer: Trainer, model: LitGAN) -> str:
        """Load the best weights, if they were kept, and write ``best.pt``; return a clause that reports it."""
        if not self._weights:
            return ""
        model.load_state_dict({**model.state_dict(), **_networks(self._weights)})
        done = ", and the model has the best one's weights again"
        if trainer.fast_dev_run:  # type: ignore[attr-defined]
            return done
        path = self._folder / f"{self.own_name(trainer)}.pt"
        try:
            if trainer.is_global_zero:
                content = {
                    "state_dict": self._weights,
                    "global_step": self._best_step,
                    Section.MODEL: model.plain_arguments(),
                    Section.FORMAT: FORMAT,
                    Section.DATA: describe_data(getattr(trainer, "datamodule", None)),
                    "pytorch-lightning_version": __version__,
                }
                PlainCheckpointIO().save_checkpoint(content, path)
        except OSError as error:
            return f"{done}; {error}"
        return f"{done}, which are in {path} too"


def _networks(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return those tensors of a model's state that belong to its networks."""
    return {name: tensor for name, tensor in state.items() if name.startswith(_NETWORKS)}


def _is_finite(score: Any) -> bool:
    return isinstance(score, float) and math.isfinite(score)
