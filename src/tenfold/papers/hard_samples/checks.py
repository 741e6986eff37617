"""Checks: the numbers that must come out, of networks, budgets, subsets and scores."""

from __future__ import annotations

import math
from itertools import pairwise

import pandas as pd
import torch

from tenfold.nets import architecture, prunable
from tenfold.papers.hard_samples.conditions import Condition
from tenfold.papers.hard_samples.gaps import KEYS
from tenfold.papers.hard_samples.methods import TWICE
from tenfold.papers.hard_samples.results import Results
from tenfold.sparsity.hardness import el2n, hard_subset

PUBLISHED = {
    "ResNet-18, 100 classes": (11_210_432, "resnet18", {"classes": 100, "in_channels": 3}),
    "ResNet-34, 200 classes, 7 x 7": (
        21_370_048,
        "resnet34",
        {"classes": 200, "in_channels": 3, "stem": "tiny64"},
    ),
    "VGG-19, 100 classes": (20_070_080, "vgg19", {"classes": 100, "in_channels": 3}),
    "VGG-16, 10 classes": (15_239_872, "vgg16", {"classes": 10, "in_channels": 3}),
}
"""Prunable weights of the paper's networks, counted from its description."""


def identities(found: Results) -> pd.DataFrame:
    """Return numbers that must come out, with what did: a residual of 0 but for the rounding of budgets."""
    rows = [(f"prunable weights of {name}", *counted) for name, counted in networks().items()]
    rows += [
        ("largest error of a network's number of weights, above 1", 0, max(off_budget(found) - 1, 0)),
        ("weights by which the layers of LTH differ from those of OMP", 0, twins(found)),
        ("images missing from hard subsets", 0, missing(found)),
        ("images of a smaller hard subset that are not in a larger one", 0, strays(found)),
        ("EL2N of a uniform prediction of ten classes", math.sqrt(0.9), uniform()),
    ]
    table = pd.DataFrame(rows, columns=["quantity", "expected", "found"]).astype({"expected": float, "found": float})
    return table.assign(residual=(table.found - table.expected) / table.expected.clip(lower=1))


def networks() -> dict[str, tuple[int, int]]:
    """Return expected and found numbers of prunable weights of the paper's networks, built without memory."""
    counted = {}
    for name, (expected, kind, options) in PUBLISHED.items():
        with torch.device("meta"):
            model = architecture(kind, **options)
        counted[name] = (expected, sum(weight.numel() for weight in prunable(model).values()))
    return counted


def off_budget(found: Results) -> float:
    """Return by how many weights the worst network misses its budget (1 - s) N."""
    table = found.frame("layers").groupby([*KEYS, "seed", "method", "sparsity"])[["weights", "active"]].sum()
    kept = 1 - table.index.get_level_values("sparsity").to_numpy()
    return float((table.active - kept * table.weights).abs().max())


def twins(found: Results) -> int:
    """Return by how many weights the layers of LTH differ from those of OMP, the largest of all: they share masks."""
    table = found.frame("layers")
    keys = [name for name in table.columns if name not in ("method", "active")]
    wide = table[table.method.isin(TWICE[:2])].pivot(index=keys, columns="method", values="active").dropna()
    return int((wide.omp - wide.lth).abs().max())


def missing(found: Results) -> int:
    """Return how many images hard subsets lack of int(n r)."""
    rows = found.gaps[found.gaps.selection == "hard"].drop_duplicates(["subject", "ratio", "label_noise"])
    sizes = {(s, noise): len(found.hardness(s, noise)) for s, noise in zip(rows.subject, rows.label_noise, strict=True)}
    wanted = [int(sizes[row.subject, row.label_noise] * row.ratio) for row in rows.itertuples()]
    return int((rows.rows - wanted).abs().max())


def strays(found: Results) -> int:
    """Return how many images of each smaller hard subset are not in the next larger one."""
    scores = found.hardness(found.p.first).el2n.to_numpy(copy=True)
    shares = sorted({condition.ratio for condition in _hard(found)}, reverse=True)
    parts = [set(hard_subset(scores, share).tolist()) for share in shares]
    return sum(len(small - large) for large, small in pairwise(parts))


def _hard(found: Results) -> list[Condition]:
    return [c for c in found.grid if c.selection == "hard" and c.subject == found.p.first]


def uniform(classes: int = 10) -> float:
    """Return EL2N of a prediction that gives each class the same probability: sqrt(1 - 1/C)."""
    return float(el2n(torch.zeros(1, classes), torch.tensor([0])))
