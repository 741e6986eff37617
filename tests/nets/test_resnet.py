"""Residual networks: their published sizes, their arithmetic written out, shared kernels."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tenfold.errors import InputError
from tenfold.nets import DyReLU, SharedConv, initialise, prunable, resnet, share_counts, stages


def generator(seed):
    return torch.Generator().manual_seed(seed)


def images(rows=5, channels=1, size=8):
    return torch.randn(rows, channels, size, size, generator=generator(1), dtype=torch.float64)


@pytest.mark.parametrize(
    ("arguments", "options", "owned", "uses"),
    [
        ((18,), {}, 11_164_352, 0),
        ((18,), {"classes": 100}, 11_210_432, 0),
        ((34,), {}, 21_265_088, 0),
        ((34,), {"classes": 200}, 21_362_368, 0),
        ((50,), {}, 23_467_712, 0),
        ((50,), {"stem": "imagenet", "classes": 1000}, 25_502_912, 0),
        ((34, None, 2), {}, 11_164_352, 10_100_736),
        ((50, None, 2), {}, 13_928_128, 9_539_584),
        (([3, 3, 3], (16, 32, 64)), {"in_channels": 1}, 270_608, 0),
        (([3, 3, 3], (8, 16, 32)), {"in_channels": 1}, 67_848, 0),
    ],
)
def test_sizes_are_the_published_ones(arguments, options, owned, uses):
    with torch.device("meta"):
        model = resnet(*arguments, **options)
    assert share_counts(model) == (owned, uses, owned + uses)


def test_sharing_raises_the_density_by_its_published_factor():
    for depth, factor in ((34, 1.90473), (50, 1.68491)):
        with torch.device("meta"):
            owned, uses, total = share_counts(resnet(depth, None, 2))
            unshared = share_counts(resnet(depth))
        assert total / owned == pytest.approx(factor, abs=1e-5) and uses == total - owned
        assert unshared == (total, 0, total)
        assert abs(round(0.001 * total / owned * owned) - round(0.001 * total)) <= 1


def test_counts_are_those_of_one_replica():
    single, stack = (share_counts(resnet([3, 4], (4, 8), 2, replicas=s, activation="dyrelu")) for s in (1, 5))
    assert single == stack


def basic_blocks(state, x, blocks):
    """A ResNet of basic blocks in training mode, written out on its state."""

    def conv_bn(x, conv, bn, stride=1):
        weight = state[f"{conv}.weight"]
        x = F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)
        mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), unbiased=False, keepdim=True)
        scale, shift = (state[f"{bn}.{name}"][:, None, None] for name in ("weight", "bias"))
        return (x - mean) / (variance + 1e-5).sqrt() * scale + shift

    x = conv_bn(x, "stem.0", "stem.1").relu()
    for i, count in enumerate(blocks):
        for j in range(count):
            name, stride = f"layer{i + 1}.{j}", 2 if i > 0 and j == 0 else 1
            y = conv_bn(x, f"{name}.conv1", f"{name}.bn1", stride).relu()
            y = conv_bn(y, f"{name}.conv2", f"{name}.bn2")
            if f"{name}.shortcut.0.weight" in state:
                x = conv_bn(x, f"{name}.shortcut.0", f"{name}.shortcut.1", stride)
            x = (x + y).relu()
    return x.mean((2, 3)) @ state["classifier.weight"].T


def test_a_network_is_what_its_blocks_say():
    model = resnet([2, 3, 2], (4, 6, 5), in_channels=1).double()
    for i, (name, parameter) in enumerate(model.named_parameters()):
        if "bn" in name:
            parameter.data.uniform_(0.5, 1.5, generator=generator(i))
    torch.testing.assert_close(model(images()), basic_blocks(model.state_dict(), images(), (2, 3, 2)))


def test_a_bottleneck_narrows_strides_in_the_middle_and_widens():
    block = resnet(50, (2, 3, 4, 5)).layer2[0]
    convs = [block.conv1, block.conv2, block.conv3, block.shortcut[0]]
    assert [tuple(conv.weight.shape) for conv in convs] == [(3, 8, 1, 1), (3, 3, 3, 3), (12, 3, 1, 1), (12, 8, 1, 1)]
    assert [conv.stride[0] for conv in convs] == [1, 2, 1, 2]
    x = torch.rand(4, 8, 6, 6, generator=generator(1))
    y = block.bn1(block.conv1(x)).relu()
    y = block.bn3(block.conv3(block.bn2(block.conv2(y)).relu())) + block.shortcut(x)
    torch.testing.assert_close(block(x), y.relu())


@pytest.mark.parametrize(
    ("stem", "size", "sides"), [("cifar", 32, [32, 16, 8]), ("tiny64", 64, [32, 16, 8]), ("imagenet", 64, [16, 8, 4])]
)
def test_stems_and_strides_leave_these_sides(stem, size, sides):
    model, seen = resnet([1, 1, 1], (2, 3, 4), stem=stem), []
    for i in (1, 2, 3):
        getattr(model, f"layer{i}").register_forward_hook(lambda m, x, y: seen.append(y.shape[-1]))
    model(torch.rand(2, 3, size, size))
    assert seen == sides
    kernel = 3 if stem == "cifar" else 7
    assert model.stem[0].weight.shape == (2, 3, kernel, kernel)


def shared(replicas=1):
    seeds = [generator(7 + i) for i in range(replicas)]
    return initialise(resnet([4, 2], (4, 6), 2, in_channels=1, replicas=replicas), seeds).double()


def unshared(model):
    """The network whose kernels are the products k W of the shared one's, one by one."""
    state, other = model.state_dict(), resnet([4, 2], (4, 6), in_channels=1).double()
    for block in (2, 3):
        for conv in ("conv1", "conv2"):
            scale = state.pop(f"layer1.{block}.{conv}.scale")
            state[f"layer1.{block}.{conv}.weight"] = scale * state[f"layer1.1.{conv}.weight"]
    other.load_state_dict(state)
    return other


