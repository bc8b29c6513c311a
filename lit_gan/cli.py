"""The ``lit-gan`` command: LightningCLI for training, and what needs only a checkpoint."""

import inspect
import re
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from jsonargparse import auto_cli
from pytorch_lightning import LightningDataModule, Trainer
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.utilities.rank_zero import rank_zero_warn

import lit_gan
from lit_gan import augment, data, losses, networks, optim, penalties, schedules
from lit_gan.callbacks import SampleGrid, SampleWriter
from lit_gan.checkpoints import load_sampler
from lit_gan.files import checkpoint_folders, newest_checkpoint, read_checkpoint
from lit_gan.images import grid, have_a_picture, save_png, to_uint8
from lit_gan.module import LitGAN
from lit_gan.penalties import Turn

__all__ = ["LitGANCLI", "main", "sample"]

_PARTS = {
    "model.generator": networks,
    "model.discriminator": networks,
    "model.loss": losses,
    "model.penalties": penalties,
    "model.augment": augment,
    "model.generator_optimizer": optim,
    "model.discriminator_optimizer": optim,
    "model.lr_schedule": schedules,
    "model.beta2_schedule": schedules,
    "data": data,
}


class LitGANParser(LightningArgumentParser):
    """Says in one sentence what is wrong, and names the parts there are where one is unknown."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Print ``message``, shortened to a sentence where a part has an unknown name, and exit with 2."""
        key = next((k for k in _PARTS if re.search(rf'"(\w+\.)?{re.escape(k)}(\.\w+)?"', message)), None)
        unknown = re.search(r"Expected a dot import path string: (\S+)", message)
        if key and unknown:
            message = (
                f"--{key}: there is no {unknown[1]!r}; take one of {', '.join(_names(key))}, "
                "or the import path of a class of your own"
            )
        elif key and (wrong := re.search(r'Parser key "(\w+)":\s+Expected a (.+?)\. Got value: (\S+)', message)):
            wanted = re.sub(r"typing\.Literal|<class '(\w+)'>", r"\1", wrong[2])
            message = f"--{key}: {wrong[1]}={wrong[3]} is none of what it takes, {wanted}"
        elif key and (detail := re.search(r"Option '.+?' is not accepted|the following arguments .+", message)):
            message = f"--{key}: {detail[0]}"
        elif key and (given := re.search(r"NestedArg\(key='(\w+)', val='?(.*?)'?\)", message)):
            types = ", ".join(dict.fromkeys(re.findall(r"Expected a <class '(\w+)'>", message)))
            message = f"--{key}: {given[1]}={given[2]} is not of a type it takes ({types})"
        super().error(message, ex)

    def get_defaults(self, *args: Any, **kwargs: Any) -> Any:
        """Return the defaults, of the data only its class: jsonargparse would hand its options to any other class."""
        defaults = super().get_defaults(*args, **kwargs)
        if hasattr(default := defaults.get("data"), "init_args"):
            del default["init_args"]
        return defaults

    def print_usage(self, file: Any = None) -> None:
        """Print nothing: the sixty lines of usage would bury the sentence; ``--help`` has them."""


def _names(key: str) -> list[str]:
    classes = [getattr(_PARTS[key], name) for name in _PARTS[key].__all__]
    names = [c.__name__ for c in classes if isinstance(c, type) and not inspect.isabstract(c) and c is not Turn]
    player = key.removeprefix("model.").capitalize()
    return [name for name in names if name.endswith(player)] or names


