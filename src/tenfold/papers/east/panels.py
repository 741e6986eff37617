"""Figures of accuracies: against sparsity, by part, over the run, and what became of every seed."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tenfold.book.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION, WIDTH_DOUBLE, WIDTH_SINGLE
from tenfold.papers.east.plans import LABELS, PART_LABELS, PARTS
from tenfold.papers.east.results import COMBINATIONS

COLOUR = {
    "dense": BLACK,
    "static": GREY,
    "uniform": "#bbbbbb",
    "set": ORANGE,
    "snip": SKY,
    "grasp": "#8c6bb1",
    "synflow": PURPLE,
    "gmp": "#8c564b",
    "granet": GREEN,
    "rigl": BLUE,
    "east": VERMILLION,
}
MARKER = {"east": "o", "rigl": "s", "set": "^", "synflow": "D", "static": "v"}
STAGES = (BLACK, SKY, BLUE, GREEN, ORANGE, VERMILLION)


def accuracy(runs: pd.DataFrame) -> Figure:
    """Draw F1: test accuracy against sparsity, a line through the medians, a dot for each seed."""
    figure, axes = plt.subplots(figsize=(WIDTH_DOUBLE, 3.4))
    grid = sorted(runs[runs.row == "rigl"].sparsity.unique())
    names = [name for name in LABELS if name in set(runs.row) and name != "dense"]
    shifts = dict(zip(names, np.linspace(-0.16, 0.16, len(names)), strict=True))
    for name in names:
        rows = runs[runs.row == name]
        x = rows.sparsity.map(grid.index)
        strong = name in ("rigl", "east")
        axes.plot(x + shifts[name], rows.accuracy, ".", color=COLOUR[name], ms=4, alpha=0.45, mew=0)
        middle = rows.groupby(x).accuracy.median()
        axes.plot(
            middle.index + shifts[name],
            middle,
            marker=MARKER.get(name, "o"),
            color=COLOUR[name],
            ms=5 if strong else 4,
            lw=1.6 if strong else 0.9,
            label=LABELS[name],
            zorder=3 if strong else 2,
        )
    dense = runs[runs.row == "dense"].accuracy
    axes.axhspan(dense.min(), dense.max(), color=BLACK, alpha=0.15, lw=0)
    axes.axhline(dense.median(), color=BLACK, lw=0.8, label="dense")
    axes.axhline(runs.chance.iloc[0], color=GREY, lw=0.8, ls=":", label="commonest class")
    weights = runs[runs.row == "rigl"].groupby("sparsity").active.median()
    axes.set_xticks(range(len(grid)), [f"{100 * s:g} %\n{weights[s]:,.0f}" for s in grid])
    axes.set(xlabel="sparsity, and weights that are left", ylabel="test accuracy", ylim=(0, 1.02))
    axes.grid(axis="y")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=7)
    return figure


def gains(table: pd.DataFrame) -> Figure:
    """Draw the gain of EAST over RigL with the same seed, for each sparsity."""
    figure, axes = plt.subplots(figsize=(WIDTH_SINGLE, 2.4))
    grid = sorted(table.sparsity.unique())
    x = table.sparsity.map(grid.index)
    axes.axhline(0, color=GREY, lw=0.8)
    for value, kept in ((True, VERMILLION), (False, GREY)):
        axes.plot(x[table.ladder == value], 100 * table.gain[table.ladder == value], "o", color=kept, ms=4, mec="white")
    axes.plot(range(len(grid)), [100 * table.gain[table.sparsity == s].median() for s in grid], color=GREY, lw=0.8)
    axes.set_xticks(range(len(grid)), [f"{100 * s:g}" for s in grid])
    axes.set(xlabel="sparsity in %", ylabel="EAST - RigL, points")
    return figure


def ablation(table: pd.DataFrame) -> Figure:
    """Draw the eight combinations of parts: a dot for each seed, a bar at the median, a line at RigL alone."""
    figure, axes = plt.subplots(figsize=(WIDTH_SINGLE, 2.6))
    for place, name in enumerate(COMBINATIONS):
        colour = VERMILLION if name == "all" else BLUE if name == "none" else GREY
        axes.plot(table[name], np.full(len(table), place), "o", color=colour, ms=4, mec="white", mew=0.5)
        axes.plot(table[name].median(), place, "|", color=colour, ms=14)
    axes.axvline(table["none"].median(), color=BLUE, lw=0.8, ls=":")
    axes.set_yticks(range(len(COMBINATIONS)), [words(name) for name in COMBINATIONS])
    axes.set(ylim=(len(COMBINATIONS) - 0.5, -0.5), xlabel="test accuracy")
    axes.grid(axis="x")
    return figure


def words(name: str) -> str:
    """Return a combination of parts in words."""
    if name in ("none", "all"):
        return {"none": "RigL alone", "all": "all three: EAST"}[name]
    return " + ".join(PART_LABELS[part] for part in PARTS if part in name.split("+"))


def pairs(levels: pd.DataFrame, rows: Sequence[tuple[str, str, str]]) -> Figure:
    """Draw pairs of columns with a line for each seed; `rows` are (words, column before, column after)."""
    figure, panels = plt.subplots(1, len(rows), figsize=(WIDTH_DOUBLE, 2.3), sharey=True)
    for axes, (title, before, after) in zip(panels, rows, strict=True):
        for _, row in levels.iterrows():
            axes.plot([0, 1], [row[before], row[after]], "o-", color=BLUE, ms=4, lw=0.9, mec="white", mew=0.5)
        axes.plot([0, 1], [levels[before].median(), levels[after].median()], "_", color=VERMILLION, ms=18, mew=2)
        axes.set(xlim=(-0.35, 1.35), title=title)
        axes.set_xticks([0, 1], ["without", "with"])
        axes.grid(axis="y")
    panels[0].set_ylabel("test accuracy")
    return figure


def curves(history: pd.DataFrame, runs: pd.DataFrame, cycles: float, phase: tuple[float, float]) -> Figure:
    """Draw test accuracy over the run for RigL and EAST at their highest sparsities: the trap of the best epoch.

    `cycles`: last epoch with a density cycle; `phase`: epochs between which beta falls.
    """
    grid = sorted(runs[runs.row == "east"].sparsity.unique())[-2:]
    figure, panels = plt.subplots(1, len(grid), figsize=(WIDTH_DOUBLE, 2.5), sharey=True, squeeze=False)
    for axes, sparsity in zip(panels[0], grid, strict=True):
        axes.axvspan(0, cycles, color=ORANGE, alpha=0.15, lw=0)
        axes.axvspan(*phase, color=SKY, alpha=0.2, lw=0)
        for name in ("rigl", "east"):
            rows = history[(history.row == name) & (history.sparsity == sparsity)].dropna(subset="test_accuracy")
            for _, one in rows.groupby("seed"):
                axes.plot(one.epoch, one.test_accuracy, color=COLOUR[name], lw=0.9)
            best = runs[(runs.row == name) & (runs.sparsity == sparsity)]
            axes.plot(best.best_epoch, best.best_accuracy, "*", color=COLOUR[name], ms=7, mec="white", mew=0.4)
        axes.axhline(runs.chance.iloc[0], color=GREY, lw=0.8, ls=":")
        axes.set(xlabel="epoch", title=f"{100 * sparsity:g} % sparsity", ylim=(0, 1.02))
    panels[0][0].set_ylabel("test accuracy")
    handles = [Line2D([], [], color=COLOUR[name], label=LABELS[name]) for name in ("rigl", "east")]
    handles += [
        Line2D([], [], color=GREY, marker="*", ls="", label="best epoch"),
        Line2D([], [], color=ORANGE, alpha=0.4, lw=6, label="density cycles"),
        Line2D([], [], color=SKY, alpha=0.5, lw=6, label="DyReLU fades"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=5)
    return figure


def collapse(cells: pd.DataFrame) -> Figure:
    """Draw how many seeds collapsed, for each row of the comparison and sparsity."""
    shown = cells[cells.row != "dense"]
    wide = (shown.assign(rate=shown.collapsed / shown.seeds)).pivot(index="row", columns="sparsity", values="rate")
    wide = wide.loc[list(dict.fromkeys(shown.row))]
    figure, axes = plt.subplots(figsize=(WIDTH_SINGLE, 0.9 + 0.2 * len(wide)))
    axes.imshow(np.ma.masked_invalid(wide), cmap="Reds", vmin=0, vmax=1.3, aspect="auto")
    for (place, name), column in np.ndenumerate(wide.to_numpy()):
        row = shown[(shown.row == wide.index[place]) & (shown.sparsity == wide.columns[name])]
        if np.isfinite(column):
            text = f"{row.collapsed.iloc[0]} of {row.seeds.iloc[0]}"
            axes.text(name, place, text, ha="center", va="center", fontsize=6)
    axes.set_xticks(range(len(wide.columns)), [f"{100 * s:g}" for s in wide.columns])
    axes.set_yticks(range(len(wide)), [label(row) for row in wide.index])
    axes.set_xlabel("sparsity in %")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def label(row: str) -> str:
    """Return how a row of the table of runs is written."""
    if row.endswith("-unclipped"):
        return label(row.removesuffix("-unclipped")) + ", not clipped"
    if row.endswith("-floor"):
        return label(row.removesuffix("-floor")) + ", one-pass floor"
    if row == "set+parts":
        return "SET + all parts"
    method, *parts = row.split("+")
    return " + ".join([LABELS[method], *(PART_LABELS[part] for part in parts)])


def stage_lines(axes: Axes, rows: pd.DataFrame, column: str) -> list[Line2D]:
    """Draw a column over the steps, a line for each stage: the median over seeds."""
    lines = []
    for colour, (stage, one) in zip(STAGES, rows.groupby("stage", sort=False), strict=False):
        middle = one.groupby("step")[column].median()
        lines += axes.plot(middle.index, middle, color=colour, lw=1.0, label=stage)
    return lines


def gradients(table: pd.DataFrame, cycles: float) -> Figure:
    """Draw F4: the norm of the gradient of each stage over training, RigL beside EAST; `cycles`: their last step."""
    rows = [name for name in ("rigl", "east") if name in set(table.row)]
    figure, panels = plt.subplots(1, len(rows), figsize=(WIDTH_DOUBLE, 2.6), sharey=True, squeeze=False)
    for axes, name in zip(panels[0], rows, strict=True):
        lines = stage_lines(axes, table[table.row == name], "norm")
        axes.set(xlabel="step", title=LABELS[name], yscale="log")
        if name == "east":
            axes.axvspan(0, cycles, color=ORANGE, alpha=0.15, lw=0)
    panels[0][0].set_ylabel("norm of the gradient")
    figure.legend(handles=lines, loc="outside upper center", ncols=6)
    return figure
