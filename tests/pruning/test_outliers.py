"""Injected outlier channels: the function stays, what magnitudes say changes, what Wanda says does not."""

import pytest
import torch

from tenfold.errors import InputError
from tenfold.language.llama import blocks, linears, tiny
from tenfold.pruning.outliers import READERS, inject_outliers
from tenfold.pruning.overlap import kept
from tenfold.pruning.owl import outlier_distribution
from tenfold.pruning.protocol import prune

COUNT = 6


@pytest.fixture(scope="module")
def model():
    """A small Llama whose gains differ, so that the most important channels are no accident."""
    model, generator = tiny(96, 32, 48, 2, 2, 64), torch.Generator().manual_seed(1)
    for block in blocks(model):
        for norm in READERS:
            getattr(block, norm).weight.data.uniform_(0.5, 2.0, generator=generator)
    return model


@pytest.fixture(scope="module")
def ids():
    return torch.randint(96, (6, 24), generator=torch.Generator().manual_seed(0))


def logits(model, ids):
    with torch.no_grad():
        return model(ids).logits


def same(first, second):
    return [torch.equal(mask, second[key]) for key, mask in first.items()]


def test_the_function_stays_and_the_gains_grow(model, ids):
    injected = inject_outliers(model, COUNT)
    torch.testing.assert_close(logits(injected, ids), logits(model, ids), rtol=1e-4, atol=1e-5)
    for before, after in zip(blocks(model), blocks(injected), strict=True):
        for norm in READERS:
            ratio = getattr(after, norm).weight / getattr(before, norm).weight
            assert sorted(ratio.tolist()) == pytest.approx([1.0] * (32 - COUNT) + [20.0] * COUNT)


def test_a_power_of_two_changes_no_bit_of_the_function(model, ids):
    assert torch.equal(logits(inject_outliers(model, COUNT, factor=16), ids), logits(model, ids))


def test_the_channels_chosen_are_those_of_the_largest_gain_times_weights(model):
    injected = inject_outliers(model, COUNT)
    for before, after in zip(blocks(model), blocks(injected), strict=True):
        for norm, readers in READERS.items():
            maps = torch.cat([linears(before)[name].weight for name in readers])
            gain = getattr(before, norm).weight
            order = (maps * gain).norm(dim=0).argsort(descending=True)
            changed = (getattr(after, norm).weight != gain).nonzero().flatten()
            assert set(changed.tolist()) == set(order[:COUNT].tolist())


def test_wanda_does_not_notice_and_magnitude_does(model, ids):
    injected = inject_outliers(model, COUNT, factor=16)
    wanda = [kept(prune(m, ids, "wanda", 0.5)) for m in (model, injected)]
    assert all(same(*wanda))
    magnitude = [kept(prune(m, ids, "magnitude", 0.5)) for m in (model, injected)]
    readers = sum(READERS.values(), ())
    assert [equal for (_, name), equal in zip(magnitude[0], same(*magnitude), strict=True) if name in readers] == [
        False
    ] * (2 * len(readers))


def test_the_outlier_distribution_does_not_notice(model, ids):
    """D of OWL, and so its ratios, come from Wanda's scores."""
    before, after = (outlier_distribution(m, ids, (3, 5)) for m in (model, inject_outliers(model, COUNT, factor=16)))
    assert before["D"].max() > 0
    assert after.equals(before)


def test_random_channels_follow_from_the_seed_and_the_model_is_left_alone(model, ids):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first, again, other = (inject_outliers(model, COUNT, seed=s, choose="random").state_dict() for s in (3, 3, 4))
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert any(not torch.equal(value, other[name]) for name, value in first.items())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_no_outlier_changes_nothing(model):
    none = inject_outliers(model, 0).state_dict()
    assert all(torch.equal(value, none[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 33}, "of 32 channels, 33 cannot"),
        ({"count": 1, "factor": 0.0}, "positive finite factor, not 0"),
        ({"count": 1, "factor": float("nan")}, "positive finite factor, not nan"),
        ({"count": 1, "choose": "random"}, "need a seed"),
        ({"count": 1, "choose": "large"}, "did you mean 'largest'"),
    ],
)
def test_what_cannot_be_is_refused(model, options, message):
    with pytest.raises(InputError, match=message):
        inject_outliers(model, **options)
