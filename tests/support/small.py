"""Small networks, loaders and trainers that the tests share."""

import sys
from pathlib import Path
from types import ModuleType

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class PlainGenerator(nn.Module):
    """A generator that knows nothing of lit_gan but the length of its latent."""

    def __init__(self, shape=(1, 4, 4), latent_dim=3):
        super().__init__()
        self.latent_dim = latent_dim
        self.net = nn.Sequential(
            nn.Linear(latent_dim, 8), nn.ReLU(), nn.Linear(8, int(torch.tensor(shape).prod())), nn.Tanh()
        )
        self.shape = shape

    def forward(self, z):
        return self.net(z).reshape(len(z), *self.shape)


class PlainDiscriminator(nn.Module):
    def __init__(self, shape=(1, 4, 4)):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(int(torch.tensor(shape).prod()), 8), nn.Softplus())
        self.last = nn.Linear(8, 1)

    def forward(self, x):
        return self.last(self.net(x))


def loader(*tensors: Tensor, batch_size: int = 4) -> DataLoader:
    return DataLoader(TensorDataset(*tensors), batch_size=batch_size)


class Batches:
    """A loader that draws nothing from torch's random state, as a DataLoader does for its workers."""

    def __init__(self, *tensors: Tensor, batch_size: int = 4):
        self.batches = list(zip(*(t.split(batch_size) for t in tensors), strict=True))

    def __iter__(self):
        return iter(self.batches)

    def __len__(self):
        return len(self.batches)


def names_of_a_module(name: str) -> dict:
    """Return the names of a module that stays: jsonargparse imports the modules of all classes that there are."""
    sys.modules[name] = ModuleType(name)
    return vars(sys.modules[name])


class OneNumber(pl.LightningModule):
    """Trains one number by hand, and calls ``look`` in each step."""

    def __init__(self, look=None):
        super().__init__()
        self.automatic_optimization = False
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.look = look

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)

    def training_step(self, batch, batch_idx):
        if self.look is not None:
            self.look(self)
        optimizer = self.optimizers()
        self.manual_backward(self.weight * batch[0].sum())
        optimizer.step()

    def validation_step(self, batch, batch_idx):
        pass


def ones(n=12):
    return loader(torch.ones(n, 1))  # of batches of four


def trainer(folder: Path, **options) -> pl.Trainer:
    defaults = {
        "accelerator": "cpu",
        "max_epochs": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "default_root_dir": folder,
        "num_sanity_val_steps": 0,
    }
    return pl.Trainer(**{**defaults, **options})
