"""Batches: every row once, in an order of the replica's own, whatever stands beside it."""

import numpy as np
import pytest
import torch

from tenfold.errors import InputError
from tenfold.training import Resident
from tenfold.training.seeds import generator

ROWS = 23


def numbered(**options):
    """Rows that carry their own number in x and in y."""
    number = torch.arange(ROWS)
    return Resident(number.float()[:, None], number, **options)


def drawn(data, seeds, epoch=1, batch=5, **options):
    """Return the labels of an epoch (S, n), and check that x belongs to them."""
    batches = list(data.batches(seeds, epoch, batch, **options))
    for x, y in batches:
        assert x.shape == (*y.shape, 1)
        assert torch.equal(x[..., 0], y.float())
    return torch.cat([y for _, y in batches], dim=1)


def test_an_epoch_sees_every_row_once_and_the_last_batch_is_short():
    assert [len(y[0]) for _, y in numbered().batches([0, 1], 1, 5)] == [5, 5, 5, 5, 3]
    for row in drawn(numbered(), [0, 1, 2]):
        assert sorted(row.tolist()) == list(range(ROWS))


def test_drop_last_leaves_the_short_batch_out():
    data = numbered()
    assert (data.steps(5), data.steps(5, drop_last=True), data.steps(23), data.steps(24)) == (5, 4, 1, 1)
    assert torch.equal(drawn(data, [3], drop_last=True), drawn(data, [3])[:, :20])


def test_the_order_depends_on_seed_and_epoch_alone():
    data = numbered()
    alone, among = drawn(data, [7]), drawn(data, [3, 7, 3])
    assert torch.equal(alone[0], among[1])
    assert torch.equal(among[0], among[2])
    assert not torch.equal(among[0], among[1])
    assert not torch.equal(alone, drawn(data, [7], epoch=2))
    assert torch.equal(alone, drawn(data, [7], batch=11))


def test_each_replica_draws_from_rows_of_its_own():
    rows = [[0, 2, 4, 6, 8, 10], [1, 1, 5, 11, 21, 22]]
    data = numbered(rows=rows)
    assert data.size == 6
    epochs = [drawn(data, [0, 0], epoch, batch=4) for epoch in (1, 2)]
    for found in epochs:
        assert [sorted(row.tolist()) for row in found] == rows
    assert not torch.equal(*epochs)


def test_the_same_seed_permutes_different_rows_in_the_same_way():
    one, other = drawn(numbered(rows=[[0, 1, 2, 3], [10, 11, 12, 13]]), [4, 4])
    assert torch.equal(one + 10, other)


def test_processes_share_every_batch():
    whole = list(numbered().batches([0, 1], 1, 5))
    parts = [list(numbered().batches([0, 1], 1, 5, share=(rank, 2))) for rank in range(2)]
    for (x, y), (x0, y0), (x1, y1) in zip(whole, *parts, strict=True):
        assert torch.equal(y[:, ::2], y0) and torch.equal(y[:, 1::2], y1)
        assert torch.equal(x[:, ::2], x0) and torch.equal(x[:, 1::2], x1)


@pytest.mark.parametrize("channels_last", [False, True])
def test_uint8_images_come_scaled_whatever_their_layout(channels_last):
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (ROWS, 3, 4, 5), generator=generator, dtype=torch.uint8)
    data = Resident(x, torch.arange(ROWS)).to("cpu", channels_last)
    for images, y in data.batches([0, 1], 1, 6):
        assert images.dtype == torch.float32 and images.shape == (*y.shape, 3, 4, 5)
        assert torch.equal(images, x[y] / 255)
        assert images[0].is_contiguous(memory_format=torch.channels_last) == channels_last