def test_shared_blocks_use_the_kernels_of_the_last_owner_times_their_factors():
    model = shared()
    other = unshared(model)
    torch.testing.assert_close(model(images()), other(images()))
    target = torch.arange(5)
    for network in (model, other):
        F.cross_entropy(network(images()), target).backward()
    for conv in ("conv1", "conv2"):
        weight, mine = getattr(model.layer1[1], conv).weight, [getattr(model.layer1[i], conv) for i in (2, 3)]
        uses = [getattr(other.layer1[i], conv).weight.grad for i in (1, 2, 3)]
        scales = [1, *[m.scale.item() for m in mine]]
        torch.testing.assert_close(weight.grad, sum(k * grad for k, grad in zip(scales, uses, strict=True)))
        for m, grad in zip(mine, uses[1:], strict=True):
            torch.testing.assert_close(m.scale.grad, (grad * weight).sum()[None])


def test_one_tensor_serves_all_shared_blocks():
    model = shared(2)
    uses = [module for module in model.modules() if isinstance(module, SharedConv)]
    assert len(uses) == 4 and {id(use.owner) for use in uses} == {id(model.layer1[1].conv1), id(model.layer1[1].conv2)}
    names = [name for name in model.state_dict() if "layer1.2.conv" in name or "layer1.3.conv" in name]
    assert names == [f"layer1.{i}.conv{j}.scale" for i in (2, 3) for j in (1, 2)]
    parameters = list(model.parameters())
    assert len(parameters) == len({id(p) for p in parameters})
    assert len(prunable(model)) == 1 + 2 * 2 + 2 * 2 + 1 + 1


def test_shared_blocks_own_their_normalisation_and_activations():
    model = resnet([3], (4,), 2, activation="dyrelu")
    for name in ("bn1", "bn2", "act1", "act2"):
        assert len({id(getattr(block, name)) for block in model.layer1}) == 3
    assert all(isinstance(block.shortcut, nn.Identity) for block in model.layer1)


def test_a_masked_kernel_is_masked_in_every_use():
    model = shared()
    model.layer1[1].conv1.weight.data.zero_()
    assert model.layer1[3].conv1(torch.rand(1, 4, 8, 8, dtype=torch.float64)).abs().max() == 0


def test_factors_belong_to_replicas():
    model = shared(2)
    use, x = model.layer1[2].conv1, torch.rand(1, 8, 5, 5, dtype=torch.float64)
    before = use(x)
    use.scale.data[1] *= 3
    after = use(x)
    assert torch.equal(after[:, :4], before[:, :4])
    torch.testing.assert_close(after[:, 4:], 3 * before[:, 4:])


def test_a_copy_shares_its_own_kernels():
    model = shared(2)
    twin = copy.deepcopy(model)
    assert twin.layer1[2].conv1.owner is twin.layer1[1].conv1
    twin.layer1[1].conv1.weight.data.zero_()
    assert twin.layer1[3].conv1.owner.weight.abs().max() == 0
    assert model.layer1[3].conv1.owner.weight.abs().min() > 0


@pytest.mark.parametrize(("ratio", "uses"), [(None, 0), (2, 14), (3, 10), (4, 6), (5, 2), (6, 0)])
def test_sharing_starts_behind_the_ratio(ratio, uses):
    model = resnet([6, 5, 2], (2, 2, 2), ratio)
    assert sum(isinstance(module, SharedConv) for module in model.modules()) == uses


@pytest.mark.parametrize(("name", "late"), [("dyrelu", False), ("dyrelu-legacy", True)])
def test_activations_are_made_as_asked(name, late):
    model = resnet([2, 1], (8, 16), activation=name, reduction=2)
    found = [module for module in model.modules() if isinstance(module, DyReLU)]
    assert len(found) == 7 and all(module.legacy_off is late for module in found)
    assert [len(module.fc1.weight) for module in found] == [4] * 5 + [8] * 2


def test_stages_name_every_parameter():
    model = resnet([3, 3], (4, 8), 2, activation="dyrelu", normalise=(0.5, 0.2))
    found = stages(model)
    assert list(found) == [name for name, _ in model.named_parameters()]
    assert list(dict.fromkeys(found.values())) == ["stem", "layer1", "layer2", "classifier"]
    assert found["layer1.2.conv1.scale"] == "layer1" and found["layer2.0.shortcut.0.weight"] == "layer2"


@pytest.mark.parametrize(
    ("arguments", "options", "word"),
    [
        ((19,), {}, "unknown depth of ResNet '19'"),
        (([3, 3], (8,)), {}, "one width per stage"),
        (([3, 0], (8, 8)), {}, "at least 1"),
        (([], ()), {}, "one width per stage"),
        (([1] * 5,), {}, "one width per stage"),
        (([3], (8,), 1), {}, "share ratio"),
        (([3], (8,)), {"stem": "cifra"}, "did you mean 'cifar'"),
        (([3], (8,)), {"activation": "dyrelo"}, "did you mean 'dyrelu'"),
        (([3], (8,)), {"in_channels": 0}, "at least 1"),
        (([3], (8,)), {"classes": 0}, "at least 1"),
    ],
)
def test_impossible_networks_are_refused_in_one_line(arguments, options, word):
    with pytest.raises(InputError, match=word) as caught:
        resnet(*arguments, **options)
    assert "\n" not in str(caught.value)
