"""The recipe: its learning rates by hand, what it refuses, the optimiser it builds."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from tenfold.errors import InputError
from tenfold.training import Recipe


def by_epoch(recipe, steps=4):
    return [recipe.rate((epoch - 1) * steps, steps) for epoch in range(1, recipe.epochs + 1)]


def test_the_published_schedule_falls_after_epochs_125_and_187_of_250():
    rates = by_epoch(Recipe(epochs=250, batch=128))
    np.testing.assert_allclose(rates, [0.1] * 125 + [0.01] * 62 + [0.001] * 63)


def test_a_milestone_that_floating_point_misses_is_met():
    """0.57 * 100 = 56.99999999999999: epoch 57 still has the first rate."""
    rates = by_epoch(Recipe(epochs=100, batch=1, milestones=(0.57,)))
    assert rates[56] == 0.1
    assert rates[57] == pytest.approx(0.01)


def test_a_step_schedule_is_constant_within_an_epoch():
    recipe = Recipe(epochs=4, batch=1)
    assert [recipe.rate(step, 3) for step in range(12)] == pytest.approx([0.1] * 6 + [0.01] * 3 + [0.001] * 3)


def test_cosine_starts_at_lr_halves_in_the_middle_and_would_end_at_its_share():
    recipe = Recipe(epochs=10, batch=1, lr=2.0, schedule="cosine", lr_end=0.1)
    assert recipe.rate(0, 10) == 2.0
    assert recipe.rate(50, 10) == pytest.approx(2 * 0.55)
    assert recipe.rate(100, 10) == pytest.approx(0.2)
    assert recipe.rate(25, 10) == pytest.approx(2 * (0.1 + 0.9 * (1 + math.sqrt(0.5)) / 2))


@pytest.mark.parametrize("schedule", ["step", "cosine", "constant"])
def test_warm_up_is_linear_and_reaches_lr(schedule):
    recipe = Recipe(epochs=4, batch=1, lr=1.0, schedule=schedule, warmup=0.5)
    assert [recipe.rate(step, 8) for step in range(5)] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])


def test_cosine_after_warm_up_runs_over_what_is_left():
    recipe = Recipe(epochs=3, batch=1, lr=1.0, schedule="cosine", warmup=1)
    assert recipe.rate(20, 10) == pytest.approx(0.5)


def test_a_recipe_is_a_value():
    """Lists and numpy numbers count as what they stand for, so that a checkpoint can hold them."""
    recipe = Recipe(epochs=np.int64(3), batch=4, lr=np.float64(0.1), clip=[np.float32(0.5), None], milestones=[0.5])
    assert recipe == Recipe(epochs=3, batch=4, lr=0.1, clip=(0.5, None), milestones=(0.5,))
    assert type(recipe.epochs) is int and type(recipe.lr) is float and type(recipe.clip[0]) is float
    hash(recipe)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"optimizer": "sdg"}, "did you mean 'sgd'"),
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
        ({"precision": "fp16"}, "unknown precision 'fp16'"),
        ({"device": "gpu"}, "unknown device"),
        ({"decay": "none"}, "unknown decay"),
        ({"epochs": 0}, "epochs = 0"),
        ({"epochs": 1.5}, "epochs = 1.5"),
        ({"batch": True}, "batch = True"),
        ({"lr": -0.1}, "positive learning rate"),
        ({"lr": "0.1"}, "lr = '0.1'"),
        ({"lr": math.nan}, "lr = nan"),
        ({"momentum": 1.0}, r"momentum in \[0, 1\)"),
        ({"weight_decay": -1}, "weight decay"),
        ({"milestones": (0.7, 0.5)}, "milestones that increase"),
        ({"milestones": 0.5}, "milestones = 0.5"),
        ({"gamma": 0}, "gamma"),
        ({"warmup": 11}, "warm-up within"),
        ({"clip": 0.0}, "clip = 0.0"),
        ({"clip": (1.0, -1.0)}, "positive limits"),
        ({"betas": (0.9,)}, "two betas"),
        ({"lr_end": 2}, "share of lr"),
    ],
)
def test_an_impossible_recipe_is_refused_in_one_line(change, word):
    with pytest.raises(InputError, match=word) as caught:
        Recipe(**{"epochs": 10, "batch": 8} | change)
    assert "\n" not in str(caught.value)


def test_limits_of_the_norm_are_one_per_replica():
    assert Recipe(1, 1).limits(3) is None
    assert Recipe(1, 1, clip=(None, None)).limits(2) is None
    assert Recipe(1, 1, clip=2).limits(2) == [2.0, 2.0]
    assert Recipe(1, 1, clip=(None, 0.5)).limits(2) == [math.inf, 0.5]
    with pytest.raises(InputError, match="clip has 2 entries for 3 replicas"):
        Recipe(1, 1, clip=(1.0, 2.0)).limits(3)


def test_decay_on_matrices_spares_biases_and_nothing_frozen_is_trained():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 2))
    model[2].weight.requires_grad_(False)
    optimizer = Recipe(1, 1, weight_decay=0.1, decay="matrices").build(model)
    decayed, spared = (group["params"] for group in optimizer.param_groups)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.0]
    assert [p.ndim for p in decayed] == [4]
    assert [p.ndim for p in spared] == [1, 1, 1, 1]
    assert len(Recipe(1, 1, weight_decay=0.1).build(model).param_groups) == 1


def test_a_model_without_parameters_is_refused():
    with pytest.raises(InputError, match="no parameter to train"):
        Recipe(1, 1).build(nn.ReLU())


def test_a_parameter_may_get_its_first_gradient_late():
    """Fused SGD alone cannot: part of a network may join while the rest has momentum already."""
    early, late = (nn.Parameter(torch.ones(1)) for _ in range(2))
    optimizer = Recipe(1, 1, lr=0.1, nesterov=False, weight_decay=0).build(nn.ParameterList([early, late]))
    early.grad = torch.ones(1)
    optimizer.step()
    late.grad = torch.ones(1)
    optimizer.step()
    torch.testing.assert_close(early.detach(), torch.tensor([1 - 0.1 - 0.19]))
    torch.testing.assert_close(late.detach(), torch.tensor([0.9]))
