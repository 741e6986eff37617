"""Do different calibrations prune the same weights? The overlap of masks, by set and by linear map."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tenfold.book.style import BLACK, GREY, VERMILLION, WIDTH_DOUBLE
from tenfold.language.llama import LINEARS
from tenfold.papers.calibration_data.cells import NONSENSE
from tenfold.papers.calibration_data.looks import label


def pairs(table: pd.DataFrame) -> pd.DataFrame:
    """Return the mean overlap over maps and models: a row per pair of sets; same sets: two draws of one set."""
    same = table[(table["first"] == table.second) & (table.first_draw != table.second_draw)]
    other = table[(table["first"] != table.second) & (table.first_draw == 0) & (table.second_draw == 0)]
    rows = pd.concat([same, other])
    found = rows.groupby(["first", "second"], sort=False)[["jaccard", "expected"]].mean().reset_index()
    return found.assign(beyond=(found.jaccard - found.expected) / (1 - found.expected))


def overlap(table: pd.DataFrame) -> Figure:
    """Draw the Jaccard overlap of the pruned weights: by pair of sets, and by linear map and block."""
    means = pairs(table)
    names = list(dict.fromkeys([*means["first"], *means.second]))
    grid = pd.DataFrame(np.nan, index=names, columns=names)
    for row in means.itertuples():
        grid.loc[row.first, row.second] = grid.loc[row.second, row.first] = row.jaccard
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH_DOUBLE, 3.1), width_ratios=(1.5, 1))
    drawn = left.imshow(grid, cmap="viridis", vmin=means.expected.mean(), vmax=1)
    for (row, column), value in np.ndenumerate(grid.to_numpy()):
        if np.isfinite(value):
            shade = "white" if value < 0.5 * (1 + means.expected.mean()) else "black"
            left.text(column, row, f"{100 * value:.0f}", fontsize=5.5, ha="center", va="center", color=shade)
    left.set_yticks(range(len(names)), [label(name) for name in names])
    left.set_xticks(range(len(names)), [label(name) for name in names], rotation=60, ha="right")
    figure.colorbar(drawn, ax=left, shrink=0.75)
    left.set_title("Jaccard overlap, numbers in %")
    by_map(table, right)
    return figure


def by_map(table: pd.DataFrame, axes: plt.Axes) -> None:
    """Draw the overlap by linear map: draws of one set, different sets, and what chance would give."""
    real = table[~table["first"].isin(NONSENSE) & ~table.second.isin(NONSENSE)]
    same = real[(real["first"] == real.second)]
    other = real[(real["first"] != real.second) & (real.first_draw == 0) & (real.second_draw == 0)]
    for words, rows, shade, marker in (
        ("two draws of a set", same, BLACK, "o"),
        ("different sets", other, VERMILLION, "s"),
    ):
        means = rows.groupby("linear").jaccard.mean().reindex(LINEARS)
        axes.plot(means, range(len(LINEARS)), marker=marker, color=shade, ms=4, lw=0, label=words)
    axes.axvline(real.expected.mean(), color=GREY, ls="--", lw=0.9, label="independent masks")
    axes.set_yticks(range(len(LINEARS)), LINEARS)
    axes.set_ylim(len(LINEARS) - 0.5, -0.5)
    axes.set_xlabel("Jaccard overlap")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0))
