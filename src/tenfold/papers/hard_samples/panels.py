"""Figures of accuracies: against sparsity, on the grid of sparsity and data, under attack, by variant, by cost."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, NullFormatter

from tenfold.book.style import BLUE, VERMILLION, WIDTH_DOUBLE
from tenfold.papers.hard_samples.methods import LOOKS, PUBLISHED, labels

BAND = "#e3e3e3"
DODGE = 0.007
"""Sparsities between the points of neighbouring methods, so that their bars can be told apart."""
TEST = "test accuracy in %"
Panels = Mapping[str, pd.DataFrame]


def curves(tables: Panels, columns: int = 2) -> Figure:
    """Draw test accuracy of the published methods against sparsity, a panel per title.

    Points are means over seeds, bars their deviation.

    The dashed line is the dense network's mean, the band one deviation to either side.
    """
    tables = {title: table[table.method.isin(["dense", *PUBLISHED])] for title, table in tables.items()}
    figure, panels = _page(len(tables), columns, 2.05)
    for axes, (title, table) in zip(panels.flat, tables.items(), strict=False):
        _curves(axes, table)
        axes.set(title=title, xlabel="sparsity")
    for axes in panels[:, 0]:
        axes.set_ylabel(TEST)
    _key(figure, tables)
    return figure


def _curves(axes: Axes, table: pd.DataFrame) -> None:
    _dense(axes.axhspan, axes.axhline, table[table.method == "dense"].accuracy)
    spread = table[table.method != "dense"].groupby(["method", "sparsity"]).accuracy.agg(["mean", "std"]).reset_index()
    names = _known(spread.method)
    for number, name in enumerate(names):
        rows, look = spread[spread.method == name].sort_values("sparsity"), LOOKS[name]
        x = rows.sparsity + DODGE * (number - (len(names) - 1) / 2)
        style = {"color": look.colour, "marker": look.marker, "ms": 3.5, "lw": 0.9, "elinewidth": 0.6, "capsize": 0}
        axes.errorbar(x, rows["mean"], rows["std"].fillna(0), **style)
    axes.set_xticks(sorted(set(spread.sparsity)))


def variants(tables: Panels, columns: int = 2) -> Figure:
    """Draw the accuracy of every method at one sparsity, a panel per title; small points are seeds."""
    names = _known(pd.concat([*tables.values()]).method, dense=False)
    figure, panels = _page(len(tables), columns, 0.45 + 0.18 * len(names), sharey=True)
    for axes, (title, table) in zip(panels.flat, tables.items(), strict=False):
        _dense(axes.axvspan, axes.axvline, table[table.method == "dense"].accuracy)
        for height, name in enumerate(names):
            _dots(axes, table[table.method == name].accuracy, height, name)
        axes.set(title=title, xlabel=TEST)
        axes.grid(axis="x")
    panels[0, 0].set_yticks(range(len(names)), labels(names))
    panels[0, 0].set_ylim(len(names) - 0.5, -0.5)
    dense = Line2D([], [], color=LOOKS["dense"].colour, ls="--", lw=1.0, label="dense, mean and deviation")
    figure.legend(handles=[dense], loc="outside upper center")
    return figure


def _dots(axes: Axes, values: pd.Series, height: float, name: str) -> None:
    look = LOOKS[name]
    axes.plot(values, np.full(len(values), height), ".", color=look.colour, ms=3, alpha=0.5)
    axes.plot(values.mean(), height, look.marker, color=look.colour, ms=5, mec="white", mew=0.5)


def attacks(tables: Panels, columns: int = 2) -> Figure:
    """Draw clean and attacked accuracy of each method, a panel per title; small points are seeds, lines dense."""
    names = _known(pd.concat([*tables.values()]).method)
    figure, panels = _page(len(tables), columns, 1.9, sharex=True)
    for axes, (title, table) in zip(panels.flat, tables.items(), strict=False):
        for value, colour in ATTACKED.values():
            axes.axhline(table[table.method == "dense"][value].mean(), color=colour, lw=0.8, ls="--", zorder=0)
            for place, name in enumerate(names):
                rows = table[table.method == name][value]
                axes.plot(np.full(len(rows), place), rows, ".", color=colour, ms=3, alpha=0.5)
                axes.plot(place, rows.mean(), LOOKS[name].marker, color=colour, ms=5, mec="white", mew=0.5)
        axes.set(title=title)
        axes.set_xticks(range(len(names)), labels(names))
    for axes in panels[:, 0]:
        axes.set_ylabel(TEST)
    handles = [Line2D([], [], color=colour, marker="o", label=words) for words, (_, colour) in ATTACKED.items()]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    return figure


ATTACKED = {"clean images": ("accuracy", BLUE), "attacked images": ("robust_accuracy", VERMILLION)}


def grid(table: pd.DataFrame, title: str) -> Figure:
    """Draw the difference between SET and dense on the grid of sparsity and data, in points, mean over seeds.

    Bold where the 95 % interval leaves out zero.
    """
    wide = table.pivot(index="ratio", columns="sparsity", values="mean").sort_index(ascending=False)
    sure = table.assign(sure=table.low * table.high > 0).pivot(index="ratio", columns="sparsity", values="sure")
    figure, axes = plt.subplots(figsize=(4.6, 1.2 + 0.3 * len(wide)))
    most = max(float(wide.abs().to_numpy().max()), 0.1)
    drawn = axes.imshow(wide, cmap="RdBu", vmin=-most, vmax=most, aspect="auto")
    for row, ratio in enumerate(wide.index):
        for place, sparsity in enumerate(wide.columns):
            value = wide.loc[ratio, sparsity]
            style = {"weight": "bold" if sure.loc[ratio, sparsity] else "normal", "ha": "center", "va": "center"}
            colour = "white" if abs(value) > 0.6 * most else "#222222"
            axes.text(place, row, f"{value:+.1f}".replace("-", "−"), fontsize=7, color=colour, **style)
    axes.set_xticks(range(len(wide.columns)), [f"{value:g}" for value in wide.columns])
    axes.set_yticks(range(len(wide.index)), [f"{100 * value:g} %" for value in wide.index])
    axes.set(title=title, xlabel="sparsity", ylabel="hardest share kept")
    figure.colorbar(drawn, ax=axes, label="SET minus dense\nin points")
    return figure


def costs(best: pd.DataFrame, dense: dict[str, float], titles: dict[str, str]) -> Figure:
    """Draw accuracy against training operations of the best runs of each method; area is the number of weights.

    `dense` is the mean accuracy of the dense network by panel, `titles` what each shows; letters begin with c.
    """
    figure, panels = _page(len(titles), len(titles), 2.5)
    for axes, letter, (panel, title) in zip(panels.flat, "cdef", titles.items(), strict=False):
        axes.axhline(dense[panel], color=LOOKS["dense"].colour, lw=0.8, ls="--", zorder=0)
        rows = best[best.panel == panel]
        for name in _known(rows.method):
            mine = rows[rows.method == name]
            style = {"color": LOOKS[name].colour, "marker": LOOKS[name].marker, "edgecolor": "white", "lw": 0.4}
            axes.scatter(mine.flops, mine.accuracy, s=12 + 30 * mine.weights, alpha=0.85, **style)
        axes.set(title=f"{letter}. {title}", xlabel="training operations, dense = 1", xscale="log")
        _plain_ticks(axes, rows.flops)
    panels[0, 0].set_ylabel(TEST)
    _key(figure, {"": best})
    return figure


def _plain_ticks(axes: Axes, values: pd.Series) -> None:
    """Write the few ticks of a logarithmic axis as plain numbers."""
    ticks = [tick for tick in (0.05, 0.1, 0.2, 0.5, 1, 2) if values.min() / 1.3 <= tick <= values.max() * 1.3]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{tick:g}" for tick in ticks]))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _page(count: int, columns: int, height: float, **shared: bool) -> tuple[Figure, np.ndarray]:
    """Return a figure of the full width with `count` panels in rows of `columns`, the rest left empty."""
    columns = min(count, columns)
    rows = -(-count // columns)
    figure, panels = plt.subplots(rows, columns, figsize=(WIDTH_DOUBLE, 0.45 + height * rows), squeeze=False, **shared)
    for axes in panels.flat[count:]:
        axes.set_axis_off()
    return figure, panels


def _dense(span, line, values: pd.Series) -> None:
    """Draw the dense network's mean and deviation across axes, in either direction."""
    deviation = values.std() if len(values) > 1 else 0.0
    span(values.mean() - deviation, values.mean() + deviation, color=BAND, lw=0, zorder=0)
    line(values.mean(), color=LOOKS["dense"].colour, lw=1.0, ls="--", zorder=1)


def _known(names: pd.Series, dense: bool = True) -> list[str]:
    """Return the methods of a table in their own order."""
    return [name for name in LOOKS if name in set(names) and (dense or name != "dense")]


def _key(figure: Figure, tables: Panels) -> None:
    """Put the key of all methods above the panels."""
    names = _known(pd.concat([*tables.values()]).method)
    handles = []
    for name in names:
        kind = {"ls": "--"} if name == "dense" else {"marker": LOOKS[name].marker, "ls": "-"}
        handles.append(Line2D([], [], color=LOOKS[name].colour, label=LOOKS[name].label, ms=3.5, lw=1.0, **kind))
    figure.legend(handles=handles, loc="outside upper center", ncols=min(len(names), 6))
