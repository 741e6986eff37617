"""Scores in closed form, the laws they obey, and masks that keep exactly what they should."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from tenfold.errors import InputError
from tenfold.nets import initialise, mlp, prunable, replica, resnet, set_beta
from tenfold.sparsity import scores as scoring
from tenfold.sparsity.effective import live_masks
from tenfold.sparsity.scores import (
    grasp_scores,
    prune_by_score,
    snip_scores,
    synflow_masks,
    synflow_scores,
)

SHAPE = (1, 6, 6)


SCORES = {
    "snip": snip_scores,
    "grasp": grasp_scores,
    "synflow": lambda model, x, y: synflow_scores(model, x),
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def batch(*lead, shape=SHAPE, seed=0):
    g = generator(seed)
    return torch.rand(*lead, *shape, generator=g), torch.randint(10, lead, generator=g)


def tiny(replicas=1, **options):
    return resnet([1, 1], (4, 8), in_channels=1, replicas=replicas, **options)


def chain():
    """Return convolutions, a pool and linear layers, none of them with a bias."""
    layers = [
        nn.Conv2d(1, 6, 3, padding=1, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, bias=False),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8, 12, bias=False),
        nn.ReLU(),
        nn.Linear(12, 10, bias=False),
    ]
    model = initialise(nn.Sequential(*layers), [generator(3)])
    model[1].weight.data.uniform_(0.5, 2, generator=generator(4))
    return model


def test_snip_of_a_linear_model_in_closed_form():
    model = nn.Linear(5, 10, bias=False).double()
    x, y = batch(7, shape=(5,))
    x = x.double()
    error = torch.softmax(x @ model.weight.T, 1) - torch.eye(10)[y]
    expected = (model.weight * (error.T @ x) / 7).abs().detach()
    torch.testing.assert_close(snip_scores(model, x, y), {"weight": expected / expected.sum()})


@pytest.mark.parametrize("sign", [1, -1])
def test_grasp_is_weight_times_hessian_times_gradient(sign):
    """H g by central differences of the gradient along g; the sum of scores, by which they are divided, has a sign."""
    hidden = [nn.Linear(4, 6), nn.Tanh()] if sign > 0 else []
    model = nn.Sequential(*hidden, nn.Linear(6 if hidden else 4, 10, bias=False)).double()
    initialise(model, [generator(1)])
    x, y = batch(9, shape=(4,))
    x = x.double()
    if sign < 0:  # a linear model that is right: larger weights lower its gradient
        y = model(x).argmax(1)
    weights = list(prunable(model).values())

    def gradient():
        return torch.autograd.grad(nn.functional.cross_entropy(model(x) / 3.0, y), weights)

    g, eps, sides = gradient(), 1e-4, []
    for step in (1, -2, 1):
        with torch.no_grad():
            for weight, direction in zip(weights, g, strict=True):
                weight += step * eps * direction
        sides.append(gradient())
    raw = [w.detach() * (high - low) / (2 * eps) for w, high, low in zip(weights, *sides[:2], strict=True)]
    total = sum(part.sum() for part in raw)
    assert total.sign() == sign
    found = grasp_scores(model, x, y, temperature=3.0)
    for score, part in zip(found.values(), raw, strict=True):
        torch.testing.assert_close(score, part / total.abs(), rtol=1e-4, atol=1e-7)


def test_synflow_of_two_linear_layers_in_closed_form():
    first, second = torch.randn(2, 4, 3, generator=generator()).unbind()
    model = nn.Sequential(nn.Linear(3, 4, bias=False), nn.ReLU(), nn.Linear(4, 3, bias=False))
    model[0].weight.data, model[2].weight.data = first, second.T.contiguous()
    a, b = first.abs().double(), second.T.abs().double()
    expected = {"0.weight": a * b.sum(0)[:, None], "2.weight": b * a.sum(1)}
    torch.testing.assert_close(synflow_scores(model, (3,)), expected)


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("training", [True, False])
def test_scoring_leaves_the_model_alone(name, training):
    model = resnet([3], (4,), 2, in_channels=1, activation="dyrelu").train(training)
    model.stem[1].eval()
    next(model.parameters()).grad = torch.ones_like(next(model.parameters()))
    state = {key: value.clone() for key, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    SCORES[name](model, *batch(8))
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert modes == [module.training for module in model.modules()]
    assert [p.grad is not None for p in model.parameters()] == [True] + [False] * (len(list(model.parameters())) - 1)
    assert all(module.beta == 1.0 for module in model.modules() if hasattr(module, "beta"))


@pytest.mark.parametrize("name", SCORES)
def test_a_replica_scores_as_if_alone(name):
    model = tiny(replicas=3).double()
    x, y = batch(3, 8)
    x = x.double()
    stacked = SCORES[name](model, x, y)
    for i in range(3):
        alone = SCORES[name](replica(model, i), x[i], y[i])
        for key, score in alone.items():
            torch.testing.assert_close(stacked[key].unflatten(0, (3, -1))[i], score, rtol=1e-6, atol=1e-12)


def test_snip_scores_of_each_replica_sum_to_one():
    model = tiny(replicas=2)
    scores = snip_scores(model, *batch(8))
    assert {name: score.shape for name, score in scores.items()} == {n: w.shape for n, w in prunable(model).items()}
    totals = sum(score.view(2, -1).sum(1) for score in scores.values())
    torch.testing.assert_close(totals, torch.ones(2))
    assert all((score >= 0).all() for score in scores.values())


def test_the_scale_of_the_loss_does_not_matter():
    """Twice the batch is twice the summed loss; rows, masks and the normalised scores stay."""
    model, (x, y) = tiny(), batch(8)
    once, twice = snip_scores(model, x, y), snip_scores(model, x.repeat(2, 1, 1, 1), y.repeat(2))
    for name, score in once.items():
        torch.testing.assert_close(twice[name], score, rtol=1e-3, atol=1e-7)


def test_whole_number_images_are_scaled():
    model = tiny()
    x = torch.randint(256, (8, *SHAPE), generator=generator(), dtype=torch.uint8)
    y = torch.arange(8)
    torch.testing.assert_close(snip_scores(model, x, y), snip_scores(model, x.float() / 255, y))


def test_synflow_is_conserved_from_layer_to_layer():
    model = chain()
    sums = [score.sum().item() for score in synflow_scores(model, SHAPE).values()]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()
        flow = model.double().eval()(torch.ones(1, *SHAPE, dtype=torch.float64)).sum().item()
    assert sums == pytest.approx([flow] * len(sums), rel=1e-9)


def test_synflow_sees_neither_signs_nor_statistics_nor_standardisation():
    model = chain()
    expected = synflow_scores(model, SHAPE)
    model[0].weight.data.neg_()
    model[1].running_mean.fill_(3.0)
    torch.testing.assert_close(synflow_scores(model, SHAPE), expected)
    plain, standard = tiny(), tiny(normalise=(0.5, 0.2))
    torch.testing.assert_close(synflow_scores(standard, SHAPE), synflow_scores(plain, SHAPE))


def test_synflow_takes_a_dynamic_activation_for_relu():
    model = tiny(activation="dyrelu")
    dynamic = synflow_scores(model, SHAPE)
    set_beta(model, 0.0)
    torch.testing.assert_close(synflow_scores(model, SHAPE), dynamic)


def test_synflow_reaches_beyond_single_precision():
    model = mlp(10, [100] * 30, batch_norm=False)
    with torch.no_grad():
        for weight in prunable(model).values():
            weight.mul_(10)
    total = synflow_scores(model, (10,))["classifier.weight"].sum()
    assert torch.isfinite(total) and total > torch.finfo(torch.float32).max


def test_iterative_synflow_never_empties_a_layer_of_a_chain():
    model, weights = mlp(20, [300, 10, 10]), 20 * 300 + 300 * 10 + 10 * 10 + 10 * 10
    for density in (0.1, 0.01, 12 / weights, 4 / weights):
        masks = synflow_masks(model, (20,), density)
        assert sum(mask.sum().item() for mask in masks.values()) == int(weights * density)
        assert min(mask.sum().item() for mask in masks.values()) >= 1
    once = synflow_masks(model, (20,), 12 / weights, rounds=1)
    assert min(mask.sum().item() for mask in once.values()) == 0


def test_what_synflow_has_pruned_never_returns(monkeypatch):
    """A weight whose path has gone scores 0 like the pruned ones, but is kept before them while there is room."""
    seen = []
    monkeypatch.setattr(scoring, "prune_by_score", lambda *given: seen.append(prune_by_score(*given)) or seen[-1])
    for seed in range(4):
        seen.clear()
        model = initialise(mlp(6, (6, 6), 4), [generator(seed)])
        synflow_masks(model, (6,), 0.08, rounds=60)
        for before, after in pairwise(seen):
            assert all((after[name] <= before[name]).all() for name in after)


def test_iterative_synflow_may_empty_a_residual_branch_but_no_cut():
    """A shortcut carries the flow around a branch: conservation protects only what every path must cross."""
    model = resnet([3, 3], (8, 16), in_channels=1)
    masks = synflow_masks(model, SHAPE, 0.01)
    empty = [name for name, mask in masks.items() if not mask.any()]
    assert empty and all(".conv" in name for name in empty)
    live = live_masks(model, masks, SHAPE)
    assert live["stem.0.weight"].any() and live["classifier.weight"].any()


def test_iterative_synflow_keeps_whole_paths():
    model = chain()
    masks = synflow_masks(model, SHAPE, 0.05)
    assert all(torch.equal(live, masks[name]) for name, live in live_masks(model, masks, SHAPE).items())


def test_synflow_prunes_each_replica_of_a_stack_to_its_own_density():
    model = tiny(replicas=2)
    masks = synflow_masks(model, SHAPE, [0.1, 0.02], rounds=20)
    for i, density in enumerate((0.1, 0.02)):
        alone = synflow_masks(replica(model, i), SHAPE, density, rounds=20)
        for name, mask in alone.items():
            assert torch.equal(masks[name].unflatten(0, (2, -1))[i], mask)


def test_the_largest_scores_of_all_tensors_are_kept():
    scores = {"a": torch.tensor([[0.1, 0.9], [0.8, 0.2]]), "b": torch.tensor([0.7, 0.3, 0.6])}
    masks = prune_by_score(scores, 0.5)
    assert masks["a"].tolist() == [[0, 1], [1, 0]] and masks["b"].tolist() == [1, 0, 0]
    as_list = prune_by_score(list(scores.values()), 0.5)
    assert isinstance(as_list, list) and torch.equal(as_list[0], masks["a"]) and torch.equal(as_list[1], masks["b"])
    assert prune_by_score(scores["b"], 0.7).tolist() == [1, 0, 1]
    assert all(mask.all() for mask in prune_by_score(scores, 1.0).values())


@pytest.mark.parametrize("density", [0.0021, 0.1, 0.29, 0.5, 0.9999])
def test_the_number_kept_is_exact_and_ties_go_by_position(density):
    scores = torch.randint(4, (480,), generator=generator()).double()
    mask = prune_by_score(scores, density)
    order = torch.argsort(scores, descending=True, stable=True)
    assert mask.nonzero().flatten().tolist() == sorted(order[: int(480 * density)].tolist())


def test_masks_are_nested_in_the_density():
    scores = list(torch.rand(3, 50, generator=generator()))
    few, many = (torch.cat(prune_by_score(scores, density)) for density in (0.2, 0.6))
    assert (few <= many).all() and few.sum() < many.sum()


def test_replicas_are_pruned_apart():
    scores = {"a": torch.rand(6, 5, generator=generator(1)), "b": torch.rand(2, 7, generator=generator(2))}
    masks = prune_by_score(scores, [0.5, 0.1], replicas=2)
    for i, density in enumerate((0.5, 0.1)):
        own = {name: part.unflatten(0, (2, -1))[i] for name, part in scores.items()}
        for name, mask in prune_by_score(own, density).items():
            assert torch.equal(masks[name].unflatten(0, (2, -1))[i], mask)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: prune_by_score(torch.rand(10), 0), r"in \(0, 1\]"),
        (lambda: prune_by_score(torch.rand(10), 1.01), r"in \(0, 1\]"),
        (lambda: prune_by_score(torch.rand(10), 0.09), "keeps none of 10"),
        (lambda: prune_by_score(torch.tensor([1.0, float("nan")]), 1), "NaN"),
        (lambda: prune_by_score([], 0.5), "no scores"),
        (lambda: prune_by_score(torch.rand(9), 0.5, replicas=2), "those of 2 networks"),
        (lambda: prune_by_score(torch.rand(10), [0.5, 0.5, 0.5], replicas=2), "each of 2 networks"),
        (lambda: synflow_masks(tiny(), SHAPE, 0.5, rounds=0), "at least one round"),
        (lambda: synflow_masks(tiny(), SHAPE, 1e-9), "keeps none"),
        (lambda: grasp_scores(tiny(), *batch(4), temperature=0), "temperature"),
        (lambda: snip_scores(tiny(), batch(4)[0], batch(5)[1]), "does not fit"),
        (lambda: snip_scores(nn.Linear(3, 2), torch.zeros(4, 3), torch.zeros(4)), "all zero"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, word):
    with pytest.raises(InputError, match=word) as caught:
        call()
    assert "\n" not in str(caught.value)
