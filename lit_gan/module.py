"""LitGAN: two networks and a game, trained by Lightning. The file to read first."""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from pytorch_lightning import Callback, LightningModule
from pytorch_lightning.core.optimizer import LightningOptimizer
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor, nn
from torch.optim import Optimizer
from typing_extensions import Self

from lit_gan import logs
from lit_gan.augment import AdaptiveAugment, Augmentation
from lit_gan.buffers import Kept, buffers_of
from lit_gan.checkpoint_files import read_checkpoint
from lit_gan.checkpoints import check_state, model_arguments, saved_arguments, take_weights
from lit_gan.checks import check_beta2, check_parts, check_trainer, read_latent_dim
from lit_gan.distributed import average, total
from lit_gan.ema import start_average, update_average
from lit_gan.ending import GracefulEnd
from lit_gan.equilibrium import HeldOut
from lit_gan.health import Health, NonFinite
from lit_gan.images import to_float
from lit_gan.inputs import read_batch, split, unpack
from lit_gan.labels import LabelPassing, call, label_passing, number_of_classes
from lit_gan.losses import AdversarialLoss, NonSaturating
from lit_gan.networks.packed import Packed
from lit_gan.optim import GANAdam, OptimizerFactory, make_optimizer
from lit_gan.parts import describe_data
from lit_gan.penalties import Penalty, Player, Turn
from lit_gan.precision import at_least_float32
from lit_gan.run import Run
from lit_gan.sampling import Latent, TrainedGenerator
from lit_gan.schedules import Schedule

__all__ = ["LitGAN"]


class _Shared(NamedTuple):
    """What both turns of a step share (``share_fakes``)."""

    z: Tensor
    images: Tensor
    """With the generator's graph."""
    before: Kept
    """The generator's buffers before it drew them, where a turn may be skipped."""


