"""Live weights: by hand, by reachability on graphs, and by what their removal changes."""

import pytest
import torch
from torch import nn

from tenfold.errors import InputError
from tenfold.nets import mlp, prunable, replica, resnet
from tenfold.sparsity.effective import effective_sparsity, live_masks
from tenfold.sparsity.erk import erk_counts, random_mask

SHAPE = (1, 8, 8)
FIRST, SECOND = "layer1.1.conv1.weight", "layer1.1.conv2.weight"


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random_masks(model, density, seed=0):
    return {
        name: (torch.rand(weight.shape, generator=generator(seed + i)) < density).float()
        for i, (name, weight) in enumerate(prunable(model).items())
    }


def test_a_chain_by_hand():
    """Input 2 feeds a unit that nobody reads, unit 1 of the second layer is fed by nobody, output 2 is cut off."""
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 3))
    masks = {
        "0.weight": torch.tensor([[1.0, 1, 0], [0, 0, 0], [0, 0, 1]]),
        "2.weight": torch.tensor([[1.0, 1, 0], [0, 1, 0]]),
        "4.weight": torch.tensor([[1.0, 0], [1, 1], [0, 0]]),
    }
    live = live_masks(model, masks, (3,))
    assert live["0.weight"].tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert live["2.weight"].tolist() == [[1, 0, 0], [0, 0, 0]]
    assert live["4.weight"].tolist() == [[1, 0], [1, 0], [0, 0]]
    assert effective_sparsity(model, masks, (3,)).tolist() == pytest.approx([1 - 5 / 21])


@pytest.mark.parametrize("seed", range(6))
def test_a_perceptron_by_reachability(seed):
    model = mlp(12, (15, 9, 11), 6)
    masks = random_masks(model, 0.1, 10 * seed)
    edges = [mask.bool() for mask in masks.values()]
    ahead = [torch.ones(12, dtype=torch.bool)]
    for edge in edges:
        ahead.append((edge & ahead[-1]).any(1))
    behind = [torch.ones(6, dtype=torch.bool)]
    for edge in reversed(edges):
        behind.insert(0, (edge & behind[0][:, None]).any(0))
    found = live_masks(model, masks, (12,))
    for (name, live), edge, source, target in zip(found.items(), edges, ahead, behind[1:], strict=False):
        assert torch.equal(live.bool(), edge & source & target[:, None]), name
    assert 0 < sum(live.sum() for live in found.values()) < sum(mask.sum() for mask in masks.values())


def test_all_weights_live_in_a_dense_network_and_none_where_a_layer_is_empty():
    model = resnet([2, 2], (4, 8), 2, in_channels=1, activation="dyrelu")
    masks = {name: torch.ones_like(weight) for name, weight in prunable(model).items()}
    assert effective_sparsity(model, masks, SHAPE).tolist() == [0.0]
    masks["classifier.weight"].zero_()
    assert effective_sparsity(model, masks, SHAPE).tolist() == [1.0]


@pytest.mark.parametrize("options", [{}, {"share_ratio": 2}, {"activation": "dyrelu"}])
def test_dead_weights_can_go_without_a_trace(options):
    """In evaluation mode without shifts a dead weight adds nothing, or nothing that is read."""
    model = resnet([3, 3], (4, 8), in_channels=1, **options).eval()
    for module in model.modules():
        if hasattr(module, "beta"):
            module.beta = 0.0
    weights = prunable(model)
    shapes = [weight.shape for weight in weights.values()]
    counts = erk_counts(shapes, 0.03)
    masks = {name: random_mask(s, k, generator(k)) for name, s, k in zip(weights, shapes, counts, strict=True)}
    live = live_masks(model, masks, SHAPE)
    x = torch.rand(16, *SHAPE, generator=generator(9))
    logits = []
    for chosen in (masks, live):
        with torch.no_grad():
            for name, weight in weights.items():
                weight.mul_(chosen[name])
            logits.append(model(x))
    dead = sum((masks[name] - live[name]).sum() for name in live)
    assert dead > 20 and logits[0].std(0).max() > 0
    torch.testing.assert_close(*logits, rtol=1e-5, atol=1e-6)


def test_each_live_weight_matters():
    """With positive weights and inputs nothing cancels: taking any live one away changes the logits."""
    model = resnet([1, 1], (3, 4), in_channels=1).double().eval()
    masks = random_masks(model, 0.3, 5)
    weights, live = prunable(model), live_masks(model, masks, SHAPE)
    x = torch.rand(2, *SHAPE, generator=generator(), dtype=torch.float64) + 0.5
    with torch.no_grad():
        for name, weight in weights.items():
            weight.abs_().mul_(masks[name])
        whole = model(x)
        for name, weight in weights.items():
            for place in masks[name].nonzero().tolist():
                value = weight[tuple(place)].clone()
                weight[tuple(place)] = 0
                assert bool((model(x) != whole).any()) == bool(live[name][tuple(place)]), (name, place)
                weight[tuple(place)] = value


