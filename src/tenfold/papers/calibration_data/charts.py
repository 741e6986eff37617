"""Figures of experiments C, D and E: the format of the windows, padding, how many and how long."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from tenfold.book.style import BLUE, GREY, VERMILLION, WIDTH_DOUBLE
from tenfold.papers.calibration_data.frames import added, averaged, whiskers
from tenfold.papers.calibration_data.looks import ADDED, BAR, METHOD, PADDING, colour, key, label

ABOVE = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "ncols": 2, "columnspacing": 1.0}
"""A legend of one panel, above its right half."""
FORMATS = {"zero": "question alone", "single": "one pair", "icl": "pairs, packed"}

SHIFT = 0.03
"""Between neighbouring points, so that their bars can be told apart."""


def formats(table: pd.DataFrame) -> Figure:
    """Draw the loss added by format and by what padding does, a panel per set; in brackets the share of padding."""
    rows = added(table[~table.rationale])
    rows = rows[rows.method == "wanda"]
    asked = [name for name in dict.fromkeys(rows.source) if (rows[rows.source == name].fmt == "zero").any()]
    figure, panels = plt.subplots(1, len(asked), figsize=(WIDTH_DOUBLE, 2.4), squeeze=False)
    for axes, name in zip(panels[0], asked, strict=True):
        here = rows[rows.source == name]
        ways = list(dict.fromkeys(zip(here.fmt, here.padding, strict=True)))
        ways.sort(key=lambda way: (list(FORMATS).index(way[0]), list(PADDING).index(way[1])))
        words = []
        for height, (fmt, padding) in enumerate(ways):
            some = here[(here.fmt == fmt) & (here.padding == padding)]
            mean = averaged(some, ["source"])
            _, shade, marker = PADDING[padding]
            axes.errorbar(mean["mean"], [height], xerr=whiskers(mean), color=shade, fmt=marker, **BAR)
            words.append(f"{FORMATS[fmt]} [{some.pads.mean():.0%}]")
        axes.set_yticks(range(len(ways)), words)
        axes.set_ylim(len(ways) - 0.5, -0.5)
        axes.set(title=f"Wanda on {label(name)}", xlabel=ADDED)
    handles = [plt.Line2D([], [], color=c, marker=m, ls="", ms=4, label=w) for w, c, m in PADDING.values()]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    return figure


def thoughts(table: pd.DataFrame) -> Figure:
    """Draw packed pairs without and with the chain of thought, a line per set; on all tests and on the set's own."""
    rows = added(table)
    reasoned = list(dict.fromkeys(rows[rows.rationale].source))
    rows = rows[rows.source.isin(reasoned) & (rows.fmt == "icl") & (rows.pairs == 0)]
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH_DOUBLE, 2.0))
    for axes, (title, own) in zip(panels, {"mean of all tests": False, "its own test": True}.items(), strict=True):
        for name in reasoned:
            here = rows[(rows.source == name) & ((rows.test == name) if own else True)]
            means = averaged(here, ["rationale"]).sort_values("rationale")
            if len(means) == 2:
                shade = colour(name) if name != "gsm8k" else BLUE
                axes.errorbar([0, 1], means["mean"], whiskers(means), marker="o", color=shade, label=label(name), **BAR)
        axes.set_xticks([0, 1], ["pairs", "pairs with chain of thought"])
        axes.set(title=title, ylabel=ADDED, xlim=(-0.3, 1.3))
    key(panels[0], 3)
    return figure


