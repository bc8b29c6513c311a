"""Lightning's hooks around the training step: start and end of a run, validation, checkpoints, resuming."""

from abc import abstractmethod
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor, nn
from typing_extensions import Self

from lit_gan._utils.checkpoint_file import FORMAT, Section, read_checkpoint
from lit_gan._utils.config import describe_data
from lit_gan._utils.errors import LitGANRuntimeError
from lit_gan._utils.randomness import Stream, derive_seed
from lit_gan.sampling.generator import Latent
from lit_gan.schedules import Schedule
from lit_gan.training.checkpoint import check_optimizer_states, check_state, match_callback_states, saved_arguments
from lit_gan.training.checkpoint_io import replace_checkpoint_io, strict_checkpoint_io
from lit_gan.training.checks import check_optimizers, check_trainer
from lit_gan.training.distributed import gather, start_equal
from lit_gan.training.lightning_compat import (
    remove_callbacks,
    replace_loaders_and_wrapper,
    restore_loaders_and_wrapper,
)
from lit_gan.training.loader import prepare_loader
from lit_gan.training.logging import log_hyperparameters, log_last_step
from lit_gan.training.noise import Noise
from lit_gan.training.non_finite import NonFinite, NonFiniteGuard
from lit_gan.training.plain_state import check_checkpoint, write_paths_as_text
from lit_gan.training.players import Players
from lit_gan.training.progress import COUNTERS, Progress
from lit_gan.training.resume import Resume
from lit_gan.training.shutdown import GracefulShutdown

__all__ = ["RunHooks"]


