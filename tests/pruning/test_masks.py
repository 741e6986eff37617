"""Masks: against full sorts and loops, exact counts, stable ties, and what leaves a mask as it is."""

import itertools
import math

import numpy as np
import pytest
import torch

from tenfold.errors import InputError
from tenfold.pruning import magnitude_mask, random_mask, wanda_mask, wanda_variant_mask
from tenfold.pruning.ranks import smallest


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def layer(seed, shape=(24, 40), ties=False):
    """A weight and squared norms of its inputs; with ties, of few different values."""
    g = seeded(seed)
    weight, norm = torch.randn(shape, generator=g), torch.rand(shape[1], generator=g) * 9 + 0.1
    return ((weight * 2).round() / 2, norm.round().clamp(min=1)) if ties else (weight, norm)


def stable(scores, count):
    """Zeros by a stable sort of each row, as Wanda's are described."""
    order = np.argsort(scores, axis=1, kind="stable")
    kept = np.ones(scores.shape, dtype=bool)
    np.put_along_axis(kept, order[:, :count], False, axis=1)
    return kept


def scored(weight, norm):
    return (weight.abs() * norm.sqrt()).numpy()


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("sparsity", [0.01, 0.3, 0.5, 0.6, 0.97])
@pytest.mark.parametrize("seed", range(3))
def test_wanda_equals_a_stable_sort_of_each_row(seed, sparsity, ties):
    weight, norm = layer(seed, ties=ties)
    mask = wanda_mask(weight, norm, sparsity)
    count = math.floor(sparsity * 40)
    assert np.array_equal(mask.numpy(), stable(scored(weight, norm), count))
    assert ((~mask).sum(1) == count).all()


@pytest.mark.parametrize("nm", [(2, 4), (4, 8), (1, 4), (3, 8), (3, 5)])
@pytest.mark.parametrize("ties", [False, True])
def test_groups_lose_their_smallest_scores_of_equal_ones_the_first(nm, ties):
    weight, norm = layer(4, (10, 40), ties)
    zeros, size = nm
    for mask, scores in (
        (wanda_mask(weight, norm, 0.9, nm), scored(weight, norm)),
        (magnitude_mask(weight, 0.9, nm), weight.abs().numpy()),
    ):
        expected = stable(scores.reshape(-1, size), zeros).reshape(scores.shape)
        assert np.array_equal(mask.numpy(), expected)


@pytest.mark.parametrize(("shape", "sparsity"), [((64, 64), 0.5), ((24, 40), 0.6), ((7, 9), 0.01), ((5, 8), 0.99)])
def test_magnitude_has_one_zero_more_than_asked_for(shape, sparsity):
    weight, _ = layer(1, shape)
    mask = magnitude_mask(weight, sparsity)
    ordered = weight.abs().flatten().sort().values
    count = math.floor(sparsity * weight.numel())
    assert (~mask).sum() == count + 1
    assert torch.equal(mask, weight.abs() > ordered[count])


def test_magnitude_removes_ties_with_the_threshold():
    weight = torch.tensor([[1.0, -1, 2, 3], [1, 4, 5, -6]])
    assert torch.equal(magnitude_mask(weight, 0.1), weight.abs() > 1)


def test_known_masks():
    weight = torch.tensor([[4.0, -3, 2, 1], [-1, 2, -3, 4]])
    norm = torch.tensor([1.0, 4, 9, 100])  # scores 4, 6, 6, 10 and 1, 4, 9, 40
    assert wanda_mask(weight, norm, 0.5).int().tolist() == [[0, 0, 1, 1], [0, 0, 1, 1]]
    assert wanda_mask(weight, norm, 0.25, (1, 2)).int().tolist() == [[0, 1, 0, 1], [0, 1, 0, 1]]


@pytest.mark.parametrize("nm", [None, (2, 4)])
def test_wanda_with_equal_norms_is_magnitude_in_each_row(nm):
    weight, _ = layer(2)
    expected = wanda_mask(weight, torch.ones(40), 0.5, nm)
    assert torch.equal(wanda_mask(weight, torch.full((40,), 7.0), 0.5, nm), expected)
    assert np.array_equal(expected.numpy(), stable(weight.abs().numpy(), 20)) or nm
    if nm:
        assert torch.equal(expected, magnitude_mask(weight, 0.5, nm))


@pytest.mark.parametrize("make", [wanda_mask, wanda_variant_mask])
def test_scale_and_order_of_inputs_and_rows(make):
    weight, norm = layer(3)
    mask = make(weight, norm, 0.5)
    assert torch.equal(make(weight, norm * 4, 0.5), mask)
    rows, columns = torch.randperm(24, generator=seeded(0)), torch.randperm(40, generator=seeded(1))
    assert torch.equal(make(weight[rows], norm, 0.5), mask[rows])
    assert torch.equal(make(weight[:, columns], norm[columns], 0.5), mask[:, columns])


