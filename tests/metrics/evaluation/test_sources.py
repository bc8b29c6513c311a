"""Samples by number: the same whatever the batch size, the order of a loader, and the number of processes."""

import os
from contextlib import contextmanager, nullcontext

import pytest
import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from lit_gan import LitGAN
from lit_gan.data import FashionMNISTSample
from lit_gan.metrics.evaluation import GeneratedSamples, RealSamples
from lit_gan.metrics.evaluation.blocks import BLOCK, in_order, on_first
from lit_gan.metrics.evaluation.sources import fingerprint, up_to
from lit_gan.networks import DCGANDiscriminator, DCGANGenerator
from tests.support.processes import on_ranks
from tests.support.small import Batches, PlainDiscriminator, PlainGenerator

IMAGES = torch.arange(600 * 4, dtype=torch.uint8).reshape(600, 1, 2, 2)


def everything(samples) -> torch.Tensor:
    return torch.cat([samples.block(i) for i in range(-(-samples.n // BLOCK))])


def test_real_samples_are_those_of_the_data_in_its_own_order():
    loader = DataLoader(TensorDataset(IMAGES), batch_size=7, shuffle=True, drop_last=True)
    samples = RealSamples(loader)
    assert samples.n == 600
    assert torch.equal(everything(samples), IMAGES)


def test_some_real_samples_are_a_fixed_choice_in_order():
    loader = DataLoader(TensorDataset(IMAGES), batch_size=7, shuffle=True)
    some = everything(RealSamples(loader, 50))
    assert torch.equal(some, everything(RealSamples(DataLoader(TensorDataset(IMAGES), 64), 50)))
    rows = some.flatten(1).unique(dim=0)
    assert 1 < len(rows) <= 50
    assert not torch.equal(some, IMAGES[:50])


def test_a_loader_of_a_part_of_the_data_gives_that_part():
    loader = DataLoader(TensorDataset(IMAGES), 8, sampler=SubsetRandomSampler([9, 3, 4]))
    assert torch.equal(everything(RealSamples(loader)), IMAGES[[3, 4, 9]])


def test_of_a_stream_the_first_samples_are_taken():
    stream = Batches(IMAGES[:20], batch_size=8)
    assert torch.equal(everything(RealSamples(stream, 11)), IMAGES[:11])
    assert RealSamples(stream).n == 20


@pytest.mark.parametrize(("loader", "n", "there"), [(DataLoader(TensorDataset(IMAGES), 8), 601, 600), ([], None, 0)])
def test_more_than_there_are_is_refused(loader, n, there):
    with pytest.raises(ValueError, match=f"n_real={n} and the data has {there} samples: take fewer, or None for all"):
        RealSamples(loader, n)


class Noisy(Dataset):
    """A data set with a random transform in it."""

    def __len__(self):
        return 300

    def __getitem__(self, index):
        return torch.rand(1, 2, 2) * 2 - 1


def test_random_transforms_of_a_data_set_are_the_same_each_time_and_leave_the_random_state():
    before = torch.get_rng_state()
    samples = RealSamples(DataLoader(Noisy(), 8))
    assert torch.equal(everything(samples), everything(samples))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_fingerprint_changes_with_any_sample_and_with_nothing_else():
    changed = IMAGES.clone()
    changed[599, 0, 1, 1] += 1
    prints = {
        fingerprint(RealSamples(DataLoader(TensorDataset(images), size)))
        for images, size in (
            (IMAGES, 8),
            (IMAGES, 64),
            (changed, 8),
            (IMAGES[:599], 8),
            (IMAGES.reshape(600, 4, 1, 1), 8),
        )
    }
    assert len(prints) == 4


def model(**options) -> LitGAN:
    torch.manual_seed(0)
    return LitGAN(PlainGenerator(), PlainDiscriminator(), **options)


def test_generated_samples_do_not_depend_on_the_batch_size_and_leave_the_random_state():
    gan, before = model(), torch.get_rng_state()
    one, many = (everything(GeneratedSamples(gan, 300, batch_size=size)) for size in (7, 256))
    assert one.shape == (300, 1, 4, 4)
    assert one.dtype == torch.uint8
    assert (one.int() - many.int()).abs().max() <= 1  # sums of another order
    assert torch.equal(everything(GeneratedSamples(gan, 280)), many[:280]), "more samples leave the first as they are"
    assert not torch.equal(everything(GeneratedSamples(gan, 300, seed=1)), many)
    assert torch.equal(torch.get_rng_state(), before)


def test_generated_samples_are_of_the_average_where_there_is_one_and_say_so():
    gan = model()
    with torch.no_grad():
        gan.generator.net[0].bias += 3
    raw, averaged = GeneratedSamples(gan, 10, ema=False), GeneratedSamples(gan, 10)
    assert (raw.ema, averaged.ema) == (False, True)
    assert not torch.equal(raw.block(0), averaged.block(0))
    without = GeneratedSamples(model(ema_half_life=None), 10)
    assert not without.ema


def test_classes_are_as_frequent_as_in_the_training_data():
    gan = LitGAN(DCGANGenerator(8, 1, 4, 3, 4), DCGANDiscriminator(8, 1, 3, 4))
    seen = []
    gan.ema_generator.register_forward_pre_hook(lambda _, args, kwargs: seen.append(kwargs["labels"]), with_kwargs=True)
    gan.label_counts += torch.tensor([600, 0, 200])
    everything(GeneratedSamples(gan, 2000))
    shares = torch.cat(seen).bincount(minlength=3) / 2000
    assert shares[1] == 0
    assert float(shares[0]) == pytest.approx(0.75, abs=0.05)


def test_training_data_are_neither_flipped_nor_balanced():
    data = FashionMNISTSample(image_size=8, horizontal_flip=True, class_balanced=True)
    data.setup("fit")
    samples = RealSamples(data.train_dataloader(), 300)
    plain = FashionMNISTSample(image_size=8)
    plain.setup("fit")
    assert torch.equal(everything(samples), everything(RealSamples(plain.train_dataloader(), 300)))


@contextmanager
def group():
    """Join the other processes."""
    torch.distributed.init_process_group("gloo", rank=int(os.environ["LOCAL_RANK"]), world_size=2)
    yield
    torch.distributed.destroy_process_group()


def meets(n):
    """Return what the first process meets, of blocks that hold their number and the rank that made them."""
    met = []
    with group():
        in_order(n, lambda number: (number, torch.distributed.get_rank()), met.append)
        return met, on_first(lambda: "said by the first")


def test_blocks_are_dealt_and_met_in_order_by_the_first_process():
    (met, said), (nothing, heard) = on_ranks(meets, 5 * BLOCK - 3)
    assert met == [(0, 0), (1, 1), (2, 0), (3, 1), (4, 0)]
    assert nothing == []
    assert said == heard == "said by the first"


def fails(rank_that_fails, where):
    """Have one process fail; return what each one raises."""

    def make(number):
        if where == "making" and torch.distributed.get_rank() == rank_that_fails:
            raise KeyError("broken")
        return number

    def meet(number):
        if where == "meeting":
            raise ValueError("bad features")

    with group():
        try:
            in_order(3 * BLOCK, make, meet)
        except Exception as error:
            return f"{type(error).__name__}: {error}"


def test_no_process_waits_for_one_that_failed():
    assert on_ranks(fails, 1, "making") == [
        "LitGANRuntimeError: process 1 failed to evaluate: KeyError: 'broken'",
        "KeyError: 'broken'",
    ]
    assert on_ranks(fails, 0, "meeting") == [
        "ValueError: bad features",
        "LitGANRuntimeError: process 0 failed to evaluate: ValueError: bad features",
    ]


def fingerprint_of_images(several):
    with group() if several else nullcontext():
        return fingerprint(RealSamples(DataLoader(TensorDataset(IMAGES), 8)))


def test_processes_share_a_fingerprint():
    assert set(on_ranks(fingerprint_of_images, True)) == {fingerprint_of_images(False)}


class Stream(IterableDataset):
    def __iter__(self):
        return iter(IMAGES)


def test_a_stream_in_a_loader_gives_its_first_samples():
    loader = DataLoader(Stream(), 8)
    assert torch.equal(everything(RealSamples(loader, 50)), IMAGES[:50])
    assert up_to(loader, 50).n == 50
    assert up_to(loader, 10_000).n == len(IMAGES)
    with pytest.raises(ValueError, match="a stream without a length, which may have no end: give n_real, or"):
        RealSamples(loader)


@pytest.mark.parametrize(
    ("options", "n"),
    [
        ({"batch_sampler": BatchSampler(SubsetRandomSampler([1, 2, 3, 4]), 2, False)}, 4),
        ({"batch_sampler": [[5, 1], [9]]}, 3),
        ({"sampler": WeightedRandomSampler(torch.ones(600), 600), "batch_size": 8}, 600),
    ],
)
def test_samplers_of_every_kind_give_their_samples_and_leave_the_random_state(options, n):
    before = torch.get_rng_state()
    samples = RealSamples(DataLoader(TensorDataset(IMAGES), **options))
    assert samples.n == n
    assert torch.equal(torch.get_rng_state(), before)


def test_classes_can_be_counted_in_the_reference():
    labels = torch.tensor([0, 2] * 300)
    samples = RealSamples(DataLoader(TensorDataset(IMAGES, labels), 8), 500)
    counts = samples.label_counts(3)
    assert counts.sum() == 500
    assert counts[1] == 0
    gan = LitGAN(DCGANGenerator(8, 1, 4, 3, 4), DCGANDiscriminator(8, 1, 3, 4))
    gan.label_counts += torch.tensor([0, 100, 0])
    seen = []
    gan.ema_generator.register_forward_pre_hook(lambda _, args, kwargs: seen.append(kwargs["labels"]), with_kwargs=True)
    GeneratedSamples(gan, 100, counts=counts).block(0)
    assert set(seen[0].tolist()) == {0, 2}


def test_classes_of_a_stream_are_counted_and_those_of_no_classes_are_not_read():
    batches = [(IMAGES[:8], torch.arange(8) % 3), (IMAGES[8:16], torch.arange(8) % 2)]
    assert RealSamples(iter(batches), 12).label_counts(3).tolist() == [5, 5, 2]
    assert RealSamples([IMAGES[:8]]).label_counts(0).tolist() == []
    with pytest.raises(ValueError, match="give one class for each image"):
        RealSamples([batches[0], IMAGES[8:16]]).label_counts(3)


def test_samples_that_are_not_finite_have_no_score():
    gan = model()
    with torch.no_grad():
        gan.ema_generator.net[0].bias += torch.nan
    with pytest.raises(ValueError, match=r"generator \(PlainGenerator\) makes samples of NaN or infinity"):
        GeneratedSamples(gan, 10).block(0)
