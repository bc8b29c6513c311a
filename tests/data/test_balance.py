"""Each class equally often, in an order that a seed decides."""

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from lit_gan.data import ImageDataModule
from lit_gan.data.balance import ClassBalanced
from lit_gan.training.loader import ResumableLoader, is_replayable

LABELS = torch.tensor([7] * 20 + [2] * 8 + [0] * 2)


def test_each_class_has_its_share_of_an_epoch():
    drawn = torch.tensor(list(ClassBalanced(LABELS)))
    assert len(drawn) == len(ClassBalanced(LABELS)) == 30
    assert {c: (LABELS[drawn] == c).sum().item() for c in (7, 2, 0)} == {7: 10, 2: 10, 0: 10}
    times = drawn.bincount(minlength=30)
    assert times[:20].tolist().count(1) == 10, "no sample of a large class twice"
    assert sorted(times[20:28].tolist()) == [1] * 6 + [2] * 2, "each sample before one comes again"
    assert times[28:].tolist() == [5, 5]


def test_a_rest_is_dealt_at_random():
    torch.manual_seed(0)
    labels = torch.tensor([0] * 9 + [1] * 1 + [2] * 1)  # 3 + 4 + 4, or another way round
    shares = [labels[list(ClassBalanced(labels))].bincount().tolist() for _ in range(30)]
    assert {tuple(s) for s in shares} == {(3, 4, 4), (4, 3, 4), (4, 4, 3)}


def test_more_classes_than_an_epoch_has_images():
    assert sorted(ClassBalanced(torch.arange(5))) == list(range(5))


def test_orders_differ_and_a_seed_decides_them():
    torch.manual_seed(3)
    first, second = list(ClassBalanced(LABELS)), list(ClassBalanced(LABELS))
    torch.manual_seed(3)
    assert first == list(ClassBalanced(LABELS))
    assert first != second


def test_the_order_goes_on_in_mid_epoch():
    def batches(epoch, first=0, rank=0, world_size=1):
        loader = DataLoader(TensorDataset(LABELS), 5, sampler=ClassBalanced(LABELS), drop_last=True)
        assert is_replayable(loader)
        dealt = ResumableLoader(loader, 1, lambda: (epoch, first), rank, world_size, True)
        return [batch[0].tolist() for batch in dealt]

    whole = batches(2)
    assert batches(2, first=4) == whole[4:]
    assert batches(3) != whole
    shares = [batches(2, rank=rank, world_size=2) for rank in range(2)]
    dealt = [[x for pair in zip(*both, strict=True) for x in pair] for both in zip(*shares, strict=True)]
    assert [x for batch in dealt for x in batch] == [x for batch in whole for x in batch]


class Skewed(ImageDataModule):
    """Nine images of class 0 for one of class 1."""

    def load(self, split):
        labels = (torch.arange(100) % 10 == 0).long()
        return labels[:, None, None, None].to(torch.uint8).expand(100, 1, 4, 4), labels


@pytest.mark.parametrize(("balanced", "expected"), [(False, 10), (True, 50)])
def test_a_module_balances_training_alone(balanced, expected):
    data = Skewed(batch_size=10, class_balanced=balanced)
    data.setup()
    batches = list(data.train_dataloader())
    assert sum(int(y.sum()) for _, y in batches) == expected
    assert all(torch.equal(x[:, 0, 0, 0].long(), y) for x, y in batches)
    assert sum(int(y.sum()) for _, y in data.val_dataloader()) == 10


class OneClass(Skewed):
    def load(self, split):
        images, labels = super().load(split)
        return images, labels * 0


def test_one_class_cannot_be_balanced():
    with pytest.raises(ValueError, match=r"class_balanced=True needs classes and all 100 labels are \[0\]"):
        OneClass(class_balanced=True).setup("fit")


class NothingHeldOut(Skewed):
    def load(self, split):
        images, labels = super().load(split)
        return (images, labels) if split == "train" else (images[:0], labels[:0])


def test_an_empty_split_is_said():
    with pytest.raises(ValueError, match="NothingHeldOut has no val samples"):
        NothingHeldOut().setup("fit")