def test_dead_inputs_go_first():
    weight, norm = layer(5)
    norm[[3, 11]] = 0
    assert not wanda_mask(weight, norm, 0.05)[:, [3, 11]].any()


def variant_by_bisection(scores, sparsity):
    """The rule of the variant on float64 scores, row by row."""
    low, high, alpha = 0.0, 0.8, 0.4
    while True:
        kept = np.ones(scores.shape, dtype=bool)
        for row, values in enumerate(scores):
            order = np.argsort(values, kind="stable")
            kept[row, order[np.cumsum(values[order]) <= alpha * values.sum()]] = False
        share = 1 - kept.mean()
        if abs(share - sparsity) <= 0.001 or high - low < 0.001:
            return kept
        if share > sparsity:
            high = alpha
            alpha = (alpha + low) / 2
        else:
            low = alpha
            alpha = (alpha + high) / 2


@pytest.mark.parametrize("sparsity", [0.2, 0.5, 0.7, 0.9])
def test_the_variant_removes_one_share_of_the_sum_in_every_row(sparsity):
    weight, norm = layer(6, (64, 200))
    weight[:32] = weight[:32] ** 3  # rows of different shape lose different numbers
    mask = wanda_variant_mask(weight, norm, sparsity)
    assert np.array_equal(mask.numpy(), variant_by_bisection(scored(weight, norm).astype(float), sparsity))
    assert abs((~mask).double().mean().item() - sparsity) <= 0.005
    assert len({*(~mask).sum(1).tolist()}) > 10


def test_random_masks_are_exact_uniform_and_seeded():
    weight = torch.randn(8, 12, generator=seeded(0))
    masks = torch.stack([random_mask(weight, 0.3, seeded(seed)) for seed in range(400)])
    assert ((~masks).sum((1, 2)) == math.floor(0.3 * 96)).all()
    assert torch.equal(random_mask(weight, 0.3, seeded(5)), masks[5])
    spread = math.sqrt(0.3 * 0.7 / 400)
    assert (masks.double().mean(0) - (1 - 28 / 96)).abs().max() < 5 * spread


def test_random_groups_take_every_pair_as_often():
    mask = random_mask(torch.randn(300, 40, generator=seeded(0)), 0.5, seeded(1), (2, 4)).reshape(-1, 4)
    assert ((~mask).sum(1) == 2).all()
    shares = [(~mask[:, [i, j]]).all(1).double().mean().item() for i, j in itertools.combinations(range(4), 2)]
    assert max(abs(share - 1 / 6) for share in shares) < 5 * math.sqrt(5 / 36 / 3000)


def test_sparsity_zero_keeps_everything():
    weight, norm = layer(0)
    for mask in (
        magnitude_mask(weight, 0),
        wanda_mask(weight, norm, 0.0),
        wanda_variant_mask(weight, norm, 0.0),
        random_mask(weight, 0, seeded(0)),
    ):
        assert mask.dtype == torch.bool
        assert mask.shape == weight.shape
        assert mask.all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_scores_are_not_computed_in_half_precision(dtype):
    weight, norm = layer(7)
    weight, norm = weight.to(dtype), norm * 1e6
    expected = stable((weight.double().abs() * norm.double().sqrt()).numpy(), 20)
    assert (wanda_mask(weight, norm, 0.5).numpy() == expected).mean() > 0.999
    assert magnitude_mask(weight, 0.5).shape == weight.shape


def test_selection_with_all_values_equal_takes_the_first():
    assert torch.equal(smallest(torch.ones(3, 7), 3), (torch.arange(7) < 3).expand(3, 7))


@pytest.mark.parametrize("sparsity", [-0.1, 1.0, math.nan])
def test_sparsities_out_of_range(sparsity):
    weight, norm = layer(0)
    with pytest.raises(InputError, match=r"\[0, 1\)"):
        wanda_mask(weight, norm, sparsity)
    with pytest.raises(InputError, match=r"\[0, 1\)"):
        magnitude_mask(weight, sparsity)


@pytest.mark.parametrize(("nm", "message"), [((0, 4), "zeros"), ((4, 4), "zeros"), ((2, 7), "divide")])
def test_groups_that_do_not_fit(nm, message):
    weight, norm = layer(0)
    with pytest.raises(InputError, match=message):
        wanda_mask(weight, norm, 0.5, nm)


def test_values_that_are_not_finite():
    weight, norm = layer(0)
    broken, negative = norm.clone(), norm.clone()
    broken[3], negative[3] = math.nan, -1
    for wrong in (broken, negative):
        with pytest.raises(InputError, match="norms"):
            wanda_mask(weight, wrong, 0.5)
    with pytest.raises(InputError, match="per input"):
        wanda_mask(weight, norm[:-1], 0.5)
    weight[2, 2] = math.inf
    with pytest.raises(InputError, match="NaN"):
        magnitude_mask(weight, 0.5)
