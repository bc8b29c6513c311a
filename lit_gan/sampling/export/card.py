"""The model card of an exported generator in Hugging Face's format: a YAML header, then sections in Markdown."""

import json
import re
from collections.abc import Collection
from typing import Any, NamedTuple

from lit_gan._utils.config import summary
from lit_gan.sampling.generator import TrainedGenerator

__all__ = ["NOT_STATED", "Facts", "card"]

NOT_STATED = "not stated"


class Facts(NamedTuple):
    """The content of a model card, in addition to what the generator itself shows."""

    model: dict[str, Any]
    """The arguments of the LitGAN that was trained, as plain data."""
    ema: bool
    """Whether it is the averaged generator."""
    step: int | None
    """Number of generator updates; None if the checkpoint does not hold it."""
    images_seen: int
    """Real images that the discriminator was shown, over all devices."""
    weights: Collection[str]
    """Digests of the weights of the checkpoint's generators, averaged and raw; evaluations hold such a digest."""
    shape: tuple[int, ...]
    """Shape of a sample: ``(C, H, W)`` of images, ``(D,)`` of points."""
    license: str | None
    """Licence of the weights, as a hub names it; None if it is not stated."""
    data: str | None
    """The caller's description of the training data."""
    recorded_data: Any
    """The data module that the checkpoint names, as plain data; None if it names none."""
    scores: list[dict[str, Any]]
    """Evaluations, each with ``scores`` and ``protocol``, as in ``scores.json`` and ``evaluation.json``."""
    onnx: float | None
    """Largest difference of the ONNX file's images from torch's, in [-1, 1]; None without an ONNX file."""
    class_names: list[str]
    """Name of each class; empty if they are not known."""
    versions: dict[str, str]
    """Version of each package that made the export, by name."""


def card(trained: TrainedGenerator, generator: Any, facts: Facts) -> str:
    """Return the text of a model card.

    Args:
        trained: the generator.
        generator: description of its network as plain data, from :func:`lit_gan._utils.config.describe`.
        facts: the rest of the content.
    """
    sections = {
        f"A GAN's generator: {_name(generator)}": _what(trained, generator, facts),
        "Use": _use(trained, generator, facts),
        "Data": _data(facts),
        "Training": _training(facts),
        "Scores": _scores(facts),
        "Limits": _LIMITS,
        "Licence": f"{facts.license or NOT_STATED}.",
    }
    texts = [f"{'##' if i else '#'} {title}\n\n{text}" for i, (title, text) in enumerate(sections.items())]
    return "\n\n".join([_header(trained, facts), *texts]) + "\n"


_LIMITS = (
    "It draws samples that resemble its training data, with whatever these lack or favour. Whether a sample repeats a "
    "training image was not examined, nor was fitness for any purpose."
)


def _name(description: Any) -> str:
    """Return the name of a part's class; ``Generator`` if a doctored file holds something else."""
    name = str(description["class_path"]).rpartition(".")[2]
    return name if name.isidentifier() else "Generator"


def _code(text: str) -> str:
    """Return a text, perhaps a stranger's, as code in one line of Markdown that nothing in it can end."""
    line = " ".join(text.split())
    if "`" not in line:
        return f"`{line}`"
    ticks = "`" * (1 + max(map(len, re.findall("`+", line))))
    return f"{ticks} {line} {ticks}"


def _word(text: str) -> str:
    """Return a name as it is if it means nothing in Markdown, else as code, also in a table."""
    return text if re.fullmatch(r"[\w./-]+", text) else _code(text).replace("|", "\\|")


def _header(trained: TrainedGenerator, facts: Facts) -> str:
    """Return the YAML header that a hub reads; a licence that is not stated is ``unknown`` there."""
    tags = ["gan", "pytorch", "safetensors", *(["onnx"] if facts.onnx is not None else [])]
    drawn = [] if trained.conditional or len(facts.shape) != 3 else ["pipeline_tag: unconditional-image-generation"]
    license = json.dumps(facts.license or "unknown", ensure_ascii=False)  # a JSON string is a YAML string
    return "\n".join(
        ["---", f"license: {license}", "library_name: lit-gan", *drawn, "tags:", *(f"- {t}" for t in tags), "---"]
    )


def _what(trained: TrainedGenerator, generator: Any, facts: Facts) -> str:
    latents = {"normal": "normal, N(0, 1)", "uniform": "uniform on [-1, 1]"}[trained.latent]
    counts, size = trained.label_counts.tolist(), "×".join(map(str, facts.shape))
    classes = f" of {len(counts)} classes" if counts else ""
    labels = f", and labels `(N,)`{classes}" if trained.conditional else ""
    images = f"{size} images in [-1, 1]" if len(facts.shape) == 3 else f"points of {size} numbers"
    lines = [
        f"- network: {_code(summary(generator))}",
        f"- weights: {'the moving average of the generator' if facts.ema else 'the generator as it was trained last'}",
        f"- input: z `(N, {trained.latent_dim})`, {latents}{labels}",
        f"- output: {images}",
        f"- made with {', '.join(f'{package} {version}' for package, version in facts.versions.items())}",
    ]
    seen = [f"- images seen of each class: {', '.join(map(str, counts))}"] if counts else []
    return "\n".join(lines + seen)


