"""Merging of pruned models: the vote written out, and what must not change."""

import copy

import pytest
import torch

from tenfold.errors import InputError
from tenfold.language.llama import blocks, linears, tiny
from tenfold.pruning.merging import merge, merge_masks
from tenfold.pruning.overlap import kept


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def random_masks(count, shape, seed, counts=None):
    """Masks that keep the same number of weights of a row, or a given number of each row."""
    generator = seeded(seed)
    counts = torch.full((shape[0],), shape[1] // 2) if counts is None else counts
    ranks = [torch.rand(shape, generator=generator).argsort(1).argsort(1) for _ in range(count)]
    return [rank < counts[:, None] for rank in ranks]


def by_hand(masks, weight, group):
    """Rank every group by votes, then by size, then by place."""
    result = torch.zeros_like(weight, dtype=torch.bool)
    for i in range(weight.shape[0]):
        for start in range(0, weight.shape[1], group):
            columns = range(start, start + group)
            votes = {j: sum(int(mask[i, j]) for mask in masks) for j in columns}
            order = sorted(columns, key=lambda j: (-votes[j], -abs(float(weight[i, j])), j))
            result[i, order[: round(sum(votes.values()) / len(masks))]] = True
    return result


@pytest.mark.parametrize("models", [1, 2, 3, 5])
def test_the_vote_is_the_one_written_out(models):
    shape, generator = (7, 24), seeded(models)
    # Few values, so that sizes tie as well as votes.
    weight = torch.randint(-3, 4, shape, generator=generator).float()
    masks = random_masks(models, shape, models)
    assert torch.equal(merge_masks(masks, weight), by_hand(masks, weight, 24))
    uneven = [m for k in range(models) for m in random_masks(1, shape, k, torch.arange(7) * 3 + k)]
    assert torch.equal(merge_masks(uneven, weight), by_hand(uneven, weight, 24))


def test_groups_keep_their_zeros():
    weight = torch.randn(6, 16, generator=seeded(0))
    masks = [m.reshape(6, 16) for m in random_masks(3, (24, 4), 1)]
    merged = merge_masks(masks, weight, nm=(2, 4))
    assert (merged.reshape(-1, 4).sum(1) == 2).all()
    assert torch.equal(merged, by_hand(masks, weight, 4))


def test_equal_masks_give_themselves_and_none_comes_back_that_nobody_keeps():
    weight = torch.randn(9, 30, generator=seeded(2))
    masks = random_masks(4, (9, 30), 3)
    assert torch.equal(merge_masks([masks[0]] * 3, weight), masks[0])
    merged = merge_masks(masks, weight)
    assert not (merged & ~torch.stack(masks).any(0)).any()
    assert merged[torch.stack(masks).all(0)].all()
    assert torch.equal(merge_masks(masks[::-1], weight), merged)


@pytest.fixture(scope="module")
def dense():
    return tiny(32, 16, 24, 2, 2, 16)


def pruned(dense, seed, scale=1.0):
    """A copy with half of each row kept, its weights scaled as an update would change them."""
    model, generator = copy.deepcopy(dense), seeded(seed)
    for block in blocks(model):
        for linear in linears(block).values():
            mask = random_masks(1, linear.weight.shape, int(torch.randint(10**6, (), generator=generator)))[0]
            linear.weight.data *= scale * mask
    return model


def test_models_merge_into_the_mean_of_those_that_keep_a_weight(dense):
    first, second = pruned(dense, 0, 1.0), pruned(dense, 1, 3.0)
    merged = merge([first, second], dense)
    a, b, m = kept(first), kept(second), kept(merged)
    for i, block in enumerate(blocks(merged)):
        for name, linear in linears(block).items():
            key, w = (i, name), linears(blocks(dense)[i])[name].weight
            assert torch.equal(m[key], merge_masks([a[key], b[key]], w))
            for where, factor in ((a[key] & ~b[key], 1), (b[key] & ~a[key], 3), (a[key] & b[key], 2)):
                torch.testing.assert_close(linear.weight[where & m[key]], factor * w[where & m[key]])


def test_a_model_merged_with_itself_is_itself_and_the_rest_is_the_dense_model(dense):
    model = pruned(dense, 0)
    merged = merge([model, model, model], dense).state_dict()
    torch.testing.assert_close(merged, dict(model.state_dict()), rtol=1e-6, atol=0)
    for name in ("model.embed_tokens.weight", "lm_head.weight", "model.norm.weight"):
        assert torch.equal(merged[name], dense.state_dict()[name])


def test_what_does_not_merge_is_refused(dense):
    with pytest.raises(InputError, match="at least one pruned model"):
        merge([], dense)
    with pytest.raises(InputError, match=r"models of \[1, 2\] blocks"):
        merge([tiny(32, 16, 24, 1, 2, 16)], dense)
    with pytest.raises(InputError, match="in the shape of the weight"):
        merge([tiny(32, 16, 32, 2, 2, 16)], dense)
    with pytest.raises(InputError, match="at least one mask"):
        merge_masks([], torch.ones(2, 4))
    with pytest.raises(InputError, match="groups of 3"):
        merge_masks([torch.ones(2, 4, dtype=torch.bool)], torch.ones(2, 4), nm=(1, 3))
