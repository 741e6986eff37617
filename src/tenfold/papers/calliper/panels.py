"""Figures that are no maps: comparisons of methods, gains, residuals, clusters, ablations, what is true."""

from __future__ import annotations

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from tenfold.book.style import BLUE, GREEN, GREY, ORANGE, VERMILLION, WIDTH_DOUBLE, WIDTH_SINGLE
from tenfold.papers.calliper.methods import METHODS, labels

COLOUR = {"random": VERMILLION, "blocked": BLUE}
SPLIT = {"random": "random split (as published)", "blocked": "whole boroughs held out"}
METRIC = {"kl": "KL divergence in nats (lower is better)", "f1": "macro F1 (higher is better)"}
KIND = {"control": GREY, "baseline": GREEN, "encoder": BLUE}


def comparison(scored: pd.DataFrame, published: dict[str, float]) -> Figure:
    """Draw the best probe of every method on both tasks, random split beside blocked; a dot is a seed.

    `published` holds the paper's own value by metric, on its random split.
    """
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH_DOUBLE, 3.7), sharey=True)
    names = [name for name in METHODS if name in set(scored.method)]
    for axes, (task, metric) in zip(panels, (("sdm", "kl"), ("luc", "f1")), strict=True):
        rows = scored[(scored.task == task) & scored.probe.isin(["mlp", "none"])]
        wide = rows.pivot_table(index="method", columns="split", values=metric, aggfunc="mean").loc[names]
        y = np.arange(len(names))
        axes.hlines(y, wide.min(axis=1), wide.max(axis=1), color="#cccccc", lw=1.5, zorder=1)
        for split, shift in (("random", -0.12), ("blocked", 0.12)):
            chosen = rows[rows.split == split]
            axes.plot(
                chosen[metric], chosen.method.map(names.index) + shift, ".", color=COLOUR[split], ms=2.5, alpha=0.5
            )
            axes.plot(wide[split], y, "o", color=COLOUR[split], ms=4.5, mec="white", mew=0.5, label=SPLIT[split])
        if metric in published:
            axes.axvline(published[metric], color=VERMILLION, lw=0.8, ls=":", label="published CaLLiPer, random split")
        axes.set_xlabel(METRIC[metric])
        axes.grid(axis="x")
    panels[0].set_yticks(range(len(names)), labels(names))
    for tick, name in zip(panels[0].get_yticklabels(), names, strict=True):
        tick.set_color("#222222" if METHODS[name].published else GREY)
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    panels[0].set_title("Socioeconomic distribution mapping")
    panels[1].set_title("Land use classification")
    handles, words = panels[0].get_legend_handles_labels()
    handles.append(Line2D([], [], ls=""))
    figure.legend(handles, [*words, "grey names: controls that the paper lacks"], loc="outside upper center", ncols=2)
    return figure


def losses(history: pd.DataFrame) -> Figure:
    """Draw training and validation loss of every encoder below ln B and above the floor, a panel for each."""
    runs = [*dict.fromkeys(history.run)]
    figure, panels = plt.subplots(1, len(runs), figsize=(WIDTH_DOUBLE, 2.6))
    for axes, run in zip(panels, runs, strict=True):
        rows = history[history.run == run]
        for _, one in rows.groupby("seed"):
            axes.plot(one.epoch, one.train_loss, color=GREY, lw=0.8)
            axes.plot(one.epoch, one.validation_loss, color=BLUE, lw=1.2)
        bound = rows.bound.iloc[0]
        axes.axhline(bound, color="#333333", lw=0.8, ls="--")
        axes.axhline(rows.floor.mean(), color=VERMILLION, lw=1.0, ls="-.")
        axes.set(xlabel="epoch", ylabel="loss in nats", title=run)
        told = axes.secondary_yaxis("right", functions=(partial(np.subtract, bound), partial(np.subtract, bound)))
        told.set_ylabel("information in nats" if run == runs[0] else "gain over chance in nats")
        told.spines["right"].set_visible(True)
    handles = [
        Line2D([], [], color=GREY, lw=0.8, label="training"),
        Line2D([], [], color=BLUE, lw=1.2, label="validation"),
        Line2D([], [], color="#333333", ls="--", lw=0.8, label="nothing known (ln B; Space2Vec: 2 ln 2)"),
        Line2D([], [], color=VERMILLION, ls="-.", lw=1.0, label="floor: copies of a text in the batch"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    return figure


def gains(table: pd.DataFrame) -> Figure:
    """Draw the relative gain of CaLLiPer over the best earlier representation, with the claimed band."""
    figure, axes = plt.subplots(figsize=(WIDTH_SINGLE, 2.2))
    axes.axvspan(5, 15, color=GREEN, alpha=0.2, lw=0, label="claimed: 5 to 15 %")
    axes.axvline(0, color=GREY, lw=0.8)
    rows = [*table.groupby(["task", "split"], sort=False)]
    for position, ((_, split), group) in enumerate(rows):
        axes.plot(100 * group.gain, np.full(len(group), position), "o", color=COLOUR[split], ms=4, mec="white", mew=0.5)
        axes.plot(100 * group.gain.median(), position, "|", color=COLOUR[split], ms=12)
    names = {"sdm": "NS-SeC", "luc": "land use"}
    axes.set_yticks(range(len(rows)), [f"{names[task]}, {split}" for (task, split), _ in rows])
    axes.set(ylim=(len(rows) - 0.5, -0.5), xlabel="gain over the best earlier representation in %")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center")
    return figure


def kernels(table: pd.DataFrame) -> Figure:
    """Draw how alike the encoding makes two places: measured along a line (dots) and in closed form (lines)."""
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH_DOUBLE, 2.3), sharey=True)
    colours = (BLUE, ORANGE, GREEN, VERMILLION)
    for colour, (name, rows) in zip(colours, table.groupby("range", sort=False), strict=False):
        for axes in panels:
            axes.plot(rows.distance / 1000, rows.closed_form, color=colour, lw=1.1, label=name)
            axes.plot(rows.distance[::12] / 1000, rows.measured[::12], ".", color=colour, ms=3)
    for axes, limit in zip(panels, (60, 6), strict=True):
        axes.axhline(0, color=GREY, lw=0.6)
        axes.set(xlim=(0, limit), xlabel="distance to the east in km")
    panels[0].set_ylabel("similarity of encodings")
    handles, words = panels[0].get_legend_handles_labels()
    figure.legend(handles, words, loc="outside upper center", ncols=4)
    return figure


