"""Masks of a stack: layout, application to weights and to what optimizers remember, audit."""

import math

import pytest
import torch
from torch import nn

from tenfold.errors import InputError
from tenfold.nets import convnet, mlp
from tenfold.sparsity.erk import random_mask
from tenfold.sparsity.masks import BudgetError, Masks, whole_sum

OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, fused=True),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.1, fused=True),
}


@pytest.fixture
def model():
    return convnet(widths=(3, 4, 5, 5), classes=4, replicas=3)


@pytest.fixture
def masks(model):
    """Masks of three densities."""
    masks = Masks(model)
    generator = torch.Generator().manual_seed(0)
    for number, density in enumerate((0.1, 0.5, 1.0)):
        layers = zip(masks.names, masks.shapes, masks.sizes, strict=True)
        masks.set(number, {n: random_mask(s, math.ceil(density * size), generator) for n, s, size in layers})
    return masks


def train(model, optimizer, steps=1):
    x = torch.rand(3, 6, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    for _ in range(steps):
        optimizer.zero_grad()
        model(x).square().sum().backward()
        optimizer.step()


def test_all_is_active_at_first(model):
    masks = Masks(model)
    assert masks.replicas == 3
    assert masks.density().tolist() == [1, 1, 1]
    assert masks.counts().tolist() == [masks.sizes] * 3
    assert sum(masks.sizes) * 3 == sum(weight.numel() for weight in masks.weights.values())


def test_a_replica_has_its_own_masks(masks):
    """View i holds the rows i O, ..., (i + 1) O - 1 of the stacked tensor."""
    for name, shape in zip(masks.names, masks.shapes, strict=True):
        assert masks.view(name).shape == (3, *shape)
        assert torch.equal(masks.view(name)[1], masks.values[name][shape[0] : 2 * shape[0]])
        assert masks.values[name].shape == masks.weights[name].shape
    sizes = masks.sizes
    assert masks.counts()[1].tolist() == [math.ceil(size / 2) for size in sizes]
    expected = [sum(math.ceil(d * size) for size in sizes) / sum(sizes) for d in (0.1, 0.5, 1.0)]
    assert masks.density().tolist() == pytest.approx(expected)
    last = masks.names[-1]
    before = masks.counts()
    masks.set(0, {last: torch.zeros(masks.shapes[-1])})
    assert masks.counts()[0, -1] == 0
    assert torch.equal(masks.counts()[1:], before[1:]) and torch.equal(masks.counts()[0, :-1], before[0, :-1])


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_applying_masks_leaves_exact_zeros_and_nothing_else_changes(model, masks, kind):
    optimizer = OPTIMIZERS[kind](model.parameters())
    train(model, optimizer, 2)
    memories = [
        (weight, {key: value.clone() for key, value in optimizer.state[weight].items()}, weight.detach().clone())
        for weight in masks.weights.values()
    ]
    masks.apply(optimizer)
    masks.audit(masks.counts(), optimizer)
    seen = 0
    for (weight, state, old), mask in zip(memories, masks.values.values(), strict=True):
        assert torch.equal(weight, old * mask) and (weight[mask == 0] == 0).all()
        for key, value in optimizer.state[weight].items():
            if value.shape == weight.shape:
                assert torch.equal(value, state[key] * mask)
                seen += 1
            else:
                assert torch.equal(value, state[key])  # the count of steps
    assert seen == len(memories) * (1 if kind == "sgd" else 2)


def test_without_an_optimizer_the_weights_alone_are_masked(model, masks):
    masks.apply()
    masks.audit(masks.counts())
    assert any((weight != 0).any() for weight in masks.weights.values())


def test_the_audit_finds_a_wrong_count(masks):
    counts = masks.counts()
    counts[1, 2] += 1
    masks.apply()
    with pytest.raises(BudgetError, match=rf"replica 1, {masks.names[2]}: {counts[1, 2] - 1} active weights"):
        masks.audit(counts)
    with pytest.raises(InputError, match="counts"):
        masks.audit(counts[:2])


def test_the_audit_finds_a_weight_that_should_be_zero(masks):
    masks.apply()
    name = masks.names[1]
    place = (masks.view(name)[1] == 0).nonzero()[0]
    with torch.no_grad():
        masks.split(masks.weights[name])[(1, *place)] = 1e-30
    with pytest.raises(BudgetError, match=rf"replica 1, {name}: 1 x masked weight"):
        masks.audit()


def test_the_audit_finds_momentum_that_should_be_zero(model, masks):
    optimizer = OPTIMIZERS["sgd"](model.parameters())
    train(model, optimizer)
    masks.apply()
    masks.audit()
    with pytest.raises(BudgetError, match=r"replica 0, .* masked memory of the optimizer"):
        masks.audit(optimizer=optimizer)


def test_a_diverged_network_passes_the_audit(masks):
    with torch.no_grad():
        masks.weights[masks.names[0]].fill_(math.nan)
    masks.apply()
    masks.audit(masks.counts())


def test_any_order_in_memory(masks):
    """Weights whose memory is in channels_last order: the same masks, replica by replica."""
    model = convnet(widths=(3, 4, 5, 5), classes=4, replicas=3).to(memory_format=torch.channels_last)
    other = Masks(model)
    for number in range(3):
        other.set(number, {name: masks.view(name)[number] for name in masks.names})
    other.apply()
    other.audit(masks.counts())
    assert all(torch.equal(other.view(name), masks.view(name)) for name in masks.names)


def test_a_plain_module_is_a_stack_of_one():
    masks = Masks(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)))
    assert (masks.replicas, masks.names, masks.shapes) == (1, ["0.weight", "2.weight"], [(3, 4), (2, 3)])


def test_sums_of_ones_are_exact():
    rows = torch.ones(2, (1 << 24) + 3, dtype=torch.float32)
    rows[1, 0] = 0
    assert whole_sum(rows).tolist() == [(1 << 24) + 3, (1 << 24) + 2]
    assert whole_sum(rows[:, : 1 << 20] * -1).tolist() == [-(1 << 20), 1 - (1 << 20)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.view("layers.0.wieght"), "prunable tensor"),
        (lambda m: m.set(3, {}), "no replica 3"),
        (lambda m: m.set(0, {m.names[0]: torch.ones(2, 2)}), r"\(2, 2\)"),
        (lambda m: Masks(nn.ReLU()), "no weights"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call(Masks(mlp(6, (5,), 3, replicas=2)))
