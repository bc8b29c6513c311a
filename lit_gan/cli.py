"""The ``lit-gan`` command: LightningCLI for training, and what needs only a checkpoint."""

import json
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import lightning_fabric
import pytorch_lightning
from jsonargparse import auto_cli
from pytorch_lightning import LightningDataModule, LightningModule, Trainer
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from pytorch_lightning.loggers import CSVLogger, WandbLogger
from pytorch_lightning.utilities.rank_zero import rank_zero_warn

import lit_gan
from lit_gan.callbacks import SampleGrid, SampleWriter
from lit_gan.callbacks.pictures import run_folder
from lit_gan.checkpoint_files import checkpoint_folders, newest_checkpoint, read_checkpoint
from lit_gan.distributed import leave
from lit_gan.drawing import sample
from lit_gan.evaluation.command import evaluate
from lit_gan.export import export
from lit_gan.module import LitGAN
from lit_gan.parser import LitGANParser
from lit_gan.report import report

__all__ = ["LitGANCLI", "main", "raised_by"]


class SaveConfig(SaveConfigCallback):
    """Writes the config of a run into its folder, not Lightning's ``log_dir``, and gives it to W&B."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Ask where to write, which several processes must do together."""
        self._file = run_folder(trainer) / self.config_filename
        super().setup(trainer, pl_module, stage)

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write the config, on the first process."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self.parser.save(self.config, str(self._file), skip_none=False, overwrite=True)
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_hyperparams(json.loads(self.parser.dump(self.config, format="json", skip_none=False)))


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
            save_config_callback=SaveConfig,
            save_config_kwargs={"save_to_log_dir": False},
            seed_everything_default=0,
            parser_kwargs={
                "description": "Train GANs, and measure them.",
                "epilog": "To draw from a checkpoint: lit-gan sample CKPT --n 64 --output grid.png. To score one: "
                "lit-gan evaluate CKPT --data CIFAR10. To hand one on: lit-gan export CKPT. To see how a run went: "
                "lit-gan report RUN_FOLDER (each has its --help).",
                "version": lit_gan.__version__,
            },
            **kwargs,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Take the embedded Fashion-MNIST where no data is named."""
        parser.set_defaults({"data": "FashionMNISTSample"})

    def _parse_ckpt_path(self) -> None:
        """Refuse an unreadable checkpoint, whose hyper-parameters Lightning would merge into the config, or none."""
        subcommand = self.config.get("subcommand")
        path = self.config[subcommand].get("ckpt_path") if subcommand else None
        if path and path not in ("best", "last", "hpc"):
            read_checkpoint(path)
        if subcommand not in (None, "fit") and not path and not self.config[subcommand].model.get("warm_start"):
            raise ValueError(f"{subcommand} without a checkpoint would show untrained networks: give --ckpt_path")

    def _set_seed(self) -> None:
        """Refuse a seed that numpy does not take before anything is seeded."""
        seed = self._get(self.config, "seed_everything")
        if seed not in (True, False) and not 0 <= seed < 2**32:
            raise ValueError(f"seed_everything={seed} must lie in [0, {2**32 - 1}]")
        super()._set_seed()

    def _prepare_subcommand_kwargs(self, subcommand: str) -> dict[str, Any]:
        """Take ``--ckpt_path last`` for the newest readable checkpoint of this and earlier runs, in any version folder.

        Lightning looks into the new run's own folder, which is empty.
        """
        kwargs = super()._prepare_subcommand_kwargs(subcommand)
        if kwargs.get("ckpt_path") == "last":
            folders = checkpoint_folders(self.trainer)
            kwargs["ckpt_path"] = newest_checkpoint(*folders)
            places = ", ".join(folders)
            if kwargs["ckpt_path"] is None and subcommand != "fit":
                raise FileNotFoundError(f"ckpt_path=last: there is no checkpoint in {places}: name one")
            if kwargs["ckpt_path"] is None:
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


def main(args: Sequence[str] | None = None) -> None:
    """Run ``lit-gan``. What lit_gan refuses is one sentence on stderr and exit code 2, not a traceback."""
    arguments = list(sys.argv[1:] if args is None else args)
    warnings.filterwarnings("ignore", message=".*treespec, LeafSpec.*")  # Lightning's own, which no user can mend
    sys.path.insert(0, str(Path.cwd()))  # where parts of the user's own are found by their import path
    try:
        functions: dict[str, Callable[..., Any]] = {
            "sample": sample,
            "evaluate": evaluate,
            "export": export,
            "report": report,
        }
        if arguments and (function := functions.get(arguments[0])):
            auto_cli(function, args=arguments[1:], prog=f"lit-gan {arguments[0]}", parser_class=LitGANParser)
        else:
            LitGANCLI(args=args)
            leave()
    except Exception as error:
        refusals = (str(e) for e in _chain(error) if raised_by(e, lit_gan))
        refusal = next(refusals, None) or _of_lightning(error) or _of_a_file(error)
        if refusal is None:
            raise
        print(f"error: {' '.join(refusal.split())}", file=sys.stderr)
        sys.exit(2)


def _of_lightning(error: Exception) -> str | None:
    """Return what Lightning refuses: an option of its Trainer, a metric to watch that nothing logs."""
    return str(error) if any(raised_by(error, package) for package in (pytorch_lightning, lightning_fabric)) else None


def _of_a_file(error: Exception) -> str | None:
    """Return what is wrong with a file that the system refuses, or a config file that is no text."""
    if isinstance(error, UnicodeDecodeError):
        return f"a config file is no text in UTF-8 ({error.reason} at byte {error.start})"
    return f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield ``error`` and what it was raised from: jsonargparse wraps what a part's constructor raises."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def raised_by(error: BaseException, package: ModuleType) -> bool:
    """Tell whether ``package`` raised ``error`` itself, by a ``raise`` in one of its files."""
    frames = traceback.extract_tb(error.__traceback__)
    files = Path(str(package.__file__)).parent
    return (
        bool(frames) and Path(frames[-1].filename).is_relative_to(files) and str(frames[-1].line).startswith("raise ")
    )
