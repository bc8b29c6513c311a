"""One run of fit: its seed, its data, its noise, and what lets another one go on with the same bits."""

from typing import TYPE_CHECKING, Any

import torch
from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from torch import Tensor

from lit_gan.distributed import on_all, start_equal
from lit_gan.loading import ResumableLoader, is_replayable
from lit_gan.penalties import Player
from lit_gan.randomness import mix, random_states, seed_all, set_random_states
from lit_gan.sampling import draw_latents

if TYPE_CHECKING:
    from lit_gan.module import LitGAN

__all__ = ["Run"]


class Run:
    """What a LitGAN is to its Trainer: one object for each model, started anew by each fit.

    Its seed is drawn from torch's random state when the model is made, where all processes have the same state still.

    Args:
        model: whose runs it looks after.
    """

    def __init__(self, model: "LitGAN") -> None:
        self.model = model
        self.seed = int(torch.randint(2**31, ()))
        self._saved: dict[str, Any] | None = None

    @property
    def world_size(self) -> int:
        """Number of processes."""
        return self.model.trainer.world_size

    # Into Lightning and out of it

    def prepare(self) -> None:
        """Take the place of Lightning's loaders, which forget where they are, and of its wrapper for one loss."""
        self._saved = None
        strategy = self.model.trainer.strategy
        strategy.process_dataloader = self.loader  # type: ignore[method-assign, assignment]
        if isinstance(strategy, DDPStrategy):
            strategy.configure_ddp = lambda: None  # type: ignore[method-assign]

    def leave(self) -> None:
        """Leave the Trainer as it was, for another model."""
        for name in ("process_dataloader", "configure_ddp"):
            vars(self.model.trainer.strategy).pop(name, None)

    def loader(self, loader: Any) -> Any:
        """Return a loader that can go on in the middle of an epoch, where ``loader`` is an ordinary DataLoader."""
        trainer = self.model.trainer
        if trainer.state.fn == TrainerFn.PREDICTING or not is_replayable(loader):
            return loader
        training = bool(trainer.training)

        def position() -> tuple[int, int]:
            loop: Any = trainer.fit_loop
            return loop.epoch_progress.current.processed, loop.epoch_loop.batch_progress.current.ready

        dealt = trainer._accelerator_connector.use_distributed_sampler  # else each process brings its own data
        return ResumableLoader(
            loader,
            seed=self.seed,
            position=position if training else lambda: (0, 0),
            rank=trainer.global_rank if dealt else 0,
            world_size=self.world_size if dealt else 1,
            even=training,
        )

    # Noise

    def start(self) -> None:
        """Let all processes start equal but for their random states; another fit of a model gets another seed."""
        if self._saved is None:
            self.seed = mix(self.seed, int(self.model.d_steps)) if self.model.d_steps else self.seed
        if self.world_size > 1:
            start_equal(self.model)
            self.seed = on_all(self.seed)[0]
            self.seed_this_process()

    def latents(self, n: int, player: Player, turn: int, like: Tensor) -> Tensor:
        """Return this process's z ``(n, latent_dim)`` for a turn.

        Seed and turn decide the latents of the whole batch, over all processes, and each takes its own of them: the
        noise is the same at any number of processes, and whatever else draws random numbers.
        """
        rng = torch.Generator(like.device).manual_seed(mix(self.seed, turn, player == "generator"))
        z = draw_latents(n * self.world_size, self.model.latent_dim, self.model.latent, like, rng)
        return z[self.model.trainer.global_rank :: self.world_size]

    def seed_this_process(self) -> None:
        """Let this process draw other random numbers than the others, which seed_everything has made equal."""
        rank, images_seen = self.model.trainer.global_rank, int(self.model.images_seen)
        seed_all(mix(self.seed, images_seen, rank), self.model.device)

    # Checkpoints

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint needs beside Lightning's counters; every process must ask."""
        states = random_states(self.model.device)
        return {
            "seed": self.seed,
            "world_size": self.world_size,
            "batches_per_epoch": self.model.trainer.num_training_batches,
            "random_states": on_all(states) if self.world_size > 1 else [states],
        }

    def load_state(self, state: dict[str, Any] | None) -> None:
        """Take what :meth:`state` returned; None from a file without it."""
        self._saved = state
        self.seed = self.seed if state is None else state["seed"]

    def go_on(self) -> None:
        """Put the random states back; say so where the run will not have the bits of an undisturbed one."""
        if self._saved is None:
            return
        trainer, saved = self.model.trainer, self._saved
        reasons = self._differences(saved)
        if not reasons:
            set_random_states(saved["random_states"][trainer.global_rank], self.model.device)
            return
        rank_zero_warn(f"resuming, not bit-exact: {'; '.join(reasons)}. Weights, optimizers and counters are exact")
        self.seed_this_process()
        self._rescale_epoch(saved["batches_per_epoch"], trainer.num_training_batches)

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

    def _rescale_epoch(self, before: float, now: float) -> None:
        """Move Lightning's position to the same share of an epoch of another length."""
        if before == now or float("inf") in (before, now):
            return
        progress = self.model.trainer.fit_loop.epoch_loop.batch_progress.current
        ready = progress.ready * int(now) // int(before)
        for name in ("started", "processed", "completed", "ready"):
            setattr(progress, name, ready - (progress.ready - getattr(progress, name)))
