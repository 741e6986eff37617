"""Figures of outliers: their distribution over blocks, what they say of sensitivity, and what planted ones do."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tenfold.book.style import BLACK, BLUE, GREY, ORANGE, SKY, VERMILLION, WIDTH_DOUBLE
from tenfold.papers.owled.looks import ALLOCATION, METHOD, SUBJECT
from tenfold.pruning import owl_ratios

BAND = "#e3e3e3"


def distribution(table: pd.DataFrame, target: float, strength: float) -> Figure:
    """Draw D of every block as bars, a panel per subject, with OWL's ratio and the one ratio as lines.

    `table` has a row per subject, seed and block; points are seeds, bars and the line of ratios follow their mean.
    """
    subjects = [name for name in SUBJECT if name in set(table.subject)]
    figure, panels = plt.subplots(1, len(subjects), figsize=(WIDTH_DOUBLE, 2.5), squeeze=False)
    for axes, subject in zip(panels[0], subjects, strict=True):
        here = table[table.subject == subject]
        bars = here.groupby("block").D.mean()
        axes.bar(bars.index, bars, width=0.6, color=SKY, zorder=1)
        axes.plot(here.block, here.D, ".", color=BLUE, ms=3, zorder=2)
        axes.set(title=SUBJECT[subject], xlabel="block, from the input", ylabel="D, outliers in %")
        axes.set_xticks(bars.index if len(bars) <= 12 else bars.index[:: len(bars) // 8])
        axes.set_ylim(0, 1.25 * here.D.max())
        lines = axes.twinx()
        lines.spines.right.set_visible(True)
        lines.plot(bars.index, owl_ratios(bars.to_numpy(), target, strength), "D-", color=VERMILLION, ms=4)
        lines.axhline(target, color=BLACK, lw=0.9, ls="--")
        lines.set(ylabel="sparsity", ylim=(target - 2.2 * strength, target + 2.2 * strength))
    handles = [
        plt.Rectangle((0, 0), 1, 1, color=SKY, label="D (points: seeds)"),
        Line2D([], [], color=VERMILLION, marker="D", ms=4, label="OWL's ratio"),
        Line2D([], [], color=BLACK, ls="--", lw=0.9, label="one ratio"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    return figure


def proxy(found: pd.DataFrame, losses: pd.DataFrame) -> Figure:
    """Draw D against sensitivity for every block, above; below, the loss of each allocation minus that of one ratio.

    `found`: subject, seed, block, D, excess; `losses`: subject, method, allocation, seed, difference. Grey: the
    permutations of OWL's own ratios.
    """
    subjects = [name for name in SUBJECT if name in set(found.subject)]
    figure, panels = plt.subplots(2, len(subjects), figsize=(WIDTH_DOUBLE, 4.6), squeeze=False)
    for above, below, subject in zip(*panels, subjects, strict=True):
        _scatter(above, found[found.subject == subject])
        above.set_title(SUBJECT[subject])
        _strip(below, losses[losses.subject == subject])
    handles = [Line2D([], [], color=BAND, lw=5, label="OWL's ratios in random order")]
    handles += [
        Line2D([], [], color=METHOD[name][1], marker=METHOD[name][2], ls="", ms=4, label=METHOD[name][0])
        for name in METHOD
        if name in set(losses.method)
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    return figure


def _scatter(axes: Axes, rows: pd.DataFrame) -> None:
    blocks = sorted(set(rows.block))
    colours = plt.get_cmap("cividis")(np.linspace(0, 0.9, len(blocks)))
    for block, colour in zip(blocks, colours, strict=True):
        here = rows[rows.block == block]
        label = f"block {block}" if len(blocks) <= 8 else None
        axes.plot(here.D, here.excess.clip(lower=1e-4), "o", color=colour, ms=5, mec="white", mew=0.4, label=label)
    axes.set(xlabel="D, outliers in %", ylabel="sensitivity: excess loss\nin nats, block alone", yscale="log")
    axes.margins(0.12)
    if len(blocks) <= 8:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), handletextpad=0.2)


def _strip(axes: Axes, rows: pd.DataFrame) -> None:
    names = [name for name in ALLOCATION if name != "uniform" and name in set(rows.allocation)]
    methods = [name for name in METHOD if name in set(rows.method)]
    axes.axvline(0, color=BLACK, lw=0.8, ls="--", zorder=1)
    for number, method in enumerate(methods):
        here, shift = rows[rows.method == method], 0.3 * (number - (len(methods) - 1) / 2)
        low, high = here[here.allocation == "permuted"].difference.quantile([0.05, 0.95])
        for height, name in enumerate(names):
            axes.plot([low, high], [height + shift] * 2, color=BAND, lw=4, solid_capstyle="butt", zorder=0)
            values = here[here.allocation == name].difference
            style = {
                "color": METHOD[method][1],
                "marker": METHOD[method][2],
                "ls": "",
                "ms": 4,
                "mec": "white",
                "mew": 0.4,
            }
            axes.plot(values, np.full(len(values), height + shift), **style)
    axes.set_yticks(range(len(names)), [ALLOCATION[name][0] for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel("token loss minus that of one ratio, in nats")


def planted(table: pd.DataFrame) -> Figure:
    """Draw what injected outlier channels do to masks and to the pruned model, against their factor."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH_DOUBLE, 2.1))
    for method, colour in (("magnitude", ORANGE), ("wanda", BLUE)):
        label, marker = METHOD[method][0], METHOD[method][2]
        for axes, column in ((left, f"{method}_changed"), (right, f"{method}_loss")):
            some = table.groupby("factor")[column].agg(["mean", "std"])
            style = {"color": colour, "marker": marker, "ms": 4, "elinewidth": 0.6, "label": label}
            axes.errorbar(some.index, some["mean"], some["std"].fillna(0), **style)
    right.axhline(table.dense_loss.mean(), color=GREY, lw=0.9, ls="--", label="dense, any factor")
    left.set(ylabel="share of masks that changed", ylim=(-0.01, None))
    right.set(ylabel="token loss in nats", ylim=(0, None))
    for axes in (left, right):
        axes.set_xscale("log", base=2)
        factors = sorted(set(table.factor))
        axes.set_xticks(factors, [f"{factor:g}" for factor in factors])
        axes.set_xlabel("factor of the planted channels")
    figure.legend(*right.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure
