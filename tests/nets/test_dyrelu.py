"""DyReLU: its formula, its limits, its phasing."""

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck, gradgradcheck

from tenfold.errors import InputError
from tenfold.nets import DyReLU, hyperfunction_parameters, initialise, resnet, set_beta

ORIGIN = torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=torch.float64)


def generator(seed):
    return torch.Generator().manual_seed(seed)


def activation(channels=6, seed=0, **options):
    return initialise(DyReLU(channels, **options), [generator(seed)]).double()


def images(rows=4, channels=6, size=5, seed=1):
    x = torch.randn(rows, channels, size, size + 1, generator=generator(seed), dtype=torch.float64)
    return x.to(memory_format=torch.channels_last)


def written_out(module, x, beta=1.0):
    """The same function as its definition reads: five dimensions, a maximum over the last."""
    hidden = torch.relu(x.mean((2, 3)) @ module.fc1.weight.T + module.fc1.bias)
    theta = 2 * torch.sigmoid(hidden @ module.fc2.weight.T + module.fc2.bias) - 1
    full = theta.view(len(x), -1, 4) * torch.tensor([1, 1, 0.5, 0.5]) + ORIGIN
    found = beta * full + (1 - beta) * ORIGIN
    branches = x.permute(2, 3, 0, 1)[..., None] * found[..., :2] + found[..., 2:]
    return branches.amax(-1).permute(2, 3, 0, 1), found


@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_values_and_gradients_are_those_of_the_definition(beta):
    module, x = activation(), images().requires_grad_()
    module.beta = beta
    expected, found = written_out(module, x, beta)
    torch.testing.assert_close(module(x), expected)
    torch.testing.assert_close(module.coefficients(x), found)
    direction = images(seed=3)
    inputs = [x, *module.parameters()]
    ours, theirs = (torch.autograd.grad(y, inputs, direction) for y in (module(x), expected))
    torch.testing.assert_close(ours, theirs)


def test_first_and_second_derivatives_agree_with_differences():
    module, x = activation(3, reduction=1), images(2, 3, 2).requires_grad_()
    parameters = tuple(module.parameters())

    def function(x, *values):
        names = [name for name, _ in module.named_parameters()]
        return torch.func.functional_call(module, dict(zip(names, values, strict=True)), (x,))

    assert gradcheck(function, (x, *parameters))
    assert gradgradcheck(function, (x, *parameters))


@pytest.mark.parametrize("beta", [1.0, 0.7, 0.0])
def test_a_silent_hyperfunction_leaves_relu_bit_for_bit(beta):
    module = DyReLU(6)
    module.beta = beta
    x = images().float()
    x[0] = 0  # where the two branches tie
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    y, expected = module(ours), torch.relu(theirs)
    assert torch.equal(y, expected)
    direction = images(seed=3).float()
    y.backward(direction), expected.backward(direction)
    assert torch.equal(ours.grad, theirs.grad)


def test_at_beta_zero_the_hyperfunction_does_not_run_and_does_not_learn():
    module, x = activation(), images()
    module.beta = 0.0
    calls = []
    module.fc1.register_forward_hook(lambda *_: calls.append(1))
    y = module(x.requires_grad_())
    y.sum().backward()
    assert torch.equal(y, torch.relu(x)) and not calls
    assert all(parameter.grad is None for parameter in module.parameters())
    assert torch.equal(module.coefficients(x), ORIGIN.expand(4, 6, 4))


def test_the_output_is_convex_in_the_pixel_with_one_kink():
    module = activation(4, seed=2)
    for parameter in module.parameters():
        parameter.data.mul_(3)
    pixels = torch.linspace(-3, 3, 49, dtype=torch.float64).view(7, 7).expand(1, 4, 7, 7)
    bends = module(pixels).detach().view(4, 49).diff(n=2)
    assert bends.min() > -1e-12
    kinked = bends > 1e-9
    assert kinked.any(1).all()  # both branches are seen in every channel
    for row in kinked:
        where = row.nonzero().flatten()
        assert len(where) <= 2 and where[-1] - where[0] <= 1


@pytest.mark.parametrize(("bias", "theta"), [(80.0, 1), (-80.0, -1)])
def test_coefficients_reach_their_bounds_and_no_further(bias, theta):
    module = DyReLU(6)
    nn.init.constant_(module.fc2.bias, bias)
    expected = torch.tensor([1.0 + theta, theta, theta / 2, theta / 2])
    torch.testing.assert_close(module.coefficients(images().float()), expected.expand(4, 6, 4))
    inside = activation(6, seed=3).coefficients(images())
    low, high = torch.tensor([0, -1, -0.5, -0.5]), torch.tensor([2, 1, 0.5, 0.5])
    assert ((inside > low) & (inside < high)).all()