def _use(trained: TrainedGenerator, generator: Any, facts: Facts) -> str:
    ours = generator["init_args"] is not None
    given = "" if ours else f", generator={_name(generator)}(...)"
    labels = ", labels=0" if trained.conditional and not len(trained.label_counts) else ""
    code = f"""from lit_gan import load_generator

generator = load_generator("."{given})
images = generator.sample(16{labels}, seed=0)  # ({", ".join(map(str, (16, *facts.shape)))})"""
    text = f"In this folder, with lit_gan (`pip install '.[export]'`, in a clone of it):\n\n{_python(code)}"
    if not ours:
        text += f"\n\nThe network is not lit_gan's: {_code(generator['class_path'])} must be at hand."
    return text if facts.onnx is None else f"{text}\n\n{_use_of_onnx(trained, facts.onnx)}"


def _use_of_onnx(trained: TrainedGenerator, difference: float) -> str:
    rng, size = "np.random.default_rng(0)", f"(16, {trained.latent_dim})"
    normal = f"{rng}.standard_normal({size}, np.float32)"
    z = normal if trained.latent == "normal" else f"2 * {rng}.random({size}, np.float32) - 1"
    labels = ', "labels": np.zeros(16, np.int64)' if trained.conditional else ""
    code = f"""import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("generator.onnx")
z = {z}
(images,) = session.run(None, {{"z": z{labels}}})"""
    return (
        f"Without PyTorch, with `pip install onnxruntime`:\n\n{_python(code)}\n\nWhen the file was written, its images "
        f"by onnxruntime differed from PyTorch's by at most {difference:.1e}. Truncation is 1 in it."
    )


def _python(code: str) -> str:
    return f"```python\n{code}\n```"


def _data(facts: Facts) -> str:
    said = [] if facts.data is None else [facts.data]
    if facts.recorded_data is not None:
        said.append(f"The run that wrote the checkpoint was given {_code(summary(facts.recorded_data))}.")
    return "\n\n".join(said) or f"{NOT_STATED}.".capitalize()


def _training(facts: Facts) -> str:
    model = facts.model
    updates = NOT_STATED if facts.step is None else f"{facts.step:,}"
    lines = [f"- generator updates: {updates}", f"- images seen: {facts.images_seen:,}"]
    for title, name in (
        ("game", "loss"),
        ("discriminator", "discriminator"),
        ("penalties", "penalties"),
        ("augmentation", "augment"),
        ("generator's optimizer", "generator_optimizer"),
        ("discriminator's optimizer", "discriminator_optimizer"),
        ("discriminator updates for each of the generator", "d_steps_per_g_step"),
        ("half-life of the average, in images", "ema_half_life"),
        ("learning rates' schedule", "lr_schedule"),
        ("β2's schedule", "beta2_schedule"),
        ("largest gradient norm", "gradient_clip"),
    ):
        if model.get(name):
            lines.append(f"- {title}: {_shown(model[name])}")
    return "\n".join(lines)


def _shown(value: Any) -> str:
    """Return a description of a part as code; of parts by name, each after its name."""
    if isinstance(value, dict) and "class_path" not in value:
        return ", ".join(f"{_word(str(name))} {_code(summary(part))}" for name, part in value.items())
    return _code(summary(value))


def _scores(facts: Facts) -> str:
    if not facts.scores:
        return "None are known."
    return "\n\n".join(_of_one(evaluation, facts) for evaluation in facts.scores)


def _of_one(evaluation: dict[str, Any], facts: Facts) -> str:
    """Return an evaluation as Markdown: which generator it scores, the table of scores, and the protocol."""
    protocol, stage = evaluation["protocol"], evaluation.get("stage")
    columns = {"": evaluation["scores"], "±": evaluation.get("spread"), "real data": evaluation.get("floor")}
    kept = {title: values for title, values in columns.items() if isinstance(values, dict) and values}
    rows = [
        f"| {_word(name)} | {' | '.join(f'{values[name]:.6g}' if name in values else '' for values in kept.values())} |"
        for name in evaluation["scores"]
    ]
    table = [f"| score | {' | '.join(title or 'value' for title in kept)} |", "|---" * (len(kept) + 1) + "|", *rows]
    of = f"{_state(evaluation, facts)}{f', in {_word(str(stage))}' if stage else ''}, {_whose(protocol, facts)}:"
    by = f"Protocol:\n\n```json\n{json.dumps(protocol, indent=1, ensure_ascii=False)}\n```"
    return "\n\n".join([of, "\n".join(table), by])


def _state(evaluation: dict[str, Any], facts: Facts) -> str:
    """Return a sentence on the generator that an evaluation scores: this one or another, and after how many images."""
    weights = evaluation.get("weights")
    then = _after(evaluation.get("images_seen"), evaluation.get("step"))
    if weights in facts.weights:
        return f"Of this generator{then}"
    whose = "Of which generator is not stated"
    if weights is not None:
        whose = "Not of this generator: of an earlier state, or of another one"
    return f"{whose}{then} (this one:{_after(facts.images_seen, facts.step).removeprefix(',')})"


def _after(images: int | None, updates: int | None) -> str:
    """Return ``, after … updates and … images``, without counts that are not known; empty if none is."""
    counts = {"updates": updates, "images": images}
    known = " and ".join(f"{count:,} {what}" for what, count in counts.items() if count is not None)
    return known and f", after {known}"


def _whose(protocol: dict[str, Any], facts: Facts) -> str:
    if "ema" not in protocol:
        return "average or not is not stated"
    whose = "averaged weights" if protocol["ema"] else "weights as trained"
    return whose if protocol["ema"] == facts.ema else f"{whose}, which are not those in this folder"