def test_a_batch_is_as_many_tensors_as_were_given():
    tokens, chosen, mask = torch.arange(ROWS), torch.arange(ROWS) * 2, torch.ones(ROWS, 4, dtype=torch.bool)
    assert [tuple(part.shape for part in batch) for batch in Resident(tokens).batches([0], 1, 20)] == [
        (torch.Size([1, 20]),),
        (torch.Size([1, 3]),),
    ]
    for x, y, m in Resident(tokens, (chosen, mask)).batches([0], 1, 20):
        assert torch.equal(2 * x, y)
        assert m.shape == (*x.shape, 4) and m.dtype == torch.bool


def test_augmentation_gets_batches_and_a_generator_of_each_replica():
    def noise(x, generators):
        return x + torch.stack([torch.rand(x.shape[1], 1, generator=each) for each in generators])

    def noises(seeds, epoch=1):
        number = torch.arange(ROWS)
        data = Resident(number.double()[:, None], number, augment=noise)
        return torch.cat([x[..., 0] - y for x, y in data.batches(seeds, epoch, 5)], dim=1)

    among = noises([1, 2])
    assert torch.equal(noises([2])[0], among[1])
    assert not torch.equal(among[0], among[1])
    assert not torch.equal(noises([2]), noises([2], epoch=2))


def test_read_only_arrays_are_taken_and_left_alone(recwarn):
    x = np.arange(6, dtype=np.uint8).reshape(3, 2)
    x.flags.writeable = False
    (batch, _), *_ = Resident(x[:, ::-1], [0, 1, 2]).batches([0], 1, 3)
    assert sorted((batch[0, :, 0] * 255).tolist()) == [1, 3, 5]
    assert not recwarn.list


def test_a_digest_knows_values_rows_and_shapes_but_not_the_layout():
    images = torch.arange(48, dtype=torch.uint8).view(2, 2, 3, 4)
    data = Resident(images, [0, 1])
    changed = images.clone()
    changed[1, 1, 2, 3] += 1
    others = [Resident(changed, [0, 1]), Resident(images, [1, 0]), Resident(images.view(2, 3, 2, 4), [0, 1])]
    others += [Resident(images, [0, 1], rows=[[0, 1]]), Resident(images, [0, 1], rows=[[1, 0]])]
    assert len({item.digest() for item in (data, *others)}) == 6
    assert data.to("cpu", channels_last=True).digest() == data.digest()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((torch.zeros(3, 1), torch.zeros(4)), r"same number of rows.*\[3, 4\]"),
        ((torch.zeros(0, 1), torch.zeros(0)), "at least one"),
        ((torch.zeros(3, 1), torch.zeros(3), [[0, 3]]), "beyond the 3"),
        ((torch.zeros(3, 1), torch.zeros(3), [[-1, 0]]), "beyond the 3"),
        ((torch.zeros(3, 1), torch.zeros(3), [0, 1]), "whole numbers"),
        ((torch.zeros(3, 1), torch.zeros(3), [[0.0, 1.0]]), "whole numbers"),
        ((torch.zeros(3, 1), torch.zeros(3), [[0], [0, 1]]), "same number of rows"),
    ],
)
def test_data_that_do_not_fit_are_refused(arguments, word):
    with pytest.raises(InputError, match=word):
        Resident(*arguments)


def test_batches_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="do not fill one batch of 24"):
        numbered().steps(24, drop_last=True)
    with pytest.raises(InputError, match="3 rows cannot be shared by 4 processes"):
        numbered().steps(5, processes=4)
    assert numbered().steps(5, drop_last=True, processes=4) == 4
    with pytest.raises(InputError, match="rows of 1 replicas for 2 seeds"):
        next(numbered(rows=[[0, 1]]).batches([0, 1], 1, 2))


def test_generators_differ_by_seed_epoch_purpose_and_process():
    keys = [(0, 1, "order", 0), (1, 1, "order", 0), (0, 2, "order", 0), (0, 1, "objective", 0), (0, 1, "order", 1)]
    draws = {torch.rand((), generator=generator(s, e, p, rank=rank)).item() for s, e, p, rank in keys}
    assert len(draws) == len(keys)
    again = [torch.rand((), generator=generator(0, 1, "order")).item() for _ in range(2)]
    assert again[0] == again[1]