def choices(table: pd.DataFrame, chosen: int) -> Figure:
    """Draw the sum of squares within clusters and the cosine silhouette against the number of clusters."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH_DOUBLE, 2.2))
    for axes, column, words in (
        (left, "inertia", "sum of squares, k = 1 taken as 1"),
        (right, "silhouette", "mean cosine silhouette"),
    ):
        for _, rows in table.groupby("seed"):
            shown = rows.dropna(subset=column)
            axes.plot(shown.k, shown[column], "o-", color=BLUE, ms=3, lw=0.9, alpha=0.8)
        axes.axvline(chosen, color=GREY, lw=0.8, ls=":")
        axes.set(xlabel="number of clusters k", ylabel=words)
    right.axhline(0, color=GREY, lw=0.6)
    return figure


def autocorrelation(table: pd.DataFrame) -> Figure:
    """Draw Moran's I of the targets, and of what each method leaves unexplained, against the null of none."""
    names = [name for name in METHODS if name in set(table.method)]
    figure, axes = plt.subplots(figsize=(WIDTH_SINGLE, 0.9 + 0.2 * len(names)))
    for split, shift in (("random", -0.15), ("blocked", 0.15)):
        rows = table[table.split == split]
        axes.plot(rows.moran, rows.method.map(names.index) + shift, "o", color=COLOUR[split], ms=3, label=SPLIT[split])
    axes.axvline(0, color=GREY, lw=0.8)
    axes.set_yticks(range(len(names)), labels(names))
    axes.set(ylim=(len(names) - 0.5, -0.5), xlabel="Moran's I of the residuals, mean of nine shares")
    axes.grid(axis="x")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center")
    return figure


def ablations(table: pd.DataFrame) -> Figure:
    """Draw loss and held-out errors of each changed setting beside the setting of this scale."""
    names = [*dict.fromkeys(table.setting)]
    figure, panels = plt.subplots(1, 3, figsize=(WIDTH_DOUBLE, 0.8 + 0.22 * len(names)), sharey=True)
    columns = {
        "information": "bound on information in nats",
        "kl_random": "NS-SeC, KL, random split",
        "kl_blocked": "NS-SeC, KL, blocked",
    }
    for axes, (column, words) in zip(panels, columns.items(), strict=True):
        axes.plot(table[column], table.setting.map(names.index), "o", color=BLUE, ms=4, mec="white", mew=0.5)
        axes.axvline(table[table.setting == names[0]][column].mean(), color=GREY, lw=0.8, ls=":")
        axes.set_xlabel(words)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.grid(axis="x")
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    return figure


def truth(table: pd.DataFrame) -> Figure:
    """Draw how well each class's similarity map follows the true P(class | place), trained and untrained."""
    order = table[table.encoder == "trained"].groupby("poi_class").spearman.median().sort_values().index
    figure, axes = plt.subplots(figsize=(WIDTH_SINGLE, 0.8 + 0.16 * len(order)))
    for name, colour in (("untrained", GREY), ("trained", BLUE)):
        rows = table[table.encoder == name]
        axes.plot(rows.spearman, rows.poi_class.map([*order].index), "o", color=colour, ms=3, alpha=0.8, label=name)
    axes.axvline(0, color=GREY, lw=0.8)
    axes.axvline(0.5, color=GREY, lw=0.8, ls=":")
    axes.set_yticks(range(len(order)), order)
    axes.set(xlabel="Spearman correlation with the truth")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def calibration(table: pd.DataFrame) -> Figure:
    """Draw how often the class of a place is met, against the probability that the encoder gives it."""
    figure, axes = plt.subplots(figsize=(WIDTH_SINGLE, 2.6))
    top = float(max(table.predicted.max(), table.observed.max())) * 1.05
    axes.plot([0, top], [0, top], color=GREY, lw=0.8)
    axes.plot(table.predicted, table.observed, "o-", color=BLUE, ms=3.5, lw=0.9)
    axes.set(xlim=(0, top), ylim=(0, top), xlabel="probability given to a class", ylabel="share of POIs of that class")
    return figure


def boroughs(table: pd.DataFrame) -> Figure:
    """Draw the KL of each borough while it is held out: coordinates against CaLLiPer."""
    figure, axes = plt.subplots(figsize=(WIDTH_SINGLE, 3.9))
    rows = table.sort_values("calliper").reset_index(drop=True)
    y = np.arange(len(rows))
    axes.hlines(y, rows.neighbours, rows.calliper, color="#cccccc", lw=1.2)
    axes.plot(rows.neighbours, y, "o", color=GREY, ms=3, label=METHODS["neighbours"].label)
    axes.plot(rows.calliper, y, "o", color=BLUE, ms=3, label=METHODS["calliper"].label)
    axes.set_yticks(y, rows.borough, fontsize=5.5)
    axes.set(xlabel="KL in nats while held out", ylim=(-0.7, len(rows) - 0.3))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center")
    return figure