class LitGANCLI(LightningCLI):
    """LightningCLI for :class:`lit_gan.LitGAN`: sample grids, a CSV log and images from ``predict`` by default."""

    def __init__(self, model_class: type[LitGAN] = LitGAN, **kwargs: Any) -> None:
        super().__init__(
            model_class,
            LightningDataModule,
            subclass_mode_data=True,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,  # LitGAN writes its own description into checkpoints
            parser_class=LitGANParser,
            save_config_kwargs={"overwrite": True},
            seed_everything_default=0,
            parser_kwargs={
                "description": "Train GANs, and measure them.",
                "epilog": "To draw from a checkpoint: lit-gan sample CKPT --n 64 --output grid.png (see lit-gan sample "
                "--help).",
                "version": lit_gan.__version__,
            },
            **kwargs,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Take the embedded Fashion-MNIST where no data is named."""
        parser.set_defaults({"data": "FashionMNISTSample"})

    def _parse_ckpt_path(self) -> None:
        """Refuse an unreadable checkpoint, where Lightning would merge its hyper-parameters into the config."""
        path = self.config[self.config.subcommand].get("ckpt_path") if self.config.get("subcommand") else None
        if path and path not in ("best", "last", "hpc"):
            read_checkpoint(path)

    def _prepare_subcommand_kwargs(self, subcommand: str) -> dict[str, Any]:
        """Take ``--ckpt_path last`` for the newest readable checkpoint of this and earlier runs, in any version folder.

        Lightning looks into the new run's own folder, which is empty.
        """
        kwargs = super()._prepare_subcommand_kwargs(subcommand)
        if kwargs.get("ckpt_path") == "last":
            folders = checkpoint_folders(self.trainer)
            kwargs["ckpt_path"] = newest_checkpoint(*folders)
            if kwargs["ckpt_path"] is None:
                places = ", ".join(folders)
                rank_zero_warn(f"ckpt_path=last: no checkpoint in {places} yet, so this run starts from scratch")
        return kwargs

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Add a CSV log where no logger is named, and what shows samples where the config does not."""
        if self._get(self.config_init, "trainer").logger in (None, True):
            root = self._get(self.config_init, "trainer").default_root_dir
            kwargs.setdefault("logger", CSVLogger(root or ".", name="lightning_logs"))
        trainer = super().instantiate_trainer(**kwargs)
        showing = {"fit": SampleGrid, "predict": SampleWriter}.get(str(self.subcommand))
        if showing and not any(isinstance(c, showing) for c in trainer.callbacks):  # type: ignore[attr-defined]
            trainer.callbacks.insert(0, showing())  # type: ignore[attr-defined]
        return trainer


def sample(
    checkpoint: str,
    n: int = 64,
    output: str = "samples.png",
    seed: int | None = None,
    labels: int | list[int] | None = None,
    ema: bool = True,
    truncation: float = 1.0,
) -> None:
    """Draw images from a checkpoint and nothing else.

    Args:
        checkpoint: a .ckpt file that ``lit-gan fit`` or a Trainer wrote.
        n: number of images.
        output: a .png file for one grid, or a folder for one file each.
        seed: the same seed gives the same images.
        labels: classes, for a conditional generator: one for all, or a list with one for each image. As frequent as
            in the training data where they are left out.
        ema: from the averaged generator, where there is one.
        truncation: factor of the latents in (0, 1]: below 1, more typical images and less variety.
    """
    model = load_sampler(checkpoint, LitGAN)
    one_grid = Path(output).suffix.lower() == ".png"
    if Path(output).suffix and not one_grid:
        raise ValueError(f"output={output!r} must end in .png, for a grid, or be a folder, for one file each")
    images = model.sample(n, labels, ema=ema, seed=seed, truncation=truncation)
    if images.ndim != 4 and not (one_grid and have_a_picture(images)):
        raise ValueError(f"samples of shape {tuple(images.shape[1:])} are no images: use LitGAN.sample in code")
    if one_grid:
        save_png(grid(images), output)
    else:
        for i, image in enumerate(images):
            save_png(to_uint8(image), Path(output) / f"{i:06d}.png")
    print(f"Wrote {n} images to {output}")


def main(args: Sequence[str] | None = None) -> None:
    """Run ``lit-gan``. What lit_gan refuses is one sentence on stderr and exit code 2, not a traceback."""
    arguments = list(sys.argv[1:] if args is None else args)
    warnings.filterwarnings("ignore", message=".*treespec, LeafSpec.*")  # Lightning's own, which no user can mend
    sys.path.insert(0, str(Path.cwd()))  # where parts of the user's own are found by their import path
    try:
        if arguments[:1] == ["sample"]:
            auto_cli(sample, args=arguments[1:], prog="lit-gan sample", parser_class=LitGANParser)
        else:
            LitGANCLI(args=args)
    except (ValueError, TypeError, RuntimeError, OSError, ImportError, FloatingPointError) as error:
        sentence = next((str(e) for e in _chain(error) if _is_refusal(e)), None)
        if sentence is None:
            raise
        print(f"error: {sentence}", file=sys.stderr)
        sys.exit(2)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield ``error`` and what it was raised from: jsonargparse wraps what a part's constructor raises."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_refusal(error: BaseException) -> bool:
    """Tell whether lit_gan raised ``error`` itself, by a ``raise`` in one of its files."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = Path(__file__).parent
    return bool(frames) and Path(frames[-1].filename).is_relative_to(ours) and str(frames[-1].line).startswith("raise ")
