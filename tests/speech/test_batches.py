"""Batches: each utterance once an epoch, padding, seeds; the same as `fit` needs."""

import pytest
import torch

from tenfold.errors import InputError
from tenfold.speech import Batches


def material(count=23, seed=0):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(20, 90, (count,), generator=generator).tolist()
    features = [torch.full((n, 4), float(i + 1)) for i, n in enumerate(lengths)]
    return features, [[i + 1] * (i % 3 + 1) for i in range(count)]


def test_an_epoch_sees_each_utterance_once_and_whole():
    features, units = material()
    data = Batches(features, units)
    seen = []
    for x, lengths, targets, counts in data.batches([0], 1, 4):
        assert x.shape[0] == lengths.shape[0] == targets.shape[0] == counts.shape[0] == 1
        assert x.shape[2] == int(lengths.max())
        for row in range(x.shape[1]):
            number, length = int(x[0, row, 0, 0]), int(lengths[0, row])
            seen.append(number)
            assert torch.equal(x[0, row, :length], features[number - 1])
            assert (x[0, row, length:] == 0).all()
            assert targets[0, row, : int(counts[0, row])].tolist() == units[number - 1]
    assert sorted(seen) == list(range(1, 24))
    assert data.steps(4) == 6


def test_lengths_stand_together():
    data = Batches(*material(200))
    padded = sum(x.shape[1] * x.shape[2] for x, *_ in data.batches([0], 1, 8))
    assert padded < 1.2 * int(data.lengths.sum())


def test_order_follows_from_seed_and_epoch():
    data = Batches(*material())
    first, again = list(data.batches([1], 2, 4)), list(data.batches([1], 2, 4))
    assert all(torch.equal(a, b) for x, y in zip(first, again, strict=True) for a, b in zip(x, y, strict=True))
    for seed, epoch in ((1, 3), (2, 2)):
        other = list(data.batches([seed], epoch, 4))
        assert any(x[0].shape != y[0].shape or not torch.equal(x[0], y[0]) for x, y in zip(first, other, strict=True))


def test_masks_hide_some_of_it():
    features, units = material()
    plain = sum(int((x != 0).sum()) for x, *_ in Batches(features, units).batches([0], 1, 4))
    masked = sum(int((x != 0).sum()) for x, *_ in Batches(features, units, {"frequency_width": 2}).batches([0], 1, 4))
    assert plain == 4 * sum(map(len, features))
    assert masked < plain


def test_a_digest_knows_features_transcripts_and_masks():
    features, units = material()
    same, longer = Batches(features, units).digest(), [*units[:-1], [5, 5]]
    assert same == Batches(*material()).digest()
    changed = [*features[:-1], features[-1] + 1]
    others = [Batches(changed, units), Batches(features, longer), Batches(features, units, {"time_width": 3})]
    assert len({same, *(data.digest() for data in others)}) == 4


def test_what_cannot_be_trained_on():
    features, units = material()
    with pytest.raises(InputError, match="22 transcripts"):
        Batches(features, units[1:])
    with pytest.raises(InputError, match="must not be empty"):
        Batches(features, [*units[:-1], []])
    with pytest.raises(InputError, match="not shared"):
        Batches(features, units).steps(4, processes=2)