class RunHooks(LightningModule):
    """A LightningModule of two players whose runs can stop after any batch, and be resumed bit by bit.

    It keeps the counters, the seed and the random states. Losses and the training step belong to the subclass, which
    gives :attr:`players` and :meth:`plain_arguments`.
    """

    images_seen: Tensor
    """Real images that the discriminator was shown, over all devices: int64 scalar."""
    d_steps: Tensor
    """Turns of the discriminator so far, skipped ones included: int64 scalar."""
    ema_images_seen: Tensor
    """``images_seen`` when ``ema_generator`` was last updated: int64 scalar."""
    label_counts: Tensor
    """Real images of each class seen, int64 ``(num_classes,)``; empty for an unconditional generator. Several processes
    add theirs up before a validation or a checkpoint, and when training ends."""
    ema_generator: nn.Module | None
    """The averaged generator, or None without one."""
    d_steps_per_g_step: int
    beta2_schedule: Schedule | None
    on_non_finite: NonFinite
    progress: Progress
    """The counters as Python numbers; set when fit starts."""
    latent_dim: int
    latent: Latent
    seed: int
    """Of the run: its latents, the order of its data and its processes' random states are derived from it."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self._guard: NonFiniteGuard | None = None
        self.resume = Resume()
        """State of the run that it resumes, and of its own for one that resumes it."""
        self._fitted = self._failed = False
        self.step_metrics: dict[str, Tensor] = {}
        """Losses, penalties and other scalars of the last step, by log key."""
        self.checked_stages: set[tuple[str | None, int]] = set()
        """Stages (train, validate, …), each with the number of a loader, whose first batch was checked."""

    def start_counting(self, classes: int) -> None:
        """Register the counters at 0, and draw the seed of the run from torch's random state."""
        for name in COUNTERS:
            self.register_buffer(name, torch.zeros((), dtype=torch.int64))
        self.register_buffer("label_counts", torch.zeros(classes, dtype=torch.int64))
        self.seed = int(torch.randint(2**31, ()))

    @property
    def noise(self) -> Noise:
        """The random numbers of the run."""
        return Noise(self.seed, self.latent_dim, self.latent)

    @property
    def guard(self) -> NonFiniteGuard:
        """The check for losses and gradients that are not finite; set when fit starts."""
        assert self._guard is not None
        return self._guard

    @property
    @abstractmethod
    def players(self) -> Players:
        """Both networks, and what belongs to each."""

    @property
    def pack(self) -> int:
        """The number of samples that the discriminator judges together: 1, or k of :class:`lit_gan.networks.Packed`."""
        return self.players.pack

    @property
    def takes_labels(self) -> bool:
        """Whether the generator is conditional."""
        return self.players.condition_modes["generator"] != "not at all"

    @property
    def measurement_flags(self) -> dict[str, float]:
        """Flags logged next to V(G, D): ``augmented`` = 1 for augmented images, ``packed`` = k for packs of k."""
        return self.players.measurement_flags

    caveats = measurement_flags  # its earlier name

    @abstractmethod
    def plain_arguments(self) -> dict[str, Any]:
        """Return the arguments from which a checkpoint rebuilds the model, as plain data."""

    # Before and after a run

    def configure_callbacks(self) -> list[Callback]:
        """Refuse a Trainer that cannot train two players, and replace its loaders, DDP wrapper and checkpoint IO.

        Lightning calls this hook before all others of the module.
        """
        self.checked_stages.clear()
        if self.trainer.state.fn == TrainerFn.FITTING:
            check_trainer(self.trainer, averages=self.ema_generator is not None)
        self.resume, self._failed = Resume(), False
        replace_checkpoint_io(self.trainer.strategy)
        replace_loaders_and_wrapper(self.trainer.strategy, self._prepare_loader)
        return [GracefulShutdown(self._fail)]

    def _prepare_loader(self, loader: Any) -> Any:
        if self.trainer.training:
            self.resume.open(self.trainer)
        return prepare_loader(loader, self.trainer, self.seed)

    def setup(self, stage: str) -> None:
        """Take the first process's seed, and seed the global random states of each process differently."""
        if self.trainer.world_size > 1:
            self.seed = gather(self.seed)[0]
            self._seed_process()

    def _seed_process(self) -> None:
        self.noise.seed_process(self.trainer.global_rank, int(self.images_seen), self.device)

    def teardown(self, stage: str) -> None:
        """Undo the changes made to the Trainer, so that it can run another model; checkpoint writes stay atomic."""
        restore_loaders_and_wrapper(self.trainer.strategy)
        strict_checkpoint_io(self.trainer.strategy, False)
        remove_callbacks(self.trainer, GracefulShutdown)

    def _fail(self) -> None:
        """Undo the changes made to the Trainer after an exception, when Lightning does not call ``teardown``."""
        self._failed = True
        self.teardown("fit")

    # During fit

    def on_fit_start(self) -> None:
        """Read the counters, perhaps a checkpoint's; make networks equal on all processes; log the arguments."""
        check_optimizers(self.trainer, self.players, self.beta2_schedule)
        buffers = dict(self.named_buffers(recurse=False))
        self.progress = Progress(buffers, self.trainer.world_size, self.d_steps_per_g_step)
        self._guard = NonFiniteGuard(self.on_non_finite, self.players, self.trainer)
        self._fitted = True
        if self.resume.saved is None and self.progress.d_steps:
            self.seed = derive_seed(Stream.FIT, self.seed, self.progress.d_steps)  # another fit has another
        if self.trainer.world_size > 1:
            start_equal(self)
        log_hyperparameters(self, self.plain_arguments())
        if self.ema_generator is not None:
            self.ema_generator.train()  # until on_train_start: Lightning warns of modules in evaluation mode here

    def on_train_start(self) -> None:
        """Restore a checkpoint's random states, or seed anew if they do not fit; put the average in evaluation mode.

        Then do what the last batch of the saved run still lacks: its validation, and the end of its epoch.
        """
        check_checkpoint(self.trainer)
        if self.resume.go_on(self.trainer, self.device):
            self._seed_process()
        self.step_metrics |= self.resume.step_metrics(self.trainer.global_rank)
        if self.ema_generator is not None:
            self.ema_generator.eval()
        self.resume.finish_batch(self.trainer)
        self.resume.begin_batch(self.device)

    def on_train_epoch_start(self) -> None:
        """Save the random states before the first batch is read."""
        self.resume.begin_batch(self.device)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Save the random states before the next batch is read."""
        self.resume.begin_batch(self.device)

    def on_train_epoch_end(self) -> None:
        """Give callbacks the last step's losses to monitor."""
        log_last_step(self, self.step_metrics)

    def on_train_end(self) -> None:
        """Check the pending losses for NaN, and add the labels of the last batches to ``label_counts``."""
        self.check_pending_losses()
        self.progress.count_labels()

    def on_fit_end(self) -> None:
        """Leave the counts of a run that was finished before as they were."""
        self.resume.end(self.trainer)

    def check_pending_losses(self) -> None:
        """Raise a FloatingPointError if a loss or gradient that was not read yet is NaN or infinite."""
        if self._guard is not None:
            self._guard.read()

    def on_validation_start(self) -> None:
        """Save the random states; in fit, check the pending losses for NaN and update ``label_counts``."""
        if self.trainer.state.fn == TrainerFn.FITTING:
            self.check_pending_losses()
            self.progress.count_labels()
        self.begin_validation()

    def on_validation_end(self) -> None:
        """Restore the random states saved before the validation."""
        self.end_validation()

    def begin_validation(self) -> None:
        """Save the random states, so that numbers drawn until :meth:`end_validation` do not affect training."""
        self.resume.begin_validation(self.device)

    def end_validation(self) -> None:
        """Restore the random states that :meth:`begin_validation` saved."""
        self.resume.end_validation(self.device)

    # Checkpoints

    @classmethod
    def load_from_checkpoint(  # type: ignore[override]
        cls, checkpoint_path: str | Path, map_location: torch.device | str = "cpu", **parts: Any
    ) -> Self:
        """Return the model that a checkpoint holds, rebuilt from the file alone.

        Args:
            checkpoint_path: a file that a Trainer wrote.
            map_location: device of the model.
            parts: arguments of LitGAN that take the place of those in the file. Parts that are neither lit_gan's nor
                torch.optim's are not rebuilt from a file and must be given here.

        Raises:
            ValueError: the file is truncated or not of LitGAN, a part must be given, or weights do not fit.
        """
        checkpoint = read_checkpoint(checkpoint_path, map_location)
        model = cls(**saved_arguments(cls, checkpoint, parts))
        check_state(model, checkpoint)
        model.load_state_dict(checkpoint["state_dict"])
        return model.to(map_location)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the model's arguments as plain data to a checkpoint, and the state that an exact resume needs.

        Raises:
            RuntimeError: one of several processes failed, and a checkpoint needs all.
            FloatingPointError: a pending loss or gradient is not finite.
        """
        if self._failed and self.trainer.world_size > 1:
            raise LitGANRuntimeError(
                "no checkpoint is written after a failure: it would need every process, and one failed"
            )
        self.check_pending_losses()
        write_paths_as_text(checkpoint)
        if self._fitted:
            self.progress.count_labels()
            checkpoint[Section.RUN] = self.resume.state(self.trainer, self.seed, self.step_metrics)
            checkpoint[Section.DATA] = describe_data(getattr(self.trainer, "datamodule", None))
        checkpoint[Section.MODEL] = self.plain_arguments()
        checkpoint[Section.FORMAT] = FORMAT

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse weights of other networks; read the seed and the state of the run that is resumed.

        Raises:
            ValueError: the weights or the optimizers' states are of other networks.
        """
        check_state(self, checkpoint)
        if self.trainer.state.fn == TrainerFn.FITTING:
            check_optimizer_states(checkpoint)
        match_callback_states(checkpoint.get("callbacks", {}), self.trainer.callbacks)  # type: ignore[attr-defined]
        data = getattr(self.trainer, "datamodule", None)
        seed = self.resume.load(checkpoint, self.plain_arguments(), data)
        self.seed = self.seed if seed is None else seed
