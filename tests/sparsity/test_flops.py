"""Operations by hand, against torch's own counter, and over a whole training."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tenfold.errors import InputError
from tenfold.nets import mlp, prunable, resnet, set_beta
from tenfold.sparsity.flops import forward_flops, layer_flops, training_flops
from tenfold.sparsity.methods import METHODS

SHAPE = (1, 8, 8)


@pytest.fixture(scope="module")
def layers():
    return layer_flops(resnet([1, 1], (4, 8), in_channels=1), SHAPE)


def test_operations_by_hand():
    model = nn.Sequential(nn.Conv2d(2, 5, 3, padding=1), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(5 * 3 * 4, 7))
    table = layer_flops(model, (2, 6, 8))
    assert table["weights"].tolist() == [90, 420]
    assert table["dense_flops"].tolist() == [2 * 90 * 48, 2 * 420]
    assert table["weight"].tolist() == ["0.weight", "3.weight"]


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (resnet([2, 2, 2], (8, 16, 32), in_channels=1), SHAPE),
        (resnet([3, 3], (4, 8), 2, in_channels=1), SHAPE),
        (resnet(50, (4, 8, 16, 32), stem="imagenet"), (3, 32, 32)),
        (mlp(20, (30, 10), 5), (20,)),
    ],
)
def test_torch_counts_the_same(model, shape):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(torch.ones(1, *shape))
    assert layer_flops(model, shape)["dense_flops"].sum() == counter.get_total_flops()


def test_resnet18_has_its_known_number():
    assert layer_flops(resnet(18), (3, 32, 32))["dense_flops"].sum() == 2 * 555_422_720


def test_a_replica_of_a_stack_counts_as_one_network():
    one, three = (layer_flops(resnet([1, 1], (4, 8), in_channels=1, replicas=s), SHAPE) for s in (1, 3))
    assert one.equals(three)


def test_shared_kernels_count_once_per_use():
    shared = resnet([4], (4,), 2, in_channels=1)
    plain = resnet([4], (4,), in_channels=1)
    table = layer_flops(shared, SHAPE)
    assert table["dense_flops"].sum() == layer_flops(plain, SHAPE)["dense_flops"].sum()
    assert (table["weight"] == "layer1.1.conv2.weight").sum() == 3
    assert set(table["weight"]) == set(prunable(shared))


def test_hyperfunctions_count_as_dense_while_they_work():
    model = resnet([1], (4,), in_channels=1, activation="dyrelu")
    table = layer_flops(model, SHAPE)
    hyper = table[~table["prunable"]]
    assert len(hyper) == 6 and hyper["dense_flops"].tolist() == [2 * 4, 2 * 16] * 3
    assert forward_flops(table, 0.0) == hyper["dense_flops"].sum()
    set_beta(model, 0.0)
    assert layer_flops(model, SHAPE)["prunable"].all()


def test_counting_leaves_the_model_alone():
    model = resnet([1], (4,), in_channels=1).train()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    layer_flops(model, SHAPE)
    assert model.training and all(module.training for module in model.modules())
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_a_forward_pass_weighs_layers_by_density(layers):
    rng = np.random.default_rng(0)
    density = {name: float(d) for name, d in zip(layers["weight"], rng.random(len(layers)), strict=True)}
    expected = sum(density[name] * flops for name, flops in zip(layers["weight"], layers["dense_flops"], strict=True))
    assert forward_flops(layers, density) == pytest.approx(expected)
    assert forward_flops(layers, 0.25) == pytest.approx(0.25 * forward_flops(layers))


@pytest.mark.parametrize("method", METHODS)
def test_at_density_one_only_retraining_costs_more_than_dense(layers, method):
    dense = 3 * layers["dense_flops"].sum() * 1000 * 20
    factor = 2 if method in ("omp", "lth", "omp-erk") else 1
    assert training_flops(method, layers, 1.0, 1000, 20) == pytest.approx(factor * dense)


def test_sparse_methods_cost_what_their_density_says(layers):
    dense = training_flops("dense", layers, 0.1, 1000, 20)
    assert training_flops("set", layers, 0.1, 1000, 20) == pytest.approx(0.1 * dense)
    assert training_flops("lth", layers, 0.1, 1000, 20) == pytest.approx(1.1 * dense)
    assert training_flops("omp", layers, 0.1, 1000, 20, pretraining=5) == pytest.approx(0.35 * dense)
    gmp = training_flops("gmp", layers, 0.1, 1000, 20) / dense
    assert gmp == pytest.approx(0.1 + 0.7 * (0.1 + 0.9 / 4) + 0.2 * 0.1)


@pytest.mark.parametrize("updates", [1, 4, 35])
def test_gradual_pruning_integrates_its_schedule(layers, updates):
    """Densities held from one update to the next, summed over each of 10,000 steps."""
    t = (np.arange(10_000) + 0.5) / 10_000
    x = np.floor(np.clip((t - 0.2) / 0.5, 0, None) * updates) / updates
    density = np.where(t < 0.2, 0.6, np.where(t < 0.7, 0.05 + 0.55 * (1 - x) ** 3, 0.05))
    options = {"initial": 0.6, "window": (0.2, 0.7), "updates": updates}
    found = training_flops("granet", layers, 0.05, 100, 10, **options)
    assert found == pytest.approx(density.mean() * training_flops("dense", layers, 1.0, 100, 10), rel=1e-3)


def test_many_updates_tend_to_the_limit(layers):
    limit = training_flops("gmp", layers, 0.1, 100, 10)
    errors = [training_flops("gmp", layers, 0.1, 100, 10, updates=n) - limit for n in (10, 100, 1000)]
    assert errors[0] / errors[1] == pytest.approx(10, rel=0.1) and errors[1] / errors[2] == pytest.approx(10, rel=0.02)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"method": "gpm"}, "did you mean 'gmp'"),
        ({"density": {"stem.0.weight": 0.1}}, "no density for"),
        ({"density": 1.5}, r"in \[0, 1\]"),
        ({"epochs": -1}, "epochs >= 0"),
        ({"window": (0.9, 0.8)}, "a window in"),
        ({"updates": 0}, "updates >= 1"),
    ],
)
def test_bad_input_is_refused(layers, change, word):
    arguments = {"method": "gmp", "layers": layers, "density": 0.1, "samples": 10, "epochs": 1} | change
    with pytest.raises(InputError, match=word):
        training_flops(**arguments)
