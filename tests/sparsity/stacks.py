"""Small stacks, their rows and their trainings, for the tests of sparse training."""

from types import SimpleNamespace

import torch

from tenfold.nets import initialise, mlp
from tenfold.sparsity.sparsifier import Sparsifier
from tenfold.training import Recipe, Resident, fit

WIDTH, CLASSES, ROWS = 16, 4, 96
RECIPE = Recipe(epochs=4, batch=32, lr=0.05)  # 12 steps


def rows():
    """Rows of which a linear map says the class."""
    g = torch.Generator().manual_seed(0)
    x = torch.randn(ROWS, WIDTH, generator=g)
    return x, (x @ torch.randn(WIDTH, CLASSES, generator=g)).argmax(1)


def network(seeds):
    model = mlp(WIDTH, (14, 12), CLASSES, replicas=len(seeds))
    return initialise(model, [torch.Generator().manual_seed(seed) for seed in seeds])


def run_of(model, seeds, total=12):
    """A training as rules see it."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return SimpleNamespace(
        model=model, optimizer=optimizer, replicas=len(seeds), seeds=seeds, step=0, total_steps=total
    )


def train(methods, data, seeds=None, recipe=RECIPE, strict=True, **more):
    """Train a stack by the methods; return model, history and the rule."""
    seeds = seeds or [0] * len(methods)
    options = {key: more.pop(key) for key in ("batch", "pretrained") if key in more}
    model = network(seeds)
    rule = Sparsifier(methods, **options, strict=strict)
    history = fit(model, Resident(*data), recipe, seeds, rules=[rule], **more)
    return model, history, rule


def masks_of(rule, number=0):
    return {name: rule.masks.view(name)[number] for name in rule.masks.names}


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)
