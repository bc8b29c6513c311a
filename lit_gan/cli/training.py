"""The ``lit-gan fit``, ``validate``, ``test`` and ``predict`` commands: LightningCLI for a LitGAN."""

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning import LightningDataModule, LightningModule, Trainer
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from pytorch_lightning.loggers import CSVLogger, WandbLogger
from pytorch_lightning.utilities.rank_zero import rank_zero_warn

from lit_gan._utils.arguments import expanded
from lit_gan._utils.checkpoint_file import read_checkpoint
from lit_gan._utils.errors import LitGANError, MissingFileError
from lit_gan._utils.kinds import KINDS, import_parts
from lit_gan._utils.version import __version__
from lit_gan.callbacks import SampleGrid, SampleWriter
from lit_gan.cli.checkpoint_paths import checkpoint_at
from lit_gan.cli.loggers import check_loggers, loggers_in
from lit_gan.cli.parser import OneSentence, refuse_empty
from lit_gan.gan import LitGAN
from lit_gan.training.checkpoint_io import checkpoint_folders, newest_checkpoint
from lit_gan.training.lightning_compat import ignore_hyperparameters
from lit_gan.training.logging import run_folder

__all__ = ["LitGANCLI", "LitGANParser"]

import_parts(*KINDS)  # LightningCLI knows the short names of imported classes only


class SaveConfig(SaveConfigCallback):
    """Callback that writes a run's config into the run's folder, not Lightning's ``log_dir``, and sends it to W&B."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Set the path of the config; every process must call this, since they agree on the run's folder."""
        self._file = run_folder(trainer) / self.config_filename
        super().setup(trainer, pl_module, stage)

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write the config to the run's folder and to W&B; called on the first process only."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self.parser.save(self.config, str(self._file), skip_none=False, overwrite=True)
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_hyperparams(json.loads(self.parser.dump(self.config, format="json", skip_none=False)))


class LitGANParser(OneSentence, LightningArgumentParser):
    """LightningCLI's parser, with errors of one sentence."""

    def get_defaults(self, *args: Any, **kwargs: Any) -> Any:
        """Return the defaults, without the data's options, which jsonargparse would pass to any other data module."""
        defaults = super().get_defaults(*args, **kwargs)
        if hasattr(default := defaults.get("data"), "init_args"):
            del default["init_args"]
        return defaults


def _check_arguments(parser: LightningArgumentParser, arguments: Sequence[str]) -> None:
    """Refuse what the parser would not see or not explain: empty values, missing packages, an unknown first option."""
    refuse_empty([*map(str, arguments)])
    check_loggers(loggers_in(arguments))
    first = str(next(iter(arguments), "")).partition("=")[0]
    if first.startswith("--") and not any(option.startswith(first) for option in parser._option_string_actions):
        parser.error(f"unrecognized arguments: {first}")  # argparse would take what follows for a command


class LitGANCLI(LightningCLI):
    """LightningCLI for :class:`lit_gan.LitGAN`, by default with a CSV log, sample grids and images from ``predict``."""

    def __init__(self, model_class: type[LitGAN] = LitGAN, **kwargs: Any) -> None:
        ignore_hyperparameters(self, instead=lambda: None)  # parse_arguments reads the checkpoint
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
                "version": __version__,
            },
            **kwargs,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Set the default data module, the Fashion-MNIST images that the package contains."""
        parser.set_defaults({"data": "FashionMNISTSample"})

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse the arguments, and raise for a bad seed or checkpoint before anything is instantiated.

        Raises:
            FileNotFoundError: ``--ckpt_path`` does not exist.
            ValueError: a seed that NumPy does not take, a checkpoint that cannot be read, or none for a command that
                needs one.
        """
        _check_arguments(parser, sys.argv[1:] if args is None else args)
        super().parse_arguments(parser, args)
        self.config = expanded(self.config)
        command = str(self.config.get("subcommand"))
        options = self.config.get(command, self.config)
        if not isinstance(options.trainer, Namespace):
            raise LitGANError(f"trainer={options.trainer!r}: give options by name, like trainer: {{max_steps: 1000}}")
        seed, path = options.get("seed_everything"), options.get("ckpt_path")
        loggers = options.trainer.logger if isinstance(options.trainer.logger, list) else [options.trainer.logger]
        check_loggers(str(getattr(logger, "class_path", "")) for logger in loggers)
        if seed not in (True, False, None) and not 0 <= seed < 2**32:
            raise LitGANError(f"seed_everything={seed} must lie in [0, {2**32 - 1}]")
        if path and path not in ("best", "last", "hpc"):
            options["ckpt_path"] = checkpoint_at(path)
            read_checkpoint(options["ckpt_path"])
        if warm_start := options.model.get("warm_start"):
            options.model["warm_start"] = checkpoint_at(warm_start)
        if command in ("validate", "test", "predict") and not path and not warm_start:
            raise LitGANError(f"{command} without a checkpoint would show untrained networks: give --ckpt_path")

    def after_instantiate_classes(self) -> None:
        """Replace ``--ckpt_path last`` by the newest readable checkpoint of this and earlier runs.

        All version folders are searched; Lightning would search only that of the new run, which is empty. A file in
        place of a folder for checkpoints is refused, at which Lightning would fail only after an epoch.
        """
        for callback in self.trainer.checkpoint_callbacks:
            if (folder := getattr(callback, "dirpath", None)) and Path(folder).is_file():
                raise LitGANError(f"dirpath={str(folder)!r} is a file: give a folder for the checkpoints")
        options = self.config_init.get(str(self.subcommand), {})
        if options.get("ckpt_path") != "last":
            return
        folders = checkpoint_folders(self.trainer)
        options["ckpt_path"], places = newest_checkpoint(*folders), ", ".join(folders)
        if options["ckpt_path"] is None and self.subcommand != "fit":
            raise MissingFileError(f"ckpt_path=last: there is no checkpoint in {places}: name one")
        if options["ckpt_path"] is None:
            rank_zero_warn(f"ckpt_path=last: no checkpoint in {places} yet, so this run starts from scratch")

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Return the Trainer; unless it is barebones, with a CSV logger if none is given, and the sample callback."""
        trainer_options = self.config_init.get(str(self.subcommand), self.config_init).trainer
        if trainer_options.logger in (None, True) and not trainer_options.barebones:
            root = trainer_options.default_root_dir
            kwargs.setdefault("logger", CSVLogger(root or ".", name="lightning_logs"))
        trainer = super().instantiate_trainer(**kwargs)
        showing = {"fit": SampleGrid, "predict": SampleWriter}.get(str(self.subcommand))
        if showing and not trainer.barebones and not any(isinstance(c, showing) for c in trainer.callbacks):  # type: ignore[attr-defined]
            trainer.callbacks.insert(0, showing())  # type: ignore[attr-defined]
        return trainer
