"""Export of a checkpoint's generator to a folder: weights, description, ONNX and model card."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from lit_gan._utils.arguments import instance_of
from lit_gan._utils.checkpoint_file import Section, read_checkpoint
from lit_gan._utils.config import Origin, describe
from lit_gan._utils.errors import LitGANError
from lit_gan._utils.extras import optional
from lit_gan._utils.files import atomic_folder
from lit_gan._utils.state_dicts import digest_of_weights
from lit_gan._utils.version import __version__
from lit_gan.sampling.export.card import NOT_STATED, Facts, card
from lit_gan.sampling.export.evaluations import of_a_file, of_the_run
from lit_gan.sampling.export.exported_folder import CARD, DESCRIPTION, FILES, ONNX, WEIGHTS, write_generator
from lit_gan.sampling.export.onnx import PACKAGES, SIZES, write_onnx
from lit_gan.sampling.from_checkpoint import SavedGenerators, class_names, saved_generators
from lit_gan.sampling.generator import TrainedGenerator

__all__ = ["ExportOptions", "export_checkpoint"]


class ExportOptions(NamedTuple):
    """Options of an export: the files to write, and content of the model card that the checkpoint does not hold."""

    onnx: bool = True
    """Whether to write an ONNX file."""
    ema: bool = True
    """Whether to export the averaged generator, if there is one."""
    license: str | None = None
    """Licence of the weights, as a hub names it; None if it is not stated."""
    data: str | None = None
    """Description of the training data; None if there is only what the checkpoint says."""
    scores: Path | None = None
    """File of evaluations; None for ``scores.json`` in the run's folder, if it exists."""


def export_checkpoint(
    checkpoint: str, folder: Path, options: ExportOptions, generator: nn.Module | None, origin: Origin
) -> Iterator[str]:
    """Write the generator of a checkpoint to a folder, and yield a line about each file.

    Args:
        checkpoint: path of the checkpoint.
        folder: the folder to write; an earlier export there is replaced.
        options: the options of the export.
        generator: a network of the same architecture, needed if the generator's class is not lit_gan's; else None.
        origin: how to pass a part, for error messages.

    Raises:
        ImportError: a package of the extra ``export`` is not installed.
        TypeError: ``generator`` is not a module.
        ValueError: a bad checkpoint, images or ONNX, evaluations of another generator, other files in ``folder``.
    """
    for package in ("safetensors.torch", *(PACKAGES if options.onnx else ())):
        optional(package, "export", "lit-gan export")
    if generator is not None:
        instance_of("generator", generator, nn.Module, "MyGenerator()")
    held = read_checkpoint(checkpoint)
    saved = saved_generators(held, generator, origin)
    facts, trained = _facts(checkpoint, held, saved, options), saved.trained_generator(options.ema).eval()
    facts = _write(trained, folder.resolve(), facts, options.onnx)
    yield from _lines(folder, trained, facts)


def _facts(checkpoint: str, held: dict[str, Any], saved: SavedGenerators, options: ExportOptions) -> Facts:
    """Return the facts for the card, but for those that the exported generator shows when it draws."""
    weights = [digest_of_weights(network) for network in (saved.generator, saved.ema_generator) if network is not None]
    of = saved.images_seen, weights
    found = of_the_run(Path(checkpoint), *of) if options.scores is None else of_a_file(options.scores, *of)
    return Facts(
        model=held[Section.MODEL],
        ema=options.ema and saved.ema_generator is not None,
        step=step if isinstance(step := held.get("global_step"), int) else None,
        images_seen=saved.images_seen,
        weights=weights,
        shape=(),
        license=options.license,
        data=options.data,
        recorded_data=held.get(Section.DATA),
        scores=found,
        onnx=None,
        class_names=class_names(held),
        versions={"lit_gan": __version__, "torch": torch.__version__},
    )


def _write(trained: TrainedGenerator, path: Path, facts: Facts, onnx: bool) -> Facts:
    """Write all files, or none after an error; return ``facts`` with the sample shape and the ONNX difference added."""
    with atomic_folder(path, FILES, DESCRIPTION) as folder:
        facts = facts._replace(shape=_shape(trained))
        facts = facts._replace(onnx=write_onnx(trained, folder / ONNX) if onnx else None)
        write_generator(trained, folder, _about(facts))
        text = card(trained, describe(trained.network), facts)
        (folder / CARD).write_text(
            text, encoding="utf-8", errors="backslashreplace"
        )  # a text may hold half a character
    return facts


def _shape(trained: TrainedGenerator) -> tuple[int, ...]:
    """Return the shape of a sample; raise a ValueError if it is not finite."""
    image = trained.sample(1, 0 if trained.conditional else None, seed=0)
    if not image.isfinite().all():
        raise LitGANError(
            f"the generator ({type(trained.network).__name__}) makes images of NaN or infinity: no export"
        )
    return tuple(image.shape[1:])


def _about(facts: Facts) -> dict[str, Any]:
    """Return the entries of the JSON that describe the generator and are not needed to rebuild it."""
    names = ("ema", "step", "images_seen", "shape", "license", "data", "recorded_data", "class_names", "versions")
    return {name: getattr(facts, name) for name in names}


def _lines(folder: Path, trained: TrainedGenerator, facts: Facts) -> Iterator[str]:
    """Yield a line about each file, and one more if the training data are described nowhere."""
    whose = "averaged" if facts.ema else "raw"
    remarks = {
        WEIGHTS: f"the {whose} {type(trained.network).__name__} after {facts.images_seen:,} images",
        CARD: f"licence {facts.license or NOT_STATED}, evaluations: {len(facts.scores)}",
    }
    if facts.onnx is not None:
        remarks[ONNX] = f"at most {facts.onnx:.1e} from torch, at batch sizes {', '.join(map(str, SIZES))}"
    for path in (folder / name for name in FILES):
        if path.exists():
            yield f"{path}  {path.stat().st_size / 1e6:.3f} MB  {remarks.get(path.name, '')}".rstrip()
    if facts.data is None and facts.recorded_data is None:
        yield "The checkpoint does not say what it was trained on, so the card does not either: give --data"
