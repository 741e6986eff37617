"""Sensitivity of single blocks: equal to pruning with ratios of zero elsewhere, and nothing left behind."""

import copy

import pytest
import torch

from tenfold.errors import InputError
from tenfold.language.llama import tiny
from tenfold.pruning import allocation, block_sensitivity, prune


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def model():
    net = tiny(96, 32, 48, 3, 4, 24, seed=1)
    with torch.no_grad():
        for part in net.model.layers.parameters():
            part.mul_(4)
    return net


@pytest.fixture(scope="module")
def ids():
    return torch.randint(0, 96, (6, 16), generator=seeded(2))


def loss_on(ids):
    return lambda net: net(input_ids=ids, labels=ids).loss


@pytest.mark.parametrize("method", ["wanda", "sparsegpt", "magnitude"])
def test_one_block_is_pruned_at_a_time(model, ids, method):
    loss = loss_on(ids)
    before = copy.deepcopy(model.state_dict())
    found = block_sensitivity(model, ids, loss, 0.8, method)
    assert all(torch.equal(part, before[name]) for name, part in model.state_dict().items())
    assert found.block.tolist() == [0, 1, 2]
    with torch.no_grad():
        dense = loss(model).item()
        for row in found.itertuples():
            ratios = [0.8 if block == row.block else 0.0 for block in range(3)]
            assert row.loss == pytest.approx(loss(prune(model, ids, method, 0, layer_ratios=ratios)).item(), rel=1e-6)
            assert row.excess == pytest.approx(row.loss - dense)
    assert found.excess.abs().min() > 0


def test_sparsity_zero_costs_nothing(model, ids):
    assert (block_sensitivity(model, ids, loss_on(ids), 0.0).excess == 0).all()


def test_weights_are_put_back_when_the_loss_fails(model, ids):
    before, calls = copy.deepcopy(model.state_dict()), []

    def loss(net):
        calls.append(net)
        if len(calls) == 3:
            raise RuntimeError("no loss")
        return 0.0

    with pytest.raises(RuntimeError, match="no loss"):
        block_sensitivity(model, ids, loss)
    assert all(torch.equal(part, before[name]) for name, part in model.state_dict().items())
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_the_most_sensitive_block_is_pruned_least():
    found = allocation([1.13, 0.08, 0.04, 0.02], 0.7, 0.08)
    assert found.argmin() == 0
    assert found.argmax() == 3
    assert found.mean() == pytest.approx(0.7, abs=1e-12)


def test_what_does_not_fit(model, ids):
    with pytest.raises(InputError, match=r"\[0, 1\)"):
        block_sensitivity(model, ids, loss_on(ids), 1.0)
    with pytest.raises(InputError, match="method of pruning"):
        block_sensitivity(model, ids, loss_on(ids), 0.5, "chance")