def test_images_do_not_meet():
    module, x = activation(), images(rows=7)
    order = torch.randperm(7, generator=generator(1))
    torch.testing.assert_close(module(x[order]), module(x)[order])


def test_the_phase_scales_coefficients_and_not_outputs():
    module, x = activation(), images()
    full, relu = module(x).detach(), torch.relu(x)
    coefficients = module.coefficients(x).detach()
    module.beta = 0.5
    torch.testing.assert_close(module.coefficients(x), 0.5 * coefficients + 0.5 * ORIGIN)
    mixture = 0.5 * full + 0.5 * relu
    assert (module(x) - mixture).abs().max() > 0.01  # a maximum of means is no mean of maxima
    assert (module(x) <= mixture + 1e-12).all()


@pytest.mark.parametrize(("channels", "reduction", "hidden"), [(64, 4, 16), (64, 8, 8), (3, 4, 1), (6, 4, 1)])
def test_the_hyperfunction_has_its_size(channels, reduction, hidden):
    module = DyReLU(channels, reduction)
    assert module.fc1.weight.shape == (hidden, channels) and module.fc2.weight.shape == (4 * channels, hidden)
    if channels == 64 and reduction == 4:
        assert sum(p.numel() for p in module.parameters()) == 5 * 64**2 // 4 + 17 * 64 // 4


def test_the_stored_variant_waits_for_the_phasing():
    module, x = activation(legacy_off=True), images()
    assert torch.equal(module(x), torch.relu(x)) and torch.equal(module.coefficients(x)[0, 0], ORIGIN)
    module.beta = 0.5
    torch.testing.assert_close(module(x), written_out(module, x, 0.5)[0])


def test_phased_out_the_network_is_the_one_with_relu():
    options = {"in_channels": 1, "replicas": 2}
    dynamic = resnet([3, 3], (4, 8), 2, activation="dyrelu", **options)
    plain = resnet([3, 3], (4, 8), 2, **options)
    x = torch.rand(2, 5, 1, 8, 8, generator=generator(1))
    assert not torch.equal(dynamic(x), plain(x))
    state = dynamic.state_dict()
    plain.load_state_dict({name: state[name] for name in plain.state_dict()})
    assert not torch.equal(dynamic.eval()(x), plain.eval()(x))
    set_beta(dynamic, 0)
    assert torch.equal(dynamic(x), plain(x))
    dynamic.train()(x).sum().backward()
    assert all(parameter.grad is None for parameter in hyperfunction_parameters(dynamic))
    assert dynamic.stem[0].weight.grad is not None


def test_plain_and_dynamic_networks_of_a_seed_share_their_layers():
    plain, dynamic = (resnet([2], (4,), activation=name) for name in ("relu", "dyrelu"))
    state = dynamic.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in plain.state_dict().items())


def test_hyperfunction_parameters_are_all_that_a_plain_network_lacks():
    plain, dynamic = (resnet([2, 2], (4, 8), activation=name) for name in ("relu", "dyrelu"))
    extra = set(dict(dynamic.named_parameters())) - set(dict(plain.named_parameters()))
    found = hyperfunction_parameters(dynamic)
    assert {id(dynamic.get_parameter(name)) for name in extra} == {id(parameter) for parameter in found}
    assert len(found) == 4 * 9 and hyperfunction_parameters(plain) == []


def test_bfloat16_stays_bfloat16():
    module = activation().float()
    x = images().to(torch.bfloat16).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        y = module(x)
    y.float().square().sum().backward()
    assert y.dtype == x.grad.dtype == torch.bfloat16
    torch.testing.assert_close(y.double(), written_out(module.double(), x.double())[0], rtol=0.02, atol=0.02)


@pytest.mark.parametrize("beta", [-0.1, 1.1, float("nan")])
def test_impossible_phases_are_refused(beta):
    with pytest.raises(InputError, match="beta must lie in"):
        set_beta(DyReLU(4), beta)


@pytest.mark.parametrize("change", [{"channels": 0}, {"reduction": 0}, {"replicas": 0}])
def test_impossible_sizes_are_refused(change):
    with pytest.raises(InputError, match="at least 1"):
        DyReLU(**{"channels": 4} | change)
