"""One run of fit: its seed, its data, its noise, and what lets another one go on with the same bits."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import torch
from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning import Callback
from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from torch import Tensor
from torch.utils.data.distributed import DistributedSampler

from lit_gan.checkpoint_files import PlainCheckpointIO
from lit_gan.distributed import gather, start_equal
from lit_gan.ending import GracefulEnd
from lit_gan.epochs import leave_finished_epoch, rescale_epoch, undo_early_end
from lit_gan.loading import ResumableLoader, is_replayable
from lit_gan.parts import describe_data, summary
from lit_gan.penalties import Player
from lit_gan.randomness import mix, random_states, seed_all, set_random_states
from lit_gan.sampling import dealt_latents

if TYPE_CHECKING:
    from lit_gan.module import LitGAN

__all__ = ["Run"]

_STATE = {"seed", "world_size", "batches_per_epoch", "random_states"}


class Run:
    """What a LitGAN is to its Trainer: one object for each model, started anew by each fit.

    Its seed is drawn from torch's random state when the model is made; several processes take the first one's.

    Args:
        model: whose runs it looks after.
    """

    def __init__(self, model: "LitGAN") -> None:
        self.model = model
        self.seed = int(torch.randint(2**31, ()))
        self.fitted = self.failed = False
        self._saved: dict[str, Any] | None = None
        self._changed: list[str] = []
        self._before_validation: dict[str, Any] | None = None

    @property
    def world_size(self) -> int:
        """Number of processes."""
        return self.model.trainer.world_size

    # Into Lightning and out of it

    def prepare(self) -> None:
        """Take the place of Lightning's loaders, which forget where they are, its wrapper for one loss, its files."""
        self._saved, self._changed, self._before_validation, self.failed = None, [], None, False
        strategy = self.model.trainer.strategy
        if type(strategy.checkpoint_io) is TorchCheckpointIO:
            strategy.checkpoint_io = PlainCheckpointIO()
        if isinstance(strategy.checkpoint_io, PlainCheckpointIO):
            strategy.checkpoint_io.strict = True
        strategy.process_dataloader = self.loader  # type: ignore[method-assign, assignment]
        if isinstance(strategy, DDPStrategy):
            strategy.configure_ddp = lambda: None  # type: ignore[method-assign]

    def leave(self) -> None:
        """Leave the Trainer to another model; what is saved after fit is still written as a whole."""
        trainer = self.model.trainer
        for name in ("process_dataloader", "configure_ddp"):
            vars(trainer.strategy).pop(name, None)
        if isinstance(trainer.strategy.checkpoint_io, PlainCheckpointIO):
            trainer.strategy.checkpoint_io.strict = False
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        trainer.callbacks = [c for c in callbacks if not isinstance(c, GracefulEnd)]  # type: ignore[attr-defined]

    def fail(self) -> None:
        """Leave after an exception, for which Lightning has no teardown."""
        self.failed = True
        self.leave()

    def loader(self, loader: Any) -> Any:
        """Return a loader that can go on in the middle of an epoch, where ``loader`` is an ordinary DataLoader."""
        trainer = self.model.trainer
        training = bool(trainer.training)
        if training and trainer.limit_train_batches and _is_empty(loader):
            raise ValueError(
                "the training data give no batch, so nothing would train: is the data set empty, or smaller than "
                "batch_size with drop_last=True?"
            )
        dealt = trainer._accelerator_connector.use_distributed_sampler  # else each process brings its own data
        if trainer.state.fn == TrainerFn.PREDICTING or not is_replayable(loader):
            deals_itself = isinstance(getattr(loader, "sampler", None), DistributedSampler)
            if training and dealt and self.world_size > 1 and not deals_itself:
                rank_zero_warn(
                    f"a {type(loader).__name__} cannot be dealt to {self.world_size} processes, each reads it as it "
                    "is: let it read its own share, and set Trainer(use_distributed_sampler=False) to say that it does"
                )
            return loader

        def position() -> tuple[int, int]:
            loop: Any = trainer.fit_loop
            return loop.epoch_progress.current.processed, loop.epoch_loop.batch_progress.current.ready

        return ResumableLoader(
            loader,
            seed=self.seed,
            position=position if training else lambda: (0, 0),
            rank=trainer.global_rank if dealt else 0,
            world_size=self.world_size if dealt else 1,
            even=training,
        )

    # Noise

    def agree(self) -> None:
        """Take the first process's seed, and let each draw other random numbers, which seed_everything made equal."""
        if self.world_size > 1:
            self.seed = gather(self.seed)[0]
            self._seed_this_process()

    def start(self) -> None:
        """Let all processes hold the same networks; another fit of a model gets another seed."""
        self.fitted = True
        if self._saved is None and self.model.d_steps:
            self.seed = mix(0, self.seed, int(self.model.d_steps))
        if self.world_size > 1:
            start_equal(self.model)

    def latents(self, n: int, player: Player, turn: int, like: Tensor) -> Tensor:
        """Return this process's z ``(n, latent_dim)`` for a turn.

        Seed and turn decide the latents of the whole batch, over all processes, and each takes its own of them: the
        noise is the same at any number of processes, and whatever else draws random numbers.
        """
        rng = torch.Generator(like.device).manual_seed(mix(1, self.seed, turn, player == "generator"))
        rank, model = self.model.trainer.global_rank, self.model
        return dealt_latents(n, model.latent_dim, model.latent, like, rng, rank, self.world_size)

    def _seed_this_process(self) -> None:
        rank, images_seen = self.model.trainer.global_rank, int(self.model.images_seen)
        seed_all(mix(4, self.seed, images_seen, rank), self.model.device)

    def validating(self, begins: bool) -> None:
        """Have what a validation draws leave training as it was."""
        if begins:
            self._before_validation = random_states(self.model.device)
        elif self._before_validation is not None:
            set_random_states(self._before_validation, self.model.device)
            self._before_validation = None

    # Checkpoints

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint needs beside Lightning's counters; every process must ask."""
        states = self._before_validation or random_states(self.model.device)
        return {
            "seed": self.seed,
            "world_size": self.world_size,
            "batches_per_epoch": self.model.trainer.num_training_batches,
            "random_states": gather(states),
        }

    def load(self, checkpoint: dict[str, Any], arguments: dict[str, Any]) -> None:
        """Take what :meth:`state` returned from a checkpoint, before Lightning looks for its counters there.

        Args:
            checkpoint: what was read.
            arguments: of the model that goes on, as plain data.
        """
        data = {"data": checkpoint["lit_gan_data"]} if "lit_gan_data" in checkpoint else {}
        there = {**data, **checkpoint["lit_gan"]}
        here = {"data": describe_data(getattr(self.model.trainer, "datamodule", None)), **arguments}
        self._changed = [
            f"{name} was {summary(there[name])} and is {summary(here[name])}"
            for name in here.keys() & there.keys()
            if here[name] != there[name]
        ]
        state = checkpoint.get("lit_gan_run")
        if not isinstance(state, dict) or state.keys() != _STATE:
            return
        self._saved, self.seed = state, state["seed"]
        undo_early_end(checkpoint["loops"]["fit_loop"])

    def go_on(self) -> None:
        """Put the random states back; say so where the run will not have the bits of an undisturbed one."""
        trainer, saved = self.model.trainer, self._saved
        leave_finished_epoch(trainer.fit_loop)
        if self._changed:
            rank_zero_warn(
                f"resuming a run that had other arguments: {'; '.join(sorted(self._changed))}. Weights, counters and "
                "the optimizers' settings are the checkpoint's; warm_start takes the networks alone"
            )
        if saved is None:
            if trainer.ckpt_path is not None:
                rank_zero_warn("resuming, not bit-exact: the checkpoint says nothing of the run that it is from")
            return
        reasons = self._differences(saved)
        if not reasons:
            set_random_states(saved["random_states"][trainer.global_rank], self.model.device)
            return
        rank_zero_warn(f"resuming, not bit-exact: {'; '.join(reasons)}. Weights, optimizers and counters are exact")
        self._seed_this_process()
        rescale_epoch(trainer.fit_loop, saved["batches_per_epoch"], trainer.num_training_batches)

    def _differences(self, saved: dict[str, Any]) -> list[str]:
        trainer = self.model.trainer
        reasons = []
        if saved["world_size"] != self.world_size:
            reasons.append(f"the run had {saved['world_size']} devices and has {self.world_size} now")
        if saved["batches_per_epoch"] != trainer.num_training_batches:
            reasons.append(
                f"an epoch had {saved['batches_per_epoch']} batches and has {trainer.num_training_batches} now"
            )
        if not hasattr(trainer.train_dataloader, "load_state_dict"):
            reasons.append("the training data is no ordinary DataLoader and has no load_state_dict")
        return reasons


def _is_empty(loader: Any) -> bool:
    with suppress(TypeError):  # of an iterable data set, which has no length
        return len(loader) == 0
    return False
