"""Make lit_gan/data/fashion_mnist_sample.npy.xz from Fashion-MNIST's own training files.

    apt-get install dataset-fashion-mnist     # or the four files from github.com/zalandoresearch/fashion-mnist
    python scripts/make_fashion_mnist_sample.py /usr/share/datasets/fashion-mnist

The result is uint8 ``(10, 1000, 28, 28)``: the first 1,000 training images of each class. The data module takes the
first 900 of a class for training and the last 100 as held-out.
"""

import gzip
import lzma
import sys
from pathlib import Path

import numpy as np

PER_CLASS = 1000
TARGET = Path(__file__).parents[1] / "lit_gan" / "data" / "fashion_mnist_sample.npy.xz"


def read_idx(path: Path, header: int) -> np.ndarray:
    """Return the bytes of a gzipped idx file behind its header."""
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)


def main(folder: str) -> None:
    """Write the sample."""
    images = read_idx(Path(folder) / "train-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
    labels = read_idx(Path(folder) / "train-labels-idx1-ubyte.gz", 8)
    sample = np.stack([images[labels == c][:PER_CLASS] for c in range(10)])
    with lzma.open(TARGET, "wb", preset=9 | lzma.PRESET_EXTREME) as file:
        np.save(file, sample, allow_pickle=False)
    print(f"{TARGET}: {sample.shape}, {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
