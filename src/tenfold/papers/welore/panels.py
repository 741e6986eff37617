"""Figures of spectra, ranks and compression."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tenfold.book.style import BLACK, GREY, PURPLE, VERMILLION, WIDTH_DOUBLE, YELLOW
from tenfold.papers.welore.effects import edge
from tenfold.papers.welore.looks import BAR, EXCESS, LINEAR, METHOD, PANELS, short
from tenfold.papers.welore.parameters import MAIN


def spectra(table: pd.DataFrame, threshold: float) -> Figure:
    """Draw the min-max normalised spectra of one model, a panel per kind of map, as the paper's Figure 4.

    First blocks red, last ones purple, those between yellow; dashed: the threshold.
    """
    figure, panels = plt.subplots(2, 4, figsize=(WIDTH_DOUBLE, 3.4), sharex=True, sharey=True)
    count = table.block.max() + 1
    for axes, linear in zip(panels.flat, LINEAR, strict=False):
        for block, rows in table[table.linear == linear].groupby("block"):
            axes.plot(rows["rank"], rows.s, color=_shade(block, count), lw=0.9)
        axes.axhline(threshold, color=BLACK, lw=0.7, ls="--")
        axes.set_title(short(linear))
    panels[0, 3].tick_params(labelbottom=True)
    last = panels.flat[-1]
    last.axis("off")
    names = {"first blocks": VERMILLION, "between": YELLOW, "last blocks": PURPLE}
    handles = [plt.Line2D([], [], color=shade, label=name) for name, shade in names.items()]
    handles.append(plt.Line2D([], [], color=BLACK, ls="--", lw=0.7, label=f"k = {threshold:.3f}"))
    last.legend(handles=handles, loc="center")
    figure.supxlabel("rank", fontsize=8)
    figure.supylabel(r"$(\sigma_i-\sigma_p)/(\sigma_1-\sigma_p)$", fontsize=8)
    return figure


def _shade(block: int, count: int) -> str:
    if block < edge(count):
        return VERMILLION
    return PURPLE if block >= count - edge(count) else YELLOW


def ranks(table: pd.DataFrame) -> Figure:
    """Draw the kept share of the rank at ERR 50 % by block and map, a panel per normalisation, means of seeds."""
    names = {"minmax": "min-max (WeLore)", "max": r"$\sigma_i/\sigma_1$", "raw": r"raw $\sigma_i$", "energy": "energy"}
    figure, panels = plt.subplots(1, 4, figsize=(WIDTH_DOUBLE, 2.5), sharey=True)
    rows = table[table.err == MAIN]
    for axes, (by, title) in zip(panels, names.items(), strict=True):
        grid = rows[rows.by == by].groupby(["linear", "block"]).kept.mean().unstack("block").loc[list(LINEAR)]
        drawn = axes.imshow(grid, vmin=0, vmax=1, cmap="viridis", aspect="auto")
        if grid.shape[1] <= 8:
            for (row, column), value in np.ndenumerate(grid.to_numpy()):
                shade = "white" if value < 0.6 else "black"
                axes.text(column, row, f"{100 * value:.0f}", ha="center", va="center", fontsize=6.5, color=shade)
        axes.set_yticks(range(len(grid)), [short(name) for name in grid.index])
        axes.set_xticks(range(0, grid.shape[1], max(1, grid.shape[1] // 4)))
        axes.set(title=title, xlabel="block")
    figure.colorbar(drawn, ax=panels, label="kept share of the rank")
    return figure


def added(curves: pd.DataFrame) -> pd.DataFrame:
    """Return means over tests and parts by method, ERR and seed, with what compression added to the dense model."""
    rows = curves.groupby(["method", "target", "seed"])[["loss", "err", "share"]].mean().reset_index()
    dense = rows[rows.method == "dense"].set_index("seed").loss
    return rows.assign(added=rows.loss - rows.seed.map(dense))


def compression(curves: pd.DataFrame) -> Figure:
    """Draw the loss that compression adds against ERR and against parameters, a column per comparison."""
    rows = added(curves)
    figure, panels = plt.subplots(2, 3, figsize=(WIDTH_DOUBLE, 5.0), sharey=True)
    for column, (title, methods) in enumerate(PANELS.items()):
        for line, axis in enumerate(("err", "share")):
            axes = panels[line, column]
            for method in methods:
                _line(axes, rows[rows.method == method], axis, method)
            axes.axhline(0, color=GREY, lw=0.6)
            # Below a hundredth of a nat seeds and texts differ by as much.
            axes.set_yscale("symlog", linthresh=0.01)
        panels[0, column].set(title=title, xlabel="effective rank reduction")
        panels[1, column].set(xlabel="parameters of the maps, share")
        panels[1, column].invert_xaxis()
        panels[1, column].axvline(1, color=GREY, lw=0.6, ls="--")
        panels[1, column].legend(fontsize=6.5, loc="upper center", bbox_to_anchor=(0.45, -0.3), ncols=2)
    for axes in panels[:, 0]:
        axes.set_ylabel(EXCESS)
    return figure


def _line(axes: Axes, rows: pd.DataFrame, axis: str, method: str) -> None:
    """Draw a method: means over seeds, bars from the least to the largest."""
    words, shade, marker = METHOD[method]
    means = rows.groupby("target")[[axis, "added"]].mean()
    spread = rows.groupby("target").added.agg(["min", "max"])
    bars = np.vstack([means.added - spread["min"], spread["max"] - means.added])
    axes.errorbar(means[axis], means.added, bars, color=shade, marker=marker, label=words, **BAR)


def parameters(curves: pd.DataFrame) -> Figure:
    """Draw the share of parameters against ERR: the same ERR is not the same size."""
    rows = added(curves)
    figure, axes = plt.subplots(figsize=(WIDTH_DOUBLE * 0.55, 2.5))
    for method in ("uniform", "welore", "welore-lrc", "max", "raw"):
        words, shade, marker = METHOD[method]
        means = rows[rows.method == method].groupby("target")[["err", "share"]].mean()
        axes.plot(means.err, means.share, color=shade, marker=marker, label=words, lw=1.0, ms=3.5)
    axes.axhline(1, color=GREY, lw=0.7, ls="--")
    axes.plot([0, 1], [1, 0], color=GREY, lw=0.7, ls=":")
    axes.set(xlabel="effective rank reduction", ylabel="parameters of the maps, share", xlim=(0, 1), ylim=(0, None))
    axes.legend()
    return figure


def alone(table: pd.DataFrame) -> Figure:
    """Draw the loss that truncating one kind of map alone adds, bars from the least to the largest seed."""
    figure, axes = plt.subplots(figsize=(WIDTH_DOUBLE * 0.55, 2.5))
    for linear, shade in LINEAR.items():
        found = table[table.linear == linear].groupby("err").added.agg(["mean", "min", "max"])
        bars = np.vstack([found["mean"] - found["min"], found["max"] - found["mean"]])
        axes.errorbar(found.index, found["mean"], bars, color=shade, marker="o", label=short(linear), **BAR)
    axes.axhline(0, color=GREY, lw=0.6)
    axes.set_yscale("symlog", linthresh=0.01)
    axes.set(xlabel="rank removed from this kind of map alone", ylabel=EXCESS)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def thresholds(searched: pd.DataFrame, published: pd.DataFrame) -> Figure:
    """Draw the searched threshold against ERR for both rules, and the published tables."""
    figure, axes = plt.subplots(figsize=(WIDTH_DOUBLE * 0.55, 2.5))
    rows = searched[(searched.by == "minmax") & (searched.step > 0)]
    for mode, shade, words in (("all", VERMILLION, "searched, all"), ("lrc", BLACK, "searched, LRC rule")):
        here = rows[rows["mode"] == mode].groupby("err").threshold.agg(["mean", "min", "max"])
        bars = np.vstack([here["mean"] - here["min"], here["max"] - here["mean"]])
        axes.errorbar(here.index, here["mean"], bars, color=shade, marker="o", label=words, **BAR)
    styles = {"7B, compression": "s", "7B, fine-tuning": "D", "13B": "^"}
    for which, here in published.drop_duplicates(["which", "err"]).groupby("which", sort=False):
        axes.plot(here.err, here.threshold, color=GREY, ls=":", marker=styles[which], ms=3.5, label=f"code, {which}")
    axes.set(xlabel="effective rank reduction", ylabel="threshold k")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
