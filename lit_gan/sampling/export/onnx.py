"""Export of a generator to ONNX, with a check of onnxruntime's images against torch's."""

import copy
import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized, type_before_parametrizations

from lit_gan._utils.errors import LitGANError
from lit_gan._utils.extras import optional
from lit_gan.sampling.generator import TrainedGenerator, draw_latents

__all__ = ["PACKAGES", "SIZES", "TOLERANCE", "largest_difference", "write_onnx"]

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
"""Packages that writing and checking an ONNX file need, from the extra ``export``."""
TOLERANCE = 1e-4
"""Largest accepted difference of an ONNX file's images from torch's, in units of the images' range [-1, 1]."""
TRACED = 2
"""Batch size at which the network is traced."""
SIZES = (1, 3, 8)
"""Batch sizes at which the file is checked; none is :data:`TRACED`, so that a fixed batch size is detected."""


def write_onnx(trained: TrainedGenerator, path: Path) -> float:
    """Write ``trained`` as ONNX and return the largest difference of its images from torch's.

    The inputs are ``z``, float32 ``(batch, latent_dim)``, and for a conditional generator ``labels``, int64
    ``(batch,)``; the output is ``images``, float32. The network is in evaluation mode, with truncation 1, and its
    parametrized weights are stored as computed at export.

    Args:
        trained: the generator, in evaluation mode, on the CPU.
        path: path of the file to write.

    Raises:
        ImportError: a package of the extra ``export`` is not installed.
        ValueError: the exporter cannot write the network, or the file's images differ by more than :data:`TOLERANCE`.
    """
    for package in PACKAGES:  # checked here, since torch's exporter imports the first two itself
        optional(package, "export", "ONNX")
    name = type(trained.network).__name__
    try:
        with _silence():
            program = torch.onnx.export(
                _traced(trained),
                dynamo=True,
                input_names=_input_names(trained),
                output_names=["images"],
                verbose=False,
            )
            assert program is not None
            program.save(str(path))
        difference = largest_difference(trained, path)
    except Exception as error:  # tracing a user's network may raise errors of any type
        raise LitGANError(f"{name} cannot be written as ONNX ({_reason(error)}): leave it out, --onnx false") from error
    if not difference <= TOLERANCE:  # written so that NaN fails
        raise LitGANError(
            f"the ONNX of {name} differs from torch by {difference:.2g}, more than {TOLERANCE:g}, so nothing is kept: "
            f"{_hint(trained)}, or leave ONNX out, --onnx false"
        )
    return difference


@contextmanager
def _silence() -> Iterator[None]:
    """Suppress logs, warnings and prints of torch's tracing; :func:`write_onnx` checks the file itself."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _traced(trained: TrainedGenerator) -> torch.export.ExportedProgram:
    """Return the network traced for any batch size; by strict tracing if the faster non-strict tracing fails."""
    inputs, batch = _inputs(trained, TRACED), torch.export.Dim("batch", min=1)
    sizes = tuple({0: batch} for _ in inputs)
    images = _Images(trained)
    try:
        return torch.export.export(images, inputs, dynamic_shapes=sizes, strict=False)
    except Exception:  # for instance on len(z), which must be an int in Python
        return torch.export.export(images, inputs, dynamic_shapes=sizes, strict=True)


class _Images(nn.Module):
    """A generator that takes only the inputs of the ONNX file, with plain tensors in place of parametrized weights."""

    def __init__(self, trained: TrainedGenerator) -> None:
        super().__init__()
        self.trained = copy.deepcopy(trained)
        _fold(self.eval())

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return float32 images for latents ``(N, latent_dim)`` and labels ``(N,)``."""
        return _images(self.trained, z, labels)


def _fold(network: nn.Module) -> None:
    """Replace parametrized weights, like those of spectral normalisation, by their values, in place.

    torch.nn.utils.parametrize.remove_parametrizations would also change the class that a copy shares with its original.
    """
    for module in network.modules():
        if is_parametrized(module):
            parametrized: nn.ModuleDict = module.parametrizations  # type: ignore[assignment]
            weights = {name: getattr(module, name).detach() for name in parametrized}
            module.__class__ = type_before_parametrizations(module)
            del module.parametrizations
            for name, weight in weights.items():
                module.register_parameter(name, nn.Parameter(weight, requires_grad=False))


def _images(trained: TrainedGenerator, z: Tensor, labels: Tensor | None = None) -> Tensor:
    """Return float32 images; the latents are cast to the dtype of the weights."""
    weight: Tensor = next(trained.network.parameters())
    images: Tensor = trained(z.to(weight.dtype), labels)
    return images.float()


def _input_names(trained: TrainedGenerator) -> list[str]:
    return ["z", "labels"] if trained.conditional else ["z"]


def _inputs(trained: TrainedGenerator, n: int) -> tuple[Tensor, ...]:
    """Return ``n`` fixed latents and, for a conditional generator, ``n`` labels that cycle through the classes."""
    z = draw_latents(n, trained.latent_dim, trained.latent, torch.empty(0), torch.Generator().manual_seed(n))
    return (z, torch.arange(n) % max(1, len(trained.label_counts))) if trained.conditional else (z,)


@torch.no_grad()
def largest_difference(trained: TrainedGenerator, path: Path) -> float:
    """Return the largest absolute difference between an ONNX file's images, by onnxruntime, and torch's.

    It is NaN if a pixel is NaN or the shapes differ.

    Args:
        trained: the generator, in evaluation mode, on the CPU.
        path: path of the ONNX file.

    Raises:
        ImportError: onnxruntime is not installed.
    """
    runtime = optional("onnxruntime", "export", "ONNX")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # only errors, which are also raised
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    differences = []
    for n in SIZES:
        inputs = _inputs(trained, n)
        fed = {name: value.numpy() for name, value in zip(_input_names(trained), inputs, strict=True)}
        z, *labels = inputs
        (images,) = session.run(None, fed)
        expected = _images(trained, z, *labels)
        alike = expected.shape == images.shape
        differences.append(float((expected - torch.from_numpy(images)).abs().max()) if alike else math.nan)
    return max(differences, key=lambda difference: (math.isnan(difference), difference))


@torch.no_grad()
def _hint(trained: TrainedGenerator) -> str:
    """Return advice for a network whose ONNX file gives other images than torch."""
    inputs = _inputs(trained, TRACED)
    if not torch.equal(_images(trained, *inputs), _images(trained, *inputs)):
        return "let its forward draw no random numbers in evaluation mode"
    return "let its forward round less, or use operators that the exporter knows better"


def _reason(error: Exception) -> str:
    """Return the first line of an exception's innermost cause, which torch wraps in advice of its own."""
    inner: BaseException = error
    while inner.__cause__ is not None:
        inner = inner.__cause__
    if "Constraints violated" in str(inner):
        return f"its forward depends on the number of latents, and was traced with {TRACED}"
    return next(iter(str(inner).strip().splitlines()), type(inner).__name__)[:200]
