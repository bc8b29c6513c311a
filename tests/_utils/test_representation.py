"""What parts of the user's own show without a line of theirs."""

import torch
from torch import nn

from lit_gan.augment import Augmentation
from lit_gan.data import ImageDataModule


class Noise(Augmentation):
    def __init__(self, *others: nn.Module, std: float = 0.1, **more: float):
        super().__init__()
        self.others, self.std = nn.ModuleList(others), std

    def forward(self, images):
        return images + self.std * torch.randn_like(images)


class Squares(ImageDataModule):
    def __init__(self, path: str, sides: list[int], batch_size: int = 8):
        super().__init__(batch_size=batch_size)
        self.sides = sides

    def load(self, split):
        return torch.zeros(8, 1, 4, 4, dtype=torch.uint8), torch.zeros(8, dtype=torch.int64)


def test_arguments_stand_beside_the_structure():
    lines = repr(Noise(nn.Tanh(), std=0.5)).splitlines()
    assert [line.strip() for line in lines[:3]] == ["Noise(", "std=0.5", "(others): ModuleList("]


def test_arguments_that_are_not_kept_are_left_out():
    assert repr(Squares("here", [2, 3])) == "Squares(sides=[2, 3], batch_size=8)"
