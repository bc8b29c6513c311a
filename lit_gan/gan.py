"""LitGAN, the LightningModule that trains a generator and a discriminator in turns: the file to read first."""

from functools import partial
from typing import Any, cast

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer

from lit_gan._utils.checkpoint_file import read_checkpoint
from lit_gan._utils.representation import kept_arguments
from lit_gan.data.images import to_float
from lit_gan.losses import AdversarialLoss, NonSaturating
from lit_gan.optim.ema import start_average, update_average
from lit_gan.optim.optimizers import GANAdam, OptimizerFactory, follow_schedules, make_optimizer
from lit_gan.penalties import Penalty, Player, Turn
from lit_gan.sampling.conditions import call_with_condition, number_of_classes
from lit_gan.sampling.generator import GeneratorSource, Latent, read_latent_dim
from lit_gan.schedules import Schedule, value_at
from lit_gan.training import logging, step
from lit_gan.training.batch import read_batch, unpack
from lit_gan.training.buffers import BufferSnapshot, buffers_of
from lit_gan.training.checkpoint import model_arguments, take_weights
from lit_gan.training.checks import check_parts
from lit_gan.training.distributed import average_gradients
from lit_gan.training.held_out import HeldOut
from lit_gan.training.hooks import RunHooks
from lit_gan.training.lightning_compat import step_uncounted
from lit_gan.training.non_finite import NonFinite
from lit_gan.training.players import Players, compiled_in_place, condition_modes, read_logits

__all__ = ["LitGAN"]