def test_a_shared_kernel_lives_where_one_of_its_uses_does():
    """Channel 1 only fills up in block 1; entries that read it there live through block 2, which shares them."""
    shared, plain = (resnet([3], (3,), ratio, in_channels=1) for ratio in (2, None))
    masks = {name: torch.zeros_like(weight) for name, weight in prunable(shared).items()}
    masks["stem.0.weight"][0] = 1
    masks["classifier.weight"].fill_(1)
    first, second = masks[FIRST], masks[SECOND]
    first[0, 0] = second[1, 0] = 1  # channel 0 -> 1, alive at once
    first[2, 1] = second[2, 2] = 1  # channel 1 -> 2, alive when channel 1 is
    live = live_masks(shared, masks, SHAPE)
    assert all(torch.equal(live[name], masks[name]) for name in (FIRST, SECOND))
    apart = masks | {name: torch.zeros_like(weight) for name, weight in prunable(plain).items() if name not in masks}
    alone = live_masks(plain, apart, SHAPE)
    assert alone[FIRST][2].sum() == alone[SECOND][2].sum() == 0
    assert alone[FIRST][0].sum() == alone[SECOND][1].sum() == 9


def test_entries_that_only_read_padding_are_dead():
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Flatten(), nn.Linear(2, 3))
    masks = {name: torch.ones_like(weight) for name, weight in prunable(model).items()}
    live = live_masks(model, masks, (1, 1, 1))
    assert live["0.weight"].sum() == 2 and live["0.weight"][:, 0, 1, 1].tolist() == [1, 1]


def test_a_pool_can_choose_any_position():
    """On 2x2 the corners of the kernel reach different pixels, of which the maximum of ones is only one."""
    model = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1, 2))
    masks = {name: torch.ones_like(weight) for name, weight in prunable(model).items()}
    masks["0.weight"].zero_()[0, 0, [0, 2], [0, 2]] = 1
    assert torch.equal(live_masks(model, masks, (1, 2, 2))["0.weight"], masks["0.weight"])


def test_shifts_open_no_path():
    model = mlp(4, (5, 5), 3).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.bias.data.fill_(1.0)
            module.running_mean.fill_(-1.0)
    masks = {name: torch.ones_like(weight) for name, weight in prunable(model).items()}
    masks["layers.0.weight"][2] = 0
    live = live_masks(model, masks, (4,))
    assert live["layers.3.weight"][:, 2].sum() == 0 and live["layers.3.weight"].sum() == 20
    assert model.layers[1].bias.eq(1).all() and not model.training


def test_depth_neither_overflows_nor_underflows():
    model = mlp(3, [64] * 200, 3)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_var.fill_(1e8)
    almost = {name: torch.ones_like(weight) for name, weight in prunable(model).items()}
    for mask in almost.values():
        mask[0, 0] = 0  # times an infinite number this would not be 0
    assert all(torch.equal(live, almost[name]) for name, live in live_masks(model, almost, (3,)).items())
    path = {name: torch.zeros_like(weight) for name, weight in prunable(model).items()}
    for mask in path.values():
        mask[0, 0] = 1
    assert sum(live.sum() for live in live_masks(model, path, (3,)).values()) == 201


def test_a_replica_lives_as_if_alone():
    model = resnet([1, 1], (4, 8), in_channels=1, replicas=3)
    masks = random_masks(model, 0.05)
    together = effective_sparsity(model, masks, SHAPE)
    alone = [
        effective_sparsity(
            replica(model, i), {name: mask.unflatten(0, (3, -1))[i] for name, mask in masks.items()}, SHAPE
        ).item()
        for i in range(3)
    ]
    assert together.tolist() == pytest.approx(alone) and len(set(alone)) == 3


def test_masks_that_do_not_fit_are_refused():
    model = mlp(4, (5,), 3)
    masks = {name: torch.ones_like(weight) for name, weight in prunable(model).items()}
    with pytest.raises(InputError, match=r"not of classifier\.weight"):
        live_masks(model, {"classifier.weight": masks["classifier.weight"]}, (4,))
    with pytest.raises(InputError, match=r"must be \(3, 5\), not \(5, 3\)"):
        live_masks(model, masks | {"classifier.weight": torch.ones(5, 3)}, (4,))
