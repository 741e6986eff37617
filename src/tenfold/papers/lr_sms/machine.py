"""Figures of sizes and times: parameters of the published model, and how fast factors are."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from tenfold.book.style import BLACK, BLUE, GREEN, GREY, VERMILLION, WIDTH_DOUBLE, WIDTH_SINGLE
from tenfold.papers.lr_sms.accounts import Base
from tenfold.papers.lr_sms.clocks import WIDTHS
from tenfold.papers.lr_sms.looks import BAR

PARTS = {"attention": BLUE, "feed-forward": VERMILLION, "both": GREEN}


def sizes(table: pd.DataFrame, model: Base) -> Figure:
    """Draw the parameters of the published audio model against the kept share, by part; dotted: in the encoder only."""
    figure, axes = plt.subplots(figsize=(WIDTH_SINGLE * 1.35, 2.5))
    for part, shade in PARTS.items():
        for name, line in ((part, "o-"), (f"encoder {part}", "o:")):
            rows = table[table.part == name].sort_values("rho")
            words = part if name == part else None
            axes.plot(rows.rho, rows.parameters / 1e6, line, color=shade, ms=3, lw=1, label=words)
    axes.axhline(model.parameters / 1e6, color=BLACK, lw=0.8, ls="--", label="dense")
    axes.axhline(model.parameters / 2e6, color=GREY, lw=0.8, ls="--", label="half of it")
    axes.set(xlabel=r"kept share $\rho$ of the rank", ylabel="millions of parameters", ylim=(0, None))
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def layers(table: pd.DataFrame) -> Figure:
    """Draw how many times faster factors are than the dense map, measured and counted, a panel per shape."""
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH_DOUBLE, 2.4), sharey=True)
    for axes, (m, n) in zip(panels, WIDTHS, strict=True):
        rows = table[(table.m == m) & (table.n == n)].sort_values("rho")
        dense = float(rows[rows.rho == 1].seconds.iloc[0])
        rows = rows[rows.rho < 1]
        axes.plot(rows.rho, rows.counted, "--", color=GREY, lw=1, label="operations, counted")
        # Quartiles of the factors' time against the dense map's median.
        bars = np.vstack([rows.faster - dense / rows.high, dense / rows.low - rows.faster]).clip(min=0)
        axes.errorbar(rows.rho, rows.faster, bars, fmt="o-", color=BLUE, label="time, measured", **BAR)
        axes.axhline(1, color=BLACK, lw=0.8, ls="--", label="as the dense map")
        axes.set(xlabel=r"kept share $\rho$ of the rank", title=f"{n} to {m}", xscale="log", yscale="log")
        axes.set_xticks(rows.rho, [f"{rho:g}" for rho in rows.rho])
        axes.xaxis.set_minor_locator(NullLocator())
    low, high = panels[0].get_ylim()
    ticks = [tick for tick in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20) if low <= tick <= high]
    panels[0].set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    panels[0].yaxis.set_minor_locator(NullLocator())
    panels[0].set_ylabel("times faster than dense")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure
