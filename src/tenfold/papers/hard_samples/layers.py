"""Where the weights lie: the density of each layer, by method, and how much denser the shallow layers are."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tenfold.book.style import GREY, WIDTH_DOUBLE
from tenfold.papers.hard_samples.methods import LOOKS, PUBLISHED
from tenfold.papers.hard_samples.results import Results

RINGS = {"omp": 9.0, "gmp": 6.5}
"""OMP has the mask of LTH, and GMP nearly: they are drawn as rings of these sizes around it, so that each shows."""


def densities(found: Results, names: list[str], sparsity: float) -> pd.DataFrame:
    """Return the density of each layer under panels, lettered from a, mean over seeds, methods as published."""
    table = found.frame("layers")
    table = table[(table.sparsity == sparsity) & table.method.isin(PUBLISHED)]
    frames = [
        one(found.under(found.panels[name], table)).assign(panel=f"{letter}. {found.short(name)}")
        for letter, name in zip("abcdef", names, strict=False)
    ]
    return pd.concat(frames, ignore_index=True)


def one(rows: pd.DataFrame) -> pd.DataFrame:
    """Return method, layer, name, kind, weights and mean density of the layers of one condition."""
    rows = rows.assign(density=rows.active / rows.weights)
    keys = ["method", "layer", "name", "kind", "weights"]
    return rows.groupby(keys, sort=False, as_index=False).density.mean()


def tilt(found: Results, sparsity: float) -> pd.DataFrame:
    """Return how much denser the shallow half of the layers is than the deep half, a row per panel and seed.

    Tilt = mean density of the first half of the layers minus that of the second, without the classifier; with an odd
    number the middle layer counts with the deep ones. A column per method.
    """
    table = found.frame("layers")
    table = table[(table.sparsity == sparsity) & table.method.isin(PUBLISHED)]
    frames = []
    for name, condition in found.panels.items():
        rows = found.under(condition, table)
        if not {*PUBLISHED} <= {*rows.method}:
            continue
        tilts = rows.groupby(["seed", "method"]).apply(tilted, include_groups=False).unstack("method")
        frames.append(tilts[list(PUBLISHED)].reset_index().assign(panel=name, sparsity=sparsity))
    found_here = pd.concat(frames, ignore_index=True)
    return found_here[["panel", "sparsity", "seed", *PUBLISHED]].rename_axis(columns=None)


def tilted(rows: pd.DataFrame) -> float:
    """Return the tilt of one network."""
    inner = rows[rows.layer < rows.layer.max()].sort_values("layer")
    density = (inner.active / inner.weights).to_numpy()
    half = len(density) // 2
    return float(density[:half].mean() - density[half:].mean())


def figure(table: pd.DataFrame, sparsity: float) -> Figure:
    """Draw the density of each layer, a panel per condition and a line per method."""
    titles = [*dict.fromkeys(table.panel)]
    columns = min(len(titles), 2)
    rows = -(-len(titles) // columns)
    made, panels = plt.subplots(rows, columns, figsize=(WIDTH_DOUBLE, 0.45 + 2.0 * rows), squeeze=False, sharey=True)
    for axes, title in zip(panels.flat, titles, strict=False):
        lines(axes, table[table.panel == title], sparsity)
        axes.set(title=title, xlabel="layer, from the input", ylim=(-0.03, 1.05))
    for axes in panels.flat[len(titles) :]:
        axes.set_axis_off()
    for axes in panels[:, 0]:
        axes.set_ylabel("density")
    made.legend(*panels.flat[0].get_legend_handles_labels(), loc="outside upper center", ncols=6)
    return made


def lines(axes: Axes, table: pd.DataFrame, sparsity: float) -> None:
    """Draw the layers of one condition; the dotted line is the density of the whole network."""
    axes.axhline(1 - sparsity, color=GREY, lw=0.8, ls=":", label=f"all layers, {1 - sparsity:.2g}")
    for name, rows in table.groupby("method", sort=False):
        style = {"color": LOOKS[name].colour, "marker": LOOKS[name].marker, "lw": 1.0, "label": LOOKS[name].label}
        style |= {"ms": RINGS[name], "mfc": "none", "mew": 1.1} if name in RINGS else {"ms": 3.5}
        axes.plot(rows.layer + 1, rows.density, **style)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    classifier = table[table.layer == table.layer.max()]
    if len(classifier) and np.isfinite(classifier.density).all():
        axes.axvspan(classifier.layer.iloc[0] + 0.6, classifier.layer.iloc[0] + 1.4, color="#f1f1f1", zorder=0)


def layout(rows: pd.DataFrame) -> pd.DataFrame:
    """Return layer, name, kind and weights of the network of one condition, in order."""
    return rows[["layer", "name", "kind", "weights"]].drop_duplicates().sort_values("layer").reset_index(drop=True)
