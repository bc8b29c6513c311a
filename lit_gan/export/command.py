"""``lit-gan export``: the generator of a checkpoint as files for others."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

import lit_gan
from lit_gan.arguments import instance_of
from lit_gan.checkpoint_files import read_checkpoint
from lit_gan.checkpoints import sampler_of
from lit_gan.evaluation.sources import digest_of_weights
from lit_gan.export.card import NOT_STATED, Facts, card
from lit_gan.export.folder import CARD, DESCRIPTION, FILES, ONNX, WEIGHTS, write_generator
from lit_gan.export.onnx import PACKAGES, SIZES, write_onnx
from lit_gan.export.scores import of_a_file, of_the_run
from lit_gan.extras import optional
from lit_gan.files import folder_beside
from lit_gan.module import LitGAN
from lit_gan.parts import Source, describe
from lit_gan.sampling import TrainedGenerator

__all__ = ["export"]


def export(
    checkpoint: str,
    output: str = "generator",
    onnx: bool = True,
    ema: bool = True,
    license: str | None = None,
    data: str | None = None,
    scores: str | None = None,
    generator: nn.Module | None = None,
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
    for package in ("safetensors.torch", *(PACKAGES if onnx else ())):
        optional(package, "export", "lit-gan export")
    if generator is not None:
        instance_of("generator", generator, nn.Module, "MyGenerator()")
    held = read_checkpoint(checkpoint)
    source = Source(load="export(checkpoint, {0}=...), or --{0} and its class path")
    model = sampler_of(held, LitGAN, generator, source)
    images_seen, trained = int(model.images_seen), model.trained_generator(ema).eval()
    weights = [digest_of_weights(network) for network in (model.generator, model.ema_generator) if network is not None]
    of = images_seen, weights
    found = of_the_run(Path(checkpoint), *of) if scores is None else of_a_file(Path(scores), *of)
    with folder_beside(Path(output).resolve(), FILES, DESCRIPTION) as folder:
        facts = Facts(
            model=held["lit_gan"],
            ema=ema and model.ema_generator is not None,
            step=held.get("global_step"),
            images_seen=images_seen,
            weights=weights,
            shape=_shape(trained),
            license=license,
            data=data,
            recorded_data=held.get("lit_gan_data"),
            scores=found,
            onnx=write_onnx(trained, folder / ONNX) if onnx else None,
            versions={"lit_gan": lit_gan.__version__, "torch": torch.__version__},
        )
        write_generator(trained, folder, _about(facts))
        (folder / CARD).write_text(card(trained, describe(trained.network), facts), encoding="utf-8")
    _say(Path(output), trained, facts)


def _shape(trained: TrainedGenerator) -> tuple[int, ...]:
    """Return the shape of an image; refused where it is no number."""
    image = trained.sample(1, 0 if trained.conditional else None, seed=0)
    if not image.isfinite().all():
        raise ValueError(f"the generator ({type(trained.network).__name__}) makes images of NaN or infinity: no export")
    return tuple(image.shape[1:])


def _about(facts: Facts) -> dict[str, Any]:
    """Return what the JSON says beside what rebuilds the generator."""
    names = ("ema", "step", "images_seen", "shape", "license", "data", "recorded_data", "versions")
    return {name: getattr(facts, name) for name in names}


def _say(folder: Path, trained: TrainedGenerator, facts: Facts) -> None:
    whose = "averaged" if facts.ema else "raw"
    remarks = {
        WEIGHTS: f"the {whose} {type(trained.network).__name__} after {facts.images_seen:,} images",
        CARD: f"licence {facts.license or NOT_STATED}, evaluations: {len(facts.scores)}",
    }
    if facts.onnx is not None:
        remarks[ONNX] = f"at most {facts.onnx:.1e} from torch, at batch sizes {', '.join(map(str, SIZES))}"
    for path in (folder / name for name in FILES):
        if path.exists():
            print(f"{path}  {path.stat().st_size / 1e6:.3f} MB  {remarks.get(path.name, '')}".rstrip())
    if facts.data is None and facts.recorded_data is None:
        print("The checkpoint does not say what it was trained on, so the card does not either: give --data")
