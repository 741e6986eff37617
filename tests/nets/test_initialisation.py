"""Initial weights: their distributions, and who draws from which generator."""

import math

import pytest
import torch
from torch import nn

from tenfold.errors import InputError
from tenfold.nets import DyReLU, SharedConv, convnet, initialise, mlp, replica, resnet, seeded


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def east(replicas=1):
    return resnet([3, 3], (4, 8), 2, activation="dyrelu", in_channels=1, replicas=replicas)


def same(a, b):
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(value, b[name]) for name, value in a.items())


@pytest.mark.parametrize("scheme", ["torch", "kaiming_fan_in"])
def test_a_replica_draws_the_same_in_every_stack(scheme):
    alone = initialise(east(), generators(4), scheme)
    for seeds in ((4, 1), (1, 4), (3, 4, 5)):
        stack = initialise(east(len(seeds)), generators(*seeds), scheme)
        assert same(replica(stack, seeds.index(4)), alone)
        assert not same(replica(stack, (seeds.index(4) + 1) % len(seeds)), alone)


def test_torch_draws_the_same_numbers():
    torch.manual_seed(11)
    expected = nn.Sequential(nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 3))
    ours = initialise(mlp(7, (5,), 3, batch_norm=False), generators(11))
    for a, b in zip(ours.parameters(), expected.parameters(), strict=True):
        assert torch.equal(a, b)
    torch.manual_seed(11)
    assert torch.equal(
        initialise(convnet(in_channels=3), generators(11)).features[0].weight, nn.Conv2d(3, 8, 3, bias=False).weight
    )


def test_torch_scheme_is_uniform_to_the_root_of_the_fan_in():
    layer = initialise(mlp(400, (300,), batch_norm=False), generators(0)).layers[0]
    for values in (layer.weight, layer.bias):
        assert values.abs().max() <= 1 / 20
        assert values.std().item() == pytest.approx(1 / 20 / math.sqrt(3), rel=0.1)
    assert layer.weight.abs().max() > 0.99 / 20


def test_kaiming_scheme_is_normal_with_two_over_the_fan_in():
    model = initialise(resnet([2], (64,), in_channels=64), generators(0), "kaiming_fan_in")
    weight = model.layer1[1].conv2.weight
    assert weight.std().item() == pytest.approx(math.sqrt(2 / (64 * 9)), rel=0.02)
    kurtosis = ((weight / weight.std()) ** 4).mean().item()
    assert kurtosis == pytest.approx(3, rel=0.05)  # 1.8 if it were uniform
    assert initialise(mlp(9, (4,), batch_norm=False), generators(0), "kaiming_fan_in").layers[0].bias.abs().max() == 0


@pytest.mark.parametrize("scheme", ["torch", "kaiming_fan_in"])
def test_everything_else_starts_where_it_should(scheme):
    model = east()
    model(torch.rand(4, 1, 8, 8))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(7)
    initialise(model, generators(3), scheme)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all() and (module.bias == 0).all() and (module.running_mean == 0).all()
            assert (module.running_var == 1).all() and module.num_batches_tracked == 0
        elif isinstance(module, DyReLU):
            for layer in (module.fc1, module.fc2):
                bound = 1 / math.sqrt(layer.in_features)
                assert 0 < layer.weight.abs().max() <= bound and 0 < layer.bias.abs().max() <= bound
        elif isinstance(module, SharedConv):
            assert 0 < module.scale < 1
    scales = torch.cat([module.scale for module in model.modules() if isinstance(module, SharedConv)])
    assert len(scales.unique()) == 4


def test_factors_of_shared_kernels_are_uniform():
    model = initialise(resnet([3], (2,), 2, replicas=500), generators(*range(500)))
    scales = model.layer1[2].conv1.scale
    assert scales.mean().item() == pytest.approx(0.5, abs=0.05) and scales.std().item() == pytest.approx(
        12**-0.5, rel=0.1
    )


def test_networks_are_born_with_the_seeds_from_zero_and_leave_the_global_state():
    state = torch.get_rng_state()
    stack = east(2)
    assert torch.equal(torch.get_rng_state(), state)
    assert same(stack, initialise(east(2), generators(0, 1))) and same(stack, initialise(east(2), seeded(2)))
    assert same(replica(stack, 1), initialise(east(), seeded(1, first=1)))


def test_any_module_counts_as_one_replica():
    model = initialise(nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2)), generators(5))
    torch.manual_seed(5)
    assert torch.equal(model[0].weight, nn.Conv2d(1, 4, 3).weight)


def test_wrong_generators_and_schemes_are_refused():
    model, one = mlp(3, (2,), replicas=2), generators(1)[0]
    for wrong in ([one], [one, one], generators(1, 2, 3), []):
        with pytest.raises(InputError, match="2 replicas need as many generators of their own"):
            initialise(model, wrong)
    with pytest.raises(InputError, match="did you mean 'kaiming_fan_in'"):
        initialise(model, generators(1, 2), "kaiming")
