"""``lit-gan export``: the generator of a checkpoint as files for others."""

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

    The folder holds generator.safetensors, generator.json (what rebuilds it: ``lit_gan.load_generator(folder)``),
    generator.onnx, which onnxruntime has drawn the same images from to 1e-4, and README.md, the model card.

    Args:
        checkpoint: a .ckpt file that ``lit-gan fit`` or a Trainer wrote.
        output: the folder; an earlier export there is replaced.
        onnx: write ONNX as well.
        ema: the averaged generator, where there is one.
        license: of the weights, as a hub names it: apache-2.0, cc-by-4.0, other. The card says where it is not stated.
        data: what it was trained on, in words, beside the data module that the checkpoint names.
        scores: evaluation.json of ``lit-gan evaluate``, or a scores.json; the one in the run's folder where it is left
            out.
        generator: where its class is not lit_gan's, a network like it, which is given the checkpoint's weights.
    """
    from lit_gan._utils.config import Origin
    from lit_gan.sampling.export.write import ExportOptions, export_checkpoint

    origin = Origin(load="export(checkpoint, {0}=...), or --{0} and its class path")
    options = ExportOptions(onnx, ema, license, data, None if scores is None else Path(scores))
    for line in export_checkpoint(checkpoint, Path(output), options, generator, origin):
        print(line)
