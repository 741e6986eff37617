"""Figures of experiments A, B, F, G, H, I: which data, which method, how sparse."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter, ScalarFormatter

from tenfold.book.style import BLACK, GREY, WIDTH_DOUBLE, WIDTH_SINGLE
from tenfold.papers.calibration_data.cells import NONSENSE
from tenfold.papers.calibration_data.frames import added, averaged, whiskers
from tenfold.papers.calibration_data.looks import (
    ADDED,
    BAR,
    METHOD,
    colour,
    family_handles,
    key,
    label,
)

TICKS = (5, 6, 8, 10, 15, 20, 30, 40, 60, 100, 200, 400, 1000, 3000, 10_000)


def sources(table: pd.DataFrame) -> Figure:
    """Draw the loss added by pruning by calibration set: a column per method, a row per sparsity (experiment A).

    Dots: models and draws; bars: from the least to the largest; a line at the mean of all sets.
    """
    rows = added(table[~table.source.isin(NONSENSE)])
    rows = rows[rows.method.isin(["wanda", "sparsegpt"])]
    levels, names = sorted(set(rows.sparsity)), list(dict.fromkeys(rows.source))
    figure, panels = plt.subplots(
        len(levels), 2, figsize=(WIDTH_DOUBLE, 0.75 + 0.18 * len(names) * len(levels)), sharey=True, squeeze=False
    )
    for line, level in zip(panels, levels, strict=True):
        for axes, method in zip(line, ("wanda", "sparsegpt"), strict=True):
            here = rows[(rows.method == method) & (rows.sparsity == level)]
            _dots(axes, averaged(here, ["source"]), here, names)
            axes.set_title(f"{METHOD[method][0]}, sparsity {level:g}")
    for axes in panels[-1]:
        axes.set_xlabel(ADDED.replace("\n", " "))
    figure.legend(handles=family_handles(names), loc="outside upper center", ncols=5)
    return figure


def _dots(axes: Axes, means: pd.DataFrame, rows: pd.DataFrame, names: list[str]) -> None:
    """Draw a line of dots per set, named at the left, and a line at the mean over sets."""
    single = rows.groupby(["source", "seed", "draw"]).added.mean()
    for height, name in enumerate(names):
        mean = means[means.source == name]
        axes.errorbar(mean["mean"], [height], xerr=whiskers(mean), fmt="o", color=colour(name), **BAR)
        axes.plot(single[name], np.full(len(single[name]), height), ".", color=colour(name), ms=2.5, alpha=0.6)
    axes.axvline(means[~means.source.str.contains(r"\+")]["mean"].mean(), color=GREY, lw=0.7, ls="--", zorder=0)
    axes.set_yticks(range(len(names)), [label(name) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)


def matrix(table: pd.DataFrame) -> Figure:
    """Draw what every calibration set adds to the loss on every test set (experiment B), Wanda, means over replicates.

    Colour: against the mean of the column's single sets; framed: the best single set of a column; bold: its own.
    """
    rows = added(table[(table.method == "wanda") | (table.method == "dense")])
    rows = rows[rows.method == "wanda"]
    wide = rows.groupby(["source", "test"], sort=False).added.mean().unstack("test")
    wide = wide.loc[list(dict.fromkeys(rows.source)), list(dict.fromkeys(rows.test))]
    single = [name for name in wide.index if "+" not in name and name not in NONSENSE]
    relative = wide - wide.loc[single].mean()
    most = float(relative.loc[single].abs().max().max())
    figure, axes = plt.subplots(figsize=(WIDTH_DOUBLE, 0.9 + 0.24 * len(wide)))
    drawn = axes.imshow(relative, cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto")
    digits = 2 if most > 0.05 else 3
    for (row, column), value in np.ndenumerate(wide.to_numpy()):
        dark = abs(relative.iat[row, column]) > 0.6 * most
        weight = "bold" if wide.index[row] == wide.columns[column] else "normal"
        shade = "white" if dark else "#222222"
        axes.text(column, row, f"{value:.{digits}f}", fontsize=7, ha="center", va="center", color=shade, weight=weight)
    for column, name in enumerate(wide.columns):
        best = single.index(wide.loc[single, name].idxmin())
        row = list(wide.index).index(single[best])
        axes.add_patch(plt.Rectangle((column - 0.48, row - 0.46), 0.96, 0.92, fill=False, ec=BLACK, lw=1.1))
    axes.set_xticks(range(len(wide.columns)), [label(name) for name in wide.columns], rotation=25, ha="right")
    axes.set_yticks(range(len(wide)), [label(name) for name in wide.index])
    axes.set(xlabel="tested on", ylabel="calibrated on")
    figure.colorbar(drawn, ax=axes, label="nats, against the mean\nof single sets", extend="both")
    return figure


def methods(table: pd.DataFrame) -> Figure:
    """Draw the loss added by every method at each sparsity and pattern, bars from least to largest replicate."""
    rows = added(table)
    rows = rows[rows.method != "dense"].assign(way=rows.nm.where(rows.nm != "", rows.sparsity.map("{:.0%}".format)))
    means, ways = averaged(rows, ["method", "way"]), list(dict.fromkeys(rows[rows.method != "dense"].way))
    figure, axes = plt.subplots(figsize=(WIDTH_DOUBLE * 0.75, 2.5))
    for number, (method, (words, shade, marker)) in enumerate(METHOD.items()):
        here = means[means.method == method].set_index("way").reindex(ways).dropna(subset="mean")
        places = [ways.index(way) + 0.16 * (number - 1.5) for way in here.index]
        axes.errorbar(places, here["mean"], whiskers(here), fmt=marker, color=shade, label=words, **{**BAR, "lw": 0})
    axes.set_xticks(range(len(ways)), ways)
    axes.set(xlabel="share or pattern of zeros", ylabel=ADDED)
    axes.set_yscale("symlog", linthresh=0.1)
    axes.set_ylim(bottom=min(0, 1.1 * means.low.min()))
    axes.legend(ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


def sweep(table: pd.DataFrame) -> Figure:
    """Draw the geometric mean of perplexities against sparsity, a curve per method (experiment F)."""
    figure, axes = plt.subplots(figsize=(WIDTH_SINGLE, 2.4))
    rows = table.groupby(["method", "sparsity", "seed"], as_index=False).loss.mean()
    dense = rows[rows.method == "dense"].loss.mean()
    for method, (words, shade, marker) in METHOD.items():
        here = averaged(rows.assign(draw=0), ["method", "sparsity"], "loss")
        here = here[here.method == method].sort_values("sparsity")
        if len(here):
            here = here.assign(**{name: np.exp(here[name]) for name in ("mean", "low", "high")})
            axes.errorbar(here.sparsity, here["mean"], whiskers(here), marker=marker, color=shade, label=words, **BAR)
    if np.isfinite(dense):
        axes.axhline(np.exp(dense), color=BLACK, lw=0.8, ls="--", label="dense")
    axes.set(xlabel="sparsity", ylabel="perplexity,\ngeometric mean over tests", yscale="log")
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_minor_formatter(NullFormatter())
    low, high = axes.get_ylim()
    ticks = [tick for tick in TICKS if low <= tick <= high]
    axes.set_yticks(ticks if len(ticks) > 1 else MaxNLocator(4).tick_values(low, high)[1:-1])
    key(axes, 2)
    return figure


def nonsense(table: pd.DataFrame) -> Figure:
    """Draw what calibration on nonsense adds beside the best, mean and worst set, by method (experiment G)."""
    rows = added(table)
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH_DOUBLE, 2.0), sharey=True)
    for axes, method in zip(panels, ("wanda", "sparsegpt"), strict=True):
        means = averaged(rows[rows.method == method], ["source"]).set_index("source")
        single = means.loc[[n for n in means.index if n not in NONSENSE and "+" not in n], "mean"]
        axes.axvspan(single.min(), single.max(), color="#dddddd", lw=0, zorder=0)
        axes.axvline(single.mean(), color=GREY, lw=0.8, ls="--", zorder=1)
        for height, name in enumerate(NONSENSE):
            here = means.loc[[name]]
            axes.errorbar(here["mean"], [height], xerr=whiskers(here), color=METHOD[method][1], fmt="o", **BAR)
        axes.set_yticks(range(len(NONSENSE)), [label(name) for name in NONSENSE])
        axes.set_ylim(len(NONSENSE) - 0.5, -0.5)
        axes.set(title=METHOD[method][0], xlabel=ADDED.replace("\n", " "))
    return figure


def models(table: pd.DataFrame) -> Figure:
    """Draw the loss added by set, a line per trained model and draw (experiment H): do they agree on the order?"""
    rows = added(table)
    rows = rows[(rows.method == "wanda") & ~rows.source.isin(NONSENSE)]
    wide = rows.groupby(["source", "seed", "draw"]).added.mean().unstack(["seed", "draw"])
    wide = wide.loc[wide.mean(axis=1).sort_values().index]
    figure, axes = plt.subplots(figsize=(WIDTH_DOUBLE * 0.75, 2.6))
    seeds = sorted({seed for seed, _ in wide.columns})
    for seed, draw in wide.columns:
        shade = f"C{seeds.index(seed) % 7}"
        words = f"model {seed}" if draw == 0 else None
        axes.plot(range(len(wide)), wide[seed, draw], "o-", ms=3, lw=0.9, color=shade, label=words, alpha=0.85)
    axes.set_xticks(range(len(wide)), [label(name) for name in wide.index], rotation=25, ha="right")
    axes.set_ylabel(ADDED)
    key(axes, 6)
    return figure


def mixtures(table: pd.DataFrame) -> Figure:
    """Draw sets alone, mixed, and as merged models (experiment I), a panel per pair of sets."""
    rows = added(table)
    means = averaged(rows[rows.method == "wanda"], ["source"]).set_index("source")
    pairs = [name.split("+") for name in means.index if name.count("+") == 1]
    figure, panels = plt.subplots(1, len(pairs), figsize=(WIDTH_DOUBLE, 2.0), sharex=True, squeeze=False)
    for axes, (first, second) in zip(panels[0], pairs, strict=True):
        names = [first, second, f"{first}+{second}", f"{first}&{second}"]
        words = [label(first), label(second), "mixed windows", "merged models"]
        for height, name in enumerate(names):
            here = means.loc[[name]]
            axes.errorbar(here["mean"], [height], xerr=whiskers(here), color=colour(name), fmt="o", **BAR)
        axes.set_yticks(range(4), words)
        axes.set_ylim(3.5, -0.5)
        axes.set_xlabel(ADDED)
    return figure


def outliers(table: pd.DataFrame) -> Figure:
    """Draw the loss added by each method with and without planted outlier channels, a panel per sparsity."""
    rows = added(table)
    rows = rows[rows.method != "dense"].assign(planted=rows.outliers > 0)
    means, levels = averaged(rows, ["method", "sparsity", "planted"]), sorted(set(rows.sparsity))
    figure, panels = plt.subplots(1, len(levels), figsize=(WIDTH_DOUBLE, 2.2), squeeze=False)
    names = [name for name in METHOD if name in set(means.method)]
    for axes, level in zip(panels[0], levels, strict=True):
        for place, name in enumerate(names):
            here = means[(means.method == name) & (means.sparsity == level)].sort_values("planted")
            _, shade, marker = METHOD[name]
            axes.plot([place - 0.15, place + 0.15], here["mean"], color=shade, lw=0.8)
            for shift, (_, row) in zip((-0.15, 0.15), here.iterrows(), strict=True):
                one, face = row.to_frame().T, "white" if shift < 0 else shade
                axes.errorbar(
                    [place + shift], one["mean"], whiskers(one).astype(float), fmt=marker, color=shade, mfc=face, **BAR
                )
        axes.set_xticks(range(len(names)), [METHOD[name][0] for name in names])
        axes.set(title=f"sparsity {level:g}; open: as trained, filled: planted", xlim=(-0.5, len(names) - 0.5))
        axes.set_ylim(bottom=0)
    panels[0, 0].set_ylabel(ADDED)
    return figure


def learning(table: pd.DataFrame) -> Figure:
    """Draw the loss of every training, and on held-out text of every set (mean over models)."""
    figure, axes = plt.subplots(figsize=(WIDTH_DOUBLE * 0.75, 2.4))
    for seed, rows in table.groupby("seed"):
        words = "training, each model" if seed == table.seed.min() else None
        axes.plot(rows.step, rows.loss, color=GREY, lw=0.8, ls="--", label=words)
    held = [name for name in table.columns if name.startswith("held_out_")]
    for name in held:
        axes.plot(table.groupby("step")[name].mean(), lw=1.0, label=label(name.removeprefix("held_out_")))
    axes.set(xlabel="steps", ylabel="nats per token", yscale="log")
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_minor_formatter(NullFormatter())
    least, most = table[["loss", *held]].min().min(), table[["loss", *held]].max().max()
    axes.set_yticks([tick for tick in (1, 1.5, 2, 3, 4, 5, 6, 7) if least <= tick <= most])
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def accuracy(table: pd.DataFrame) -> Figure:
    """Draw the share of right answers by test set: dense, and the range over all pruned models; a line at chance."""
    tests = list(dict.fromkeys(zip(table.test, table.way, strict=True)))
    figure, axes = plt.subplots(figsize=(WIDTH_DOUBLE * 0.75, 0.9 + 0.24 * len(tests)))
    for height, (test, way) in enumerate(tests):
        here = table[(table.test == test) & (table.way == way)]
        pruned, dense = here[here.method != "dense"], here[here.method == "dense"]
        spread = np.linspace(-0.2, 0.2, len(pruned)) if len(pruned) > 1 else [0]
        axes.plot(pruned.right, height + np.asarray(spread), ".", color=colour(test), ms=3, alpha=0.6)
        axes.plot(dense.right.mean(), height, "D", color=BLACK, ms=4)
        axes.plot([here.chance.mean()] * 2, [height - 0.4, height + 0.4], color=GREY, lw=1.2)
    axes.set_yticks(range(len(tests)), [f"{label(test)}, {way}" for test, way in tests])
    axes.set_ylim(len(tests) - 0.5, -0.5)
    axes.set(xlabel="share of right answers; black: dense, dots: pruned, grey line: chance", xlim=(-0.03, 1.03))
    return figure