class LitGAN(LightningModule):
    """A generator and a discriminator that play a game, min over G and max over D of V(G, D) by default.

    Each batch gives the discriminator one update on fresh real images; each ``d_steps_per_g_step``-th batch the
    generator one, after it. ``trainer.global_step``, and so ``max_steps``, counts generator updates. For an exotic
    game override :meth:`discriminator_loss` or :meth:`generator_loss`.

    Args:
        generator: ``generator(z, labels=None) -> images``: z ``(N, latent_dim)`` to images ``(N, C, H, W)`` float in
            [-1, 1], or to vectors ``(N, D)``. Labels are passed where its ``forward`` names ``labels`` or requires a
            second argument.
        discriminator: ``discriminator(images, labels=None) -> logits``, ``(N,)`` or ``(N, 1)``, unbounded.
        loss: the game.
        penalties: by name, ``{"r1": R1(weight=10)}``; the name is the log key.
        augment: applied to real and to generated images before the discriminator, in both turns: ``DiffAugment()``,
            ``AdaptiveAugment()`` or any module.
        generator_optimizer: takes the generator's parameters and returns an optimizer.
        discriminator_optimizer: likewise.
        d_steps_per_g_step: k of the paper's algorithm 1, ≥ 1, counted across epochs.
        ema_half_life: of the generator's moving average, in images, or a schedule of it; None for no average.
        latent_dim: length of z; read from ``generator.latent_dim`` where not given.
        latent: ``"normal"`` for N(0, 1), ``"uniform"`` for [-1, 1].
        micro_batches: parts that each batch is split into, one after another, to save memory. Gradients add up to
            those of the whole batch, except where samples of a batch are coupled (batch norm).
        gradient_clip: largest L2 norm of a player's gradient, each player for itself; None for no limit.
        lr_schedule: factor of both learning rates by images seen; None keeps them constant.
        beta2_schedule: Adam's β2 of both players by images seen; None keeps it constant.
        on_non_finite: what a NaN or an infinity in a loss or gradient does: ``"stop"`` ends the run with an error that
            names player, layer and last good step; ``"skip"`` leaves that turn out, with a warning, and reads a number
            at each turn, for which a GPU must wait. Infinite gradients in float16 are its scaler's affair.
        warm_start: a checkpoint whose networks to start from; its counters and optimizers are not read.
        share_fakes: the generator's turn takes the very images that the discriminator was just shown, as in PyTorch's
            DCGAN tutorial, and saves a pass of the generator; by default each turn draws its own, as in the paper.

    Hooks that a subclass overrides must call ``super()``: clipping and counting live in them.

    Raises:
        TypeError: a part of a wrong type, a class in place of an object for instance.
        ValueError: an argument out of its range, or ``latent_dim`` that is missing or contradicts the generator.
        FloatingPointError: in training, a loss or gradient that is not finite (``on_non_finite``).

    Reference: Goodfellow et al. 2014, arXiv:1406.2661, algorithm 1.
    """

    images_seen: Tensor
    """Real images that the discriminator was shown, over all devices: int64 scalar."""
    d_steps: Tensor
    """Turns of the discriminator so far, skipped ones included: int64 scalar."""
    ema_images_seen: Tensor
    """``images_seen`` when ``ema_generator`` was last updated: int64 scalar."""
    label_counts: Tensor
    """Real images of each class seen, int64 ``(num_classes,)``; empty for an unconditional generator. Several processes
    add theirs before a validation or a checkpoint and at the end."""

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
        self.automatic_optimization = False
        self.generator, self.discriminator, self.augment = generator, discriminator, augment
        self.loss, self.penalties = loss, penalties or {}
        self.generator_optimizer, self.discriminator_optimizer = generator_optimizer, discriminator_optimizer
        self.d_steps_per_g_step, self.micro_batches = d_steps_per_g_step, micro_batches
        self.share_fakes = share_fakes
        self.ema_half_life, self.gradient_clip = ema_half_life, gradient_clip
        self.lr_schedule, self.beta2_schedule = lr_schedule, beta2_schedule
        self.latent: Latent = latent
        self.on_non_finite: NonFinite = on_non_finite
        check_parts(self)
        self.penalty_states = nn.ModuleDict({n: p for n, p in self.penalties.items() if isinstance(p, nn.Module)})
        self.latent_dim = read_latent_dim(generator, latent_dim)
        self.ema_generator = None if ema_half_life is None else start_average(generator)
        for name in ("images_seen", "d_steps", "ema_images_seen"):
            self.register_buffer(name, torch.zeros((), dtype=torch.int64))
        networks = {"generator": generator, "discriminator": discriminator}
        self.passing: dict[str, LabelPassing] = {player: label_passing(n) for player, n in networks.items()}
        self.register_buffer("label_counts", torch.zeros(number_of_classes(generator), dtype=torch.int64))
        self._metrics: dict[str, Tensor] = {}
        self._checked: set[str | None] = set()  # stages whose first batch was looked at
        self._run, self._health = Run(self), Health(self)
        if warm_start is not None:
            take_weights(self, read_checkpoint(warm_start))

    # Networks

    @property
    def float_type(self) -> torch.dtype:
        """The type of the generator's weights, in which images and latents are given to the networks."""
        return next(self.generator.parameters()).dtype

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images of the raw generator for latents ``(N, latent_dim)`` and, where it takes them, labels."""
        return call(self.generator, self.passing["generator"], z, labels)

    def logits(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the discriminator's logits of ``images``, ``(N,)``, in float32 at least; one for each pack of k."""
        logits = call(self.discriminator, self.passing["discriminator"], images, labels)
        n = -(-len(images) // self.pack)
        if not isinstance(logits, Tensor) or logits.numel() != n:
            what = f"logits of shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
            raise ValueError(
                f"the discriminator ({type(self.discriminator).__name__}) returns {what} for {len(images)} images: "
                "it must return logits (N,) or (N, 1)"
            )
        return at_least_float32(logits.reshape(n))

    @property
    def pack(self) -> int:
        """How many samples the discriminator judges together: 1, or k of :class:`lit_gan.networks.Packed`."""
        return self.discriminator.k if isinstance(self.discriminator, Packed) else 1

    @property
    def caveats(self) -> dict[str, float]:
        """What V(G, D) is of, where not of images as they are: ``augmented`` ones, or ``packed``, k at a time."""
        augmented = {} if self.augment is None else {"augmented": 1.0}
        return augmented if self.pack == 1 else augmented | {"packed": float(self.pack)}

    @property
    def takes_labels(self) -> bool:
        """Whether the generator is conditional."""
        return self.passing["generator"] != "not at all"

    def _augmented_logits(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.logits(images if self.augment is None else self.augment(images), labels)

    def _augmentations(self) -> list[Augmentation]:
        """Return the parts of ``augment`` that are told how the game goes."""
        return [] if self.augment is None else [m for m in self.augment.modules() if isinstance(m, Augmentation)]

    # Training

    def configure_optimizers(self) -> list[Optimizer]:
        """Return the generator's and the discriminator's optimizer, in this order."""
        opt_g = make_optimizer("generator", self.generator_optimizer, self.generator)
        opt_d = make_optimizer("discriminator", self.discriminator_optimizer, self.discriminator)
        for group in (*opt_g.param_groups, *opt_d.param_groups):
            group.setdefault("initial_lr", group["lr"])
        check_beta2(self.beta2_schedule, [opt_g, opt_d])
        return [opt_g, opt_d]

    def configure_callbacks(self) -> list[Callback]:
        """Refuse what cannot work: this is Lightning's first call into the module."""
        self._checked.clear()
        if self.trainer.state.fn == TrainerFn.FITTING:
            check_trainer(self.trainer, averages=self.ema_generator is not None)
        self._run.prepare()
        return [GracefulEnd(self._run)]

    def setup(self, stage: str) -> None:
        """Agree with the other processes on a seed."""
        self._run.agree()

    def teardown(self, stage: str) -> None:
        """Leave the Trainer to another model."""
        self._run.leave()

    def on_fit_start(self) -> None:
        """Read the counters, from a checkpoint perhaps, once: reading a buffer at each step would stall a GPU."""
        self._images_seen, self._d_steps = int(self.images_seen), int(self.d_steps)
        self._ema_images_seen = int(self.ema_images_seen)
        self._new_labels = torch.zeros_like(self.label_counts)
        self._health = Health(self)
        self._run.start()
        logs.hyperparameters(self, model_arguments(self, LitGAN))
        if self.ema_generator is not None:
            self.ema_generator.train()  # Lightning warns of what is in evaluation mode between this hook and the next

    def on_train_start(self) -> None:
        """Put random states back and the averaged generator into the evaluation mode that it is meant for."""
        self._run.go_on()
        if self.ema_generator is not None:
            self.ema_generator.eval()

    def on_train_end(self) -> None:
        """Look at the numbers of the last turns, and count their labels."""
        self._health.read()
        self._count_labels()

    def training_step(self, batch: Any, batch_idx: int) -> None:
        """Play one discriminator turn and, at each ``d_steps_per_g_step``-th one, a generator turn."""
        real, labels = self._real(batch)
        self._follow_schedules()
        self._count(real, labels)
        generating = self._d_steps % self.d_steps_per_g_step == 0
        shared = self._draw_shared(real, labels) if self.share_fakes and generating else None
        self._play("discriminator", real, labels, shared)
        if generating:
            self._play("generator", real, labels, shared)
            self._update_ema()
        if logs.due(self):
            self._health.read()
            for augmentation in self._augmentations():
                if isinstance(augmentation, AdaptiveAugment):
                    self._metrics["augment/p"] = augmentation.probability
            logs.write(self, {**logs.averaged(self, self._metrics), "images_seen": self.images_seen})

    def discriminator_loss(self, turn: Turn) -> Tensor:
        """Return what the discriminator minimises beside its penalties, a scalar. Override for an exotic game."""
        assert turn.real_logits is not None
        return self.loss.discriminator(turn.real_logits, turn.fake_logits)

    def generator_loss(self, turn: Turn) -> Tensor:
        """Return what the generator minimises beside its penalties, a scalar. Override for an exotic game."""
        return self.loss.generator(turn.fake_logits, turn.real_logits)

    def _real(self, batch: Any) -> tuple[Tensor, Tensor | None]:
        """Return images in [-1, 1] and labels; the first batch of each stage is checked against the networks."""
        stage = self.trainer.state.stage
        images, labels = read_batch(self, batch, first=stage not in self._checked)
        self._checked.add(stage)
        return to_float(images, self.float_type), labels

    def _count(self, real: Tensor, labels: Tensor | None) -> None:
        self._images_seen += len(real) * self.trainer.world_size
        self._d_steps += 1
        self.images_seen.fill_(self._images_seen)
        self.d_steps.fill_(self._d_steps)
        if labels is not None and len(self.label_counts):
            self._new_labels.index_add_(0, labels, torch.ones_like(labels))
            if self.trainer.world_size == 1:
                self._count_labels()

    def _count_labels(self) -> None:
        """Add what every process has counted since the last time to ``label_counts``."""
        if len(self.label_counts):
            self.label_counts += total(self._new_labels)
            self._new_labels.zero_()

    def _draw_shared(self, real: Tensor, labels: Tensor | None) -> _Shared:
        """Draw the images of both turns, with the graph that the generator's turn goes back through."""
        before = self._kept_to_skip("generator")
        z, penalised = self._latents("generator", real), bool(self._due_penalties("generator"))
        with self._precision(penalised):
            return _Shared(z, self(z.requires_grad_(penalised), labels), before)

    def _latents(self, player: Player, real: Tensor) -> Tensor:
        return self._run.latents(len(real), player, self._d_steps, like=real)

    def _play(self, player: Player, real: Tensor, labels: Tensor | None, shared: _Shared | None) -> None:
        """Update one player on one batch; only its parameters and buffers change, and it alone has gradients."""
        optimizer = cast(list[LightningOptimizer], self.optimizers())[0 if player == "generator" else 1]
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        z = self._latents(player, real) if shared is None else shared.z
        theirs = Kept(*self._side("discriminator" if player == "generator" else "generator"))
        ours = shared.before if shared and player == "generator" else self._kept_to_skip(player)
        with self.toggled_optimizer(optimizer):
            loss = self._differentiate(player, real, labels, z, shared)
            if self.trainer.world_size > 1:
                average(parameters, buffers_of(self._side(player)), loss)
            again = partial(self._turn, player, real, labels, z, penalised=False)
            passes = self._health.passes(player, self._d_steps, loss, parameters, again)
            if passes or self._health.scaled:  # a scaler leaves out what is not finite, and learns from it
                self._step(player, optimizer)
            if not passes:
                ours.put_back()
            optimizer.zero_grad()
        theirs.put_back()

    def _kept_to_skip(self, player: Player) -> Kept:
        """Keep what a turn that may be skipped must leave as it was."""
        return Kept(*(self._side(player) if self.on_non_finite == "skip" else ()))

    def _differentiate(
        self, player: Player, real: Tensor, labels: Tensor | None, z: Tensor, shared: _Shared | None
    ) -> Tensor:
        """Add the player's gradients up over the micro-batches; return its loss with penalties, a scalar."""
        due = self._due_penalties(player)
        metrics: dict[str, Tensor] = defaultdict(lambda: real.new_zeros(()))
        loss = real.new_zeros(())
        for share, real_part, label_part, z_part in split(self.micro_batches, real, labels, z):
            with self._precision(penalised=bool(due)):
                turn = self._turn(player, real_part, label_part, z_part, bool(due), shared)
                objective = self._objective(player, turn, due, share, metrics)
            self.manual_backward(objective)
            loss += objective.detach()
        self._metrics.update(metrics)
        return loss

    def _side(self, player: Player) -> list[nn.Module]:
        """Return the modules that belong to a player: augmentation is the discriminator's."""
        states = [state for name, state in self.penalty_states.items() if self.penalties[name].player == player]
        if player == "generator":
            return [self.generator, *states]
        return [self.discriminator, *states] + ([] if self.augment is None else [self.augment])

    def _turn(
        self,
        player: Player,
        real: Tensor,
        labels: Tensor | None,
        z: Tensor,
        penalised: bool,
        shared: _Shared | None = None,
    ) -> Turn:
        """Run both networks for ``player``; the other one's work is done without gradients."""
        generating = player == "generator"
        if shared is None:
            z = z.detach().requires_grad_(generating and penalised)
            with torch.set_grad_enabled(generating):
                fake = self(z, labels)
        else:
            z, fake = shared.z, shared.images if generating else shared.images.detach()
        if penalised and not generating:
            real, fake = real.detach().requires_grad_(), fake.detach().requires_grad_()
        real_logits = None
        if not generating or self.loss.needs_real:
            with torch.set_grad_enabled(not generating):
                real_logits = self._augmented_logits(real, labels)
        fake_logits = self._augmented_logits(fake, labels)
        seen, networks = self._images_seen, (self.generator, self.discriminator)
        return Turn(real, fake, z, labels, real_logits, fake_logits, self._augmented_logits, seen, *networks)

    def _objective(
        self, player: Player, turn: Turn, due: dict[str, Penalty], share: float, metrics: dict[str, Tensor]
    ) -> Tensor:
        """Return the player's loss with the penalties that are due, and add its parts to ``metrics``."""
        game = self.discriminator_loss(turn) if player == "discriminator" else self.generator_loss(turn)
        terms = {f"loss/{player[0]}": game}
        for name, penalty in due.items():
            terms[f"penalty/{name}"] = penalty(turn)
            game = game + penalty.every * terms[f"penalty/{name}"]
        if player == "discriminator" and turn.real_logits is not None:
            terms |= {"logits/real": turn.real_logits.mean(), "logits/fake": turn.fake_logits.mean()}
            for augmentation in self._augmentations():
                augmentation.follow(self._images_seen, turn.real_logits.detach())
        for name, term in terms.items():
            metrics[name] = metrics[name] + share * term.detach()
        return share * game

    def _due_penalties(self, player: Player) -> dict[str, Penalty]:
        update = self._d_steps - 1 if player == "discriminator" else self._d_steps // self.d_steps_per_g_step - 1
        return {n: p for n, p in self.penalties.items() if p.player == player and update % p.every == 0}

    def _precision(self, penalised: bool) -> AbstractContextManager[Any]:
        """Leave autocast alone, or off for a turn whose gradient penalty float16 would under- or overflow."""
        device = self.device.type
        half = torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) == torch.float16
        return torch.autocast(device, enabled=False) if penalised and half else nullcontext()

    def _step(self, player: Player, optimizer: LightningOptimizer) -> None:
        if player == "generator":
            optimizer.step()
        else:  # the call that LightningOptimizer.step makes, without counting: global_step counts generator updates
            self.trainer.strategy.optimizer_step(optimizer.optimizer, lambda: None)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip the active player's gradients: here they are whole, and unscaled where a scaler is used."""
        if self.gradient_clip is not None:
            self.clip_gradients(optimizer, self.gradient_clip, "norm")

    def _follow_schedules(self) -> None:
        """Set the learning rates and β2 that the images seen so far call for."""
        groups = [group for optimizer in self.trainer.optimizers for group in optimizer.param_groups]
        if self.lr_schedule is not None:
            factor = float(self.lr_schedule(self._images_seen))
            self._metrics["lr_factor"] = torch.tensor(factor)
            for group in groups:
                group["lr"] = factor * group["initial_lr"]
        if self.beta2_schedule is not None:
            beta2 = float(self.beta2_schedule(self._images_seen))
            self._metrics["beta2"] = torch.tensor(beta2)
            for group in groups:
                group["betas"] = (group["betas"][0], beta2)

    def _update_ema(self) -> None:
        if self.ema_generator is None or self.ema_half_life is None:
            return
        images, half_life = self._images_seen - self._ema_images_seen, self.ema_half_life
        half_life = half_life(self._images_seen) if isinstance(half_life, Schedule) else half_life
        update_average(self.ema_generator, self.generator, images, half_life)
        self._ema_images_seen = self._images_seen
        self.ema_images_seen.fill_(self._images_seen)

    # Held-out data

    def on_validation_start(self) -> None:
        """Look at the numbers of the last turns; what is drawn from here on does not count."""
        if self.trainer.state.fn == TrainerFn.FITTING:
            self._health.read()
            self._count_labels()
        self._run.validating(begins=True)

    def on_validation_end(self) -> None:
        """Go on drawing where training was."""
        self._run.validating(begins=False)

    def on_validation_epoch_start(self) -> None:
        """Forget what was judged before."""
        self._held_out = HeldOut(self.trainer.global_rank, self.trainer.world_size)

    on_test_epoch_start = on_validation_epoch_start

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Judge held-out images and as many of the raw generator, the discriminator in evaluation mode."""
        self._held_out.judge(self, *self._real(batch))

    test_step = validation_step

    def on_validation_epoch_end(self, stage: str = "val") -> None:
        """Log V(G, D), its bound of the Jensen–Shannon divergence and the discriminator's accuracy."""
        if self.trainer.sanity_checking:
            return
        if metrics := self._held_out.metrics(self.loss):
            metrics |= {name: torch.tensor(number) for name, number in self.caveats.items()}
        logs.write(self, {f"{stage}/{name}": metric for name, metric in metrics.items()})

    def on_test_epoch_end(self) -> None:
        """Log the same of the test data."""
        self.on_validation_epoch_end("test")

    # Sampling

    def sample(
        self,
        n: int,
        labels: Tensor | Iterable[int] | int | None = None,
        *,
        ema: bool = True,
        seed: int | None = None,
        truncation: float = 1.0,
        batch_size: int = 256,
    ) -> Tensor:
        """Return ``n`` generated images ``(n, C, H, W)`` float32 in [-1, 1], the generator in evaluation mode.

        Args:
            n: how many, ≥ 1.
            labels: one for each, or one for all. A conditional generator without them gets classes as frequent as
                in the data it was trained on.
            ema: of the averaged generator, where there is one.
            seed: the same seed gives the same latents on every device; None draws from torch's random state.
            truncation: ψ in (0, 1]: below 1, more typical images and less variety. Passed on to a generator whose
                ``forward`` names ``truncation``, as StyleGAN2's does; the latents of any other are multiplied by it.
            batch_size: images at a time, which bounds the memory.

        Raises:
            TypeError: an argument of a wrong type.
            ValueError: an argument out of range, or labels for a generator that takes none.
        """
        trained = self.trained_generator(ema)
        return trained.sample(n, labels, seed=seed, truncation=truncation, batch_size=batch_size)

    def trained_generator(self, ema: bool = True) -> TrainedGenerator:
        """Return the averaged generator where there is one, or with ``ema=False`` the raw one, as samples need it."""
        network = self.ema_generator if ema and self.ema_generator is not None else self.generator
        return TrainedGenerator(network, self.latent_dim, self.latent, self.label_counts)

    def predict_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """Return as many generated images as the batch holds, of its labels where the generator takes them."""
        images, labels = unpack(batch)
        return self.sample(len(images), labels if self.takes_labels else None)

    # Checkpoints

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Write every part as plain data beside the weights, and what an exact resume needs."""
        if self._run.failed and self.trainer.world_size > 1:
            raise RuntimeError("no checkpoint is written after a failure: it would need every process, and one failed")
        self._health.read()
        if self._run.fitted:
            self._count_labels()
            checkpoint["lit_gan_run"] = self._run.state()
            checkpoint["lit_gan_data"] = describe_data(getattr(self.trainer, "datamodule", None))
        checkpoint["lit_gan"] = model_arguments(self, LitGAN)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse, in one sentence, weights of other networks."""
        check_state(self, checkpoint)
        self._run.load(checkpoint, model_arguments(self, LitGAN))

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
            ValueError: the file is truncated or no checkpoint of LitGAN, a part must be given, or weights do not fit.
        """
        checkpoint = read_checkpoint(checkpoint_path, map_location)
        model = cls(**saved_arguments(cls, checkpoint, parts))
        check_state(model, checkpoint)
        model.load_state_dict(checkpoint["state_dict"])
        return model.to(map_location)
