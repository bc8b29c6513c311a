"""The ``lit-gan export`` command: a checkpoint's generator as files that are used without a Trainer."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

__all__ = ["export"]


def export(
    checkpoint: str,
    output: str = "generator",
    onnx: bool = True,
    ema: bool = True,
    license: str | None = None,
    data: str | None = None,
    scores: str | None = None,
    generator: "nn.Module | None" = None,
) -> None:
    """Write the generator of a checkpoint as safetensors, ONNX and a model card, for use without a Trainer.

    The folder holds generator.safetensors (the weights), generator.json (the description from which
    lit_gan.load_generator(folder) rebuilds the generator), generator.onnx (checked: onnxruntime's images differ from
    PyTorch's by at most 1e-4), and README.md (the model card).

    Args:
        checkpoint: a .ckpt file that lit-gan fit or a Trainer wrote, or the folder of a run, for its newest one.
        output: folder to write; an earlier export there is replaced.
        onnx: also write generator.onnx.
        ema: export the averaged generator, if the checkpoint has one.
        license: licence of the weights for the card, as a hub names it: apache-2.0, cc-by-4.0, other; if not given, the
            card says that it is not stated.
        data: description of the training data for the card, in addition to the data module that the checkpoint names.
        scores: file of scores for the card, an evaluation.json of lit-gan evaluate or a scores.json; if not given, the
            scores.json in the run's folder, if there is one.
        generator: network of the same architecture, by import path, that the weights are loaded into; required if the
            generator's class is not lit_gan's.
    """
    from lit_gan._utils.arguments import expanded
    from lit_gan._utils.config import Origin
    from lit_gan.cli.checkpoint_paths import checkpoint_at
    from lit_gan.sampling.export.write import ExportOptions, export_checkpoint

    origin = Origin(load="export(checkpoint, {0}=...), or --{0} and its class path")
    options = ExportOptions(onnx, ema, license, data, None if scores is None else Path(expanded(scores)))
    for line in export_checkpoint(checkpoint_at(checkpoint), Path(expanded(output)), options, generator, origin):
        print(line)
