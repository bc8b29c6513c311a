"""Inception-v3: the feature extractor by which FID, KID and Inception Score are defined."""

import io
import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lit_gan._utils.arguments import expanded
from lit_gan._utils.errors import LitGANError, LitGANRuntimeError
from lit_gan._utils.extras import optional
from lit_gan.extractors.base import Extractor, Pass, read_weights
from lit_gan.extractors.features import checked, full_float32

__all__ = ["InceptionV3"]


class InceptionV3(Extractor):
    """Inception-v3 as TensorFlow's authors trained it in 2015, by whose 2,048 features the FID is defined.

    The network and its resizing are torch-fidelity's, a port of the published graph: the whole image is resized
    bilinearly to 299 × 299 as TensorFlow 1 did it, without antialiasing and with neither corners nor centres aligned,
    then scaled to (x − 128)/128. Features are the spatial means of the last block, ``pool_3``; the logits, of 1,008
    classes, are without bias, as Inception Scores are computed.

    Args:
        weights: path of torch-fidelity's file; None for the file in torch.hub's cache, which is downloaded (95 MB)
            if it is missing.

    Raises:
        ImportError: torch-fidelity is not installed: extra ``fid``.
        RuntimeError: the weights are missing and cannot be downloaded; the message says where to put them.
        ValueError: the file cannot be read, or holds something else.

    Reference: Heusel et al. 2017, arXiv:1706.08500 (FID); Bińkowski et al. 2018, arXiv:1801.01401 (KID); Salimans et
    al. 2016, arXiv:1606.03498 (Inception Score); the network: Szegedy et al. 2015, arXiv:1512.00567.
    """

    name = "inception-v3"
    num_features = 2048
    suffix = ""

    def __init__(self, weights: str | None = None) -> None:
        super().__init__()
        self.weights = weights
        source = optional("torch_fidelity", "fid", "InceptionV3").feature_extractor_inceptionv3
        state = _downloaded(source.URL_INCEPTION_V3) if weights is None else read_weights(Path(expanded(weights)))
        with full_float32("cpu"), io.BytesIO() as file:
            torch.save(state, file)  # torch-fidelity unpickles its file: pass it one of the tensors read safely
            file.seek(0)
            try:
                self.network = source.FeatureExtractorInceptionV3(self.name, ["2048", "logits_unbiased"], file)
            except (RuntimeError, TypeError) as error:
                what = " ".join(str(error).split())[:200]
                raise LitGANError(
                    f"weights={weights!r} are not those of torch-fidelity's Inception-v3: {what}"
                ) from None
        self.requires_grad_(False).eval()

    def _protocol(self) -> dict[str, Any]:
        return {"layer": "pool_3", "input_size": 299, "resize": "bilinear, TensorFlow 1", "antialias": False}

    def _pass(self, images: Tensor) -> Pass:
        features, logits = self.network(images)
        return checked(features, len(images), self.network), logits


def _downloaded(url: str) -> Any:
    """Return the tensors in the file at a URL, from torch.hub's cache or downloaded to it.

    Raises:
        RuntimeError: the file cannot be downloaded, or is damaged.
    """
    path = Path(torch.hub.get_dir(), "checkpoints", Path(url).name)
    try:
        return torch.hub.load_state_dict_from_url(url, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise LitGANRuntimeError(
            f"InceptionV3: its weights cannot be had ({reason}): download {url} on any machine and put it in place of "
            f"{path}, or give weights=, its path; EfficientNetLite0 needs no download"
        ) from None
