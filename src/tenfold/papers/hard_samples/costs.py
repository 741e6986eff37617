"""What a training costs: floating-point operations by arithmetic, weights by count, relative to the dense network."""

from __future__ import annotations

import pandas as pd

from tenfold.papers.hard_samples.results import Results
from tenfold.papers.hard_samples.subjects import network
from tenfold.sparsity.flops import layer_flops, training_flops

BEST = 5
"""Runs of each method that the paper's Figure 8 c, d shows."""


def table(found: Results, *names: str) -> pd.DataFrame:
    """Return, per panel and network, training operations and weights as shares of the dense network's.

    The densities of the layers are those of the trained network: what ERK gives by construction, and what SNIP, GMP,
    OMP and LTH found.
    """
    frames = []
    for name in names:
        rows = found.under(found.panels[name], found.frame("layers"))
        operations = counted(found, found.panels[name].subject)
        for (method, sparsity, seed), one in rows.groupby(["method", "sparsity", "seed"], sort=False):
            density = dict(zip(one["name"], one.active / one.weights, strict=True))
            cost = relative(method, operations, density, found.p.updates)
            row = {"panel": name, "method": method, "sparsity": sparsity, "seed": seed, "flops": cost}
            frames.append(row | {"weights": one.active.sum() / one.weights.sum()})
    return pd.DataFrame(frames)


def counted(found: Results, subject: str) -> pd.DataFrame:
    """Return the operations of each layer of a subject's network for one image."""
    images = found.images(subject)
    return layer_flops(network(subject, images, found.fixed, [0]), images.shape)


def relative(method: str, operations: pd.DataFrame, density: dict[str, float], updates: int) -> float:
    """Return the operations of a training over those of the dense one of the same length."""
    pruning = {"updates": max(round(0.7 * updates), 1)} if method == "gmp" else {}
    cost = training_flops(method, operations, density, 1, 1, **pruning)
    return cost / training_flops("dense", operations, 1.0, 1, 1)


def best(found: Results, costs: pd.DataFrame, *names: str) -> pd.DataFrame:
    """Return the most accurate networks of each method with their costs, over all sparsities and seeds."""
    rows = found.panel(*names)[["panel", "method", "sparsity", "seed", "accuracy", "gap"]]
    rows = rows.sort_values("accuracy", ascending=False, kind="stable")
    top = rows.groupby(["panel", "method"], sort=False).head(BEST)
    return top.merge(costs, on=["panel", "method", "sparsity", "seed"]).reset_index(drop=True)
