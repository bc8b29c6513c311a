"""Base class of callbacks that draw: when they draw, and the files they write."""

import re
import signal
from abc import ABC, abstractmethod
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from PIL import Image
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.utilities.rank_zero import rank_zero_info, rank_zero_warn
from torch import Tensor

from lit_gan._utils.arguments import at_least_one
from lit_gan._utils.errors import LitGANTypeError
from lit_gan.callbacks.fixed import validating
from lit_gan.callbacks.of_a_gan import GANCallback
from lit_gan.data.images import evenly, save_movie, save_png
from lit_gan.gan import LitGAN
from lit_gan.training import logging
from lit_gan.training.logging import run_folder, training_goes_on
from lit_gan.training.shutdown import GracefulExit

__all__ = ["PictureCallback"]


class PictureCallback(GANCallback, ABC):
    """Base class of callbacks that draw a picture at each ``every_n_steps``-th generator update and when fit ends.

    ``<name>/step-000500.png`` in the run's folder is the picture after 500 generator updates; the path of the last one
    is printed. Loggers with ``log_image`` (W&B) or ``experiment.add_image`` (TensorBoard) get it as well, and W&B the
    movie. A second callback of the same ``name`` in a Trainer draws to ``<name>-2``.

    To write one, give the class a ``name``, implement ``draw``, and call ``super().__init__()``.

    Args:
        every_n_steps: generator updates between pictures.
        movie: whether to make ``<name>.gif`` of the run's pictures when fit ends, of at most 300 of them.

    Raises:
        ValueError: ``every_n_steps`` below 1.
    """

    def __init__(self, every_n_steps: int = 500, movie: bool = False) -> None:
        at_least_one(every_n_steps=every_n_steps)
        self.every_n_steps, self.movie = every_n_steps, movie
        self._last: tuple[int, Path | None] = (-1, None)
        self._frames: list[str] = []

    @abstractmethod
    def draw(self, model: LitGAN) -> Tensor | None:
        """Return a uint8 picture ``(C, H, W)``, or None if there is nothing to draw; called on rank 0 only."""

    def caption(self, model: LitGAN) -> str:
        """Return a caption with the generator updates and images seen so far."""
        return f"{model.trainer.global_step} generator updates, {int(model.images_seen)} images seen"

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Reset the state from an earlier fit, and choose the folder."""
        super().setup(trainer, pl_module, stage)
        if missing := [name for name in ("name", "every_n_steps", "movie") if not hasattr(self, name)]:
            raise LitGANTypeError(
                f"{type(self).__name__} has no {missing[0]}: a PictureCallback has the name of its pictures' folder, "
                "and calls super().__init__(every_n_steps, movie)"
            )
        self._own_name = self.own_name(trainer)
        self._last, self._frames = (-1, None), []

    def state_dict(self) -> dict[str, Any]:
        """Return the paths of the pictures drawn so far, if there is to be a movie."""
        return {"frames": self._frames} if self.movie else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the paths of the movie's pictures from a checkpoint; :func:`own_pictures` says which are shown."""
        frames = state_dict.get("frames", [])
        self._frames = [frame for frame in frames if isinstance(frame, str)] if isinstance(frames, list) else []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Mark the picture of the resumed step as drawn, so that a discriminator update does not draw it again."""
        if self._due(trainer):
            self._last = (trainer.global_step, None)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Draw at each ``every_n_steps``-th generator update."""
        if self._due(trainer):
            self._write(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the last picture, here because Lightning moves the networks off their device before ``on_fit_end``."""
        assert isinstance(pl_module, LitGAN)
        pl_module.check_pending_losses()  # raises before a picture of weights that are not finite is drawn
        self._write(trainer, pl_module)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Draw the last picture after Ctrl-C, which ends a run after a batch, and print its path."""
        if isinstance(exception, GracefulExit) and exception.signum == signal.SIGINT:
            self._write(trainer, pl_module)
            self._print_last()

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the path of the last picture, and write the movie."""
        path = self._print_last()
        if self.movie and path is not None:
            assert isinstance(pl_module, LitGAN)
            with training_goes_on(trainer, movie := path.parent.with_suffix(".gif")):
                _write_movie(own_pictures(self._frames, path.parent), movie)
                rank_zero_info(f"{self._own_name.capitalize()}, moving: {movie}")
                logging.log_movie(trainer, f"{self._own_name}_movie", movie, int(pl_module.images_seen))

    def _print_last(self) -> Path | None:
        """Print the path of the last picture, if there is one, and return it."""
        path = self._last[1]
        if path is not None:
            rank_zero_info(f"{self._own_name.capitalize()}: {path}")
        return path

    def _due(self, trainer: Trainer) -> bool:
        return trainer.global_step > 0 and trainer.global_step % self.every_n_steps == 0

    def _write(self, trainer: Trainer, model: LightningModule) -> None:
        step, folder = trainer.global_step, run_folder(trainer)  # on every process: they agree on the folder
        if self._last[0] == step or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        assert isinstance(model, LitGAN)
        with validating(model) if trainer.training else nullcontext():  # validations restore random states
            picture = self.draw(model) if trainer.is_global_zero else None
        path = None
        if picture is not None:
            with training_goes_on(trainer, folder / self._own_name):
                path = save_png(picture, folder / self._own_name / f"step-{step:06d}.png")
                self._frames.append(str(path))
            logging.log_picture(trainer, self._own_name, picture, self.caption(model), int(model.images_seen))
        self._last = (step, path)


def own_pictures(paths: list[str], folder: Path) -> list[Path]:
    """Return those of ``paths`` that are pictures of this run; warn of the others.

    Paths come from a checkpoint, perhaps a stranger's, and could name any file. Pictures of this run lie in ``folder``,
    or in that of an earlier version that was resumed: ``version_0/samples`` for ``version_1/samples``. A link is none.
    """
    own = [path for path in map(Path, paths) if _is_own(path, folder.resolve())]
    if len(own) < len(paths):
        left_out = len(paths) - len(own)
        rank_zero_warn(f"{folder.name}.gif leaves out {left_out} of {len(paths)} pictures: they are not in {folder}")
    return own


def _is_own(path: Path, folder: Path) -> bool:
    try:
        real = path.resolve()
        there, version = real.parent, (real.parent.parent.name, folder.parent.name)
        alike = there.parent.with_name(version[1]) / there.name == folder  # but for the version
        earlier = alike and all(re.fullmatch(r"version_\d+", name) for name in version)
        is_picture = re.fullmatch(r"step-\d+\.png", real.name) is not None and real.is_file()
    except (OSError, RuntimeError, ValueError):  # a circle of links; a name that no file can have
        return False
    return is_picture and (there == folder or earlier)


def _write_movie(pictures: list[Path], movie: Path, most: int = 300) -> None:
    """Write at most ``most`` of the pictures as a GIF, 0.2 s each and 2 s the last."""
    save_movie([Image.open(path) for path in evenly(pictures, most)], movie, frame=200, last=2000)