def padding(table: pd.DataFrame, length: int) -> Figure:
    """Draw what padding alone does: all but the last tokens of packed pairs become padding, seen or left out."""
    rows = added(table)
    rows = rows[rows.method == "wanda"]
    figure, axes = plt.subplots(figsize=(WIDTH_DOUBLE * 0.6, 2.4))
    none = averaged(rows[rows.keep == 0], ["keep"])
    axes.axhline(none["mean"].iloc[0], color=GREY, lw=0.8, ls="--", label="no padding")
    for name in ("counted", "excluded"):
        here = averaged(rows[(rows.keep > 0) & (rows.padding == name)], ["keep"]).sort_values("keep")
        words, shade, marker = PADDING[name]
        share = 100 * (1 - here.keep / length)
        axes.errorbar(share, here["mean"], whiskers(here), marker=marker, color=shade, label=words, **BAR)
    axes.set(xlabel=f"padding in % of windows of {length} tokens", ylabel=ADDED)
    key(axes, 3)
    return figure


def pairs(pairs_table: pd.DataFrame, steps_table: pd.DataFrame) -> Figure:
    """Draw experiment D with SparseGPT: a fixed number of pairs with padding, and rationales of so many steps."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH_DOUBLE, 2.3))
    rows = added(pairs_table)
    for name in ("counted", "excluded"):
        here = averaged(rows[(rows.pairs > 0) & (rows.padding == name)], ["pairs"])
        words, shade, marker = PADDING[name]
        places = here.pairs + (SHIFT if name == "excluded" else -SHIFT)
        left.errorbar(places, here["mean"], whiskers(here), marker=marker, color=shade, label=words, **BAR)
    left.set_xticks(sorted(set(rows[rows.pairs > 0].pairs)))
    source = rows[rows.pairs > 0].source.iloc[0]
    left.set(xlabel="pairs in a window", ylabel=ADDED, title=f"SparseGPT on {label(source)}")
    key(left, 2)
    rows = added(steps_table)
    rows = rows[rows.steps > 0]
    here = averaged(rows, ["steps"])
    right.errorbar(here.steps, here["mean"], whiskers(here), marker="o", color=VERMILLION, **BAR)
    right.set_xticks(sorted(set(rows.steps)))
    title = f"SparseGPT on {label(rows.source.iloc[0])}" if len(rows) else "no set has rationales"
    right.set(xlabel="steps of the rationale", ylabel=ADDED, title=title)
    return figure


def windows(counts: pd.DataFrame, lengths: pd.DataFrame, tokens: int) -> Figure:
    """Draw experiment E: how many windows, and how long at a fixed number of windows or of tokens."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH_DOUBLE, 2.4))
    rows = added(counts)
    for method in ("wanda", "sparsegpt"):
        here = averaged(rows[rows.method == method], ["windows"]).sort_values("windows")
        words, shade, marker = METHOD[method]
        left.errorbar(here.windows, here["mean"], whiskers(here), marker=marker, color=shade, label=words, **BAR)
    _powers(left, sorted(set(rows[rows.windows > 0].windows)))
    source = rows[rows.windows > 0].source.iloc[0]
    left.set(xlabel="windows", ylabel=ADDED, title=f"how many ({label(source)})")
    left.legend(**ABOVE)
    rows = added(lengths)
    rows = rows[rows.method == "wanda"]
    fixed = rows.windows == tokens // rows.length
    usual = rows.windows == rows[rows.length == rows.length.max()].windows.max()
    for words, chosen, shade, marker in (
        ("as many windows", usual, BLUE, "o"),
        ("as many tokens", fixed, VERMILLION, "s"),
    ):
        here = averaged(rows[chosen], ["length"]).sort_values("length")
        places = here.length * (1 + SHIFT if marker == "o" else 1 - SHIFT)
        right.errorbar(places, here["mean"], whiskers(here), marker=marker, color=shade, label=words, **BAR)
    _powers(right, sorted(set(rows.length)))
    right.set(xlabel="tokens of a window", ylabel=ADDED, title="how long, Wanda")
    right.legend(**ABOVE)
    return figure


def _powers(axes: Axes, ticks: list[int]) -> None:
    """Make the horizontal axis logarithmic, with these ticks alone."""
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks(ticks)
    axes.set_xticks([], minor=True)
