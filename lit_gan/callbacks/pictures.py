"""What callbacks that draw have in common: when, and where the pictures go."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.utilities.rank_zero import rank_zero_info
from torch import Tensor

from lit_gan.arguments import at_least_one
from lit_gan.images import save_png
from lit_gan.module import LitGAN
from lit_gan.representation import in_one_line

__all__ = ["PictureCallback", "log_image", "run_folder"]


class PictureCallback(Callback, ABC):
    """Draws at each ``every_n_steps``-th generator update and when fit ends, to the run's folder and to image loggers.

    ``<name>/step-000500.png`` in the run's folder is the picture after 500 generator updates; the path of the last one
    is printed. Loggers with ``log_image`` (W&B) or ``experiment.add_image`` (TensorBoard) get it as well.

    Args:
        every_n_steps: generator updates between pictures.
        movie: whether all pictures of the run become ``<name>.gif`` when fit ends, 300 of them at the most.

    Raises:
        ValueError: ``every_n_steps`` below 1.
    """

    name: ClassVar[str]
    __repr__ = in_one_line

    def __init__(self, every_n_steps: int = 500, movie: bool = False) -> None:
        at_least_one(every_n_steps=every_n_steps)
        self.every_n_steps, self.movie = every_n_steps, movie
        self._last: tuple[int, Path | None] = (-1, None)
        self._frames: list[str] = []

    @abstractmethod
    def draw(self, model: LitGAN) -> Tensor | None:
        """Return a uint8 picture ``(C, H, W)``, or None, after a warning, where there is nothing to see."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Forget another run."""
        self._last, self._frames = (-1, None), []

    def state_dict(self) -> dict[str, Any]:
        """Return where the pictures are that a movie is made of."""
        return {"frames": self._frames} if self.movie else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the movie of a checkpoint."""
        self._frames = list(state_dict.get("frames", []))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Draw at each ``every_n_steps``-th generator update."""
        if trainer.global_step and trainer.global_step % self.every_n_steps == 0:
            self._write(trainer, pl_module)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the last picture and say where it is."""
        self._write(trainer, pl_module)
        path = self._last[1]
        if path is not None:
            rank_zero_info(f"{self.name.capitalize()}: {path}")
            if self.movie:
                movie = _movie(self._frames, path.parent.with_suffix(".gif"))
                rank_zero_info(f"{self.name.capitalize()}, moving: {movie}")

    def _write(self, trainer: Trainer, model: LightningModule) -> None:
        step, folder = trainer.global_step, run_folder(trainer)  # on every process: they agree on the folder
        if self._last[0] == step or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        assert isinstance(model, LitGAN)
        picture = self.draw(model) if trainer.is_global_zero else None
        path = None
        if picture is not None:
            path = save_png(picture, folder / self.name / f"step-{step:06d}.png")
            log_image(trainer, self.name, picture, step)
            self._frames.append(str(path))
        self._last = (step, path)


def _movie(paths: list[str], movie: Path, most: int = 300, frame: int = 200, last: int = 2000) -> Path:
    """Write pictures as a GIF that runs over and over; each is shown for so many milliseconds."""
    there = [path for path in paths if Path(path).exists()]
    chosen = there[:: -(-len(there) // most)]
    frames = [Image.open(path).convert("P", palette=Image.Palette.ADAPTIVE, colors=64) for path in chosen]
    durations = [frame] * (len(frames) - 1) + [last]
    frames[0].save(movie, save_all=True, append_images=frames[1:], duration=durations, loop=0)
    return movie


def run_folder(trainer: Trainer) -> Path:
    """Return the folder of the run: the first logger's, or the Trainer's own; every process must ask.

    Of loggers like W&B's Lightning names the folder that all runs share; the run's own in it has its checkpoints.
    """
    logger, folder = trainer.logger, Path(trainer.log_dir or trainer.default_root_dir)
    if logger is None or logger.log_dir is not None:
        return folder
    return trainer.strategy.broadcast(folder / str(logger.name) / str(logger.version))


def log_image(trainer: Trainer, name: str, picture: Tensor, step: int) -> None:
    """Give a uint8 picture ``(C, H, W)`` to each logger that takes pictures."""
    for logger in trainer.loggers:
        add_image = getattr(getattr(logger, "experiment", None), "add_image", None)
        if hasattr(logger, "log_image"):
            logger.log_image(name, [picture.permute(1, 2, 0).numpy()], step)
        elif add_image is not None:
            add_image(name, picture, step)