class LitGAN(RunHooks, GeneratorSource):
    """A GAN: a generator and a discriminator trained in turns, min over G and max over D of V(G, D) by default.

    Each batch updates the discriminator once, on new real images; each ``d_steps_per_g_step``-th batch then updates the
    generator. ``trainer.global_step``, and so ``max_steps``, counts generator updates. For a game that is not a
    function of the logits alone override :meth:`discriminator_loss` or :meth:`generator_loss`.

    Args:
        generator: ``generator(z, labels=None) -> images``: z ``(N, latent_dim)`` to images ``(N, C, H, W)`` float in
            [-1, 1], or to vectors ``(N, D)``. Labels are passed if its ``forward`` names ``labels`` or requires a
            second argument.
        discriminator: ``discriminator(images, labels=None) -> logits``, ``(N,)`` or ``(N, 1)``, unbounded.
        loss: the game, a loss for each player; by default V(G, D) with the non-saturating loss of the generator.
        penalties: terms added to a player's loss, by name: ``{"r1": R1(weight=10)}`` is logged as ``penalty/r1``.
        augment: applied to real and to generated images before the discriminator, in both turns: ``DiffAugment()``,
            ``AdaptiveAugment()`` or any module.
        generator_optimizer: takes the generator's parameters and returns an optimizer.
        discriminator_optimizer: takes the discriminator's parameters and returns an optimizer.
        d_steps_per_g_step: discriminator updates for each generator update (k of algorithm 1), ≥ 1, across epochs.
        ema_half_life: of the generator's moving average, in images, or a schedule of it; None for no average.
        latent_dim: length of z; read from ``generator.latent_dim`` if not given.
        latent: ``"normal"`` for N(0, 1), ``"uniform"`` for [-1, 1].
        micro_batches: number of parts that each batch is split into, run one after another to save memory. Gradients
            add up to those of the whole batch, unless samples of a batch are coupled (batch norm).
        gradient_clip: largest L2 norm of a player's gradient, each player separately; None for no limit.
        lr_schedule: factor of both learning rates by images seen; None keeps them constant.
        beta2_schedule: Adam's β2 of both players by images seen; None keeps it constant.
        on_non_finite: if a loss or gradient is NaN or infinite, ``"stop"`` ends the run with an error that names
            player, layer and last good step; ``"skip"`` skips that turn with a warning, and reads a number at each
            turn, for which a GPU must wait. Infinite gradients in float16 are left to its gradient scaler.
        warm_start: path of a checkpoint whose networks to start from; its counters and optimizers are not read.
        share_fakes: whether the generator's turn uses the images that the discriminator was just shown, as in PyTorch's
            DCGAN tutorial, which saves a pass of the generator; by default each turn draws its own, as in the paper.

    Networks that ``torch.compile`` returned are trained compiled, and saved as what they wrap. A subclass that
    overrides a hook must call ``super()`` in it: hooks clip gradients and keep counters.

    Raises:
        TypeError: a part of a wrong type, a class in place of an object for instance.
        ValueError: an argument out of its range, or ``latent_dim`` that is missing or contradicts the generator.
        FloatingPointError: during training, a loss or gradient that is not finite (``on_non_finite``).

    Reference: Goodfellow et al. 2014, arXiv:1406.2661, algorithm 1.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: AdversarialLoss = NonSaturating(),
        penalties: dict[str, Penalty] | None = None,
        augment: nn.Module | None = None,
        generator_optimizer: OptimizerFactory = GANAdam,
        discriminator_optimizer: OptimizerFactory = GANAdam,
        d_steps_per_g_step: int = 1,
        ema_half_life: float | Schedule | None = 10_000,
        latent_dim: int | None = None,
        latent: Latent = "normal",
        micro_batches: int = 1,
        gradient_clip: float | None = None,
        lr_schedule: Schedule | None = None,
        beta2_schedule: Schedule | None = None,
        on_non_finite: NonFinite = "stop",
        warm_start: str | None = None,
        share_fakes: bool = False,
    ) -> None:
        super().__init__()
        generator, discriminator, augment = map(compiled_in_place, (generator, discriminator, augment))
        self.generator, self.discriminator, self.augment = generator, discriminator, augment
        self.loss, self.penalties = loss, penalties or {}
        self.generator_optimizer, self.discriminator_optimizer = generator_optimizer, discriminator_optimizer
        self.d_steps_per_g_step, self.micro_batches = d_steps_per_g_step, micro_batches
        self.share_fakes, self.ema_half_life, self.gradient_clip = share_fakes, ema_half_life, gradient_clip
        self.lr_schedule, self.beta2_schedule = lr_schedule, beta2_schedule
        self.latent: Latent = latent
        self.on_non_finite: NonFinite = on_non_finite
        check_parts(**kept_arguments(self, LitGAN))
        self.penalty_states = nn.ModuleDict({n: p for n, p in self.penalties.items() if isinstance(p, nn.Module)})
        self.latent_dim = read_latent_dim(generator, latent_dim)
        self.ema_generator = None if ema_half_life is None else start_average(generator)
        self.condition_modes = condition_modes(generator, discriminator)
        self.start_counting(number_of_classes(generator))
        if warm_start is not None:
            take_weights(self, read_checkpoint(warm_start))

    # Networks

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images of the raw generator for latents ``(N, latent_dim)`` and, if it takes them, labels."""
        return call_with_condition(self.generator, self.condition_modes["generator"], z, labels)

    def logits(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the discriminator's logits of ``images``, ``(N,)``, in float32 at least; one for each pack of k."""
        logits = call_with_condition(self.discriminator, self.condition_modes["discriminator"], images, labels)
        return read_logits(logits, self.discriminator, len(images))

    @property
    def players(self) -> Players:
        """Both networks and what belongs to each, as :mod:`lit_gan.training` takes them."""
        parts = self.generator, self.discriminator, self.augment, self.penalties, self.condition_modes
        return Players(*parts, generate=self, judge=self.logits)

    # The training step

    def training_step(self, batch: Any, batch_idx: int) -> None:
        """Update the discriminator and, at each ``d_steps_per_g_step``-th batch, then the generator (algorithm 1)."""
        real, labels = self._read(batch)
        played = self.resume.turns_played(
            self.device
        )  # by a run that was interrupted in the middle of this batch; else 0
        if played == 0:
            schedules = self.lr_schedule, self.beta2_schedule
            self.step_metrics |= follow_schedules(self.trainer.optimizers, *schedules, self.progress.images_seen)
            self.progress.begin_turn(len(real))
        generating = self.progress.generator_is_due and played < 2
        shared = self._draw_shared_fakes(real, labels) if self.share_fakes and generating else None
        if played == 0:
            self._update("discriminator", real, labels, shared)
            self.progress.end_turn(labels)
            self.resume.end_turn(self.device)
        if generating:
            self._update("generator", real, labels, shared)
            self._update_average()
            self.resume.end_turn(self.device)
        if logging.is_due(self):
            self.check_pending_losses()
            self.step_metrics |= self.players.augmentation_strength()
            logging.log_step(self, self.step_metrics, self.progress.images_seen)

    def discriminator_loss(self, turn: Turn) -> Tensor:
        """Return the discriminator's loss without its penalties, a scalar; override it for a game of your own."""
        assert turn.real_logits is not None
        return self.loss.discriminator(turn.real_logits, turn.fake_logits)

    def generator_loss(self, turn: Turn) -> Tensor:
        """Return the generator's loss without its penalties, a scalar; override it for a game of your own."""
        return self.loss.generator(turn.fake_logits, turn.real_logits)

    def _update(self, player: Player, real: Tensor, labels: Tensor | None, shared: step.SharedFakes | None) -> None:
        """Update one player on one batch; the other gets no gradients, and keeps its parameters and buffers."""
        z = shared.z if shared else self.noise.latents(player, self.progress.d_steps, real, self.trainer)
        inputs = step.TurnInputs(real, labels, z, shared)
        optimizer = cast(list[LightningOptimizer], self.optimizers())[0 if player == "generator" else 1]
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        players = self.players
        theirs = BufferSnapshot(*players.modules_of("discriminator" if player == "generator" else "generator"))
        ours = shared.before if shared and player == "generator" else self.guard.snapshot(player)
        with theirs.restored(), ours.restored_on_error(), self.toggled_optimizer(optimizer):
            loss = self._add_gradients(players, player, inputs)
            if self.trainer.world_size > 1:
                average_gradients(parameters, buffers_of(players.modules_of(player)), loss)
            again = partial(self._turn, players, player, inputs, penalised=False)
            finite = self.guard.passes(player, self.progress.d_steps, loss, parameters, again)
            if finite or self.guard.scaled:  # a scaler skips the step itself, and lowers its scale
                self._step(player, optimizer)
            if not finite:
                ours.restore()
            optimizer.zero_grad()

    def _add_gradients(self, players: Players, player: Player, inputs: step.TurnInputs) -> Tensor:
        """Add up the player's gradients over the micro-batches; return its loss with penalties, a scalar."""
        due = self._due_penalties(player)
        loss = inputs.real.new_zeros(())
        means: dict[str, Tensor] = {}
        for share, part in step.split_micro_batches(self.micro_batches, inputs):
            with step.turn_precision(self.device.type, penalised=bool(due)):
                turn = self._turn(players, player, part, penalised=bool(due))
                game = self.discriminator_loss(turn) if player == "discriminator" else self.generator_loss(turn)
                whole, terms = step.add_penalties(player, turn, game, due)
                objective = share * whole
            if player == "discriminator":
                players.tell_augmentations(turn)
            self.manual_backward(objective)
            loss += objective.detach()
            step.add_terms(means, share, terms)
        self.step_metrics |= means
        return loss

    def _turn(self, players: Players, player: Player, inputs: step.TurnInputs, penalised: bool) -> Turn:
        """Run both networks for a turn of ``player``, and return its record."""
        seen, needs_real = self.progress.images_seen, self.loss.needs_real
        return step.run_networks(players, player, inputs, penalised=penalised, needs_real=needs_real, images_seen=seen)

    def _step(self, player: Player, optimizer: LightningOptimizer) -> None:
        if player == "generator":
            optimizer.step()
        else:  # uncounted: global_step counts generator updates
            step_uncounted(self.trainer, optimizer.optimizer)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip the active player's gradients, now complete over micro-batches and devices, and unscaled."""
        if self.gradient_clip is not None:
            step.clip(self, optimizer, self.gradient_clip)

    def configure_optimizers(self) -> list[Optimizer]:
        """Return the generator's and the discriminator's optimizer, in this order."""
        of_generator = make_optimizer("generator", self.generator_optimizer, self.generator)
        return [of_generator, make_optimizer("discriminator", self.discriminator_optimizer, self.discriminator)]

    def _read(self, batch: Any, loader: int = 0) -> tuple[Tensor, Tensor | None]:
        """Return images in [-1, 1] and labels; each loader's first batch is checked against the networks."""
        source, players = (self.trainer.state.stage, loader), self.players
        images, labels = read_batch(batch, players, self.latent_dim, first=source not in self.checked_stages)
        self.checked_stages.add(source)
        return to_float(images, players.float_type), labels

    def _draw_shared_fakes(self, real: Tensor, labels: Tensor | None) -> step.SharedFakes:
        """Draw the images that both turns use, with the graph through which the generator's turn differentiates."""
        before, penalised = self.guard.snapshot("generator"), bool(self._due_penalties("generator"))
        z = self.noise.latents("generator", self.progress.d_steps, real, self.trainer).requires_grad_(penalised)
        with step.turn_precision(self.device.type, penalised):
            return step.SharedFakes(z, self(z, labels), before)

    def _due_penalties(self, player: Player) -> dict[str, Penalty]:
        due = self.progress.is_due
        return {name: p for name, p in self.penalties.items() if p.player == player and due(player, p.every)}

    def _update_average(self) -> None:
        """Update the averaged generator, for the images seen since its last update."""
        if self.ema_generator is not None and self.ema_half_life is not None:
            images = self.progress.count_average()
            half_life = value_at(self.ema_half_life, self.progress.images_seen)
            update_average(self.ema_generator, self.generator, images, half_life)

    # Held-out data

    def on_validation_epoch_start(self) -> None:
        """Reset the held-out logits before a validation or a test."""
        self._held_out = HeldOut(self.noise, self.trainer.global_rank, self.trainer.world_size)

    on_test_epoch_start = on_validation_epoch_start

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Collect the logits of all loaders' held-out images and of as many generated ones, in evaluation mode."""
        self._held_out.judge(self.players, *self._read(batch, dataloader_idx))

    test_step = validation_step

    def on_validation_epoch_end(self, stage: str = "val") -> None:
        """Log V(G, D), its lower bound on the Jensen–Shannon divergence, and the discriminator's accuracy."""
        self.resume.mark_validated()
        if self.trainer.sanity_checking:
            return
        if metrics := self._held_out.metrics(self.loss):
            metrics |= {name: torch.tensor(number) for name, number in self.measurement_flags.items()}
        metrics = {f"{stage}/{name}": metric for name, metric in metrics.items()}
        logging.log_metrics(self, metrics, int(self.images_seen))

    def on_test_epoch_end(self) -> None:
        """Log the metrics of :meth:`on_validation_epoch_end` on the test data."""
        self.on_validation_epoch_end("test")

    # Sampling

    def predict_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """Return as many generated images as the batch holds, of its labels if the generator takes them."""
        images, labels = unpack(batch)
        return self.sample(len(images), labels if self.takes_labels else None)

    # Checkpoints

    def plain_arguments(self) -> dict[str, Any]:
        """Return the arguments from which a checkpoint rebuilds the model, as plain data."""
        return model_arguments(self, LitGAN)
