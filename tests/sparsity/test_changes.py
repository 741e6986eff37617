"""Changes of masks in a stack: the replicas named, and no other, layer by layer or over the whole network."""

import pytest
import torch

from tenfold.nets import initialise, mlp
from tenfold.sparsity import changes
from tenfold.sparsity.masks import Masks
from tenfold.sparsity.updates import resize_mask, rigl_update, set_update


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def masks():
    """Three replicas with half of their weights, and gradients."""
    model = initialise(mlp(6, (8,), 4, replicas=3), [seeded(s) for s in range(3)])
    masks = Masks(model)
    for seed, (name, weight) in enumerate(masks.weights.items()):
        weight.grad = torch.randn(weight.shape, generator=seeded(10 + seed))
        masks.values[name].copy_(torch.rand(weight.shape, generator=seeded(20 + seed)) < 0.5)
    masks.apply()
    return masks


def flat(masks, tensors, number):
    return torch.cat([masks.split(tensor.detach())[number].flatten() for tensor in tensors.values()])


def test_pruning_looks_at_the_whole_network(masks):
    before = {i: flat(masks, masks.values, i) for i in range(3)}
    changes.prune(masks, {2: 10, 0: 17})
    for number, count in ((0, 17), (2, 10)):
        size, mask = flat(masks, masks.weights, number).abs(), flat(masks, masks.values, number)
        assert mask.sum() == count and (mask <= before[number]).all()
        assert size[mask > 0].min() > size[(before[number] > 0) & (mask == 0)].max()
    assert torch.equal(flat(masks, masks.values, 1), before[1])


def test_resizing_goes_by_gradient_or_by_chance(masks):
    weights = {name: masks.split(weight.detach()) for name, weight in masks.weights.items()}
    grads = {name: masks.split(weight.grad) for name, weight in masks.weights.items()}
    before = {name: masks.view(name).clone() for name in masks.names}
    counts = [40, 3]
    changes.resize(masks, {0: counts, 2: counts}, {2: seeded(5)})
    assert masks.counts()[[0, 2]].tolist() == [counts, counts]
    for name, count in zip(masks.names, counts, strict=True):
        mine, other = masks.view(name)[0], masks.view(name)[2]
        assert torch.equal(mine, resize_mask(weights[name][0], grads[name][0], before[name][0], count))
        assert torch.equal(masks.view(name)[1], before[name][1])
        by_gradient = resize_mask(weights[name][2], grads[name][2], before[name][2], count)
        assert torch.equal(other, by_gradient) == (count == 3)  # downwards both go by magnitude
        assert (other >= before[name][2]).all() or count == 3


@pytest.mark.parametrize("chosen", [[0, 1, 2], [1], [2, 0]])
def test_moves_are_the_updates_of_each_replica(masks, chosen):
    before = {name: masks.view(name).clone() for name in masks.names}
    weights = {name: masks.split(weight.detach()) for name, weight in masks.weights.items()}
    fractions = {i: 0.1 * (i + 2) for i in chosen}
    changes.move(masks, masks.counts(), fractions, "itop", {})
    for name in masks.names:
        for i in range(3):
            grad = masks.split(masks.weights[name].grad)[i]
            expected = before[name][i]
            if i in chosen:
                expected = rigl_update(weights[name][i], grad, expected, fractions[i])
            assert torch.equal(masks.view(name)[i], expected)
            masks.view(name)[i] = before[name][i]
    changes.shuffle(masks, masks.counts(), fractions, "set", {i: seeded(i) for i in range(3)})
    streams = {i: seeded(i) for i in chosen}
    for name in masks.names:
        for i in chosen:
            expected = set_update(weights[name][i], before[name][i], fractions[i], streams[i])
            assert torch.equal(masks.view(name)[i], expected)


def test_weights_move_in_layers_that_are_nearly_full(masks):
    name = masks.names[0]
    masks.values[name].fill_(1)
    masks.view(name)[:, 0, 0] = 0
    masks.split(masks.weights[name].grad)[:, 0, 0] = 100.0
    changes.move(masks, masks.counts(), dict.fromkeys(range(3), 0.01), "itop", {})
    assert (masks.view(name)[:, 0, 0] == 1).all()
    assert masks.counts()[:, 0].tolist() == [masks.sizes[0] - 1] * 3
